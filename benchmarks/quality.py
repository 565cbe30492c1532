"""``python benchmarks/quality.py``: how good the results are, and whether deployment loses any of it."""

from __future__ import annotations

import json
import platform
import shlex
import sys
from pathlib import Path

import click
from common.tables import insert
from grading.gate import Verdict, comparisons, judge
from grading.methods import Bicubic, Consistent, Mean, Method, Model, open_checkpoint, open_upscalers
from grading.metrics import Meter
from grading.page import html
from grading.report import Report, as_json, markdown
from grading.results import Store
from tqdm import tqdm

import srdiff
from srdiff.atomic_files import atomic_file
from srdiff.bundle import DEFAULT_BUNDLE, Bundle
from srdiff.commands.command import Command
from srdiff.engines import ENGINES, PRECISIONS
from srdiff.errors import OptionError, ParityError
from srdiff.samplers import Sampler
from srdiff_training.measure.pairs import find_pairs


@click.command(cls=Command)
@click.option(
    "--data",
    "folders",
    type=click.Path(path_type=Path),
    multiple=True,
    required=True,
    help="Folder with HR and LR_x4, with HR alone, with val/X1 and val/X4, or with images; repeatable.",
)
@click.option(
    "--bundle",
    type=click.Path(path_type=Path),
    default=DEFAULT_BUNDLE,
    help="Model.  [default: the small one built in]",
)
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
    "--seeds",
    type=click.IntRange(1),
    default=1,
    show_default=True,
    help="Results per image; the table gives mean and standard deviation.",
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
@click.option(
    "--insert",
    "insert_file",
    type=click.Path(path_type=Path),
    help="Also put the Markdown between two marks of this file.",
)
@click.option(
    "--mark",
    default="quality",
    show_default=True,
    help="Name of those marks: <!-- NAME --> and <!-- /NAME -->.",
)
def main(
    folders: tuple[Path, ...],
    bundle: Path,
    engines: tuple[str, ...],
    precisions: tuple[str, ...],
    steps: str | None,
    samplers: tuple[str, ...],
    seeds: int,
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
    """Measure quality and parity on folders of true images.

    Writes quality.json, quality.md and quality.html, one page with pictures. Interrupted, it goes on where
    it stopped.
    """
    if average and seeds < 2:
        raise OptionError("--average is a mean over seeds and there is 1; add --seeds 8")
    model = Bundle(bundle)
    scale = model.manifest.scale
    data = [find_pairs(folder, scale, limit) for folder in folders]
    if len({entry.name for entry in data}) < len(data):
        raise OptionError("two data sets have the same folder name, by which results are kept; rename one")
    methods = _methods(
        model, engines, precisions, _samplers(samplers, steps, model), seeds, ckpt, threads, average, consistency
    )
    if gated:
        comparisons(methods)  # an impossible gate is refused before the work
    meter = Meter(crop)
    if meter.missing:
        click.echo(f"LPIPS is left out: {meter.missing}", err=True)
    store = Store(output / "results", meter)
    total = sum(method.seeds for method in methods) * sum(len(entry.pairs) for entry in data)
    with tqdm(total=total, unit="result", disable=None) as bar:

        def advance(label: str) -> None:
            bar.set_postfix_str(label)
            bar.update()

        tables = tuple((entry, store.measure(entry, methods, scale, advance)) for entry in data)
    verdicts: list[Verdict] | None = None
    if gated:
        verdicts = []
        for entry, rows in tables:
            verdicts += judge(entry.name, rows, lambda *place, name=entry.name: store.load(name, *place))
    command = " ".join(shlex.quote(word) for word in ["python", "benchmarks/quality.py", *sys.argv[1:]])
    report = Report(command, model.manifest.name, crop, meter.missing, _versions(methods), tables, verdicts)
    text = markdown(report)
    _write(output / "quality.json", json.dumps(as_json(report), indent=1) + "\n")
    _write(output / "quality.md", text)
    _write(output / "quality.html", html(report, store, scale))
    click.echo(text)
    click.echo(f"{output / 'quality.html'}, quality.md and quality.json written", err=True)
    if insert_file is not None:
        insert(text, insert_file, mark)
    _require_passed(verdicts or [])


def _methods(
    bundle: Bundle,
    engines: tuple[str, ...],
    precisions: tuple[str, ...],
    samplers: list[Sampler],
    seeds: int,
    ckpt: Path | None,
    threads: int | None,
    average: bool,
    consistency: bool,
) -> list[Method]:
    """The report's rows from top to bottom."""
    sources = [(upscaler, "") for upscaler in open_upscalers(bundle, engines, precisions, threads)]
    if ckpt is not None:
        sources.append(open_checkpoint(ckpt, bundle))
    drawn: list[Method] = [Bicubic(bundle.manifest.scale)]
    for upscaler, source in sources:
        for sampler in samplers:
            model = Model(upscaler, sampler, seeds, source)
            drawn += [model, Mean(model)] if average else [model]
    if not consistency:
        return drawn
    return [method for plain in drawn for method in (plain, Consistent(plain))]


def _samplers(texts: tuple[str, ...], steps: str | None, bundle: Bundle) -> list[Sampler]:
    """Every sampler at every number of steps."""
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


def _versions(methods: list[Method]) -> dict[str, str]:
    engines = {method.engine for method in methods if isinstance(method, Model)}
    found = {name: getattr(sys.modules.get(name), "__version__", "").split("-")[0] for name in sorted(engines)}
    return {"srdiff": srdiff.__version__, "Python": platform.python_version(), **found}


def _write(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    with atomic_file(file) as temporary:
        temporary.write_text(text, encoding="utf-8")


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
