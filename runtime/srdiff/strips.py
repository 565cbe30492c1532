"""Work on an image's rows, shared out to threads: while an engine waits for it, its cores would lie idle."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Callable


def in_strips(make: Callable[[int, int], None], height: int, rows: int, threads: int) -> None:
    """Call ``make(top, size)`` for all ``height`` rows, ``rows`` at a time; NumPy's loops run side by side.

    Raises:
        Exception: what a call raised.
    """
    strips = [(top, min(rows, height - top)) for top in range(0, height, rows)]
    if threads == 1 or len(strips) == 1:
        for strip in strips:
            make(*strip)
        return
    with ThreadPoolExecutor(min(threads, len(strips))) as pool:
        for done in [pool.submit(make, *strip) for strip in strips]:
            done.result()
