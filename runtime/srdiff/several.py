"""One job after another, or as many at once as there are devices."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from queue import Queue
from typing import Callable, Iterable, Iterator, TypeVar

Worker = TypeVar("Worker")
Job = TypeVar("Job")
Result = TypeVar("Result")


def spread(workers: list[Worker], jobs: Iterable[Job], work: Callable[[Worker, Job], Result]) -> Iterator[Result]:
    """``work(worker, job)`` of every job, each by whichever worker is free; results in the jobs' order.

    A single worker works in the calling thread. What ``work`` raises is raised in its job's turn; jobs that have not
    begun by then are left.
    """
    if len(workers) == 1:
        for job in jobs:
            yield work(workers[0], job)
        return
    free: Queue[Worker] = Queue()
    for worker in workers:
        free.put(worker)

    def by_a_free_one(job: Job) -> Result:
        worker = free.get()
        try:
            return work(worker, job)
        finally:
            free.put(worker)

    with ThreadPoolExecutor(len(workers)) as pool:
        yield from pool.map(by_a_free_one, jobs)
