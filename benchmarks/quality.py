"""``python benchmarks/quality.py``: how good the results are, and whether deployment loses any of it."""

from __future__ import annotations

from pathlib import Path

import click
from common.commands import bundle_option, insert_options, measured_bundle, typed_command, write_json, write_text
from common.machine import platform_name, versions
from common.real_esrgan import SCALE, RealEsrgan
from common.tables import insert
from grading.gate import Verdict, comparisons, judge
from grading.methods import (
    Bicubic,
    Consistent,
    Mean,
    Method,
    Model,
    Peer,
    open_checkpoint,
    open_upscalers,
)
from grading.metrics import MetricSuite
from grading.page import html
from grading.photos import Subjects, find_photos
from grading.report import QualityReport, Tables, as_json, markdown
from grading.results import Store
from tqdm import tqdm

from srdiff.bundle import Bundle
from srdiff.commands.command import Command
from srdiff.cpu import this_cpu
from srdiff.engines import ENGINES, PRECISIONS
from srdiff.errors import OptionError, ParityError
from srdiff.samplers import DDPM, Sampler
from srdiff_training.measure.pairs import find_pairs

PEERS = ("ncnn",)


@click.command(cls=Command)
@click.option(
    "--data",
    "folders",
    type=click.Path(path_type=Path),
    multiple=True,
    help="Folder with HR and LR_x4, with HR alone, with val/X1 and val/X4, or with images; repeatable.",
)
@click.option(
    "--photos",
    "photo_folders",
    type=click.Path(path_type=Path),
    multiple=True,
    help="Folder of photos without a truth, enlarged as they are; repeatable.",
)
@bundle_option
@click.option(
    "--engine",
    "engines",
    type=click.Choice(["auto", "all", *ENGINES]),
    multiple=True,
    default=["auto"],
    help="Repeatable.  [default: auto]",
)
@click.option(
    "--precision",
    "precisions",
    type=click.Choice(["auto", "all", *PRECISIONS]),
    multiple=True,
    default=["auto"],
    help="Repeatable.  [default: auto]",
)
@click.option("--steps", help="Numbers of sampler steps, like 10,20,50.  [default: all of the model's]")
@click.option(
    "--sampler",
    "samplers",
    multiple=True,
    default=["ddpm"],
    metavar="NAME[:ETA[:SPACING]]",
    help="Like ddpm, ddim:0.5 or dpm++:0:trailing; repeatable.  [default: ddpm]",
)
@click.option(
    "--fidelity",
    "fidelities",
    type=click.FloatRange(0, 1),
    multiple=True,
    help="Of a model with that dial; repeatable.  [default: 0]",
)
@click.option(
    "--seeds",
    type=click.IntRange(1),
    default=1,
    show_default=True,
    help="Results per image; the table gives mean and standard deviation.",
)
@click.option(
    "--peer", "peers", type=click.Choice(PEERS), multiple=True, help="Add rows of Real-ESRGAN x4plus by ncnn."
)
@click.option("--average", is_flag=True, help="Add rows for the mean over the seeds.")
@click.option("--consistency", is_flag=True, help="Add rows for results projected to give the input back when shrunk.")
@click.option(
    "--ckpt",
    type=click.Path(path_type=Path),
    help="The bundle's checkpoint: adds rows of its own network in MindSpore, same noise.",
)
@click.option(
    "--crop",
    type=click.IntRange(0),
    default=4,
    show_default=True,
    help="Border in HR pixels left out of PSNR and SSIM: 4 as in most papers, 0 as in the model card.",
)
@click.option("--limit", type=click.IntRange(1), help="Only the first images of each data set.")
@click.option("--threads", type=click.IntRange(1), help="CPU threads.  [default: the engine's]")
@click.option(
    "--gate",
    "gated",
    is_flag=True,
    help="Fail where an engine or precision loses quality against the float32 reference.",
)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    default=Path("quality_out"),
    show_default=True,
    help="Folder of the report and of the results, which a second run takes up again.",
)
@insert_options("quality")
def main(
    folders: tuple[Path, ...],
    photo_folders: tuple[Path, ...],
    bundle: Path | None,
    engines: tuple[str, ...],
    precisions: tuple[str, ...],
    steps: str | None,
    samplers: tuple[str, ...],
    fidelities: tuple[float, ...],
    seeds: int,
    peers: tuple[str, ...],
    average: bool,
    consistency: bool,
    ckpt: Path | None,
    crop: int,
    limit: int | None,
    threads: int | None,
    gated: bool,
    output: Path,
    insert_file: Path | None,
    mark: str,
) -> None:
    """Measure quality and parity on folders of images.

    Writes quality.json, quality.md and quality.html, one page with pictures. Interrupted, it goes on where
    it stopped.
    """
    if average and seeds < 2:
        raise OptionError("--average is a mean over seeds and there is 1; add --seeds 8")
    model = Bundle(measured_bundle(bundle))
    scale = model.manifest.scale
    data = _data(folders, photo_folders, scale, limit)
    sources = [(upscaler, "") for upscaler in open_upscalers(model, engines, precisions, threads)]
    if ckpt is not None:
        sources.append(open_checkpoint(ckpt, model))
    ways = _samplers(samplers, steps, fidelities, model)
    drawn = [Model(*source, sampler, seeds) for source in sources for sampler in ways]
    methods = _methods([Bicubic(scale), *_peers(peers, scale, threads)], drawn, average, consistency)
    if gated:
        comparisons(methods)  # an impossible gate is refused before the work
    suite = MetricSuite(crop)
    for title, reason in suite.missing.items():
        click.echo(f"{title} is left out: {reason}", err=True)
    store = Store(output / "results", suite)
    tables = _measured(data, methods, scale, store)
    verdicts = _verdicts(tables, store) if gated else None
    report = QualityReport(
        typed_command("quality.py"),
        model.manifest.name,
        scale,
        crop,
        suite.missing,
        str(this_cpu()),
        platform_name(),
        versions([*(method.engine for method in methods if isinstance(method, Model)), *peers]),
        tables,
        verdicts,
    )
    text = _write(report, store, output)
    if insert_file is not None:
        insert(text, insert_file, mark)
    _require_passed(verdicts or [])


def _methods(others: list[Method], drawn: list[Model], average: bool, consistency: bool) -> list[Method]:
    """In the order of the rows: what is drawn from a model stands before its mean, and each before its projection."""
    methods = [*others, *(method for plain in drawn for method in ((plain, Mean(plain)) if average else (plain,)))]
    if consistency:
        methods = [method for plain in methods for method in (plain, Consistent(plain))]
    return methods


def _measured(data: list[Subjects], methods: list[Method], scale: int, store: Store) -> Tables:
    total = sum(method.seeds for method in methods) * sum(len(entry.pairs) for entry in data)
    with tqdm(total=total, unit="result", disable=None) as bar:

        def advance(label: str) -> None:
            bar.set_postfix_str(label)
            bar.update()

        return tuple((entry, store.measure(entry, methods, scale, advance)) for entry in data)


def _verdicts(tables: Tables, store: Store) -> list[Verdict]:
    found = []
    for entry, rows in tables:
        found += judge(entry.name, rows, lambda *place, name=entry.name: store.load(name, *place))
    return found


def _write(report: QualityReport, store: Store, output: Path) -> str:
    """All three files; returns the Markdown."""
    document = as_json(report)
    text = markdown(document)
    write_json(output / "quality.json", document)
    write_text(output / "quality.md", text)
    write_text(output / "quality.html", html(report, document, store))
    click.echo(text)
    click.echo(f"{output / 'quality.html'}, quality.md and quality.json written", err=True)
    return text


def _data(folders: tuple[Path, ...], photo_folders: tuple[Path, ...], scale: int, limit: int | None) -> list[Subjects]:
    data: list[Subjects] = [find_pairs(folder, scale, limit) for folder in folders]
    data += [find_photos(folder, limit) for folder in photo_folders]
    if not data:
        raise OptionError("there is nothing to measure on; give a folder of true images with --data, or --photos")
    if len({entry.name for entry in data}) < len(data):
        raise OptionError("two data sets have the same folder name, by which results are kept; rename one")
    return data


def _peers(peers: tuple[str, ...], scale: int, threads: int | None) -> list[Method]:
    if peers and scale != SCALE:
        raise OptionError(f"--peer ncnn enlarges {SCALE} times and this model {scale} times; leave it out")
    return [Peer(RealEsrgan(threads)) for _ in dict.fromkeys(peers)]


def _samplers(
    texts: tuple[str, ...], steps: str | None, fidelities: tuple[float, ...], bundle: Bundle
) -> list[Sampler]:
    """Every sampler at every number of steps; a student has one way, and at most a dial on it."""
    if fidelities:
        bundle.manifest.sampler(fidelity=fidelities[0])  # refused for a model without the dial
    if bundle.manifest.student_steps is not None:
        if texts != ("ddpm",) or steps is not None:
            raise OptionError(
                f"{bundle.manifest.name} is a student, which has one way; leave out --sampler and --steps"
            )
        return [Sampler(fidelity=value) for value in dict.fromkeys(fidelities)] or [DDPM]
    found = []
    for text in texts:
        name, _, setting = text.partition(":")
        eta, _, spacing = setting.partition(":")
        try:
            number = float(eta) if eta else None
        except ValueError as error:
            raise OptionError(f"--sampler {text!r} has no number for eta; write it like ddim:0.5") from error
        counts = _step_counts(steps, bundle.manifest.schedule.timesteps)
        found += [Sampler(name, count, number, spacing or "even") for count in counts]
    return list(dict.fromkeys(found))


def _step_counts(text: str | None, timesteps: int) -> list[int]:
    if text is None:
        return [timesteps]
    counts = [int(part) if part.strip().isdigit() else 0 for part in text.split(",")]
    if not all(1 <= count <= timesteps for count in counts):
        raise OptionError(f"--steps is {text!r}; give numbers from 1 to {timesteps}, like 10,20,50")
    return list(dict.fromkeys(counts))


def _require_passed(verdicts: list[Verdict]) -> None:
    """Raises ParityError for the first verdict that misses the gate."""
    missed = [verdict for verdict in verdicts if verdict.reasons]
    if missed:
        first = missed[0]
        raise ParityError(
            f"{len(missed)} of {len(verdicts)} comparisons miss the gate, first {first.label} on "
            f"{first.data}: "
            f"{'; '.join(first.reasons)}; compare the pictures in the report before you deploy it"
        )


if __name__ == "__main__":
    main()
