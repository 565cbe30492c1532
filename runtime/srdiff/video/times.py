"""When frames are shown, where a container does not say."""

from __future__ import annotations

from collections import deque
from fractions import Fraction
from heapq import heappop, heappush
from math import floor
from typing import Any, Iterable, Iterator

from ..errors import ImageError

# Frames that a decoder holds back at most, so that they come in the order in which they are shown.
_HELD = 16
# Of these the times are those of decoding.
_IN_DECODING_ORDER = ("avi",)


def timed(frames: Iterable[Any], usual: int, container: str) -> Iterator[tuple[Any, int]]:
    """Frames, in the order in which they are shown, with their times.

    Args:
        usual: between two.
        container: its name; see ``_IN_DECODING_ORDER``. Each frame of such gets the earliest time that is left.
    """
    most = _HELD if container in _IN_DECODING_ORDER else 0
    waiting: deque[Any] = deque()
    times: list[int] = []
    time = -usual
    try:
        for frame in frames:
            time = time + usual if frame.pts is None else frame.pts
            waiting.append(frame)
            heappush(times, time)
            if len(waiting) > most:
                yield waiting.popleft(), heappop(times)
    except ImageError:  # after what came before it
        yield from zip(waiting, sorted(times))
        raise
    yield from zip(waiting, sorted(times))


def moment(seconds: Fraction) -> str:
    """Seconds for a sentence, rounded down, so that a film that ends there ends before what comes after."""
    return f"{floor(seconds * 100) / 100:.2f}"
