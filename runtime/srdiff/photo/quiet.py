"""Warnings kept away from a program for as long as a thread decodes, and for that thread alone."""

from __future__ import annotations

import threading
import warnings
from contextlib import contextmanager
from typing import Any, Iterator


class _Decoding(threading.local):
    """Stands in a filter where a message's pattern does: it matches whatever the decoding threads say."""

    depth = 0

    def match(self, _: str) -> bool:
        return self.depth > 0


_here = _Decoding()
_lock = threading.Lock()
_FILTER: Any = ("ignore", _here, Warning, None, 0)


@contextmanager
def without_warnings() -> Iterator[None]:
    """``warnings.catch_warnings`` is the whole program's, and two threads in it leave it as neither found it."""
    with _lock:
        if not warnings.filters or warnings.filters[0] is not _FILTER:  # a program's later ones would come before it
            others: Any = [other for other in warnings.filters if other is not _FILTER]
            warnings.filters[:] = [_FILTER, *others]  # type: ignore[index]
    _here.depth += 1
    try:
        yield
    finally:
        _here.depth -= 1
