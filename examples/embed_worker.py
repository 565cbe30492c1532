"""A task queue's worker, here Celery's; with RQ, `rq worker` runs `enlarge` as it is.

pip install '.[cpu]' celery
celery --workdir examples --app embed_worker worker --pool prefork --concurrency 1
"""

from __future__ import annotations

import os
from functools import lru_cache
from pathlib import Path

from celery import Celery

from srdiff import SRDiffError, Upscaler
from srdiff.photo.read import read_photo
from srdiff.photo.write import format_of, write_photo

app = Celery("enlarge", broker=os.environ.get("BROKER", "redis://127.0.0.1"))
# An image is taken only when the one before is done, and goes back into the queue when its worker is killed:
# the same seed makes the same file, and that appears whole, so twice does no harm.
app.conf.update(worker_prefetch_multiplier=1, task_acks_late=True, task_reject_on_worker_lost=True)


@lru_cache(maxsize=1)
def upscaler() -> Upscaler:
    """Opened in the process that works, not in the one that forks it: engines have threads, which forks lose."""
    return Upscaler.from_bundle()


@app.task(throws=(SRDiffError,))
def enlarge(source: str, target: str, seed: int = 0) -> str:
    """Paths, not pixels, go through the broker. A file that is there under the target's name is replaced."""
    large = upscaler().enlarge(read_photo(Path(source)), seed)
    write_photo(large, Path(target), format_of(target))
    return target
