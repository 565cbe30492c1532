"""``python benchmarks/latency.py``: how fast it is, on which engine, and what the time goes into."""

from __future__ import annotations

import json
import platform
import re
import shlex
import sys
from pathlib import Path

import click
from common.tables import around_marks, insert
from racing.card import card_bundle
from racing.entrants import Entrant, Setting, find_entrants
from racing.flops import FlopCounter
from racing.latency_report import Report, Shape, as_json, as_text, rows
from racing.peers import PEERS
from racing.race import Race, race
from tqdm import tqdm

import srdiff
from srdiff.atomic_files import atomic_file, require_writable
from srdiff.bundle import Bundle
from srdiff.commands.command import Command
from srdiff.commands.command import table as columns
from srdiff.engines import DEVICES, ENGINES, PRECISIONS
from srdiff.errors import DeviceError, OptionError, PackageError
from srdiff.machine import usable_cpus
from srdiff.model_names import DEFAULT_MODEL

DEFAULT_LR = "64x64"


@click.command(cls=Command)
@click.option("--bundle", type=click.Path(path_type=Path), help="Model.  [default: the small one built in]")
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
    help="Race against torch (PyTorch eager, fp32 or bf16) or upstream-graph (the public implementation's way, in "
    "ONNX Runtime); repeatable.",
)
@click.option("--steps", type=click.IntRange(1), help="Of the sampler.  [default: all of the model's]")
@click.option(
    "--runs", type=click.IntRange(1), default=5, show_default=True, help="Images timed after the first of each engine."
)
@click.option("--threads", type=click.IntRange(1), help="CPU threads of each.  [default: one per usable CPU]")
@click.option("--json", "json_file", type=click.Path(path_type=Path), help="Write everything to this file.")
@click.option("--plot", "plot_file", type=click.Path(path_type=Path), help="Write a PNG; needs Matplotlib.")
@click.option(
    "--insert",
    "insert_file",
    type=click.Path(path_type=Path),
    help="Also put the Markdown between two marks of this file.",
)
@click.option(
    "--mark",
    default="latency",
    show_default=True,
    help="Name of those marks: <!-- NAME --> and <!-- /NAME -->.",
)
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
    for text in engines:
        _check_engine(text)
    for file in (json_file, plot_file):
        if file is not None:
            require_writable(file)
    if plot_file is not None:
        _require_matplotlib()
    if insert_file is not None:
        around_marks(insert_file, mark)
    path = card_bundle() if card else bundle or DEFAULT_MODEL
    manifest = Bundle(path).manifest
    shapes = _shapes(lrs, outputs, manifest.scale)
    timesteps = manifest.schedule.timesteps
    if steps is not None and steps > timesteps:
        raise OptionError(f"--steps is {steps}; this model takes 1 to {timesteps}")
    counter, uncounted = _counter(Bundle(path))
    threads = threads or usable_cpus()
    entrants = list(dict.fromkeys([*find_entrants(path, engines, device, threads), *raced]))

    tables = []
    with tqdm(total=len(shapes) * len(entrants) * (1 + runs), unit="image", disable=None) as bar:

        def advance(label: str) -> None:
            bar.set_postfix_str(label)
            bar.update()

        for shape in shapes:
            setting = Setting(path, shape.lr, steps or timesteps, runs, device, threads)
            raced_here = race(setting, entrants, counter is not None, advance)
            tables.append((shape, raced_here, rows(raced_here, counter)))

    command = " ".join(shlex.quote(word) for word in ["python", "benchmarks/latency.py", *sys.argv[1:]])
    report = Report(
        command,
        manifest.name,
        manifest.scale,
        timesteps,
        _cpu_name(),
        _versions(tables[0][1]),
        uncounted,
        _mflop_per_pixel(counter, tables[0][1]),
        tuple(tables),
    )
    click.echo(as_text(report, columns))
    if json_file is not None:
        with atomic_file(json_file) as temporary:
            temporary.write_text(json.dumps(as_json(report), indent=1) + "\n", encoding="utf-8")
    if plot_file is not None:
        from racing.latency_plot import plot

        with atomic_file(plot_file) as temporary:
            plot(report, temporary)
    if insert_file is not None:
        insert(as_text(report), insert_file, mark)


def _peer(text: str) -> Entrant:
    name, _, precision = text.partition(":")
    if name not in PEERS or precision not in ("", *PEERS[name]):
        known = [f"{peer}:{choice}" for peer, choices in PEERS.items() for choice in choices]
        raise OptionError(f"--peer is {text!r}; choose from {', '.join(known)}")
    return Entrant(name, precision or PEERS[name][0])


def _check_engine(text: str) -> None:
    name, colon, precision = text.partition(":")
    if name not in ENGINES or (colon and precision not in PRECISIONS):
        raise OptionError(
            f"--engine is {text!r}; give one of {', '.join(ENGINES)}, with :{' or :'.join(PRECISIONS)} behind it "
            "or without"
        )


def _shapes(lrs: tuple[str, ...], outputs: tuple[str, ...], scale: int) -> list[Shape]:
    shapes = [Shape(_size("--lr", text)) for text in lrs or (() if outputs else (DEFAULT_LR,))]
    for text in outputs:
        height, width = _size("--output", text)
        shapes.append(Shape((-(-height // scale), -(-width // scale)), (height, width)))
    return list(dict.fromkeys(shapes))


def _size(option: str, text: str) -> tuple[int, int]:
    match = re.fullmatch(r"([1-9]\d*)x([1-9]\d*)", text)
    if match is None:
        raise OptionError(f"{option} is {text!r}; write height and width in pixels, like {DEFAULT_LR}")
    return int(match.group(1)), int(match.group(2))


def _require_matplotlib() -> None:
    try:
        import matplotlib  # noqa: F401
    except ImportError as error:
        raise DeviceError("--plot needs Matplotlib; run: pip install 'srdiff[bench]'") from error


def _counter(bundle: Bundle) -> tuple[FlopCounter | None, str]:
    """The counter, or why there is none."""
    try:
        return FlopCounter(bundle), ""
    except (DeviceError, PackageError) as error:
        return None, str(error)


def _mflop_per_pixel(counter: FlopCounter | None, race: Race) -> float | None:
    """Of the step graph, at the first entrant's window."""
    if counter is None:
        return None
    shapes = race.measured[0].first.shapes["step"]
    return counter.count("step", shapes) / (shapes["x"][2] * shapes["x"][3]) / 1e6


def _versions(race: Race) -> dict[str, str]:
    libraries = {measured.opened.library: measured.opened.version for measured in race.measured}
    return {"srdiff": srdiff.__version__, "Python": platform.python_version(), **libraries}


def _cpu_name() -> str:
    info = Path("/proc/cpuinfo")
    text = info.read_text(encoding="utf-8", errors="replace") if info.is_file() else ""
    match = re.search(r"^model name\s*:\s*(.+)$", text, re.MULTILINE)
    return match.group(1) if match else platform.processor() or "an unknown CPU"


if __name__ == "__main__":
    main()
