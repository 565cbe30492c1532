"""Jobs by their id, the finished ones for a bounded time and number."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from typing import Callable

from .job import Job
from .limits import Limits


class KeptJobs:
    """All jobs that somebody may still ask for; safe from any thread."""

    def __init__(self, limits: Limits, clock: Callable[[], float] = time.monotonic) -> None:
        self._limits = limits
        self._clock = clock
        self._jobs: OrderedDict[str, Job] = OrderedDict()
        self._lock = threading.Lock()

    def keep(self, job: Job) -> Job:
        with self._lock:
            self._jobs[job.id] = job
            self._forget_old()
        return job

    def get(self, id: str) -> Job | None:
        with self._lock:
            self._forget_old()
            return self._jobs.get(id)

    def forget(self, job: Job) -> None:
        with self._lock:
            self._jobs.pop(job.id, None)

    def unfinished(self) -> list[Job]:
        with self._lock:
            return [job for job in self._jobs.values() if not job.over]

    def uncollected(self) -> bool:
        """Some result has not been fetched yet."""
        with self._lock:
            return any(not job.collected for job in self._jobs.values())

    def _forget_old(self) -> None:
        """A job that is over holds its result, so the results' bound in bytes holds for them together, each once."""
        since = self._clock() - self._limits.kept_seconds
        over = [job for job in self._jobs.values() if job.ended is not None]
        room = self._limits.kept_bytes
        kept: set[int] = set()
        for number, job in enumerate(sorted(over, key=lambda job: -(job.ended or 0))):
            size = 0 if job.result is None or id(job.result) in kept else job.result.bytes
            room -= size
            if (job.ended or 0) < since or number >= self._limits.kept_jobs or (size and room < 0 and number > 0):
                del self._jobs[job.id]
            else:
                kept.add(id(job.result))
