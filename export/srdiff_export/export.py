"""Checkpoint in, verified bundle out."""

from __future__ import annotations

import platform
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import mindspore as ms
import numpy as np

import srdiff
from srdiff.atomic_folders import staging, take_place
from srdiff.bundle import MANIFEST_NAME, TIME_BIAS_NAME, Bundle, write_bundle
from srdiff.engines.mindir_header import read_mindir_header
from srdiff.errors import DeviceError, OptionError
from srdiff.graph_files import GraphFiles
from srdiff.graph_io import LR
from srdiff.manifest import Manifest
from srdiff_training.model.checkpoint import Checkpoint, load_checkpoint
from srdiff_training.model.config import NetworkConfig
from srdiff_training.model.graphs import EncoderGraph, StepGraph, example_inputs, time_bias_table
from srdiff_training.model.manifest import network_manifest
from srdiff_training.model.one_by_one import operator_by_operator
from srdiff_training.model.recipe_options import RecipeOptions

from .ascend_tools import ASCEND_ORIENTED, check_optimize
from .fitting import require_fitting
from .kept_checkpoint import CHECKPOINT_NAME, save_networks
from .mindir_file import LiteStep, convert_for_ascend, export_mindir, require_converter
from .opset import MINDSPORE_OPSET
from .replacing import require_replaceable
from .verify import Comparison, require_parity, verify_bundle

FORMATS = ("onnx", "mindir")
DEFAULT_SHAPE = (64, 64)
PRECISIONS = {"fp32": "float32", "fp16": "float16"}


@dataclass(frozen=True)
class ExportOptions(RecipeOptions):
    """What the checkpoint does not say, and how to store it. None stands for the checkpoint's or family's own.

    Attributes, beside those of :class:`RecipeOptions`:
        name: of the model; None takes the checkpoint's file name.
        family: that the checkpoint must be of.
        formats: of the graphs: ``onnx``, ``mindir`` or both.
        shapes: LR sizes (height, width) of the MindIR graphs, which are static.
        optimize: ``ascend_oriented`` or ``ascend_oriented:SOC`` to compile the MindIR graphs for that device.
        precision: ``fp32`` or ``fp16``, of the stored weights; MindIR stores fp32 alone.
        opset: ONNX operator set.
        check_shapes: LR sizes (height, width) to compare the ONNX graphs at; None takes two that fit any depth.
        license, origin: of the weights, for the manifest.
        overlap: that windows of the model need, in LR pixels; None where nobody measured it.
        keep_checkpoint: put the networks' weights into the bundle, too, as a checkpoint of ``precision``, from which
            anyone can train on, or export for another device.
    """

    name: str | None = None
    family: str | None = None
    formats: tuple[str, ...] = ("onnx",)
    shapes: tuple[tuple[int, int], ...] = (DEFAULT_SHAPE,)
    optimize: str | None = None
    precision: str = "fp32"
    opset: int = MINDSPORE_OPSET
    check_shapes: tuple[tuple[int, int], ...] | None = None
    license: str = ""
    origin: str = ""
    overlap: int | None = None
    keep_checkpoint: bool = False

    def __post_init__(self) -> None:
        if self.precision not in PRECISIONS:
            raise OptionError(f"precision is {self.precision!r}; choose one of {', '.join(PRECISIONS)}")
        if not self.formats or not set(self.formats) <= set(FORMATS):
            raise OptionError(
                f"format is {','.join(self.formats)!r}; choose {' or '.join(FORMATS)}, or both with a comma"
            )
        if "mindir" in self.formats and (self.precision != "fp32" or not self.shapes):
            raise OptionError(
                "MindIR graphs have float32 weights and at least one shape; leave out fp16, whose place on an Ascend "
                "is srdiff-run --precision"
            )
        if self.optimize is not None:
            check_optimize(self.optimize)
            if not self.optimize.startswith(ASCEND_ORIENTED):
                raise OptionError(
                    f"optimize is {self.optimize!r}; MindIR of a checkpoint is compiled for an Ascend alone"
                )
            if "mindir" not in self.formats:
                raise OptionError(f"--optimize {self.optimize} is for MindIR graphs; add --format mindir")
        if self.opset < MINDSPORE_OPSET:
            raise OptionError(f"opset is {self.opset}; the oldest that can be written is {MINDSPORE_OPSET}")


def export_bundle(
    ckpt: Path, target: Path, options: ExportOptions, overwrite: bool = False
) -> tuple[Bundle, list[Comparison]]:
    """Export a checkpoint, run the result beside its source, and only then give it its name.

    Args:
        ckpt: checkpoint file of either family.
        target: the bundle's folder.
        options: see :class:`ExportOptions`.
        overwrite: replace an existing bundle that holds no other file.

    Returns:
        The bundle and every comparison made.

    Raises:
        CheckpointError: the checkpoint cannot be read or is incomplete.
        DeviceError: a package that a format or ``optimize`` needs is missing.
        OptionError: an option is outside what it may be.
        OutputError: the target exists and may not be replaced, or cannot be written.
        ParityError: a graph misses its bound.
    """
    require_replaceable(target, overwrite)
    if options.optimize is not None:
        require_converter(options.optimize)
    ms.set_context(mode=ms.GRAPH_MODE, device_target="CPU")
    checkpoint = load_checkpoint(ckpt, options.family, options.weights)
    manifest = _manifest(ckpt, checkpoint, options)
    check_shapes = list(options.check_shapes or _default_check_shapes(manifest))
    for shape in (*check_shapes, *(graph.lr_shape for graph in manifest.graphs if graph.lr_shape)):
        require_fitting(shape, manifest)
    with staging(target) as folder:
        _write_graphs(folder, checkpoint, manifest, options)
        if options.keep_checkpoint:
            save_networks(checkpoint, folder / CHECKPOINT_NAME, manifest)
        manifest = replace(manifest, producer=_producer(folder, manifest, options))
        write_bundle(folder, manifest)
        comparisons = verify_bundle(Bundle(folder), checkpoint.build(), check_shapes)
        require_parity(comparisons)
        (folder / MANIFEST_NAME).unlink()
        if options.optimize is not None:  # what comes out runs on the device alone, so it is checked before
            _optimize(folder, checkpoint, manifest, options.optimize)
        write_bundle(folder, replace(manifest, parity={"comparisons": [asdict(row) for row in comparisons]}))
        take_place(folder, target, overwrite)
    return Bundle(target), comparisons


def _manifest(ckpt: Path, checkpoint: Checkpoint, options: ExportOptions) -> Manifest:
    taken = {"weights": checkpoint.taken} if checkpoint.taken else {}
    manifest = network_manifest(
        checkpoint.config,
        options.recipe(checkpoint),
        options.name or ckpt.stem,
        _graph_files(options),
        PRECISIONS[options.precision],
        {"checkpoint": ckpt.name, "license": options.license, "origin": options.origin, **taken},
    )
    kept = CHECKPOINT_NAME if options.keep_checkpoint else ""
    return replace(manifest, overlap=options.overlap, checkpoint=kept)


def _graph_files(options: ExportOptions) -> tuple[GraphFiles, ...]:
    graphs = [GraphFiles("onnx", "encoder.onnx", "step.onnx")] if "onnx" in options.formats else []
    for shape in dict.fromkeys(options.shapes if "mindir" in options.formats else ()):
        suffix = "{}x{}.mindir".format(*shape)
        graphs.append(GraphFiles("mindir", f"encoder_{suffix}", f"step_{suffix}", shape))
    return tuple(graphs)


def _producer(folder: Path, manifest: Manifest, options: ExportOptions) -> dict[str, Any]:
    producer = {
        "srdiff": srdiff.__version__,
        "mindspore": ms.__version__,
        "numpy": np.__version__,
        "python": platform.python_version(),
    }
    if "onnx" in options.formats:
        import onnx

        producer.update(onnx=onnx.__version__, opset=options.opset)
    for graph in manifest.graphs:
        if graph.format == "mindir":
            producer["mindir"] = read_mindir_header((folder / graph.step).read_bytes()).mindir
    if options.optimize is not None:
        import mindspore_lite

        producer.update(optimize=options.optimize, mindspore_lite=mindspore_lite.__version__)
    return producer


def _default_check_shapes(manifest: Manifest) -> list[tuple[int, int]]:
    """Two sizes, neither of them the traced one nor square: a baked size cannot hide."""
    unit = _lr_unit(manifest)
    small, large = unit * -(-8 // unit), unit * -(-14 // unit)
    return [(small, large), (large, small + unit)]


def _lr_unit(manifest: Manifest) -> int:
    """The smallest LR side that the UNet takes without padding; every multiple of it fits, too."""
    unit = max(manifest.hr_multiple // manifest.scale, 1)
    while unit * manifest.scale < manifest.hr_minimum or unit * manifest.scale % manifest.hr_multiple:
        unit += 1
    return unit


def _write_graphs(folder: Path, checkpoint: Checkpoint, manifest: Manifest, options: ExportOptions) -> None:
    network = checkpoint.build()
    with operator_by_operator():
        time_bias = time_bias_table(network, manifest.schedule.timesteps)
    np.save(folder / TIME_BIAS_NAME, time_bias)
    encoder, step = EncoderGraph(network), StepGraph(network, manifest.clip_denoised)
    if "onnx" in options.formats:
        _write_onnx(folder, encoder, step, checkpoint.config, manifest, options)
    for graph in manifest.graphs:
        if graph.lr_shape is not None:
            lr = np.zeros((1, 3, *graph.lr_shape), np.float32)
            export_mindir(encoder, [lr], folder / graph.encoder)
            inputs = [array for _, array in example_inputs(checkpoint.config, graph.lr_shape)]
            export_mindir(LiteStep(step, manifest.cond_channels), inputs, folder / graph.step)


def _write_onnx(
    folder: Path,
    encoder: EncoderGraph,
    step: StepGraph,
    config: NetworkConfig,
    manifest: Manifest,
    options: ExportOptions,
) -> None:
    try:
        from .onnx_file import export_onnx
    except ImportError as error:
        raise DeviceError("ONNX files need the package onnx; run: pip install 'srdiff[export]'") from error
    traced = (_lr_unit(manifest) * 4,) * 2
    half = options.precision == "fp16"
    lr = np.zeros((1, 3, *traced), np.float32)
    export_onnx(encoder, [(LR, lr)], list(encoder.outputs), folder / "encoder.onnx", half, options.opset)
    inputs = example_inputs(config, traced)
    export_onnx(step, inputs, list(step.outputs), folder / "step.onnx", half, options.opset)


def _optimize(folder: Path, checkpoint: Checkpoint, manifest: Manifest, optimize: str) -> None:
    for graph in manifest.graphs:
        if graph.lr_shape is not None:
            convert_for_ascend(folder / graph.encoder, {LR: (1, 3, *graph.lr_shape)}, optimize)
            shapes = {name: array.shape for name, array in example_inputs(checkpoint.config, graph.lr_shape)}
            convert_for_ascend(folder / graph.step, shapes, optimize)
