"""A file of JSON lines that any kill leaves whole: it is only ever appended to, each time with one write. So several
processes may append at once, without a lock, and nothing is ever cut off or written over."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO, Iterator

from ..atomic_files import cannot_write
from ..errors import OptionError, OutputError

HEADER_KEY = "srdiff_ledger"
HEADER = b'{"srdiff_ledger": 1}\n'
# What an editor may put before the first line.
_MARK = b"\xef\xbb\xbf"
# Bytes of a line that are looked at to tell whether it is a torn header: a foreign file may be one line of gigabytes.
_LOOK = 1 << 16


class Pen:
    """Appends to a ledger's file, for one thread at a time.

    Args:
        path: made with the first line.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file: int | None = None

    def write(self, lines: bytes = b"") -> None:
        """All of the lines, or one that is torn, which the next write ends; nothing makes the file.

        Raises:
            OutputError: the file cannot be written.
        """
        try:
            if self._file is None:
                self._file = _open(self.path)
            if lines:
                _put(self._file, lines)
        except OSError as error:
            with suppress(OSError):  # opening it again looks for the header
                self.close()
            raise cannot_write(self.path, error) from error

    def close(self) -> None:
        """Let go of the file; the next line opens it again."""
        if self._file is not None:
            file, self._file = self._file, None
            os.close(file)


def read_lines(file: Path) -> Iterator[dict[str, Any] | None]:
    """The lines of a ledger, headers included; None for one that is damaged.

    Raises:
        OptionError: the file is no ledger.
        OutputError: it cannot be read.
    """
    try:
        with file.open("rb") as stream:
            if _has_header(stream) is None:
                raise OptionError(f"{file} is no ledger of this project; name another file as ledger")
            stream.seek(0)
            for line in stream:
                if not line.strip():  # two processes ended one line
                    continue
                try:
                    data = json.loads(line.decode("utf-8-sig"))
                except (ValueError, RecursionError):
                    data = None
                yield data if isinstance(data, dict) else None
    except FileNotFoundError:
        return
    except OSError as error:
        raise OutputError(f"{file} cannot be read ({error.strerror or error}); name another file as ledger") from error


def _open(path: Path) -> int:
    """For appending, with the header there. Where another process does the same meanwhile, it is there twice."""
    path.parent.mkdir(parents=True, exist_ok=True)
    file = os.open(str(path), os.O_RDWR | os.O_CREAT | os.O_APPEND | getattr(os, "O_BINARY", 0), 0o666)
    try:
        with path.open("rb") as stream:
            begun = _has_header(stream)
        if begun is False:
            _put(file, HEADER)
    except BaseException:
        os.close(file)
        raise
    return file


def _has_header(stream: BinaryIO) -> bool | None:
    """Whether the first line is there; None for a file that is no ledger. Before it, or in its place, may be torn ones,
    of which the machine's end left some or none on the disk."""
    while True:
        line = _plain(stream.readline(_LOOK))
        if not line or line == HEADER:
            return bool(line)
        start = line.rstrip(b"\n")
        if not start or not HEADER.startswith(start.rstrip(b"\0")):
            return None


def _plain(line: bytes) -> bytes:
    """Without what an editor has put there."""
    line = line[len(_MARK) :] if line.startswith(_MARK) else line
    return line.replace(b"\r\n", b"\n")


def _put(file: int, lines: bytes) -> None:
    """With one write, which no other process's comes between; a line that anybody's write left torn is ended. Raises
    OSError."""
    size = os.lseek(file, 0, os.SEEK_END)
    os.lseek(file, max(0, size - 1), os.SEEK_SET)
    if os.read(file, 1) not in (b"", b"\n"):
        lines = b"\n" + lines
    if os.write(file, lines) != len(lines):
        raise OSError(28, "the disk took a part of a line")
