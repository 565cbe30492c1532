"""``srdiff-run``: enlarge image files from a shell."""

from __future__ import annotations

from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import click

from ..batch.book import Book
from ..batch.ledger import Ledger, ledger_in
from ..batch.pins import pins_of
from ..batch.pipeline import make_all
from ..batch.recipe import Recipe
from ..batch.shard import agree
from ..batch.verify import verify
from ..batch.workers import Team, given, measured, typical
from ..bundle import Bundle
from ..diversity import Wanted
from ..engines.device_names import each_device
from ..errors import OptionError
from ..jobs.sources import STREAM, find_sources
from ..jobs.targets import Destination, Job
from ..jobs.work import JobSettings
from ..manifest import WISHES
from ..model_names import bundle_folder
from ..photo.write import LOSSY
from ..unfinished_files import remove_leftovers
from .command import Command
from .completing import files
from .devices import engine_option
from .model_options import model_options
from .run_options import AUTO, run_options
from .telling import Teller

# Images that --workers auto looks at for one that it can read.
READ_AT_MOST = 8


@click.command(cls=Command)
@click.argument("inputs", nargs=-1, required=True, metavar="INPUT...", shell_complete=files)
@click.option(
    "-o",
    "--output",
    shell_complete=files,
    help="File, or folder for several images; - is standard output.  [default: beside each input]",
)
@model_options
@run_options
def main(inputs: tuple[str, ...], **options: Any) -> None:
    """Enlarge images four times with SRDiff.

    INPUT is an image file, a folder of them, or - for standard input. in.png becomes in_x4.png beside it; a folder
    becomes FOLDER_x4.
    """
    if options["as_json"] and (options["output"] == STREAM or (options["output"] is None and inputs == (STREAM,))):
        raise OptionError("json lines and the result would both go to standard output; name a file as output")
    model = Bundle(bundle_folder(options["model"]))
    settings = _settings(model, options)
    scale = settings.scale or model.manifest.scale
    suffix = f"_x{scale}" if options["suffix"] is None else options["suffix"]
    found = find_sources(inputs, suffix, options["recursive"], options["all_frames"], options["output"])
    destination = Destination(options["output"], options["format"], suffix)
    jobs = destination.jobs(found.sources, settings.wanted)
    if settings.quality is not None and jobs and jobs[0].format not in LOSSY:
        raise OptionError(f"quality is of {' and '.join(LOSSY)}, and results are {jobs[0].format}; leave it out")
    shard, folder = options["shard"], destination.folder(found.sources)
    if shard is not None:
        if folder is None:
            raise OptionError("shards share a folder of results; name one as output")
        jobs = [job for job in jobs if shard.has(job.key)]
    teller = Teller(settings, model.manifest, len(jobs), options["quiet"], options["as_json"])
    teller.found(found, options["recursive"])
    if options["dry_run"]:
        for job in jobs:
            teller.planned(job)
        return
    ledger = _ledger(folder, options)
    if ledger is not None and options["verify"]:
        teller.came_out(((outcome, "verified") for outcome in verify(ledger, jobs, others=shard is None)), ledger)
        return
    for parent in {job.target.parent for job in jobs if job.target is not None}:
        remove_leftovers(parent)
    recipe = _recipe(model, settings, options)
    if options["ray"] is not None:
        _on_cluster(recipe, jobs, ledger, teller, options)
        return
    upscalers, chosen = _open(recipe, jobs, ledger, options)
    if chosen:
        teller.workers(chosen)
    pins = pins_of(upscalers[0], settings)
    if shard is not None and folder is not None:
        agree(folder, pins)
    book = Book(settings, ledger, pins, options["retry_failed"])
    with closing(make_all(upscalers, jobs, book, teller.watching)) as made:
        teller.came_out(((outcome, teller.how(upscaler)) for outcome, upscaler in made), ledger)


def _on_cluster(
    recipe: Recipe, jobs: list[Job], ledger: Ledger | None, teller: Teller, options: dict[str, Any]
) -> None:
    if options["shard"] is not None:
        raise OptionError("shard and ray both share the images out; leave out one of them")
    if ":" in recipe.device:
        raise OptionError(f"device is {recipe.device} and Ray gives each worker its own; name the kind alone")
    from .. import ray

    workers = options["workers"]
    pool = ray.Pool(
        workers=None if workers == AUTO else workers,
        cpus=options["threads"] or 1,
        gpus=1 if recipe.device == "gpu" else 0,
        resources={"NPU": 1} if recipe.device == "ascend" else {},
    )
    book = Book(recipe.settings, ledger, None, options["retry_failed"])
    with ray.connected(options["ray"]), closing(ray.make_all(jobs, book, recipe, pool)) as made:
        teller.came_out(((outcome, teller.how(None)) for outcome in made), ledger)


def _ledger(folder: Path | None, options: dict[str, Any]) -> Ledger | None:
    """The one that is named, or the usual one of a folder of results."""
    if options["ledger"] is not None:
        return Ledger(options["ledger"])
    if folder is not None:
        return Ledger(ledger_in(folder) if options["shard"] is None else options["shard"].ledger_in(folder))
    if options["verify"] or options["retry_failed"]:
        raise OptionError("no ledger says what was done; name one with --ledger, or give a folder")
    return None


def _recipe(model: Bundle, settings: JobSettings, options: dict[str, Any]) -> Recipe:
    return Recipe(
        settings,
        model.path.resolve(),
        options["engine"],
        options["device"],
        options["precision"],
        dict(engine_option(text) for text in options["engine_options"]),
        options["tile"],
        options["overlap"],
    )


def _open(recipe: Recipe, jobs: list[Job], ledger: Ledger | None, options: dict[str, Any]) -> Team:
    """Upscalers of each device."""
    devices, workers, threads = each_device(recipe.device), options["workers"] or 1, options["threads"]
    if workers == AUTO and len(devices) == 1 and len(jobs) > 1:
        threads = threads or (None if ledger is None else ledger.threads)
        pixels = typical(jobs[:READ_AT_MOST], recipe.settings.max_pixels)
        return measured(recipe.open, threads, pixels, recipe.settings.sampler, len(jobs))
    count = 1 if workers == AUTO else workers
    return [one for device in devices for one in given(partial(recipe.open, device=device), count, threads)], ""


def _settings(model: Bundle, options: dict[str, Any]) -> JobSettings:
    return JobSettings(
        seed=options["seed"],
        sampler=model.manifest.sampler(*(options[name] for name in WISHES)),
        wanted=Wanted(options["samples"], options["average"], options["uncertainty"], options["consistency"]),
        crop=options["crop"],
        scale=options["scale"],
        size=options["size"],
        quality=options["quality"],
        max_pixels=options["max_pixels"],
        overwrite=options["overwrite"],
    )


if __name__ == "__main__":
    main()
