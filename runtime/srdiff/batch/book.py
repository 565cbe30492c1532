"""Which images of a batch are still to be made, and what is written down of those that were."""

from __future__ import annotations

import stat
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from ..errors import OutputError
from ..jobs.targets import Job, finished
from ..jobs.work import DONE, FAILED, SKIPPED, JobSettings, Outcome, attempt
from ..progress import Watch
from ..upscaler import Upscaler
from .ledger import Entry, FileRecord, Notes, record_of, sha256_of
from .pins import Pins, differences, fingerprint


@dataclass(frozen=True)
class Ticket:
    """One job on its way.

    Attributes:
        settings: to do it with; results of an input that has changed since are replaced.
        size, mtime_ns: of the input before it is read; None where it is no plain file.
        outcome: known without work; the job is not to be done then.
    """

    job: Job
    settings: JobSettings
    size: int | None = None
    mtime_ns: int | None = None
    outcome: Outcome | None = None


class Book:
    """Goes through a batch's jobs with its ledger: done is what has its results and an input that did not change.

    Args:
        settings: of the batch.
        ledger: None writes nothing down; results that exist are kept then, whatever they were made of.
        pins: of this run; see :func:`srdiff.batch.pins.pins_of`.
        only_failed: leave all but the images that failed the last time.
    """

    def __init__(
        self, settings: JobSettings, ledger: Notes | None = None, pins: Pins | None = None, only_failed: bool = False
    ) -> None:
        self.settings = settings
        self.ledger = ledger
        self._pins = pins
        self._fingerprint = None if pins is None else fingerprint(pins)
        self._only_failed = only_failed

    def attempt(self, upscaler: Upscaler, job: Job, watch: Watch | None = None) -> Outcome:
        """Do a job if it is still to be done, and write down what came of it; see :func:`srdiff.jobs.work.attempt`.

        Raises:
            OutputError: the ledger cannot be written.
        """
        ticket = self.begin(job)
        if ticket.outcome is not None:
            return ticket.outcome
        outcome = attempt(upscaler, job, ticket.settings, watch)
        self.end(ticket, outcome)
        return outcome

    def begin(self, job: Job) -> Ticket:
        """Decide about a job; reads the input only where its size or time is not what it was."""
        if self.ledger is None or job.target is None:
            return Ticket(job, self.settings)
        size, mtime_ns = stamp(job.source.path)
        ticket = Ticket(job, self.settings, size, mtime_ns)
        entry = self.ledger.entries.get(job.key)
        if self._only_failed and (entry is None or entry.status != FAILED):
            return replace(ticket, outcome=Outcome(job, SKIPPED))
        if entry is None or entry.status == FAILED or self.settings.overwrite or job.problem is not None:
            return ticket
        targets = [target for target in self.settings.wanted.targets(job.target) if target is not None]
        outputs = {output.path: output for output in entry.outputs}
        if any(self.ledger.located(target) not in outputs or not _is_there(target) for target in targets):
            return ticket
        if not _is_unchanged(ticket, entry.input):
            return self._of_a_changed_input(ticket, [outputs[self.ledger.located(target)] for target in targets])
        return replace(ticket, outcome=Outcome(job, SKIPPED, kept=tuple(targets), note=self._made_with(entry)))

    def _of_a_changed_input(self, ticket: Ticket, outputs: list[FileRecord]) -> Ticket:
        """Results that are as this project wrote them are made anew; any other may be somebody's own work."""
        assert self.ledger is not None
        for output in outputs:
            path = self.ledger.path_of(output)
            if output.found or not _holds(path, output):
                why = "was there before the ledger" if output.found else "was changed, too"
                error = OutputError(
                    f"{ticket.job.source.name} has changed since {path} was made of it, which {why} and is kept; "
                    "move it away, or have it replaced"
                )
                return replace(ticket, outcome=Outcome(ticket.job, FAILED, error=error))
        return replace(ticket, settings=replace(ticket.settings, overwrite=True))

    def _made_with(self, entry: Entry) -> str | None:
        """How an entry's settings differ from this run's, for a reader."""
        assert self.ledger is not None
        if entry.settings in (None, self._fingerprint) or self._pins is None:
            return None
        known = self.ledger.pins.get(entry.settings or "")
        return f"made with {differences(known, self._pins) if known else 'other settings'}"

    def end(self, ticket: Ticket, outcome: Outcome) -> None:
        """Write down what came of a job that was attempted, once its results have their names.

        Raises:
            OutputError: the ledger cannot be written.
        """
        if self.ledger is None or ticket.job.target is None:
            return
        known = self.ledger.entries.get(ticket.job.key)
        if outcome.status == SKIPPED and known is not None and known.status == DONE:
            return
        with suppress(FileNotFoundError):  # whoever took a result away has it made again
            self.ledger.append(self._entry(ticket, outcome, known), self._pins if outcome.written else None)

    def _entry(self, ticket: Ticket, outcome: Outcome, known: Entry | None) -> Entry:
        failed = outcome.status == FAILED
        return Entry(
            ticket.job.key,
            FAILED if failed else DONE,
            _input(ticket, with_hash=not failed),
            () if failed else self._outputs(outcome, known),
            self._fingerprint if outcome.written else None,
            ticket.settings.seed,
            round(outcome.seconds, 3),
            None if outcome.error is None else str(outcome.error),
        )

    def _outputs(self, outcome: Outcome, known: Entry | None) -> tuple[FileRecord, ...]:
        """The results as they are; those that are kept are found, unless the ledger has them as made."""
        assert self.ledger is not None
        made = {(output.path, output.sha256) for output in known.outputs if not output.found} if known else set()
        records = [record_of(path, self.ledger.located(path)) for path in outcome.written if _is_there(path)]
        for path in outcome.kept:
            record = record_of(path, self.ledger.located(path))
            records.append(replace(record, found=(record.path, record.sha256) not in made))
        return tuple(records)


def stamp(path: Path | None) -> tuple[int | None, int | None]:
    """Size and time of a plain file."""
    with suppress(OSError, ValueError):
        found = None if path is None else path.stat()
        if found is not None and stat.S_ISREG(found.st_mode):
            return found.st_size, found.st_mtime_ns
    return None, None


def _input(ticket: Ticket, with_hash: bool) -> FileRecord | None:
    """Of what was read; without the hash where it changed meanwhile, so that it counts as changed the next time."""
    path = ticket.job.source.path
    if path is None or ticket.size is None or ticket.mtime_ns is None:
        return None
    with suppress(OSError):
        record = record_of(path) if with_hash else None
        if record is not None and (record.size, record.mtime_ns) == (ticket.size, ticket.mtime_ns):
            return record
    return FileRecord("", None, ticket.size, ticket.mtime_ns)


def _is_unchanged(ticket: Ticket, known: FileRecord | None) -> bool:
    """Whether the input is what it was; one that is gone counts as such, since its results stay good."""
    path = ticket.job.source.path
    if path is None or known is None or ticket.size is None:
        return True
    if known.sha256 is not None and (ticket.size, ticket.mtime_ns) == (known.size, known.mtime_ns):
        return True
    return ticket.size == known.size and _holds(path, known)


def _holds(path: Path, record: FileRecord) -> bool:
    """Whether a file has the content that is recorded."""
    with suppress(OSError):
        return record.sha256 is not None and sha256_of(path) == record.sha256
    return False


def _is_there(path: Path) -> bool:
    with suppress(OutputError):
        return finished(path)
    return False
