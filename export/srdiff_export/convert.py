"""A bundle's ONNX graphs through the vendor's converter, on a host that needs no training framework."""

from __future__ import annotations

import shlex
import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from srdiff.atomic_folders import staging, take_place
from srdiff.bundle import MANIFEST_NAME, Bundle, write_bundle
from srdiff.engines.ascend_precision import choose_mode
from srdiff.engines.lite_options import Sections, write_sections
from srdiff.errors import BundleError, DeviceError, OptionError
from srdiff.graph_files import GraphFiles
from srdiff.graph_io import ENCODER, STEP, Shapes

from . import ascend_tools
from .ascend_tools import ASCEND_ORIENTED, GENERAL, check_optimize, check_soc
from .compare_converted import compare_converted
from .fitting import require_fitting
from .replacing import require_replaceable
from .sliced_cond import write_sliced

SCRIPT = "convert.sh"
MIN_PROFILES = 2
MAX_PROFILES = 100  # "Up to 100 configurations are supported"


@dataclass(frozen=True)
class ConvertOptions:
    """How to convert.

    Attributes:
        format: ``mindir`` by MindSpore Lite's converter, or ``om`` by ATC.
        shapes: LR sizes (height, width) of the graphs.
        profiles: one graph holds all shapes; without it each shape has a graph of its own.
        optimize: for mindir: ``ascend_oriented``, ``ascend_oriented:CHIP``, or ``general`` for MindSpore Lite's CPU.
        soc: for om: ATC's name of the chip.
        precision: that is compiled in: ``fp32``, ``fp16``, or ``auto`` for fp16 where the model clamps x_0.
    """

    format: str = "mindir"
    shapes: tuple[tuple[int, int], ...] = ((64, 64),)
    profiles: bool = False
    optimize: str = ASCEND_ORIENTED
    soc: str | None = None
    precision: str = "auto"

    def __post_init__(self) -> None:
        if self.format not in ("mindir", "om"):
            raise OptionError(f"format is {self.format!r}; a bundle's graphs are converted to mindir or om")
        if self.profiles and not MIN_PROFILES <= len(set(self.shapes)) <= MAX_PROFILES:
            raise OptionError(
                f"{len(set(self.shapes))} shapes were given; a graph of several has {MIN_PROFILES} to {MAX_PROFILES}"
            )
        if self.format == "om":
            check_soc(self.soc)
        else:
            check_optimize(self.optimize)
            if self.optimize == GENERAL and (self.profiles or self.precision == "fp16"):
                raise OptionError(f"optimize {GENERAL} is for the CPU, in fp32 and one graph per shape; leave both out")

    @property
    def for_ascend(self) -> bool:
        return self.format == "om" or self.optimize != GENERAL


@dataclass(frozen=True)
class _Graph:
    """One graph to convert: encoder or step, for one shape or for all."""

    kind: str
    stem: str
    shapes: list[Shapes]
    command: list[str]
    sections: Sections


def convert_bundle(
    bundle: Bundle, target: Path, options: ConvertOptions, overwrite: bool = False
) -> tuple[Bundle, str]:
    """Write a new bundle with the converted graphs beside the ONNX ones.

    Where the converter is missing, the new bundle holds its command lines as ``convert.sh`` instead, with the
    configuration files; what that script has made in a bundle's folder is taken as it is.

    Returns:
        The new bundle, and a sentence on what was done.

    Raises:
        BundleError: the bundle has no ONNX graphs, or has the others already.
        DeviceError: the converter fails.
        OptionError: a shape does not fit the network, or the target does not take it.
        OutputError: the target exists and may not be replaced, or cannot be written.
        ParityError: a converted graph misses its bound where it can be run.
    """
    onnx = [graph for graph in bundle.graph_files("onnx") if graph.lr_shape is None]
    if not onnx or bundle.graph_files(options.format):
        found = ", ".join(bundle.formats)
        raise BundleError(f"{bundle.path} has {found} graphs; give a bundle with onnx and without {options.format}")
    require_replaceable(target, overwrite)
    if bundle.manifest.global_context and not options.for_ascend:
        raise OptionError(
            f"{bundle.path} has attention, which MindSpore Lite's CPU refuses once it is converted from ONNX; export "
            "the checkpoint again, with --format mindir"
        )
    for shape in options.shapes:
        require_fitting(shape, bundle.manifest)
    precision = options.precision
    if precision == "auto":
        precision = "fp16" if options.for_ascend and bundle.manifest.clip_denoised else "fp32"
    graphs = _plan(bundle, options, precision)
    with staging(target) as folder:
        for name in bundle.file_names:
            if name != SCRIPT:
                shutil.copyfile(str(bundle.path / name), str(folder / name))
        said = _convert(bundle, folder, graphs, options)
        manifest = bundle.manifest
        if not said:
            added = _graph_files(graphs, options, precision)
            manifest = replace(
                manifest, graphs=(*manifest.graphs, *added), producer={**manifest.producer, **_producer(options)}
            )
            write_bundle(folder, manifest)
            parity, said = compare_converted(
                Bundle(folder), options.format, list(dict.fromkeys(options.shapes)), options.for_ascend, precision
            )
            (folder / MANIFEST_NAME).unlink()
            manifest = replace(manifest, parity={**manifest.parity, "conversion": parity})
        write_bundle(folder, manifest)
        take_place(folder, target, overwrite)
    return Bundle(target), said


def _plan(bundle: Bundle, options: ConvertOptions, precision: str) -> list[_Graph]:
    mode = choose_mode(precision, None)
    onnx = bundle.graph_files("onnx")[0]
    chosen = list(dict.fromkeys(options.shapes))
    graphs = []
    for suffix, sizes in [("profiles", chosen)] if options.profiles else [("{}x{}".format(*s), [s]) for s in chosen]:
        for kind in (ENCODER, STEP):
            model, stem = getattr(onnx, kind), f"{kind}_{suffix}"
            shapes: list[Shapes] = [bundle.manifest.input_shapes(kind, *size) for size in sizes]
            sections: Sections = {}
            if options.format == "om":
                command = ascend_tools.atc_command(model, stem, shapes, check_soc(options.soc), mode)
            else:
                sections = ascend_tools.lite_configuration(shapes, mode, options.optimize)
                command = ascend_tools.lite_command(model, stem, shapes, options.optimize, bool(sections))
            graphs.append(_Graph(kind, stem, shapes, command, sections))
    return graphs


def _convert(bundle: Bundle, folder: Path, graphs: list[_Graph], options: ConvertOptions) -> str:
    """Empty when the graphs are there; a sentence when only the script is."""
    made = [bundle.path / f"{graph.stem}.{options.format}" for graph in graphs]
    if all(file.is_file() and not file.is_symlink() for file in made):
        for file in made:
            shutil.copyfile(str(file), str(folder / file.name))
        return ""
    present = ascend_tools.has_tool(options.format)
    for graph in graphs:
        if graph.sections:
            write_sections(graph.sections, folder / f"{graph.stem}.ini")
        if present:
            _run(graph, folder, options)
    if present:
        return ""
    script = folder / SCRIPT
    script.write_text(_script(graphs), encoding="utf-8")
    script.chmod(0o755)
    tool = graphs[0].command[0]
    return (
        f"{tool} is not installed here, so nothing was converted; run {SCRIPT} of the new bundle where it is, then "
        f"srdiff-export --bundle on the folder with the same options"
    )


def _run(graph: _Graph, folder: Path, options: ConvertOptions) -> None:
    sliced = folder / f"{graph.stem}.onnx"
    command = graph.command
    if options.format == "mindir" and options.optimize == GENERAL and graph.kind == STEP:
        model = next(part for part in command if part.startswith("--modelFile=")).partition("=")[2]
        write_sliced(folder / model, sliced)
        command = [f"--modelFile={sliced.name}" if part.startswith("--modelFile=") else part for part in command]
    ascend_tools.run_tool(command, folder, graph.shapes)
    if sliced.exists():
        sliced.unlink()
    result = folder / f"{graph.stem}.{options.format}"
    if not result.is_file():
        raise DeviceError(f"{command[0]} ended well and wrote no {result.name}; see its log, and use another version")


def _script(graphs: list[_Graph]) -> str:
    lines = [
        "#!/bin/sh",
        f"# Converts this bundle's ONNX graphs; needs {graphs[0].command[0]} and CANN's environment (set_env.sh).",
        "set -e",
        'cd "$(dirname "$0")"',
        *(" ".join(map(shlex.quote, graph.command)) for graph in graphs),
        f"rm -rf {' '.join(ascend_tools.LEFT)}",
    ]
    return "\n".join(lines) + "\n"


def _graph_files(graphs: list[_Graph], options: ConvertOptions, precision: str) -> tuple[GraphFiles, ...]:
    files = []
    for index, shape in enumerate(dict.fromkeys(options.shapes)):
        first = 0 if options.profiles else 2 * index
        names = [f"{graph.stem}.{options.format}" for graph in graphs[first : first + 2]]
        compiled = precision if options.for_ascend else None
        files.append(GraphFiles(options.format, names[0], names[1], shape, compiled))
    return tuple(files)


def _producer(options: ConvertOptions) -> dict[str, Any]:
    if options.format == "om":
        return {"converted": f"atc for {options.soc}"}
    return {"converted": f"converter_lite for {options.optimize}"}
