"""``python benchmarks/latency.py``: how fast it is, on which engine, and what the time goes into."""

from __future__ import annotations

from pathlib import Path

import click
from common.commands import bundle_option, insert_options, measured_bundle, typed_command, write_json
from common.machine import platform_name, versions
from common.tables import around_marks, insert
from racing.card import card_bundle
from racing.entrants import Entrant, Workload, find_entrants
from racing.flops import FlopCounter
from racing.latency_report import LatencyReport, as_json, as_text
from racing.peers import PEERS
from racing.race import Race, race
from racing.shapes import Shape, parse_shapes
from racing.standings import Standing, standings
from tqdm import tqdm

from srdiff.atomic_files import atomic_file, make_folder, require_writable
from srdiff.bundle import Bundle
from srdiff.commands.command import Command
from srdiff.commands.command import table as columns
from srdiff.cpu import this_cpu
from srdiff.engines import DEVICES, ENGINES, PRECISIONS
from srdiff.errors import BundleError, OptionError, PackageError
from srdiff.machine import usable_cpus

DEFAULT_LR = "64x64"


@click.command(cls=Command)
@bundle_option
@click.option(
    "--card",
    is_flag=True,
    help="A model of the model card's sizes with random weights, exported once; needs MindSpore.",
)
@click.option(
    "--lr", "lrs", multiple=True, metavar="HxW", help=f"Size of the input; repeatable.  [default: {DEFAULT_LR}]"
)
@click.option("--output", "outputs", multiple=True, metavar="HxW", help="Size of the result instead.")
@click.option(
    "--engine",
    "engines",
    multiple=True,
    metavar="NAME[:PRECISION]",
    help=f"{', '.join(ENGINES)}, at {', '.join(PRECISIONS)}; repeatable.  [default: all that open]",
)
@click.option(
    "--device", type=click.Choice(["auto", *DEVICES]), default="auto", show_default=True, help="Of the engines."
)
@click.option(
    "--peer",
    "peers",
    multiple=True,
    metavar="NAME[:PRECISION]",
    help="Race against torch (PyTorch eager, fp32 or bf16), upstream-graph (the public implementation's way, in "
    "ONNX Runtime) or ncnn (Real-ESRGAN x4plus); repeatable.",
)
@click.option("--steps", type=click.IntRange(1), help="Of the sampler.  [default: all of the model's]")
@click.option(
    "--runs", type=click.IntRange(1), default=5, show_default=True, help="Images timed after the first of each engine."
)
@click.option("--threads", type=click.IntRange(1), help="CPU threads of each.  [default: one per usable CPU]")
@click.option("--json", "json_file", type=click.Path(path_type=Path), help="Write everything to this file.")
@click.option("--plot", "plot_file", type=click.Path(path_type=Path), help="Write a PNG; needs Matplotlib.")
@insert_options("latency")
def main(
    bundle: Path | None,
    card: bool,
    lrs: tuple[str, ...],
    outputs: tuple[str, ...],
    engines: tuple[str, ...],
    device: str,
    peers: tuple[str, ...],
    steps: int | None,
    runs: int,
    threads: int | None,
    json_file: Path | None,
    plot_file: Path | None,
    insert_file: Path | None,
    mark: str,
) -> None:
    """Measure seconds per image on every engine and what they go into.

    Sizes are HEIGHTxWIDTH in pixels, as in srdiff-export; --lr and --output are repeatable. Each engine runs in a
    process of its own; they take turns, image by image, so that a busy machine slows all alike.
    """
    if card and bundle is not None:
        raise OptionError("--card is a bundle of its own; leave out --bundle")
    raced = [_peer(text) for text in peers]
    _check_engines(engines)
    _require_places(json_file, plot_file, insert_file, mark)
    path = card_bundle() if card else measured_bundle(bundle)
    manifest = Bundle(path).manifest
    shapes = parse_shapes(lrs, outputs, manifest.scale, DEFAULT_LR)
    timesteps = manifest.schedule.timesteps
    if steps is not None and steps > timesteps:
        raise OptionError(f"--steps is {steps}; this model takes 1 to {timesteps}")
    counter, uncounted = _counter(Bundle(path))
    threads = threads or usable_cpus()
    entrants = list(dict.fromkeys([*find_entrants(path, engines, device, threads), *raced]))
    workloads = [Workload(path, shape.lr, steps or timesteps, runs, device, threads) for shape in shapes]
    tables = _raced(shapes, workloads, entrants, counter)
    report = LatencyReport(
        typed_command("latency.py"),
        manifest.name,
        manifest.scale,
        timesteps,
        str(this_cpu()),
        platform_name(),
        {**versions(()), **{entry.opened.library: entry.opened.version for entry in tables[0][1].measured}},
        uncounted,
        _mflop_per_pixel(counter, tables[0][1]),
        tables,
    )
    document = as_json(report)
    click.echo(as_text(document, columns))
    if json_file is not None:
        write_json(json_file, document)
    if plot_file is not None:
        _plot(report, plot_file)
    if insert_file is not None:
        insert(as_text(document), insert_file, mark)


def _plot(report: LatencyReport, file: Path) -> None:
    from racing.latency_plot import plot

    make_folder(file)
    with atomic_file(file) as temporary:
        plot(report, temporary)


def _require_places(json_file: Path | None, plot_file: Path | None, insert_file: Path | None, mark: str) -> None:
    """Before the work: what is written at its end can be."""
    for file in (json_file, plot_file):
        if file is not None:
            require_writable(file)
    if plot_file is not None:
        _require_matplotlib()
    if insert_file is not None:
        around_marks(insert_file, mark)


def _raced(
    shapes: list[Shape], workloads: list[Workload], entrants: list[Entrant], counter: FlopCounter | None
) -> tuple[tuple[Shape, Race, list[Standing]], ...]:
    tables = []
    with tqdm(total=sum(1 + work.runs for work in workloads) * len(entrants), unit="image", disable=None) as bar:

        def advance(label: str) -> None:
            bar.set_postfix_str(label)
            bar.update()

        for shape, workload in zip(shapes, workloads):
            run = race(workload, entrants, counter is not None, advance)
            tables.append((shape, run, standings(run, counter)))
    return tuple(tables)


def _peer(text: str) -> Entrant:
    name, _, precision = text.partition(":")
    if name not in PEERS or precision not in ("", *PEERS[name]):
        known = [f"{peer}:{choice}" for peer, choices in PEERS.items() for choice in choices]
        raise OptionError(f"--peer is {text!r}; choose from {', '.join(known)}")
    return Entrant(name, precision or PEERS[name][0])


def _check_engines(engines: tuple[str, ...]) -> None:
    for text in engines:
        name, colon, precision = text.partition(":")
        if name not in ENGINES or (colon and precision not in PRECISIONS):
            raise OptionError(
                f"--engine is {text!r}; give one of {', '.join(ENGINES)}, with :{' or :'.join(PRECISIONS)} behind it "
                "or without"
            )


def _require_matplotlib() -> None:
    try:
        import matplotlib  # noqa: F401
    except ImportError as error:
        raise PackageError("--plot needs Matplotlib; run: pip install 'srdiff[bench]'") from error


def _counter(bundle: Bundle) -> tuple[FlopCounter | None, str]:
    """The counter, or why there is none."""
    try:
        return FlopCounter(bundle), ""
    except (BundleError, PackageError) as error:
        return None, str(error)


def _mflop_per_pixel(counter: FlopCounter | None, race: Race) -> float | None:
    """Of the step graph, at the first entrant's window."""
    if counter is None:
        return None
    shapes = race.measured[0].first.shapes["step"]
    return counter.count("step", shapes) / (shapes["x"][2] * shapes["x"][3]) / 1e6


if __name__ == "__main__":
    main()
