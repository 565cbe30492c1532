"""Termination as Ctrl-C: what is unfinished is removed on the way out."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from contextlib import contextmanager
from typing import Any, Iterator

INTERRUPTED = 130  # exit code after Ctrl-C
# Seconds. MindSpore answers a single Ctrl-C with SIGTERM to its own process, once or twice.
ECHOES = 1.0
_SIGNALS = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]


class Terminated(KeyboardInterrupt):
    """A signal asked the process to end; ``exit_code`` is what it ends with."""

    def __init__(self, number: int) -> None:
        super().__init__()
        # With MindSpore at work, SIGTERM may be its answer to a Ctrl-C, and nothing tells the two apart.
        self.exit_code = INTERRUPTED if "mindspore" in sys.modules else 128 + number


@contextmanager
def interrupted_by_termination() -> Iterator[None]:
    """Within the block SIGTERM and SIGHUP raise :class:`Terminated`, once; one later than the first's echoes ends the
    process on the spot. A signal that is ignored, as under nohup, or that somebody else handles stays as it is.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    first: list[float] = []

    def leave(number: int, frame: Any) -> None:
        if not first:
            first.append(time.monotonic())
            raise Terminated(number)
        if time.monotonic() - first[0] > ECHOES:
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)

    ours = [number for number in _SIGNALS if signal.getsignal(number) is signal.SIG_DFL]
    try:
        for number in ours:
            signal.signal(number, leave)
        yield
    finally:
        for number in ours:
            if signal.getsignal(number) is leave:
                signal.signal(number, signal.SIG_DFL)
