"""Threads of your own: `python examples/embed_threads.py in1.png in2.png`. One upscaler serves all of them.

pip install '.[cpu]'
"""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from srdiff import OutputError, SRDiffError, Upscaler
from srdiff.photo.read import read_photo
from srdiff.photo.write import write_photo


def enlarge_all(paths: list[Path], threads: int = 2) -> list[Path]:
    """A PNG beside each, never in place of another file; the threads read and write while one image is computed."""
    upscaler = Upscaler.from_bundle()

    def enlarge(path: Path) -> Path:
        target = path.with_name(f"{path.name}_large.png")
        if target.exists():
            raise OutputError(f"{target} is there already and is kept; move it away")
        write_photo(upscaler.enlarge(read_photo(path)), target, "png", replace=False)
        return target

    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(enlarge, paths))


if __name__ == "__main__":
    try:
        print(*enlarge_all([Path(word) for word in sys.argv[1:]]), sep="\n")
    except SRDiffError as error:
        sys.exit(str(error))
