"""One job of a batch on its way, and whether its input is what the ledger knows."""

from __future__ import annotations

import stat
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from ..jobs.identity import named, noted, same_file
from ..jobs.targets import Job
from ..jobs.work import JobSettings, Outcome
from ..looking import is_there
from .entry import Entry, FileRecord
from .ledger import holds, record_of


@dataclass(frozen=True)
class Ticket:
    """One job on its way.

    Attributes:
        settings: to do it with; results of an input that has changed since are replaced.
        size, mtime_ns: of the input before it is read; None where it is no plain file.
        outcome: known without work; the job is not to be done then.
        origins: what the ledger says of the results that are there, each as an entry of its own.
        folder: of the input, without links, for the ledger.
    """

    job: Job
    settings: JobSettings
    size: int | None = None
    mtime_ns: int | None = None
    outcome: Outcome | None = None
    origins: tuple[Entry, ...] = ()
    folder: str | None = None


def stamp(path: Path | None) -> tuple[int | None, int | None]:
    """Size and time of a plain file."""
    with suppress(OSError, ValueError):
        found = None if path is None else path.stat()
        if found is not None and stat.S_ISREG(found.st_mode):
            return found.st_size, found.st_mtime_ns
    return None, None


def read_input(ticket: Ticket) -> FileRecord | None:
    """Of what was read; without the hash where it changed meanwhile, so that it counts as changed the next time."""
    path, unread = ticket.job.source.path, unread_input(ticket)
    if path is None or unread is None:
        return None
    with suppress(OSError):
        record = record_of(path)
        if (record.size, record.mtime_ns) == (unread.size, unread.mtime_ns):
            return record
    return unread


def unread_input(ticket: Ticket) -> FileRecord | None:
    """Of what was there before it was read; without the hash."""
    if ticket.size is None or ticket.mtime_ns is None:
        return None
    return FileRecord("", None, ticket.size, ticket.mtime_ns)


def is_unchanged(ticket: Ticket, origin: Entry) -> bool:
    """Whether the input is what a result was made of; one that is gone counts as such, since its results stay good."""
    path, file = ticket.job.source.path, origin.input
    if path is None or file is None or ticket.size is None:
        return is_same_image(ticket, origin)
    return _is_as_noted(ticket, origin) or (ticket.size == file.size and holds(path, file))


def _is_as_noted(ticket: Ticket, origin: Entry) -> bool:
    file, stamp = origin.input, (ticket.size, ticket.mtime_ns)
    as_it_was = file is not None and file.sha256 is not None and stamp == (file.size, file.mtime_ns)
    return as_it_was and is_same_image(ticket, origin)


def noted_anew(ticket: Ticket, known: Entry) -> Entry | None:
    """What the ledger has to say so that an input that had to be read to be found unchanged need not be the next time;
    None where nothing is to be said, as of a copy while the file that was copied is there."""
    if known.input is None or ticket.size is None or ticket.mtime_ns is None or _is_as_noted(ticket, known):
        return None
    if not is_same_image(ticket, known) and is_there(Path(named(known.folder or ""), Path(named(known.key)).name)):
        return None
    folder = ticket.folder or known.folder
    return replace(known, input=replace(known.input, mtime_ns=ticket.mtime_ns), folder=folder)


def is_same_image(ticket: Ticket, origin: Entry) -> bool:
    """Whether a result was made of the job's own file, whatever that was called from where it was named. Entries that
    do not say are taken to be of the folder at hand."""
    if Path(origin.key).name != Path(ticket.job.key).name:
        return False
    known, folder = origin.folder, ticket.folder
    return known is None or folder is None or known == folder or same_file(Path(named(known)), Path(named(folder)))


def folder_of(job: Job) -> str | None:
    """Of a job's input, the same whatever way it was named."""
    with suppress(OSError, ValueError, RuntimeError):  # RuntimeError: a circle of links, before Python 3.13
        return None if job.source.path is None else noted(str(job.source.path.parent.resolve()))
    return None
