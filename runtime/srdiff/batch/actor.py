"""What a worker on another machine does with rows of a table: it reads and writes the files, the table has none."""

from __future__ import annotations

import json
import os
import platform
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Dict, Iterator

from .. import errors
from ..errors import DeviceError, OptionError, OutputError, SRDiffError, one_line
from ..jobs.identity import same_file
from ..jobs.sources import Source, is_url
from ..jobs.targets import DEFAULT_FORMAT, Job, finished
from ..jobs.work import DONE, FAILED, JobSettings, Outcome
from ..photo.write import format_of
from ..progress import Watch
from .book import Book
from .entry import Entry
from .ledger import Notes, ledger_in, record_of
from .pins import Pins, differences, pins_of
from .pipeline import make_all
from .recipe import Recipe
from .referee import Referee
from .ticket import Ticket, stamp

# A row by column name, and rows as columns.
Row = Dict[str, Any]
Columns = Dict[str, Any]

COLUMNS = ("key", "input", "output", "detail")
# Workers that an image may end, each while it was at nothing else.
TRIES = 3


@dataclass(frozen=True)
class Errand:
    """A job as a row: ``key``, ``input`` and ``output`` as paths, and a ``detail`` of the rest as JSON.

    Attributes:
        folder: of the ledger, which results are noted relative to.
        overwrite: replace results that exist.
        there: those that existed when the batch looked; another that a worker has promised was made by one that did not
            live to tell. None where nobody looked.
        origins: see :class:`srdiff.batch.ticket.Ticket`.
        source_folder: what is written down of the input's; see :class:`srdiff.batch.ticket.Ticket`.
        name: what no other of the batch is called.
    """

    job: Job
    folder: str
    overwrite: bool = False
    there: tuple[str, ...] | None = None
    origins: tuple[Entry, ...] = ()
    source_folder: str | None = None
    name: str = ""

    def to_row(self) -> Row:
        source, target = self.job.source, self.job.target
        assert source.path is not None and target is not None
        detail = {
            "format": self.job.format,
            "frame": source.frame,
            "folder": self.folder,
            "overwrite": self.overwrite,
            "there": self.there,
            "origins": [origin.as_data() for origin in self.origins],
            "source_folder": self.source_folder,
            "problem": None if self.job.problem is None else [type(self.job.problem).__name__, str(self.job.problem)],
        }
        paths = [os.path.abspath(str(path)) for path in (source.path, target)]  # noqa: PTH100  # links keep their name
        return dict(zip(COLUMNS, [self.job.key, *paths, json.dumps(detail)]))

    @classmethod
    def from_row(cls, row: Row, settings: JobSettings) -> Errand:
        """Of a row that has no detail, only what is there at the output is known.

        Raises:
            OptionError: the output does not name a format.
            OutputError: the result would replace the input.
        """
        source, target = Path(row["input"]), Path(row["output"])
        key, name = str(row.get("key") or row["input"]), str(row.get("name") or target)
        if not row.get("detail"):
            format = format_of(target) if target.suffix else DEFAULT_FORMAT
            if any(same_file(source, result) for result in settings.wanted.targets(target) if result):
                raise OutputError(f"the result of {source} would replace it; choose another output")
            job = Job(Source(source), target, format, key=key)
            return cls(job, str(target.parent), settings.overwrite, name=name)
        detail = json.loads(row["detail"])
        origins = tuple(map(Entry.from_data, detail["origins"]))
        there = None if detail["there"] is None else tuple(detail["there"])
        problem = None if detail["problem"] is None else getattr(errors, detail["problem"][0])(detail["problem"][1])
        job = Job(Source(source, frame=detail["frame"]), target, detail["format"], problem, key)
        return cls(job, detail["folder"], detail["overwrite"], there, origins, detail.get("source_folder"), name)


class Worker:
    """Makes rows of images with one model, opened once; what is wrong with an image is in its row.

    An image that ends its worker's process is found out: those that a worker was at when it went are made one by one,
    and of one that ends ``tries`` workers that were at nothing else, that is its error. A worker whose process ended so
    often while it opened the model refuses its first rows.

    Args:
        recipe: of the batch.
        threads: CPU threads.
        referee: of the batch, for its workers.
        tries: see above.
    """

    def __init__(self, recipe: Recipe, threads: int, referee: Referee, tries: int = TRIES) -> None:
        self._settings = recipe.settings
        self._referee = referee
        self._tries = tries
        self._refusal: SRDiffError | None = None
        try:
            _require_survival(referee.opens(platform.node()), tries, recipe)
            self._upscaler = recipe.open(threads)
            self._pins = pins_of(self._upscaler, recipe.settings)
            _require_agreement(referee.agree(self._pins), self._pins)
        except Exception as error:  # raised with the first rows: a worker that cannot start is started again for ever
            self._refusal = error if isinstance(error, SRDiffError) else _cannot_start(error)
            referee.refuse(type(self._refusal)(str(self._refusal)))  # without its cause: the caller may not know that
        referee.opened()

    def __call__(self, columns: Columns) -> Columns:
        """Columns ``key``, ``input``, ``output`` and ``detail`` -> those of :func:`told`."""
        if self._refusal is not None:
            raise self._refusal
        names = list(columns)
        rows = [dict(zip(names, values)) for values in zip(*(list(columns[name]) for name in names))]
        if any(is_url(row[name]) for row in rows for name in ("input", "output")):
            from .cloud import made_here

            made = list(made_here(rows, self._settings, self._referee, self._made))
        else:
            made = list(self._made(rows))
        return {name: [row[name] for row in made] for name in made[0]} if made else {}

    def _made(self, rows: list[Row]) -> Iterator[Row]:
        errands: list[Errand] = []
        for row in rows:
            try:
                errands.append(Errand.from_row(row, self._settings))
            except SRDiffError as error:
                job = Job(Source(Path(row["input"])), Path(row["output"]), "", key=str(row.get("key") or row["input"]))
                yield told(Outcome(job, FAILED, error=error), None)
        suspects = set(self._referee.begin([errand.name for errand in errands]))
        others = [errand for errand in errands if errand.name not in suspects]
        yield from self._together(others)
        self._referee.end([errand.name for errand in others])
        for errand in errands:
            if errand.name in suspects:
                if self._referee.alone(errand.name) <= self._tries:
                    yield from self._together([errand])
                else:
                    yield _failed(errand.job, f"ended its worker's process {self._tries} of {self._tries} times")
                self._referee.end([errand.name])

    def _together(self, errands: list[Errand]) -> Iterator[Row]:
        while errands:
            book = _Book(self._settings, errands, self._pins, self._referee)
            done = 0
            try:
                for outcome, _ in make_all([self._upscaler], [errand.job for errand in errands], book, _unwatched):
                    outcome = book.ours(outcome)
                    yield told(outcome, book.entry(outcome))
                    done += 1
            except Exception as error:  # a fault of this program is the image's, too: the others are made
                yield _failed(errands[done].job, f"failed ({type(error).__name__}: {one_line(error)})")
                done += 1
            errands = errands[done:]


def _cannot_start(error: Exception) -> DeviceError:
    what = f"cannot start ({type(error).__name__}: {one_line(error)})"
    return DeviceError(f"a worker on {platform.node()} {what}; see what srdiff-doctor says there")


def _require_survival(ended: list[str], tries: int, recipe: Recipe) -> None:
    """Raises DeviceError for a worker whose process ended too often, on these nodes."""
    if len(ended) >= tries:
        raise DeviceError(
            f"a worker's process ended {len(ended)} of {tries} times while it opened {recipe.model or 'the model'}, on "
            f"{' and '.join(sorted(set(ended)))}; see what srdiff-doctor says there, or give workers more memory"
        )


def _require_agreement(agreed: Pins, pins: Pins) -> None:
    """Raises OptionError for a worker that is not like the first one."""
    if agreed != pins:
        raise OptionError(
            f"the batch is made with {differences(agreed, pins)} of the worker on {platform.node()}; have them the "
            "same there, or keep that node out"
        )


def _failed(job: Job, what: str) -> Row:
    return told(Outcome(job, FAILED, error=OutputError(f"{job.source.name} {what}; try it alone")), None)


class _Book(Book):
    """Decides nothing, since that was done where the ledger is; notes what comes of it."""

    def __init__(self, settings: JobSettings, errands: list[Errand], pins: Pins, referee: Referee) -> None:
        notes = Notes(ledger_in(Path(errands[0].folder)))
        super().__init__(settings, notes, pins)
        self._notes = notes
        self._referee = referee
        self._errands = {errand.job.key: errand for errand in errands}

    def begin(self, job: Job) -> Ticket:
        errand = self._errands[job.key]
        settings = replace(self.settings, overwrite=errand.overwrite)
        return Ticket(job, settings, *stamp(job.source.path), origins=errand.origins, folder=errand.source_folder)

    def promise(self, ticket: Ticket, target: Path, whole: Path) -> None:
        self._look_again(ticket, target, whole)
        self._referee.promise(self.promised(ticket, target, whole))

    def end(self, ticket: Ticket, outcome: Outcome) -> None:
        super().end(ticket, self.ours(outcome))

    def ours(self, outcome: Outcome) -> Outcome:
        """With results that an earlier worker of this batch has left, as made; whatever else is there by now is not."""
        there = self._errands[outcome.job.key].there
        new = [path for path in outcome.kept if there is not None and str(path) not in there]
        left = tuple(path for path in new if self._is_promised(path))
        if not left:
            return outcome
        kept = tuple(path for path in outcome.kept if path not in left)
        return replace(outcome, status=DONE, written=(*outcome.written, *left), kept=kept)

    def _is_promised(self, path: Path) -> bool:
        with suppress(OSError):
            return self._referee.promised(record_of(path, self._notes.located(path)))
        return False

    def entry(self, outcome: Outcome) -> Entry | None:
        """What came of an image, for the ledger."""
        return self._notes.entries.get(outcome.job.key)


def told(outcome: Outcome, entry: Entry | None) -> Row:
    """An outcome as a row: ``key``, ``input``, ``output``, ``status``, ``error`` (or empty), ``seconds``, and a
    ``detail`` as JSON."""
    detail = {
        "written": [str(path) for path in outcome.written],
        "kept": [str(path) for path in outcome.kept],
        "unkept": outcome.unkept,
        "frames": outcome.frames,
        "size": outcome.size,
        "error_class": None if outcome.error is None else type(outcome.error).__name__,
        "entry": None if entry is None else entry.as_data(),
    }
    return {
        "key": outcome.job.key,
        "input": outcome.job.source.name,
        "output": str(outcome.job.target),
        "status": outcome.status,
        "error": "" if outcome.error is None else str(outcome.error),
        "seconds": outcome.seconds,
        "detail": json.dumps(detail),
    }


def heard(row: Row, job: Job) -> tuple[Outcome, Entry | None]:
    """The outcome and the entry of a row."""
    detail = json.loads(row["detail"])
    error = getattr(errors, detail["error_class"])(row["error"]) if row["error"] else None
    outcome = Outcome(
        job,
        row["status"],
        tuple(map(Path, detail["written"])),
        tuple(map(Path, detail["kept"])),
        tuple(detail["unkept"]),
        detail["frames"],
        None if detail["size"] is None else tuple(detail["size"]),
        float(row["seconds"]),
        error,
    )
    return outcome, None if detail["entry"] is None else Entry.from_data(detail["entry"])


def errand_of(ticket: Ticket, folder: Path) -> Errand:
    """The row's content for a job that is to be done."""
    assert ticket.job.target is not None
    targets = [target for target in ticket.settings.wanted.targets(ticket.job.target) if target is not None]
    there = tuple(os.path.abspath(str(target)) for target in targets if finished(target))  # noqa: PTH100
    noted = os.path.abspath(str(folder))  # noqa: PTH100
    return Errand(ticket.job, noted, ticket.settings.overwrite, there, ticket.origins, ticket.folder)


@contextmanager
def _unwatched(job: Job) -> Iterator[Watch]:
    yield lambda progress: None
