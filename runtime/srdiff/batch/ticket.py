"""One job of a batch on its way, and whether its input is what the ledger knows."""

from __future__ import annotations

import stat
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from ..file_hash import sha256_of
from ..jobs.identity import same_file
from ..jobs.targets import Job
from ..jobs.work import JobSettings, Outcome
from .ledger import Entry, FileRecord, record_of


@dataclass(frozen=True)
class Ticket:
    """One job on its way.

    Attributes:
        settings: to do it with; results of an input that has changed since are replaced.
        size, mtime_ns: of the input before it is read; None where it is no plain file.
        outcome: known without work; the job is not to be done then.
        known: what the ledger says of the image.
        folder: of the input, without links, for the ledger.
    """

    job: Job
    settings: JobSettings
    size: int | None = None
    mtime_ns: int | None = None
    outcome: Outcome | None = None
    known: Entry | None = None
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


def is_unchanged(ticket: Ticket, known: Entry) -> bool:
    """Whether the input is what it was; one that is gone counts as such, since its results stay good."""
    path, file = ticket.job.source.path, known.input
    if path is None or file is None or ticket.size is None:
        return True
    as_it_was = file.sha256 is not None and (ticket.size, ticket.mtime_ns) == (file.size, file.mtime_ns)
    if as_it_was and is_same_folder(known.folder, ticket.folder):
        return True
    return ticket.size == file.size and holds(path, file)


def folder_of(job: Job) -> str | None:
    """Of a job's input, the same whatever way it was named."""
    with suppress(OSError, ValueError, RuntimeError):  # RuntimeError: a circle of links, before Python 3.13
        return None if job.source.path is None else str(job.source.path.parent.resolve())
    return None


def is_same_folder(known: str | None, folder: str | None) -> bool:
    """Entries that do not say are taken to be of the folder at hand."""
    return known is None or folder is None or known == folder or same_file(Path(known), Path(folder))


def holds(path: Path, record: FileRecord) -> bool:
    """Whether a file has the content that is recorded."""
    with suppress(OSError):
        return record.sha256 is not None and sha256_of(path) == record.sha256
    return False
