"""Runs exported graphs beside the MindSpore cells that they came from."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import ContextManager

import numpy as np
from PIL import Image

from srdiff.bundle import Bundle
from srdiff.engines import CANDIDATES, GRAPH_FORMATS, Engine
from srdiff.errors import DeviceError, PackageError, ParityError
from srdiff.graph_io import COEF, COND, ENCODER, LR, STEP, TIME_BIAS, Coefficients
from srdiff.noise import philox_noise
from srdiff.opening import open_for
from srdiff.pixels import to_signed
from srdiff.samplers import DDPM, Sampler
from srdiff.upscaler import Upscaler
from srdiff_training.model.graphs import CellEngine, example_inputs
from srdiff_training.model.network import SRDiff
from srdiff_training.model.one_by_one import operator_by_operator

from .mindir_file import GraphCellEngine

PHOTO = Path(__file__).parent / "check_photo.png"
SAMPLER_STEPS = 4
# LR pixels up to which the few runs of the cells cost less than compiling them; measured, four times as many cost more.
UNCOMPILED = 32 * 32
# Of relative_error. float32: engines sum in another order, measured up to 3e-6. float16: a weight keeps 11 bits,
# measured up to 6e-4. The sampler's first step multiplies an error of eps by 2029 before the clamp, where there is one:
# measured up to 2e-4 and 3e-2.
BOUNDS = {
    "float32": {"encoder": 2e-5, "step": 2e-5, "sampler": 1e-3},
    "float16": {"encoder": 5e-3, "step": 5e-3, "sampler": 1e-1},
}


@dataclass(frozen=True)
class Comparison:
    """One graph on one engine and input against the cells.

    Attributes:
        engine: library and device.
        graph: ``encoder``, ``step`` or ``sampler`` (a run of a few steps).
        input: ``random`` or ``photo``.
        lr_shape: height and width of the input in pixels.
        max_error: largest absolute difference.
        relative_error: root mean square of the difference over that of the reference.
        bound: what relative_error may be.
    """

    engine: str
    graph: str
    input: str
    lr_shape: tuple[int, int]
    max_error: float
    relative_error: float
    bound: float

    @property
    def passed(self) -> bool:
        return self.relative_error <= self.bound


def verify_bundle(bundle: Bundle, network: SRDiff, check_shapes: list[tuple[int, int]]) -> list[Comparison]:
    """Compare the bundle's graphs with the network on every engine that is installed and loads them, in float32.

    Args:
        bundle: as written.
        network: the source, not prepared for export.
        check_shapes: LR sizes to compare ONNX graphs at; each must fit the network's levels. MindIR graphs have theirs.

    Raises:
        DeviceError: no engine for ONNX files is installed.
    """
    comparisons = []
    for format in bundle.formats:
        lr_shapes = [graph.lr_shape for graph in bundle.graph_files(format) if graph.lr_shape is not None]
        engines = _engines(bundle, format)
        for lr_shape in lr_shapes or check_shapes:
            with _cheapest_mode(lr_shape):
                references = _References(bundle, network, format, lr_shape)
            for engine in engines:
                comparisons += references.compare(engine)
    return comparisons


def require_parity(comparisons: list[Comparison]) -> None:
    """Raises ParityError for the worst comparison that misses its bound."""
    missed = [comparison for comparison in comparisons if not comparison.passed]
    if missed:
        worst = max(missed, key=lambda comparison: comparison.relative_error / comparison.bound)
        raise ParityError(
            f"the {worst.graph} graph on {worst.engine} differs from its source by {worst.relative_error:.1e} "
            f"(bound {worst.bound:.0e}) on {worst.input} input, so no bundle was written; "
            "try another version of the export packages"
        )


def _engines(bundle: Bundle, format: str) -> list[Engine]:
    """Every engine that is installed and new enough for these graphs, on the CPU; of MindIR MindSpore itself before."""
    engines: list[Engine] = [GraphCellEngine()] if format == "mindir" else []
    step = bundle.read(bundle.graph_files(format)[0].step)
    reasons = []
    for name, device in CANDIDATES:
        if device == "cpu" and GRAPH_FORMATS[name] == format:
            try:
                engine = open_for(bundle, name, device, "fp32")
            except (DeviceError, PackageError) as error:
                reasons.append(str(error))
                continue
            if engine.reads(step):
                engines.append(engine)
    if not engines:
        raise DeviceError("an export is checked by running it, and no engine is there: " + "; ".join(reasons))
    return engines


def _cheapest_mode(lr_shape: tuple[int, int]) -> ContextManager[None]:
    return operator_by_operator() if lr_shape[0] * lr_shape[1] <= UNCOMPILED else nullcontext()


class _References:
    """The cells' results at one size, computed once for all engines."""

    def __init__(self, bundle: Bundle, network: SRDiff, format: str, lr_shape: tuple[int, int]) -> None:
        self.bundle = bundle
        self.lr_shape = lr_shape
        manifest = bundle.manifest
        cells = CellEngine(network, manifest.clip_denoised, format)
        step_inputs = dict(example_inputs(network.config, lr_shape))
        # Moderate numbers, so that no term of the update drowns another.
        step_inputs[COEF] = Coefficients(1.2, -0.6, 0.5, 0.4, 0.1, 0.2).tensor()
        step_inputs[TIME_BIAS] = bundle.time_bias()[manifest.schedule.timesteps // 2].reshape(1, -1, 1, 1)
        size = (lr_shape[1], lr_shape[0])
        self.photo = np.asarray(Image.open(PHOTO).convert("RGB").resize(size, Image.Resampling.BOX))
        photo_lr = to_signed(self.photo)[None]
        random_lr = np.random.default_rng(1).uniform(-1, 1, photo_lr.shape).astype(np.float32)
        self.cases: list[tuple[str, str, dict[str, np.ndarray], dict[str, np.ndarray]]] = []
        for kind, lr in (("random", random_lr), ("photo", photo_lr)):
            encoded = cells.encoder.run({LR: lr})
            self.cases.append((ENCODER, kind, {LR: lr}, encoded))
            inputs = {**step_inputs, COND: encoded[COND]}
            self.cases.append((STEP, kind, inputs, cells.step.run(inputs)))
        self.sampled = self._sample(cells)

    def compare(self, engine: Engine) -> list[Comparison]:
        upscaler = Upscaler(self.bundle, engine)
        rows = []
        for graph, kind, inputs, expected in self.cases:
            found = upscaler.graph(graph, *self.lr_shape).run(inputs)
            rows.append(self._row(engine, graph, kind, found, expected))
        rows.append(self._row(engine, "sampler", "photo", self._sample(engine), self.sampled))
        return rows

    def _sample(self, engine: Engine) -> dict[str, np.ndarray]:
        manifest = self.bundle.manifest
        few = Sampler(steps=min(SAMPLER_STEPS, manifest.schedule.timesteps))
        plan = manifest.plan(few if manifest.student_steps is None else DDPM)
        return {"x_0": Upscaler(self.bundle, engine).sample(self.photo, plan, philox_noise(0))}

    def _row(
        self,
        engine: Engine,
        graph: str,
        kind: str,
        found: dict[str, np.ndarray],
        expected: dict[str, np.ndarray],
    ) -> Comparison:
        worst = max((_errors(found[name], array) for name, array in expected.items()), key=lambda pair: pair[1])
        bound = BOUNDS[self.bundle.manifest.weights_dtype][graph]
        return Comparison(f"{engine.name} ({engine.device})", graph, kind, self.lr_shape, *worst, bound)


def _errors(found: np.ndarray, expected: np.ndarray) -> tuple[float, float]:
    """Largest absolute and relative root-mean-square difference; infinite where a value is not finite."""
    difference = found.astype(np.float64) - expected
    if not np.isfinite(difference).all():
        return float("inf"), float("inf")
    return float(np.abs(difference).max()), float(np.linalg.norm(difference) / np.linalg.norm(expected))
