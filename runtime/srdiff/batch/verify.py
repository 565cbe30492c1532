"""Reads everything that a ledger says is done."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Iterable, Iterator

from ..errors import OutputError, SRDiffError
from ..file_hash import sha256_of
from ..jobs.identity import named
from ..jobs.sources import Source
from ..jobs.targets import Job
from ..jobs.work import DONE, FAILED, Outcome
from .entry import Entry, FileRecord
from .ledger import Ledger

VERIFIED = "verified"


def verify(ledger: Ledger, jobs: Iterable[Job], others: bool = True) -> Iterator[Outcome]:
    """Compare each job's input and results with their SHA-256 in the ledger; makes and changes nothing.

    Args:
        others: look also at results of inputs that are none of the jobs.

    Yields:
        Outcomes ``verified`` or ``failed``: not in the ledger, failed when it was made, missing, or another content.
    """
    rest = dict(ledger.entries)
    for job in jobs:
        yield _verified(ledger, job, rest.pop(job.key, None), with_input=True)
    for key, entry in rest.items() if others else ():
        done = entry.status == DONE
        own = tuple(output for output in entry.outputs if done and ledger.results[output.path].key == key)
        if own:
            job = Job(Source(Path(named(key))), None, "", key=key)
            yield _verified(ledger, job, replace(entry, outputs=own), with_input=False)


def _verified(ledger: Ledger, job: Job, entry: Entry | None, with_input: bool) -> Outcome:
    paths = tuple(ledger.path_of(output) for output in entry.outputs) if entry else ()
    error = _problem(ledger, job, entry, with_input)
    return Outcome(job, FAILED, error=error) if error else Outcome(job, VERIFIED, kept=paths)


def _problem(ledger: Ledger, job: Job, entry: Entry | None, with_input: bool) -> SRDiffError | None:
    if job.problem is not None:
        return job.problem
    if entry is None:
        return OutputError(f"{job.source.name} is not in the ledger; run once more to have it made")
    if entry.status == FAILED:
        return OutputError(f"{job.source.name} failed when it was tried ({entry.error}); run once more to try it again")
    files = [(ledger.path_of(output), output, _advice(ledger, job, output)) for output in entry.outputs]
    if with_input and job.source.path is not None and entry.input is not None:
        files.append((job.source.path, entry.input, "see whether it was meant to change"))
    for path, record, advice in files:
        what = _difference(path, record)
        if what:
            return OutputError(f"{path} {what}; {advice} and run once more")
    return None


def _advice(ledger: Ledger, job: Job, output: FileRecord) -> str:
    """What to do about a result that is another: unless it is another image's by now."""
    owner = ledger.results[output.path].key
    return "delete it" if owner == job.key else f"it was made of {named(owner)} since, so choose another output folder"


def _difference(path: Path, record: FileRecord) -> str | None:
    try:
        if record.sha256 == sha256_of(path):
            return None
    except FileNotFoundError:
        return "is missing"
    except OSError as error:
        return f"cannot be read ({error.strerror or error})"
    return "is not what the ledger says: its SHA-256 is another"
