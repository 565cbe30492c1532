"""A file of JSON lines that any kill leaves whole: it is only ever appended to, each time with one write."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any, Iterator

from ..atomic_files import cannot_write
from ..errors import OptionError, OutputError

HEADER = b'{"srdiff_ledger": 1}\n'


class Pen:
    """Appends to a ledger's file, for one thread at a time.

    Args:
        path: made with the first line.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file: int | None = None

    def write(self, lines: bytes = b"") -> None:
        """All of the lines, or one that is torn; nothing makes the file.

        Raises:
            OutputError: the file cannot be written.
        """
        try:
            if self._file is None:
                self._file = _open(self.path)
            if lines and os.write(self._file, lines) != len(lines):
                raise OSError(28, "the disk took a part of a line")
        except OSError as error:
            raise cannot_write(self.path, error) from error

    def close(self) -> None:
        """Let go of the file; the next line opens it again."""
        if self._file is not None:
            os.close(self._file)
            self._file = None


def read_lines(file: Path) -> Iterator[dict[str, Any] | None]:
    """The lines of a ledger; None for one that is damaged.

    Raises:
        OptionError: the file is no ledger.
        OutputError: it cannot be read.
    """
    try:
        with file.open("rb") as stream:
            start = stream.read(len(HEADER))
            if start != HEADER and not _is_empty(start, file.stat().st_size):
                raise OptionError(f"{file} is no ledger of this project; name another file as ledger")
            for line in stream:
                try:
                    data = json.loads(line.decode())
                except (ValueError, RecursionError):
                    data = None
                yield data if isinstance(data, dict) else None
    except FileNotFoundError:
        return
    except OSError as error:
        raise OutputError(f"{file} cannot be read ({error.strerror or error}); name another file as ledger") from error


def _open(path: Path) -> int:
    """For appending; a line that was torn is ended."""
    path.parent.mkdir(parents=True, exist_ok=True)
    file = os.open(str(path), os.O_RDWR | os.O_CREAT | os.O_APPEND | getattr(os, "O_BINARY", 0), 0o666)
    size = os.fstat(file).st_size
    start = os.read(file, len(HEADER))
    if _is_empty(start, size):
        os.ftruncate(file, 0)
        os.write(file, HEADER)
    else:
        os.lseek(file, size - 1, os.SEEK_SET)
        if os.read(file, 1) != b"\n":
            os.write(file, b"\n")
    return file


def _is_empty(start: bytes, size: int) -> bool:
    """Whether a file's first line was never finished: its machine stopped with some or none of it on the disk."""
    return size == len(start) and start != HEADER and HEADER.startswith(start.rstrip(b"\0"))
