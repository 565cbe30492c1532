"""What was made, for a bounded time and in bounded space, in memory: a kill leaves nothing on the disk."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from dataclasses import dataclass
from typing import Callable

from .limits import Limits


@dataclass(frozen=True)
class Result:
    """Encoded pictures with what was said of them.

    Attributes:
        digest: over the input, the bundle, the settings, the engine, its precision and all versions.
        media_type: of every part.
        parts: by name: ``1``, ``2``, … or ``mean``, then ``uncertainty``; never empty.
        size: (width, height) in pixels.
        facts: how it was made, under the names of the headers that say so.
    """

    digest: str
    media_type: str
    parts: dict[str, bytes]
    size: tuple[int, int]
    facts: dict[str, str]

    @property
    def bytes(self) -> int:
        return sum(map(len, self.parts.values()))


class Results:
    """The latest results by digest; safe from any thread."""

    def __init__(self, limits: Limits, clock: Callable[[], float] = time.monotonic) -> None:
        self._limits = limits
        self._clock = clock
        self._kept: OrderedDict[str, tuple[float, Result]] = OrderedDict()
        self._bytes = 0
        self._lock = threading.Lock()

    @property
    def bytes(self) -> int:
        return self._bytes

    def __len__(self) -> int:
        return len(self._kept)

    def keep(self, result: Result) -> None:
        """Keep a result, and let go of the oldest for it; one larger than all the space is kept alone."""
        with self._lock:
            self._drop(result.digest)
            self._kept[result.digest] = (self._clock(), result)
            self._bytes += result.bytes
            while self._bytes > self._limits.kept_bytes and len(self._kept) > 1:
                self._drop(next(iter(self._kept)))

    def get(self, digest: str) -> Result | None:
        self.expire()
        with self._lock:
            return self._kept[digest][1] if digest in self._kept else None

    def expire(self) -> None:
        """Let go of what has been kept for long enough."""
        with self._lock:
            oldest = self._clock() - self._limits.kept_seconds
            for digest in [digest for digest, (since, _) in self._kept.items() if since < oldest]:
                self._drop(digest)

    def _drop(self, digest: str) -> None:
        if digest in self._kept:
            self._bytes -= self._kept.pop(digest)[1].bytes
