"""A file that says of every image of a batch what came of it: JSON lines, only ever appended to."""

from __future__ import annotations

import json
import os
import threading
import time
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from ..file_hash import sha256_of
from ..jobs.sources import LEDGER_STEM, LEDGER_SUFFIX
from ..jobs.work import DONE, FAILED
from ..looking import is_folder
from .lines import HEADER_KEY, Pen, read_lines
from .pins import Pins, fingerprint

# Seconds by which an entry is later than the one before it, at least.
_TICK = 0.001
# Seconds since 1970 that no clock says, and up to which ticks can be told apart.
_NEVER = 1e11


@dataclass(frozen=True)
class FileRecord:
    """A file as it was.

    Attributes:
        path: of a result, relative to the ledger's folder where it lies within; empty for an input, which the entry's
            key names.
        sha256: hexadecimal; None of an input that could not be read, or that changed meanwhile.
        size, mtime_ns: in bytes and nanoseconds; who has both is taken for unchanged without reading it.
        found: a result that was there before, and so may be somebody's own.
    """

    path: str
    sha256: str | None
    size: int
    mtime_ns: int
    found: bool = False


@dataclass(frozen=True)
class Entry:
    """What came of one image, the last time it was tried.

    Attributes:
        key: what the image is called in its batch, whatever machine reads it.
        status: ``done`` or ``failed``.
        input: what the outputs were made of, or what failed; None where there is no such file.
        outputs: the results, all there; of a failure those of before, if any.
        settings: fingerprint of the pins they were made with; None where all were found.
        seed: of the noise.
        seconds: of work.
        error: of a failure, one sentence.
        finished: seconds since 1970, and within a ledger later than what it says of the key before, whatever the clock
            says; of two ledgers' entries with one key the later counts.
        folder: of the input, without links; a file of the same key in another folder is another image. None of entries
            that do not say.
    """

    key: str
    status: str
    input: FileRecord | None = None
    outputs: tuple[FileRecord, ...] = ()
    settings: str | None = None
    seed: int = 0
    seconds: float = 0.0
    error: str | None = None
    finished: float = field(default_factory=time.time)
    folder: str | None = None

    def to_line(self) -> bytes:
        data = {name: value for name, value in asdict(self).items() if value not in (None, ())}
        return json.dumps(data).encode() + b"\n"

    @classmethod
    def from_data(cls, data: dict[str, Any]) -> Entry:
        """Raises KeyError, TypeError or ValueError for what is no entry."""
        values = {name: data[name] for name in cls.__dataclass_fields__ if name in data}
        values["input"] = FileRecord(**values["input"]) if "input" in values else None
        values["outputs"] = tuple(FileRecord(**output) for output in values.get("outputs", ()))
        if values["status"] not in (DONE, FAILED) or not isinstance(values["key"], str):
            raise ValueError("it has a key that is no text, or another status")
        if "finished" in values and not 0 <= values["finished"] < _NEVER:
            raise ValueError("it has a time that never is")
        return cls(**values)


def ledger_in(folder: Path) -> Path:
    """The ledger's usual place: a name that no image has, and that finding images passes over."""
    return folder / (LEDGER_STEM + LEDGER_SUFFIX)


class Notes:
    """Entries in memory: what a batch's results are known by, relative to a folder.

    Args:
        path: of the ledger that they are for; nothing is read or written.

    Attributes:
        entries: by key, the latest of each.
        promises: by key, entries of one result each, which was about to get its name. Whoever did not live to say that
            it has it left them; the file with that content is as good as one that the key's entry has.
        pins: by fingerprint, of all runs that are known.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.entries: dict[str, Entry] = {}
        self.promises: dict[str, list[Entry]] = {}
        self._done: dict[str, float] = {}  # when a key's last entry of that status was
        self.pins: dict[str, Pins] = {}

    def promise(self, entry: Entry, pins: Pins | None = None) -> None:
        """Note that a file with this content is about to get its name; ``entry`` has it as its output."""
        self.promises.setdefault(entry.key, []).append(self._later(entry))

    def append(self, entry: Entry, pins: Pins | None = None) -> None:
        """Note an entry."""
        entry = self._later(entry)
        self.entries[entry.key] = entry
        if entry.status == DONE:
            self._settle(entry.key, entry.finished)

    def _later(self, entry: Entry) -> Entry:
        """Dated after all that is known of the key: a clock that was ahead once must not outdo what comes of it."""
        known = self.entries.get(entry.key)
        before = [*([] if known is None else [known]), *self.promises.get(entry.key, ())]
        latest = max((one.finished for one in before), default=entry.finished - _TICK)
        return entry if entry.finished > latest else replace(entry, finished=latest + _TICK)

    def _settle(self, key: str, done: float = 0.0) -> None:
        """Forget the promises of a key that an entry, done at that time or before, is later than."""
        self._done[key] = max(done, self._done.get(key, 0.0))
        if key in self.promises:
            self.promises[key] = [one for one in self.promises[key] if one.finished > self._done[key]]
            if not self.promises[key]:
                del self.promises[key]

    def merge(self, other: Notes) -> None:
        """Note what others noted, for whom nothing but the time tells what came last."""
        for key, entry in other.entries.items():
            known = self.entries.get(key)
            if known is None or known.finished <= entry.finished:
                self.entries[key] = entry
        for key, promises in other.promises.items():
            self.promises.setdefault(key, []).extend(promises)
        for key in {*other.entries, *other.promises}:
            self._settle(key, other._done.get(key, 0.0))

    def located(self, path: Path) -> str:
        """A result's path as an entry has it."""
        folder = os.path.abspath(str(self.path.parent))  # noqa: PTH100  # links keep the name that was given
        absolute = Path(os.path.abspath(str(path)))  # noqa: PTH100
        with suppress(ValueError):
            return absolute.relative_to(folder).as_posix()
        return str(absolute)

    def path_of(self, record: FileRecord) -> Path:
        """Where a result lies."""
        return self.path.parent / record.path


class Ledger(Notes):
    """The ledger of a batch in one file; in its usual place, with what the other ledgers there say.

    Each run appends to its own file only, line by line, each with one write; so a kill loses at most the line that was
    not begun, and a line that the machine's own end tore is passed over. Several files, or their lines in one, are as
    good as one.

    Args:
        path: the file; made with the first line.

    Attributes:
        own_pins: those in this file, the first one first.
        torn: how many lines were damaged and passed over.

    Raises:
        OptionError: a file is there that is no ledger.
        OutputError: a ledger cannot be read.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.own_pins: list[Pins] = []
        self.torn = 0
        self._lock = threading.Lock()
        self._pen = Pen(path)
        shared = f"{LEDGER_STEM}*{LEDGER_SUFFIX}"
        others = path.parent.glob(shared) if path.match(shared) and is_folder(path.parent) else ()
        for file in sorted({path, *others}):
            self._read(file)

    def _read(self, file: Path) -> None:
        part = Notes(self.path)
        for data in read_lines(file):
            if data is None:
                self.torn += 1
            elif "pins" in data:
                self.pins[fingerprint(data["pins"])] = data["pins"]
                if file == self.path:
                    self.own_pins.append(data["pins"])
            elif "key" in data or "promise" in data:
                take, content = (part.append, data) if "key" in data else (part.promise, data["promise"])
                try:
                    entry = Entry.from_data(content)
                except (KeyError, TypeError, ValueError):
                    self.torn += 1
                else:
                    take(entry)
            elif HEADER_KEY in data:  # the lines of another ledger, put behind those of this one
                self.merge(part)
                part = Notes(self.path)
        self.merge(part)

    @property
    def threads(self) -> int | None:
        """That all runs had; None where there was none, or they differ."""
        found = {pins.get("threads") for pins in self.pins.values()}
        return found.pop() if len(found) == 1 else None

    def append(self, entry: Entry, pins: Pins | None = None) -> None:
        """Write an entry down, and what it was made with where the file does not say yet. From any thread.

        Raises:
            OutputError: the file cannot be written.
        """
        with self._lock:
            entry = self._later(entry)
            self._write(entry.to_line(), pins)
            super().append(entry, pins)

    def promise(self, entry: Entry, pins: Pins | None = None) -> None:
        """As :meth:`append`, before the result gets its name."""
        with self._lock:
            entry = self._later(entry)
            self._write(promise_line(entry), pins)
            super().promise(entry, pins)

    def _write(self, line: bytes, pins: Pins | None) -> None:
        new = pins is not None and pins not in self.own_pins
        self._pen.write(pins_line(pins) + line if pins is not None and new else line)
        if pins is not None and new:
            self.pins[fingerprint(pins)] = pins
            self.own_pins.append(pins)

    def begin(self) -> None:
        """Make the file, so that another process may append to it, too.

        Raises:
            OutputError: that is not possible.
        """
        with self._lock:
            self._pen.write()

    def close(self) -> None:
        """Let go of the file; the next entry opens it again."""
        with self._lock:
            self._pen.close()


def promise_line(entry: Entry) -> bytes:
    """What :meth:`Ledger.promise` writes."""
    return b'{"promise": ' + entry.to_line().rstrip() + b"}\n"


def pins_line(pins: Pins) -> bytes:
    """What says what a fingerprint stands for."""
    return json.dumps({"pins": pins}).encode() + b"\n"


def record_of(path: Path, name: str = "", found: bool = False) -> FileRecord:
    """A file as it is: read whole.

    Raises:
        OSError: it is not there, no plain file, or cannot be read.
    """
    before = path.stat()
    digest = sha256_of(path)
    after = path.stat()
    same = (before.st_size, before.st_mtime_ns) == (after.st_size, after.st_mtime_ns)
    return FileRecord(name, digest if same else None, before.st_size, before.st_mtime_ns, found)
