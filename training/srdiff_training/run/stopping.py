"""Ctrl-C and SIGTERM as a wish to stop after the step under way."""

from __future__ import annotations

import os
import signal
import time
from contextlib import contextmanager
from typing import Any, Iterator

SIGNALS = (signal.SIGINT, signal.SIGTERM)
# Seconds. MindSpore answers a single Ctrl-C with SIGTERM to its own process, once or twice.
ECHOES = 1.0


class Caught:
    """The signal that has come, or None."""

    def __init__(self) -> None:
        self.signal: int | None = None
        self._first = 0.0
        self._before = {number: signal.getsignal(number) for number in SIGNALS}

    def listen(self) -> None:
        """Only note the first signal. Again after each step: MindSpore's compiler and data pipeline put handlers of
        their own in place, which end the process.
        """
        for number in SIGNALS:
            signal.signal(number, self._note)

    def restore(self) -> None:
        """From here on signals act as they did before."""
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _note(self, number: int, frame: Any) -> None:
        if self.signal is None:
            self.signal, self._first = number, time.monotonic()
        elif time.monotonic() - self._first > ECHOES:
            self.restore()
            os.kill(os.getpid(), number)


@contextmanager
def stop_signals() -> Iterator[Caught]:
    """Within the block the first signal is only noted; one later than its echoes acts as before the block."""
    caught = Caught()
    caught.listen()
    try:
        yield caught
    finally:
        caught.restore()
