"""``srdiff-run``: enlarge image files from a shell."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Iterator

import click
from tqdm import tqdm

from .. import __version__
from ..atomic_files import require_writable
from ..diversity import Wanted
from ..engines import DEVICES, ENGINES, PRECISIONS
from ..engines.device_names import each_device
from ..errors import ImageError, OptionError, SRDiffError
from ..model_names import built_in
from ..photo.formats import readable_suffixes
from ..photo.read import DEFAULT_MAX_PIXELS, read_photo
from ..photo.write import FORMATS, check_storable, format_of, write_photo
from ..progress import Progress
from ..samplers import SAMPLERS, SPACINGS, Sampler
from ..several import spread
from ..upscaler import Upscaler
from .command import Command
from .devices import engine_option, print_devices

STREAM = "-"


@dataclass(frozen=True)
class Job:
    """One image to enlarge; None as source or target is standard input or output."""

    source: Path | None
    target: Path | None
    format: str


@click.command(cls=Command)
@click.argument("inputs", nargs=-1, required=True, metavar="INPUT...")
@click.option(
    "-o",
    "--output",
    help="File, or folder for several images; - is standard output.  [default: beside each input]",
)
@click.option(
    "--model",
    type=click.Path(path_type=Path),
    help=f"Bundle folder, or one that is built in: {', '.join(built_in())}.  [default: small-v1]",
)
@click.option(
    "--seed",
    type=click.IntRange(0, 2**64 - 1),
    default=0,
    show_default=True,
    help="Of the noise; another seed, another picture.",
)
@click.option(
    "--steps",
    type=click.IntRange(1),
    help="Sampler steps, up to the model's timesteps.  [default: the preset's, else all]",
)
@click.option(
    "--preset",
    help="Sampler, steps, eta and spacing by a name that the model has.",
)
@click.option("--sampler", type=click.Choice(list(SAMPLERS)), help="[default: the preset's, else ddpm]")
@click.option(
    "--eta",
    type=click.FloatRange(0, 1),
    help="Fresh noise per step for ddim and dpm++: 0 is sharper, 1 nearer the truth.  [default: 0]",
)
@click.option(
    "--spacing",
    type=click.Choice(list(SPACINGS)),
    help="Which timesteps are taken when not all are.  [default: the preset's, else even]",
)
@click.option(
    "--device",
    default="auto",
    show_default=True,
    metavar="DEVICE",
    help=f"auto, {', '.join(DEVICES)}; gpu:1 is the second of them, ascend:0,1 two that share the images.",
)
@click.option("--engine", type=click.Choice(["auto", *ENGINES]), default="auto", show_default=True)
@click.option(
    "--engine-option",
    "engine_options",
    multiple=True,
    metavar="KEY=VALUE",
    help="Of the engine alone, like device_id=1; repeatable.",
)
@click.option(
    "--list-devices",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=print_devices,
    help="Print what runs here, and why the rest does not.",
)
@click.option(
    "--precision",
    type=click.Choice(["auto", *PRECISIONS]),
    default="auto",
    show_default=True,
    help="Of the UNet's arithmetic.",
)
@click.option(
    "--format", "format_", type=click.Choice(list(FORMATS)), help="Of the result.  [default: from -o, else png]"
)
@click.option("--threads", type=click.IntRange(1), help="CPU threads.  [default: the engine's]")
@click.option(
    "--tile",
    type=click.IntRange(1),
    help="Side in input pixels of the windows that larger images are cut into; memory follows it.  "
    "[default: 128 to 512, by the memory at hand]",
)
@click.option(
    "--samples",
    type=click.IntRange(1),
    default=1,
    show_default=True,
    help="Different results per image: in_x4_1.png, in_x4_2.png, …",
)
@click.option("--average", is_flag=True, help="Write the samples' mean instead: higher PSNR, softer.")
@click.option(
    "--uncertainty",
    is_flag=True,
    help="Also write a grey map of the samples' spread, in_x4_uncertainty.png; white is 8 levels and more.",
)
@click.option("--consistency", is_flag=True, help="Correct the result so that shrinking it gives the input back.")
@click.option(
    "--max-pixels",
    type=click.IntRange(1),
    default=DEFAULT_MAX_PIXELS,
    show_default=True,
    help="Refuse larger inputs before decoding them.",
)
@click.option("--overwrite", is_flag=True, help="Replace results that exist; without it they are skipped.")
@click.version_option(__version__)
def main(
    inputs: tuple[str, ...],
    output: str | None,
    model: Path | None,
    seed: int,
    steps: int | None,
    preset: str | None,
    sampler: str | None,
    eta: float | None,
    spacing: str | None,
    device: str,
    engine: str,
    engine_options: tuple[str, ...],
    precision: str,
    format_: str | None,
    threads: int | None,
    tile: int | None,
    samples: int,
    average: bool,
    uncertainty: bool,
    consistency: bool,
    max_pixels: int,
    overwrite: bool,
) -> None:
    """Enlarge images four times with SRDiff.

    INPUT is an image file, a folder of them, or - for standard input. in.png becomes in_x4.png beside it; a folder
    becomes FOLDER_x4.
    """
    wanted = Wanted(samples, average, uncertainty, consistency)
    options = dict(engine_option(text) for text in engine_options)
    upscalers = [
        Upscaler.from_bundle(model, each, engine, precision, threads, tile, engine_options=options)
        for each in each_device(device)
    ]
    chosen = upscalers[0].bundle.manifest.sampler(preset, sampler, steps, eta, spacing)
    jobs = plan_jobs(inputs, output, format_, upscalers[0].scale)

    def enlarge(upscaler: Upscaler, job: Job) -> str | SRDiffError | None:
        targets = wanted.targets(job.target)
        if all(target is not None and target.exists() for target in targets) and not overwrite:
            click.echo(f"{targets[-1]} exists; skipped (--overwrite replaces it)", err=True)
            return None
        try:
            return run_job(upscaler, job, wanted, seed, chosen, max_pixels)
        except SRDiffError as error:
            return error

    _tell(spread(upscalers, jobs, enlarge), len(jobs))


def _tell(outcomes: Iterator[str | SRDiffError | None], jobs: int) -> None:
    """Print each image's line as it comes, None for one that was skipped; leave with the worst failure's exit code."""
    enlarged = 0
    failures: list[SRDiffError] = []
    for outcome in outcomes:
        if isinstance(outcome, SRDiffError):
            if jobs == 1:
                raise outcome
            click.echo(f"Error: {outcome}", err=True)
            failures.append(outcome)
        elif outcome is not None:
            click.echo(outcome, err=True)
            enlarged += 1
    if jobs > 1:
        skipped = jobs - enlarged - len(failures)
        click.echo(f"{enlarged} enlarged, {skipped} skipped, {len(failures)} failed", err=True)
    if failures:
        sys.exit(max(error.exit_code for error in failures))


def plan_jobs(inputs: tuple[str, ...], output: str | None, format_: str | None, scale: int) -> list[Job]:
    """What to read and where to write it.

    Raises:
        ImageError: an input does not exist, or a folder holds no image.
        OptionError: the output does not suit the inputs.
    """
    sources = [source for text in inputs for source in _sources(text)]
    if output == STREAM or (output is None and sources == [(None, None)]):
        if len(sources) != 1:
            raise OptionError(f"standard output takes one image and {len(sources)} were given; name a folder with -o")
        return [Job(sources[0][0], None, format_ or "png")]
    if output is not None and len(sources) == 1 and not _names_folder(inputs[0], output):
        target = Path(output)
        return [Job(sources[0][0], target, format_ or format_of(target))]
    suffix = FORMATS[format_ or "png"][0]
    jobs = []
    for source, folder in sources:
        if source is None:
            raise OptionError("the result of standard input needs a file name; give one with -o")
        parent = (
            Path(output)
            if output is not None
            else folder.with_name(f"{folder.name}_x{scale}")
            if folder
            else source.parent
        )
        name = source.stem if folder or output is not None else f"{source.stem}_x{scale}"
        jobs.append(Job(source, parent / (name + suffix), format_ or "png"))
    _refuse_collisions(jobs)
    return jobs


def run_job(upscaler: Upscaler, job: Job, wanted: Wanted, seed: int, sampler: Sampler, max_pixels: int) -> str:
    """Enlarge one image and return the line that says how."""
    started = time.perf_counter()
    label = job.source.name if job.source else "standard input"
    photo = read_photo(job.source or sys.stdin.buffer, max_pixels)
    check_storable(photo, job.format, upscaler.scale)
    targets = wanted.targets(job.target)
    if job.target is not None:
        require_writable(job.target)
    with tqdm(desc=label, unit="step", disable=None, leave=False) as bar:

        def show(progress: Progress) -> None:
            bar.total = progress.total
            bar.update(progress.done - bar.n)

        for target, result in zip(targets, wanted.make(upscaler, photo, seed, sampler, show)):
            write_photo(result, target or sys.stdout.buffer, job.format)
    height, width = result.pixels.shape[:2]
    engine = upscaler.engine
    written = ", ".join(map(str, targets)) if job.target else "standard output"
    return (
        f"{written}: {width}x{height}, {engine.name} {engine.device} {engine.precision}, "
        f"{upscaler.bundle.manifest.sampling_label(sampler)}, seed {seed}, "
        f"{time.perf_counter() - started:.1f} s"
    )


def _sources(text: str) -> list[tuple[Path | None, Path | None]]:
    """(image, the folder it was found in), one per image that an argument names."""
    if text == STREAM:
        return [(None, None)]
    path = Path(text)
    if not path.is_dir():
        return [(path, None)]
    found = sorted(
        file for file in path.iterdir() if file.suffix.lower() in readable_suffixes() and not file.name.startswith(".")
    )
    if not found:
        raise ImageError(f"{path} holds no image; give a folder with some, or a file")
    return [(file, path) for file in found]


def _names_folder(given: str, output: str) -> bool:
    return Path(given).is_dir() or Path(output).is_dir() or output.endswith(("/", "\\"))


def _refuse_collisions(jobs: list[Job]) -> None:
    targets: dict[Path | None, Path | None] = {}
    for job in jobs:
        other = targets.setdefault(job.target, job.source)
        if other != job.source:
            raise OptionError(f"{other} and {job.source} would both become {job.target}; enlarge them apart")


if __name__ == "__main__":
    main()
