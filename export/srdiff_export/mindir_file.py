"""Writes a MindSpore cell as a static MindIR file, runs such a file, and converts it for Ascend ahead of time."""

from __future__ import annotations

from pathlib import Path
from typing import Mapping

import mindspore as ms
import numpy as np
from mindspore import Tensor, nn

from srdiff.engines import Arrays, Engine, Graph, Shapes
from srdiff.engines.ascend import cann_advice
from srdiff.engines.ascend_precision import choose_mode
from srdiff.errors import DeviceError
from srdiff.graph_io import OUTPUTS, graph_of

from .ascend_tools import ASCEND_ORIENTED
from .trace_folder import trace_folder


class LiteStep(nn.Cell):
    """The step graph as MindSpore Lite takes it.

    An input added as it is to an activation breaks Lite's change between channels-first and channels-last; a slice of
    everything in between cures it.
    """

    def __init__(self, step: nn.Cell, cond_channels: int) -> None:
        super().__init__()
        self.step = step
        self.cond_channels = cond_channels

    def construct(
        self, x: Tensor, time_bias: Tensor, cond: Tensor, coef: Tensor, noise: Tensor, x0_prev: Tensor, *lr_up: Tensor
    ) -> tuple[Tensor, Tensor]:
        return self.step(x, time_bias, cond[:, : self.cond_channels], coef, noise, x0_prev, *lr_up)


def export_mindir(cell: nn.Cell, inputs: list[np.ndarray], file: Path) -> None:
    """Trace a cell for the shapes of ``inputs``, in the order of ``construct``, and write the MindIR file."""
    with trace_folder() as folder:
        traced = folder / "graph.mindir"
        ms.export(cell, *[ms.Tensor(array) for array in inputs], file_name=str(traced), file_format="MINDIR")
        file.write_bytes(traced.read_bytes())  # MindSpore's own may only be read


class GraphCellEngine(Engine):
    """MindIR files by MindSpore itself, to check them where MindSpore Lite is not installed."""

    name = "mindspore GraphCell"
    device = "cpu"
    precision = "fp32"
    graph_format = "mindir"

    def compile(self, model: bytes, shapes: Shapes) -> LoadedGraph:
        with trace_folder() as folder:
            file = folder / "graph.mindir"
            file.write_bytes(model)
            outputs = OUTPUTS[graph_of(shapes)]
            return LoadedGraph(nn.GraphCell(ms.load(str(file))), tuple(shapes), outputs)


class LoadedGraph(Graph):
    def __init__(self, cell: nn.GraphCell, inputs: tuple[str, ...], outputs: tuple[str, ...]) -> None:
        self._cell = cell
        self._inputs = inputs
        self._outputs = outputs

    def run(self, inputs: Mapping[str, np.ndarray]) -> Arrays:
        results = self._cell(*[ms.Tensor(inputs[name]) for name in self._inputs])
        results = results if isinstance(results, tuple) else (results,)
        return {name: result.asnumpy() for name, result in zip(self._outputs, results)}


def require_converter(optimize: str) -> None:
    """Raises DeviceError where MindSpore Lite's converter is missing or does not know the target."""
    try:
        import mindspore_lite as lite
    except ImportError as error:
        raise DeviceError(
            f"--optimize {optimize} needs MindSpore Lite, which is not installed; install its wheel of version "
            f"{ms.__version__} (on x86-64 and Python 3.7: pip install 'srdiff[lite]'), or leave --optimize out"
        ) from error
    try:
        lite.Converter().optimize = optimize
    except ValueError as error:
        raise DeviceError(
            f"the converter of MindSpore Lite {lite.__version__} does not take {optimize} ({str(error).rstrip('.')}); "
            f"try --optimize {ASCEND_ORIENTED}, or leave it out"
        ) from error


def convert_for_ascend(file: Path, shapes: Shapes, optimize: str) -> None:
    """Replace a raw MindIR file by one compiled for Ascend, in float32 wherever the chip has it.

    Raises:
        DeviceError: the converter fails, as it does without CANN's libraries.
    """
    import mindspore_lite as lite

    converter = lite.Converter()
    converter.optimize = optimize
    converter.save_type = lite.ModelType.MINDIR
    converter.input_shape = {name: list(shape) for name, shape in shapes.items()}
    with trace_folder() as folder:
        traced = folder / "graph.mindir"
        traced.write_bytes(file.read_bytes())
        config = folder / "lite.ini"
        config.write_text(
            f"[ascend_context]\ninput_format=NCHW\nprecision_mode={choose_mode('auto', None).lite}\n", encoding="utf-8"
        )
        converted = folder / "converted"
        try:
            converter.convert(lite.FmkType.MINDIR, str(traced), str(converted), config_file=str(config))
        except RuntimeError as error:
            raise DeviceError(
                f"the converter of MindSpore Lite {lite.__version__} could not compile {file.name} for {optimize}: "
                f"it needs CANN's libraries; {cann_advice()}, see its log with GLOG_v=3 in the environment, or leave "
                "--optimize out"
            ) from error
        file.write_bytes(converted.with_suffix(".mindir").read_bytes())
