"""Ctrl-C while one of this project's commands is still being imported: it has begun nothing, so it ends without a word.

In any other program that imports the package nothing changes.
"""

from __future__ import annotations

import os
import signal
import sys
import threading

_PREFIX = "srdiff-"


def die_quietly() -> None:
    """Let an interrupt end the process as it ends programs that know no exceptions; until :func:`raise_again`."""
    program = os.path.basename((getattr(sys, "argv", None) or [""])[0])  # noqa: PTH119 (pathlib's import takes as long)
    if program.startswith(_PREFIX) and _is_pythons(signal.default_int_handler):
        signal.signal(signal.SIGINT, signal.SIG_DFL)


def raise_again() -> None:
    """From here on an interrupt is a KeyboardInterrupt; one that is ignored, as in the background, stays so."""
    if _is_pythons(signal.SIG_DFL):
        signal.signal(signal.SIGINT, signal.default_int_handler)


def _is_pythons(handler: object) -> bool:
    return threading.current_thread() is threading.main_thread() and signal.getsignal(signal.SIGINT) == handler


die_quietly()
