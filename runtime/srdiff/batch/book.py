"""Which images of a batch are still to be made, and what is written down of those that were."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path

from ..atomic_files import already_made
from ..errors import ExistsError, OutputError
from ..jobs.targets import Job, finished
from ..jobs.work import DONE, FAILED, SKIPPED, JobSettings, Outcome, attempt
from ..progress import Watch
from ..upscaler import Upscaler
from .ledger import Entry, FileRecord, Notes, record_of
from .pins import Pins, differences, fingerprint
from .ticket import Ticket, folder_of, holds, is_same_folder, is_unchanged, read_input, stamp, unread_input

# The input of results that were not all made of one: none equals it.
_SEVERAL = FileRecord("", None, -1, -1)


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
        entry, folder = self.ledger.entries.get(job.key), folder_of(job)
        known = self._with_promises(job.key, entry, folder)
        ticket = Ticket(job, self.settings, *stamp(job.source.path), known=known, folder=folder)
        if self._only_failed and (entry is None or entry.status != FAILED):
            return replace(ticket, outcome=Outcome(job, SKIPPED))
        if known is None or self.settings.overwrite or job.problem is not None:
            return ticket
        targets = [target for target in self.settings.wanted.targets(job.target) if target is not None]
        outputs = {output.path: output for output in known.outputs}
        there = [target for target in targets if _is_there(target)]
        ours = [outputs[name] for name in map(self.ledger.located, there) if name in outputs]
        if not ours or len(ours) < len(there):
            return ticket
        if not is_unchanged(ticket, known):
            return self._of_a_changed_input(ticket, known, ours)
        if known.status == FAILED or len(there) < len(targets):
            return ticket
        if known is not entry:
            self.ledger.append(known)
        return replace(ticket, outcome=Outcome(job, SKIPPED, kept=tuple(targets), note=self._made_with(known)))

    def _with_promises(self, key: str, entry: Entry | None, folder: str | None) -> Entry | None:
        """What the ledger says of an image, and of results that got their names when nobody lived to say so.

        Args:
            folder: of the input at hand; where some results are of another, that is the one that is told.
        """
        assert self.ledger is not None
        kept = {
            promise.outputs[0].path: promise
            for promise in self.ledger.promises.get(key, ())
            if holds(self.ledger.path_of(promise.outputs[0]), promise.outputs[0])
        }
        if not kept:
            return entry
        others = [output for output in entry.outputs if output.path not in kept] if entry is not None else []
        last = list(kept.values())[-1]
        sources = [*kept.values(), *([entry] if entry is not None and others else [])]
        return replace(
            last,
            status=entry.status if entry is not None and others else DONE,
            input=last.input if len({one.input and one.input.sha256 for one in sources}) == 1 else _SEVERAL,
            outputs=(*others, *(promise.outputs[0] for promise in kept.values())),
            folder=next((one.folder for one in sources if not is_same_folder(one.folder, folder)), last.folder),
        )

    def _of_a_changed_input(self, ticket: Ticket, known: Entry, outputs: list[FileRecord]) -> Ticket:
        """Results that are as this project wrote them are made anew; any other may be somebody's own work, and those of
        another folder's image of this name are that image's.
        """
        assert self.ledger is not None
        name = ticket.job.source.name
        if not is_same_folder(known.folder, ticket.folder):
            other = Path(str(known.folder)) / Path(name).name
            error = OutputError(
                f"{name} would replace {self.ledger.path_of(outputs[0])}, which was made of {other} and is kept; "
                "choose another output folder, or replace it with overwrite"
            )
            return replace(ticket, outcome=Outcome(ticket.job, FAILED, error=error))
        for output in outputs:
            path = self.ledger.path_of(output)
            if output.found or not holds(path, output):
                why = "was there before the ledger" if output.found else "was changed, too"
                error = OutputError(
                    f"{name} has changed since {path} was made of it, which {why} and is kept; "
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
        known = [output for output in ticket.known.outputs if output.path == name] if ticket.known else []
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
        entry = self.ledger.entries.get(ticket.job.key)
        if outcome.status == SKIPPED and entry is not None and entry.status == DONE:
            return
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
        """With the results of before, which a later input may replace."""
        known = ticket.known if ticket.known is not None and ticket.known.outputs else None
        return Entry(
            ticket.job.key,
            FAILED,
            known.input if known else unread_input(ticket),
            known.outputs if known else (),
            known.settings if known else None,
            ticket.settings.seed,
            round(outcome.seconds, 3),
            str(outcome.error),
            folder=known.folder if known else ticket.folder,
        )

    def _outputs(self, ticket: Ticket, outcome: Outcome) -> tuple[FileRecord, ...]:
        """The results as they are; those that are kept are found, unless the ledger has them as made."""
        assert self.ledger is not None
        known = ticket.known.outputs if ticket.known else ()
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
