"""A file that says of every image of a batch what came of it: JSON lines, only ever appended to."""

from __future__ import annotations

import json
import os
import threading
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from ..file_hash import sha256_of
from ..jobs.identity import named, noted
from ..jobs.sources import LEDGER_STEM, LEDGER_SUFFIX
from ..jobs.work import DONE
from ..looking import is_folder
from .entry import Entry, FileRecord
from .lines import HEADER_KEY, Pen, read_lines
from .pins import Pins, fingerprint

# Seconds by which an entry is later than the one before it, at least.
_TICK = 0.001


def _apart(entry: Entry) -> list[tuple[str, Entry]]:
    """An entry's results by path, each as an entry of its own."""
    if len(entry.outputs) == 1:  # of a million images most, which need not be there twice
        return [(entry.outputs[0].path, entry)]
    return [(output.path, replace(entry, outputs=(output,))) for output in entry.outputs]


def ledger_in(folder: Path) -> Path:
    """The ledger's usual place: a name that no image has, and that finding images passes over."""
    return folder / (LEDGER_STEM + LEDGER_SUFFIX)


class Notes:
    """Entries in memory: what a batch's results are known by, relative to a folder.

    Args:
        path: of the ledger that they are for; nothing is read or written.

    Attributes:
        entries: by key, the latest of each.
        results: by path, an entry of this one result, which is the latest that has it, whatever its key.
        promises: by path, entries of this one result, later than that, which was about to get its name. Whoever did not
            live to say that it has it left them; the file with that content is as good as the one of ``results``.
        pins: by fingerprint, of all runs that are known.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.entries: dict[str, Entry] = {}
        self.results: dict[str, Entry] = {}
        self.promises: dict[str, list[Entry]] = {}
        self.pins: dict[str, Pins] = {}

    def promise(self, entry: Entry, pins: Pins | None = None) -> None:
        """Note that a file with this content is about to get its name; ``entry`` has it as its output."""
        for path, one in _apart(self._later(entry)):
            self.promises.setdefault(path, []).append(one)

    def append(self, entry: Entry, pins: Pins | None = None) -> None:
        """Note an entry."""
        entry = self._later(entry)
        self.entries[entry.key] = entry
        if entry.status == DONE:
            for path, one in _apart(entry):
                self._settle(path, one)

    def _later(self, entry: Entry) -> Entry:
        """Dated after all that is known of the key and the results: a clock that was ahead once must not outdo what
        comes of them."""
        before = [self.entries.get(entry.key)]
        for output in entry.outputs:
            before += [self.results.get(output.path), *self.promises.get(output.path, ())]
        latest = max((one.finished for one in before if one is not None), default=entry.finished - _TICK)
        return entry if entry.finished > latest else replace(entry, finished=latest + _TICK)

    def _settle(self, path: str, result: Entry | None) -> None:
        """Take note of a result, and forget the promises that what is known of its path is later than."""
        known = self.results.get(path)
        if result is not None and (known is None or known.finished <= result.finished):
            self.results[path] = known = result
        if known is not None and path in self.promises:
            self.promises[path] = [one for one in self.promises[path] if one.finished > known.finished]
            if not self.promises[path]:
                del self.promises[path]

    def merge(self, other: Notes) -> None:
        """Note what others noted, for whom nothing but the time tells what came last."""
        for key, entry in other.entries.items():
            known = self.entries.get(key)
            if known is None or known.finished <= entry.finished:
                self.entries[key] = entry
        for path, promises in other.promises.items():
            self.promises.setdefault(path, []).extend(promises)
        for path in {*other.results, *other.promises}:
            self._settle(path, other.results.get(path))

    def origin(self, path: Path) -> Entry | None:
        """What a result that is there is known by: the last promise that it keeps, or the entry that has it."""
        name = self.located(path)
        kept = [one for one in self.promises.get(name, ()) if holds(path, one.outputs[0])]
        return max(kept, key=lambda one: one.finished) if kept else self.results.get(name)

    def located(self, path: Path) -> str:
        """A result's path as an entry has it."""
        folder = os.path.abspath(str(self.path.parent))  # noqa: PTH100  # links keep the name that was given
        absolute = Path(os.path.abspath(str(path)))  # noqa: PTH100
        with suppress(ValueError):
            return noted(absolute.relative_to(folder).as_posix())
        return noted(str(absolute))

    def path_of(self, record: FileRecord) -> Path:
        """Where a result lies."""
        return self.path.parent / named(record.path)


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
            elif isinstance(data.get("pins"), dict):
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
        found = [pins.get("threads") for pins in self.pins.values()]
        alike = found and isinstance(found[0], int) and found.count(found[0]) == len(found)
        return found[0] if alike else None

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


def holds(path: Path, record: FileRecord) -> bool:
    """Whether a file has the content that is recorded."""
    with suppress(OSError):
        return record.sha256 is not None and sha256_of(path) == record.sha256
    return False


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
