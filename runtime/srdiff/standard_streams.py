"""Standard input, output and error as a process may get them: closed, or with nothing behind them."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import BinaryIO

from .errors import ImageError, OutputError


def occupy_closed() -> None:
    """Give the numbers of closed streams to the null device; to be called before any file is opened.

    The next file opened would get such a number, and what a library prints would land in it.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest free number
    if sys.stderr is None:
        sys.stderr = Path(os.devnull).open("w")  # noqa: SIM115 (for as long as the process lives)


def silence_output() -> None:
    """Let the rest of what is buffered for standard output go nowhere: at the end it would fail once more."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)


def input_bytes() -> BinaryIO:
    """Standard input. Raises ImageError where it is closed."""
    if sys.stdin is None:
        raise ImageError("standard input is closed, and an image was to be read from it; name a file")
    return sys.stdin.buffer


def output_bytes() -> BinaryIO:
    """Standard output. Raises OutputError where it is closed."""
    if sys.stdout is None:
        raise OutputError("standard output is closed; leave it open, or have the result in a file")
    return sys.stdout.buffer
