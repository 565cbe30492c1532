"""Threads of your own: `python examples/embed_threads.py in1.png in2.png`. One upscaler serves all of them.

pip install '.[cpu]'
"""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from srdiff import Upscaler
from srdiff.photo.read import read_photo
from srdiff.photo.write import write_photo


def enlarge_all(paths: list[Path], threads: int = 2) -> list[Path]:
    """A PNG beside each; the threads read and write while one image is computed."""
    upscaler = Upscaler.from_bundle()

    def enlarge(path: Path) -> Path:
        target = path.with_name(f"{path.stem}_large.png")
        write_photo(upscaler.enlarge(read_photo(path)), target, "png")
        return target

    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(enlarge, paths))


if __name__ == "__main__":
    for written in enlarge_all([Path(word) for word in sys.argv[1:]]):
        print(written)
