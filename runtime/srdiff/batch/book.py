"""Which images of a batch are still to be made, and what is written down of those that were."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path

from ..atomic_files import already_made
from ..errors import ExistsError, OutputError
from ..jobs.identity import named
from ..jobs.targets import Job, finished
from ..jobs.work import DONE, FAILED, SKIPPED, JobSettings, Outcome, attempt
from ..progress import Watch
from ..upscaler import Upscaler
from .entry import Entry, FileRecord
from .ledger import Notes, holds, record_of
from .pins import Pins, differences, fingerprint
from .ticket import Ticket, folder_of, is_same_image, is_unchanged, noted_anew, read_input, stamp, unread_input


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
        outcome = attempt(upscaler, job, ticket.settings, watch, partial(self.promise, ticket))
        self.end(ticket, outcome)
        return outcome

    def begin(self, job: Job) -> Ticket:
        """Decide about a job; reads the input only where its size or time is not what it was.

        Raises:
            OutputError: the ledger cannot be written.
        """
        if self.ledger is None or job.target is None:
            return Ticket(job, self.settings)
        entry = self.ledger.entries.get(job.key)
        targets = [target for target in self.settings.wanted.targets(job.target) if target is not None]
        there = {target: self.ledger.origin(target) for target in targets if _is_there(target)}
        origins = tuple(origin for origin in there.values() if origin is not None)
        ticket = Ticket(job, self.settings, *stamp(job.source.path), origins=origins, folder=folder_of(job))
        if self._only_failed and (entry is None or entry.status != FAILED):
            return replace(ticket, outcome=Outcome(job, SKIPPED))
        if not origins or self.settings.overwrite or job.problem is not None:
            return ticket
        if not all(is_unchanged(ticket, origin) for origin in origins):
            return self._of_another_input(ticket, there)
        if len(origins) < len(targets):
            return ticket
        known = replace(
            max(origins, key=lambda one: one.finished),
            key=job.key,
            outputs=tuple(origin.outputs[0] for origin in origins),
        )
        anew = noted_anew(ticket, known)
        if entry is None or entry.status != DONE or not set(known.outputs) <= set(entry.outputs):
            self.ledger.append(anew or known)
        elif anew is not None:
            with suppress(OutputError):  # which costs no more than the reading
                self.ledger.append(anew)
        return replace(ticket, outcome=Outcome(job, SKIPPED, kept=tuple(targets), note=self._made_with(known)))

    def _of_another_input(self, ticket: Ticket, there: dict[Path, Entry | None]) -> Ticket:
        """Results of an input that has changed are made anew where they are as this project wrote them; any other may
        be somebody's own work, and those of another image are that one's.

        Args:
            there: the results, and what the ledger says of each.
        """
        name = ticket.job.source.name
        for path, origin in there.items():
            output = None if origin is None else origin.outputs[0]
            if origin is not None and not is_same_image(ticket, origin):
                known = name if origin.key == ticket.job.key else named(origin.key)
                file = Path(named(origin.folder or ""), Path(known).name)
                what = "was there before the ledger" if origin.outputs[0].found else f"was made of {file}"
                error = OutputError(
                    f"{name} would replace {path}, which {what} and is kept; "
                    "choose another output folder, or replace it with overwrite"
                )
            elif output is None or output.found or not holds(path, output):
                why = "was there before the ledger" if output is None or output.found else "was changed, too"
                error = OutputError(
                    f"{name} has changed since {path} was made of it, which {why} and is kept; "
                    "move it away, or have it replaced"
                )
            else:
                continue
            return replace(ticket, outcome=Outcome(ticket.job, FAILED, error=error))
        return replace(ticket, settings=replace(ticket.settings, overwrite=True))

    def _made_with(self, entry: Entry) -> str | None:
        """How an entry's settings differ from this run's, for a reader."""
        assert self.ledger is not None
        if entry.settings in (None, self._fingerprint) or self._pins is None:
            return None
        known = self.ledger.pins.get(entry.settings or "")
        told = differences(known, self._pins) if known else "other settings"
        return f"made with {told}" if told else None  # 0 and 0.0 are one setting

    def promise(self, ticket: Ticket, target: Path, whole: Path) -> None:
        """Write down that a file is about to get a result's name; see :class:`srdiff.jobs.work.Piece`.

        Raises:
            ExistsError: it would replace what somebody else made while it was made.
            OutputError: the ledger cannot be written.
            OSError: the file cannot be read.
        """
        self._look_again(ticket, target, whole)
        if self.ledger is not None:
            self.ledger.promise(self.promised(ticket, target, whole), self._pins)

    def _look_again(self, ticket: Ticket, target: Path, whole: Path) -> None:
        """Raises ExistsError where the result of a changed input is by now neither the old one nor the new one."""
        if self.ledger is None or self.settings.overwrite or not ticket.settings.overwrite or not _is_there(target):
            return
        name = self.ledger.located(target)
        known = [origin.outputs[0] for origin in ticket.origins if origin.outputs[0].path == name]
        if not any(holds(target, record) for record in [*known, record_of(whole)]):
            raise already_made(target)

    def promised(self, ticket: Ticket, target: Path, whole: Path) -> Entry:
        """The entry of one result whose content is in ``whole``; raises OSError."""
        assert self.ledger is not None
        record = record_of(whole, self.ledger.located(target))
        return Entry(
            ticket.job.key,
            DONE,
            read_input(ticket),
            (record,),
            self._fingerprint,
            ticket.settings.seed,
            folder=ticket.folder,
        )

    def end(self, ticket: Ticket, outcome: Outcome) -> None:
        """Write down what came of a job that was attempted, once its results have their names.

        Raises:
            OutputError: the ledger cannot be written.
        """
        if self.ledger is None or ticket.job.target is None or isinstance(outcome.error, ExistsError):
            return  # whoever made it meanwhile says so
        with suppress(FileNotFoundError):  # whoever took a result away has it made again
            failed = outcome.status == FAILED
            made = self._failed(ticket, outcome) if failed else self._done(ticket, outcome)
            self.ledger.append(made, self._pins if outcome.written else None)

    def _done(self, ticket: Ticket, outcome: Outcome) -> Entry:
        return Entry(
            ticket.job.key,
            DONE,
            read_input(ticket),
            self._outputs(ticket, outcome),
            self._fingerprint if outcome.written else None,
            ticket.settings.seed,
            round(outcome.seconds, 3),
            folder=ticket.folder,
        )

    def _failed(self, ticket: Ticket, outcome: Outcome) -> Entry:
        return Entry(
            ticket.job.key,
            FAILED,
            unread_input(ticket),
            seed=ticket.settings.seed,
            seconds=round(outcome.seconds, 3),
            error=str(outcome.error),
            folder=ticket.folder,
        )

    def _outputs(self, ticket: Ticket, outcome: Outcome) -> tuple[FileRecord, ...]:
        """The results as they are; those that are kept are found, unless the ledger has them as made."""
        assert self.ledger is not None
        known = [origin.outputs[0] for origin in ticket.origins]
        made = {(output.path, output.sha256) for output in known if not output.found}
        records = [record_of(path, self.ledger.located(path)) for path in outcome.written if _is_there(path)]
        for path in outcome.kept:
            record = record_of(path, self.ledger.located(path))
            records.append(replace(record, found=(record.path, record.sha256) not in made))
        return tuple(records)


def _is_there(path: Path) -> bool:
    with suppress(OutputError):
        return finished(path)
    return False
