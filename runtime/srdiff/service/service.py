"""The service without HTTP: models, workers, the line in front of them, what they made."""

from __future__ import annotations

import logging
import threading
import time
from concurrent.futures import Future
from functools import partial
from heapq import heapreplace
from itertools import takewhile
from typing import Callable, Mapping, Sequence

import numpy as np

from ..bundle import Bundle
from ..errors import FullLine, Stopped, one_line
from ..line import Line, Turn
from ..photo.photo import Photo
from ..upscaler import Upscaler
from .fields import Wish
from .job import CANCELLED, DONE, FAILED, QUEUED, Job, Order
from .kept_jobs import KeptJobs
from .limits import Limits
from .making import make, read_order
from .metrics import Metrics
from .problems import Problem, problem_of
from .results import Result, Results
from .room import Room
from .speed import Speed
from .uploads import Upload

_log = logging.getLogger("srdiff.service")
_WARM_SIDE = 64

# What a worker has: the models by name.
Worker = Mapping[str, Upscaler]


class Service:
    """Takes photos in, and gives results out.

    Args:
        models: by the names under which they are served, the default first.
        openers: one for each worker, called in its own thread.
        limits: of everything.
    """

    def __init__(
        self, models: Mapping[str, Bundle], openers: Sequence[Callable[[], Worker]], limits: Limits | None = None
    ) -> None:
        self.models = models
        self.limits = limits or Limits()
        self.metrics = Metrics()
        self.results = Results(self.limits)
        self.jobs = KeptJobs(self.limits)
        self.line = Line(self.limits.waiting, self._line_changed)
        self.draining = False
        self.failure: Exception | None = None
        self.on_failure: Callable[[], None] = lambda: None
        self._openers = list(openers)
        self._workers: list[Worker] = []
        self._threads: list[threading.Thread] = []
        self._closed = threading.Event()
        self._speeds = {name: Speed() for name in models}
        self.metrics.waiting.set_function(lambda: self.line.waiting)
        self.metrics.running.set_function(lambda: self.line.served)
        self.metrics.kept_bytes.set_function(lambda: self.results.bytes)

    @property
    def ready(self) -> bool:
        """Every worker has enlarged a picture with every model."""
        return len(self._workers) == len(self._openers)

    @property
    def busy(self) -> bool:
        """Something is worked on, or its result not yet to be had."""
        return bool(self.line.waiting or self.line.served or self.jobs.unfinished())

    def start(self) -> None:
        """Open the workers, each in a thread; :attr:`ready` tells when they are."""
        for number, opener in enumerate(self._openers):
            thread = threading.Thread(target=self._work, args=(opener,), name=f"worker-{number}", daemon=True)
            self._threads.append(thread)
            thread.start()

    def close(self) -> None:
        """Give up all jobs; one that runs ends with its step, and a worker that warms up with its picture."""
        self._closed.set()
        self.line.close()

    def join(self, seconds: float) -> None:
        """Wait until the workers of a closed service have ended: a process that ends within an engine is aborted.

        Args:
            seconds: for all together; one that hangs in its engine is left there.
        """
        end = time.monotonic() + seconds
        for thread in self._threads:
            thread.join(max(0.0, end - time.monotonic()))

    def upscaler(self, model: str) -> Upscaler:
        """Raises Problem while warming up."""
        if not self.ready:
            raise Problem(503, "warming", "the service is warming up; come again in a moment", 2)
        return self._workers[0][model]

    def require_open(self) -> None:
        """Raises Problem once the service is stopping."""
        if self.draining:
            raise _stopping()

    def require_room(self) -> None:
        """Raises Problem where a job would not be taken, before its image is received."""
        self.require_open()
        self.upscaler(next(iter(self.models)))
        if self.line.full:
            raise self._full()

    def read(self, upload: Upload, wish: Wish) -> Order:
        """Read a photo; takes as long as decoding it does.

        Raises:
            SRDiffError: it is refused.
        """
        upscaler, wanted, speed = self.upscaler(wish.model), wish.settings.wanted, self._speeds[wish.model]
        measured = wanted.consistency or wanted.average or wanted.uncertainty
        return read_order(upload, wish, upscaler, partial(Room, self.limits, speed, upscaler.scale, measured))

    def submit(self, order: Order) -> Job:
        """Put a photo into the line, or find its result among those that are kept.

        Raises:
            Problem: the line is full, or closed.
        """
        kept = self.results.get(order.digest)
        if kept is not None:
            self.metrics.results.labels("kept").inc()
            return self.jobs.keep(Job(None, kept))
        self.require_open()
        job = Job(order)
        turn = job.turn = Turn(lambda worker: self._run(worker, job, order, turn))
        turn.future.add_done_callback(lambda future: self._ended(job, future))
        self.jobs.keep(job)
        try:
            self.line.join(turn)
        except (FullLine, Stopped) as error:
            self.jobs.forget(job)
            raise (self._full() if isinstance(error, FullLine) else _stopping()) from None
        return job

    def cancel(self, job: Job) -> None:
        """Give up a job; does nothing for one that is over."""
        turn = job.turn
        if job.over or turn is None:
            return
        self.metrics.cancelled.labels(job.state).inc()
        if job.begun is not None:
            asked = time.perf_counter()
            turn.future.add_done_callback(
                lambda future: self.metrics.freed_seconds.observe(time.perf_counter() - asked)
            )
        self.line.leave(turn)
        job.end(CANCELLED)

    def place(self, job: Job) -> int:
        """In the line, from 1; 0 for a job that does not wait."""
        turn = job.turn
        return self.line.place(turn) if turn is not None else 0

    def seconds_left(self, job: Job) -> float | None:
        """Until it is over, with what is before it in the line; None once it is."""
        own = job.seconds_left()
        if own is None or job.state != QUEUED:
            return own
        # Each goes to the worker that is free first.
        free = [0.0] * max(1, len(self._workers))
        for other in takewhile(lambda other: other is not job, self.jobs.unfinished()):
            heapreplace(free, free[0] + (other.seconds_left() or 0))
        return free[0] + own

    def _run(self, worker: Worker, job: Job, order: Order, turn: Turn) -> Result:
        job.begin()
        started = time.perf_counter()
        result = make(worker[order.wish.model], job, order, self.metrics, turn.go_on)
        seconds = time.perf_counter() - started
        self.metrics.job_seconds.labels(order.wish.model).observe(seconds)
        # Not job.total, which counts each window's.
        self._speeds[order.wish.model].note(_pixels(order.photo), order.steps, seconds)
        return result

    def _ended(self, job: Job, future: Future[Result]) -> None:
        error = None if future.cancelled() else future.exception()
        if future.cancelled() or isinstance(error, Stopped):
            job.end(CANCELLED)
            return
        if error is None:
            result = future.result()
            self.results.keep(result)
            self.metrics.results.labels("made").inc()
            job.end(DONE, result=result)
            return
        problem = problem_of(error if isinstance(error, Exception) else RuntimeError(str(error)))
        if problem.status == 500:
            _log.error("job %s failed", job.id[:6], exc_info=error)
        self.metrics.failed.labels(problem.reason).inc()
        job.end(FAILED, problem=problem)

    def _full(self) -> Problem:
        seconds = sum(job.seconds_left() or 0 for job in self.jobs.unfinished()) / max(1, len(self._workers))
        return Problem(
            429, "line", f"{self.line.waiting} jobs are waiting, which is all that may; come again later", seconds
        )

    def _line_changed(self) -> None:
        for job in self.jobs.unfinished():
            job.changed()

    def _work(self, opener: Callable[[], Worker]) -> None:
        try:
            worker = opener()
            for name, upscaler in worker.items():
                if self._closed.is_set():
                    return
                self._warm(name, upscaler)
        except Exception as error:
            _log.error("a worker cannot be opened, so the service stops: %s", one_line(error))
            self.failure = error
            self.on_failure()
            return
        serve = self.line.hire(worker)  # before it is said to be ready
        self._workers.append(worker)
        serve()

    def _warm(self, name: str, upscaler: Upscaler) -> None:
        """Enlarge a picture twice: the first run compiles, the second is measured."""
        picture = Photo(np.full((_WARM_SIDE, _WARM_SIDE, 3), 127, np.uint8))
        manifest = upscaler.bundle.manifest
        upscaler.enlarge(picture, 0, manifest.quickest)
        started = time.perf_counter()
        upscaler.enlarge(picture, 0, manifest.quickest)
        self._speeds[name].note(_pixels(picture), len(manifest.plan(manifest.quickest)), time.perf_counter() - started)


def _stopping() -> Problem:
    return Problem(503, "draining", "the service is stopping; come again when it is back", 10)


def _pixels(photo: Photo) -> int:
    return photo.pixels.shape[0] * photo.pixels.shape[1]
