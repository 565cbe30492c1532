"""What holds while one of this project's commands is still being imported, and in no other program.

Ctrl-C ends it without a word, as it has begun nothing. Nothing is looked through for garbage, as all that imports make
stays: that took a tenth of their time.
"""

from __future__ import annotations

import gc
import os
import signal
import sys
import threading

COMMANDS = tuple(
    f"srdiff-{name}" for name in ("run", "doctor", "serve", "video", "models", "export", "train", "preprocess", "eval")
)


def begin() -> None:
    """Let an interrupt end a command as it ends programs that know no exceptions; until :func:`imported`."""
    if is_command():
        gc.disable()
        if _is_pythons(signal.default_int_handler):
            signal.signal(signal.SIGINT, signal.SIG_DFL)


def imported() -> None:
    """From here on an interrupt is a KeyboardInterrupt; one that is ignored, as in the background, stays so."""
    if is_command():
        gc.freeze()
        gc.enable()
    if _is_pythons(signal.SIG_DFL):
        signal.signal(signal.SIGINT, signal.default_int_handler)


def is_command() -> bool:
    """Whether this process is one of this project's commands."""
    program = os.path.basename((getattr(sys, "argv", None) or [""])[0])  # noqa: PTH119 (pathlib's import takes as long)
    return os.path.splitext(program)[0] in COMMANDS and not _is_worker()  # noqa: PTH122 (likewise)


def _is_worker() -> bool:
    """A process that multiprocessing began has the arguments of the command, and never is one."""
    processes = sys.modules.get("multiprocessing.process")
    return processes is not None and processes.current_process().name != "MainProcess"


def _is_pythons(handler: object) -> bool:
    return threading.current_thread() is threading.main_thread() and signal.getsignal(signal.SIGINT) == handler


begin()
