"""Objects that live in processes of their own and work when they are asked to."""

from __future__ import annotations

import multiprocessing
import signal
import traceback
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Callable

from srdiff.errors import SRDiffError

SHUTDOWN_S = 10


class ProcessError(SRDiffError):
    """A process ended, or failed with something that is no error of this project."""

    exit_code = 1


class Remote:
    """An object made in a fresh process, which ends with the ``with`` block.

    Args:
        name: for messages.
        factory: made there with ``arguments``; from a module's top level.
    """

    def __init__(self, name: str, factory: Callable[..., Any], *arguments: Any) -> None:
        self._name = name
        # A fork would bring along memory, threads and libraries of this process.
        context = multiprocessing.get_context("spawn")
        self._connection, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs, factory, arguments), daemon=True)
        self._process.start()
        theirs.close()

    def __enter__(self) -> Remote:
        return self

    def __exit__(self, failure: object, *_: object) -> None:
        self._connection.close()
        self._process.join(0 if failure else SHUTDOWN_S)
        if self._process.is_alive():
            self._process.terminate()
            self._process.join()

    def ask(self, method: str, *arguments: Any) -> Any:
        """What the object's method returns.

        Raises:
            SRDiffError: raised there, in making the object or in the method.
            ProcessError: the process ended, or something else was raised there.
        """
        try:
            self._connection.send((method, arguments))
            failed, answer = self._connection.recv()
        except (EOFError, OSError) as error:
            self._process.join(SHUTDOWN_S)
            raise ProcessError(
                f"the process of {self._name} ended with code {self._process.exitcode}; "
                "if it ran out of memory, choose a smaller shape or fewer engines"
            ) from error
        if failed:
            raise answer
        return answer


def _serve(connection: Connection, factory: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches every process; the first one ends the others
    made = None
    while True:
        try:
            method, rest = connection.recv()
        except EOFError:
            return
        try:
            made = made or factory(*arguments)
            answer = False, getattr(made, method)(*rest)
        except SRDiffError as error:
            answer = True, error
        except Exception as error:
            traceback.print_exc()
            answer = True, ProcessError(f"unexpected {type(error).__name__} in a process of its own: {error}")
        connection.send(answer)


def peak_memory() -> int:
    """The most bytes of memory that this process has held, its libraries included.

    From Linux's count, which begins with the program; the portable one begins with the process that started it.
    """
    status = Path("/proc/self/status")
    if status.is_file():
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM:"))
        return int(line.split()[1]) * 1024
    import resource
    import sys

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
