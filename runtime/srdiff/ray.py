"""Many images on a Ray cluster (extra ``ray``): rows go to workers that read and write the files themselves.

    import srdiff.ray

    made = srdiff.ray.upscale("photos", "large")
    print(made.filter(lambda row: row["error"]).take_all())

No pixel passes through Ray: inputs, outputs and the bundle lie where every node sees them under the same path or URL.
"""

from __future__ import annotations

import socket
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generator, Iterable, Iterator, Mapping

from .batch.actor import TRIES, Row, Worker, errand_of, heard
from .batch.book import Book
from .batch.cloud import here
from .batch.cloud_rows import rows_of
from .batch.recipe import Recipe
from .batch.referee import Referee
from .batch.ticket import Ticket
from .errors import DeviceError, OptionError, PackageError, one_line
from .jobs.sources import find_sources, is_url
from .jobs.targets import Destination, Job
from .jobs.work import FAILED, Outcome
from .whole import keep_whole

try:
    import ray
    import ray.data

    from .batch.far_referee import referee_here
except ImportError as error:
    raise PackageError(f"Ray needs {error.name}; on Python 3.10 or newer install the extra srdiff[ray]") from error

AUTO = "auto"
LISTENING = 10  # seconds for an address to answer in


@dataclass(frozen=True)
class Pool:
    """The workers.

    Attributes:
        workers: at most; None is as many as the cluster has room for, also once it grows.
        cpus: of each, which are its engine's threads.
        gpus: of each; with a part of one, several share it.
        resources: of each, that the cluster's nodes name, like ``{"NPU": 1}``.
        images: that a worker gets at a time. Each is told once all of them are made; a worker that dies costs at most
            those it is at.
        tries: of an image that ends its worker's process, by exhausting its memory, say: after so many workers that
            were at nothing else it has failed. The batch has, once a worker's process ended so often while it opened
            the model.

    Raises:
        OptionError: a number is outside what it may be.
    """

    workers: int | None = None
    cpus: int = 1
    gpus: float = 0
    resources: Mapping[str, float] = field(default_factory=dict)
    images: int = 8
    tries: int = TRIES

    def __post_init__(self) -> None:
        for name in ("workers", "cpus", "images", "tries"):
            if name != "workers" or self.workers is not None:
                keep_whole(self, name, 1)
        if min([self.gpus, *self.resources.values()]) < 0:
            raise OptionError("a worker's resources are below 0; leave out what it does not need")


def upscale(
    images: Any,
    output: Path | str | None = None,
    recipe: Recipe | None = None,
    pool: Pool | None = None,
    suffix: str = "_x4",
) -> ray.data.Dataset:
    """Enlarge images on the cluster that Ray is connected to; nothing happens before the result is asked for.

    Args:
        images: a file, a folder, or a list of them; or a Ray dataset with the columns ``input`` and ``output``, paths
            that every node has, and maybe ``key``, whose blocks then are what workers get at a time. With the extra
            ``cloud`` each may be a URL that fsspec knows, such as ``s3://bucket/photos``.
        output: folder of the results, or a single one's file; None is beside the inputs, where these are no URLs. Not
            for a dataset.
        recipe: model, engine and settings; None is what ``srdiff-run`` has.
        pool: the workers; None is one for each CPU.
        suffix: of names beside the inputs.

    Returns:
        A dataset with a row per image: ``key``, ``input``, ``output``, ``status`` (``done``, ``skipped`` where every
        result was there, ``failed``), ``error`` (a sentence, or empty), ``seconds`` and ``detail`` (JSON). A bad image
        is such a row; only a fault of the cluster, or a worker whose engine or versions are not the others', raises.

    Raises:
        OptionError, ImageError: as :func:`srdiff.jobs.sources.find_sources` and
            :class:`srdiff.jobs.targets.Destination` do; a dataset lacks a column.
        PackageError: a URL needs a package that is not installed.
    """
    recipe, pool = recipe or Recipe(), pool or Pool()
    if isinstance(images, ray.data.Dataset):
        missing = {"input", "output"} - set(images.columns() or ())
        if missing:
            raise OptionError(f"the dataset has no column {' and '.join(sorted(missing))}; rows say input and output")
        return _mapped(images, recipe, pool, referee_here())
    named = [here(name) for name in ([images] if isinstance(images, (str, Path)) else images)]
    output = None if output is None else here(output)
    if any(is_url(name) for name in [*named, output or ""]):
        rows = rows_of([str(name) for name in named], None if output is None else str(output), recipe.settings, suffix)
        return _mapped(_blocks(rows, pool), recipe, pool, referee_here())
    destination = Destination(None if output is None else str(output), suffix=suffix)
    sources = find_sources(map(str, named), suffix).sources
    jobs = destination.jobs(sources, recipe.settings.wanted)
    folder = destination.folder(sources) or Path()
    book = Book(recipe.settings)
    rows = [errand_of(book.begin(job), folder).to_row() for job in jobs]
    return _mapped(_blocks(rows, pool), recipe, pool, referee_here())


def make_all(jobs: Iterable[Job], book: Book, recipe: Recipe, pool: Pool) -> Generator[Outcome, None, None]:
    """Outcomes as they come, each in the ledger of ``book`` by then; what is done is not sent.

    Raises:
        OptionError: a job reads or writes a standard stream.
        SRDiffError: a worker's own, where it cannot start or has not the pins of the others.
        DeviceError: the cluster has no room for a worker, or fails.
    """
    folder = Path() if book.ledger is None else book.ledger.path.parent
    sent: dict[str, Ticket] = {}
    rows = []
    for job in jobs:
        if job.source.path is None or job.target is None:
            raise OptionError("standard streams do not reach a cluster; name files")
        ticket = book.begin(job)
        if ticket.outcome is not None:
            yield ticket.outcome
        elif job.problem is not None:
            outcome = Outcome(job, FAILED, error=job.problem)
            book.end(ticket, outcome)
            yield outcome
        else:
            rows.append(errand_of(ticket, folder).to_row())
            sent[job.key] = ticket
    if not rows:
        return
    _require_room(pool)
    referee = referee_here(book)
    with _as_sentence(referee):
        for row in _mapped(_blocks(rows, pool), recipe, pool, referee).iter_rows():
            ticket = sent[row["key"]]
            outcome, entry = heard(row, ticket.job)
            if entry is not None and book.ledger is not None:
                book.ledger.append(entry, referee.agreed() if outcome.written else None)
            elif outcome.status == FAILED:
                book.end(ticket, outcome)
            yield outcome


@contextmanager
def connected(address: str) -> Iterator[None]:
    """A connection to a cluster.

    Args:
        address: like ``10.0.0.1:6379`` or ``ray://10.0.0.1:10001``; ``auto`` is the cluster that this machine belongs
            to, or else one of this machine alone.

    Raises:
        DeviceError: nobody answers there.
    """
    try:
        if address != AUTO:
            _require_listener(address)  # Ray would try for minutes
        ray.init(None if address == AUTO else address, log_to_driver=False, logging_level="ERROR")
    except Exception as error:  # a node that does not start in time raises a bare one
        advice = "free some memory or CPUs, or name a cluster" if address == AUTO else "see to it with ray status"
        raise DeviceError(f"no Ray cluster answers at {address} ({one_line(error)}); {advice}") from error
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    try:
        yield
    finally:
        ray.shutdown()


def _require_listener(address: str) -> None:
    """Raises OSError or ValueError where nobody answers at ``host:port`` or ``ray://host:port``."""
    host, _, port = address.rpartition("://")[2].rpartition(":")
    with socket.create_connection((host.strip("[]"), int(port)), LISTENING):
        pass


def _blocks(rows: list[Row], pool: Pool) -> ray.data.Dataset:
    return ray.data.from_items(rows, override_num_blocks=-(-len(rows) // pool.images))


def _mapped(dataset: ray.data.Dataset, recipe: Recipe, pool: Pool, referee: Referee) -> ray.data.Dataset:
    return dataset.map_batches(
        Worker,
        fn_constructor_args=(recipe, pool.cpus, referee, pool.tries),
        batch_size=None,
        batch_format="numpy",
        compute=ray.data.ActorPoolStrategy(min_size=1, max_size=pool.workers, initial_size=_initial(pool)),
        num_cpus=pool.cpus,
        num_gpus=pool.gpus or None,
        resources=dict(pool.resources) or None,
    )


def _initial(pool: Pool) -> int:
    """Workers that there is room for now."""
    return max(1, min(pool.workers or 1 << 16, _room(pool, ray.available_resources())))


def _room(pool: Pool, there: Mapping[str, float]) -> int:
    needs = {"CPU": float(pool.cpus), "GPU": float(pool.gpus), **pool.resources}
    return min(int(there.get(name, 0.0) / need) for name, need in needs.items() if need)


def _require_room(pool: Pool) -> None:
    """Ray would wait for ever."""
    if not any(_room(pool, node["Resources"]) for node in ray.nodes() if node["Alive"]):
        needs = {"CPU": pool.cpus, "GPU": pool.gpus, **pool.resources}
        asked = ", ".join(f"{amount:g} {name}" for name, amount in needs.items() if amount)
        raise DeviceError(f"no node of the cluster has {asked} for a worker; ask for less, or add a node that has")


@contextmanager
def _as_sentence(referee: Referee) -> Iterator[None]:
    """A worker's own error, or the cluster's, without Ray's traceback."""
    try:
        yield
    except ray.exceptions.RayError as error:
        refusal = referee.refusal()
        if refusal is not None:
            raise refusal from error
        raise DeviceError(f"the cluster failed ({one_line(error)[:300]}); run once more to go on") from error
