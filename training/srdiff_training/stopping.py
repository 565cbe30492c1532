"""Ctrl-C and SIGTERM as a wish to stop after the step under way."""

from __future__ import annotations

import signal
from contextlib import contextmanager
from typing import Any, Iterator

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Caught:
    """The signal that has come, or None."""

    signal: int | None = None


@contextmanager
def stop_signals() -> Iterator[Caught]:
    """Within the block the first signal is only noted; a second one acts as it did before the block."""
    caught = Caught()
    before = {number: signal.getsignal(number) for number in SIGNALS}

    def note(number: int, frame: Any) -> None:
        caught.signal = number
        restore()

    def restore() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    for number in SIGNALS:
        signal.signal(number, note)
    try:
        yield caught
    finally:
        restore()
