"""Many jobs with reading, computing and writing at the same time, so that the engine waits for no file."""

from __future__ import annotations

import threading
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from queue import Queue
from typing import Callable, ContextManager, Generator, Iterable, Iterator, Tuple

from ..errors import Stopped
from ..jobs.targets import Job
from ..jobs.work import Outcome, Piece
from ..machine import usable_cpus
from ..photo.photo import Photo
from ..progress import Progress, Watch
from ..upscaler import Upscaler
from .book import Book
from .ticket import Ticket

# Bytes of results that may wait to be written before the engines wait for them.
BUDGET = 256 << 20
# Images beyond those being computed that may be read already; each is a sixteenth of its result.
AHEAD = 2

# An outcome, and the upscaler of it.
Made = Tuple[Outcome, Upscaler]
Watching = Callable[[Job], ContextManager[Watch]]


def make_all(upscalers: list[Upscaler], jobs: list[Job], book: Book, watching: Watching) -> Generator[Made, None, None]:
    """Outcomes in the jobs' order, and who made them; see :meth:`Pipeline.run`. A single job stays in this thread."""
    if len(jobs) != 1:
        yield from Pipeline(upscalers, book, watching).run(jobs)
        return
    with watching(jobs[0]) as watch:
        outcome = book.attempt(upscalers[0], jobs[0], watch)
    yield outcome, upscalers[0]


class Pipeline:
    """Takes jobs through their stages: for each upscaler a thread that reads and one that computes, others that write.

    Memory is bounded: large images go one after the other, small ones overlap.

    Args:
        upscalers: of one model; each makes one image at a time.
        book: decides what is to be done, and writes down what was.
        watching: gives a job's watch; entered while it is computed.
    """

    def __init__(self, upscalers: list[Upscaler], book: Book, watching: Watching) -> None:
        self.scale = upscalers[0].scale
        self.book = book
        self.watching = watching
        self.free: Queue[Upscaler] = Queue()
        for upscaler in upscalers:
            self.free.put(upscaler)
        self.budget = Budget(BUDGET)
        self._stop = threading.Event()
        self._depth = len(upscalers) + AHEAD
        self._readers, self._engines = (ThreadPoolExecutor(len(upscalers)) for _ in range(2))
        self.writers = ThreadPoolExecutor(usable_cpus())

    def run(self, jobs: Iterable[Job]) -> Iterator[Made]:
        """Outcomes in the jobs' order; to be called once.

        What is wrong with a job's files is its outcome; whatever else is raised is raised in the job's turn, and jobs
        that have not begun by then are left. Closing the iterator stops those under way at their next step; results
        that are made by then are written.
        """
        under_way: deque[Future[Made]] = deque()
        try:
            for job in jobs:
                passage = _Passage(self, job)
                self._engines.submit(passage.compute, self._readers.submit(passage.read))
                under_way.append(passage.future)
                while len(under_way) > self._depth or (under_way and under_way[0].done()):
                    yield under_way.popleft().result()
            while under_way:
                yield under_way.popleft().result()
        finally:
            self._stop.set()
            for pool in (self._readers, self._engines, self.writers):
                pool.shutdown()

    def go_on(self) -> None:
        """Raises Stopped once nobody waits any more."""
        if self._stop.is_set():
            raise Stopped("the batch was given up before its end; run it again")


class _Passage:
    """One job on its way; what its methods raise is what ``future`` raises."""

    def __init__(self, pipeline: Pipeline, job: Job) -> None:
        self.future: Future[Made] = Future()
        self._pipeline = pipeline
        self._job = job
        self._open = 1  # computing, and each result that is not written yet
        self._lock = threading.Lock()

    def read(self) -> tuple[Ticket, Piece] | None:
        with self._guarded():
            self._pipeline.go_on()
            ticket = self._pipeline.book.begin(self._job)
            piece = Piece(self._job, ticket.settings, partial(self._pipeline.book.promise, ticket))
            if ticket.outcome is None:
                piece.read(self._pipeline.scale)
            return ticket, piece
        return None

    def compute(self, reading: Future[tuple[Ticket, Piece] | None]) -> None:
        read = reading.result()
        if read is None:
            return
        ticket, piece = read
        upscaler = self._pipeline.free.get()
        with self._guarded():
            try:
                if ticket.outcome is None:
                    self._results(ticket, piece, upscaler)
            finally:
                self._pipeline.free.put(upscaler)
            self._leave(ticket, piece, upscaler)

    def _results(self, ticket: Ticket, piece: Piece, upscaler: Upscaler) -> None:
        pipeline = self._pipeline
        pipeline.budget.take(0)
        with pipeline.watching(self._job) as show:

            def watch(progress: Progress) -> None:
                pipeline.go_on()
                show(progress)

            for target, result in piece.results(upscaler, watch):
                pipeline.budget.take(result.pixels.nbytes)
                with self._lock:
                    self._open += 1
                pipeline.writers.submit(self._write, ticket, piece, upscaler, target, result)

    def _write(self, ticket: Ticket, piece: Piece, upscaler: Upscaler, target: Path | None, result: Photo) -> None:
        with self._guarded():
            try:
                piece.write(target, result)
            finally:
                self._pipeline.budget.give(result.pixels.nbytes)
            self._leave(ticket, piece, upscaler)

    def _leave(self, ticket: Ticket, piece: Piece, upscaler: Upscaler) -> None:
        """Whoever is the last writes down what came of the job."""
        with self._lock:
            self._open -= 1
            if self._open:
                return
        outcome = ticket.outcome
        if outcome is None:
            outcome = piece.outcome()
            self._pipeline.book.end(ticket, outcome)
        self.future.set_result((outcome, upscaler))

    @contextmanager
    def _guarded(self) -> Iterator[None]:
        try:
            yield
        except BaseException as error:  # the future's owner decides
            with self._lock:
                if not self.future.done():
                    self.future.set_exception(error)


class Budget:
    """Bytes that may be held at once; a larger piece goes alone."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._held = 0
        self._changed = threading.Condition()

    def take(self, size: int) -> None:
        """Wait until there is room. Nothing (0) waits while what is held is too much."""
        with self._changed:
            self._changed.wait_for(lambda: not self._held or self._held + size <= self._size)
            self._held += size

    def give(self, size: int) -> None:
        with self._changed:
            self._held -= size
            self._changed.notify_all()
