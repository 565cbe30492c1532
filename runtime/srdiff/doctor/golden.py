"""The small network that comes with the package, and the steps that it should take.

It has random weights and was recorded from the MindSpore cells in float32 (``tests/rehearsal/make_golden.py``).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..bundle import Bundle
from ..engines import Engine
from ..engines.base import Loop
from ..graph_io import COEF, COND, ENCODER, FEEDBACK, LR, NOISE, STEP, TIME_BIAS, X_NEXT, X
from ..noise import philox_noise
from ..samplers import Sampler

GOLDEN = Path(__file__).parents[1] / "golden"
LR_SHAPE = (8, 12)
SEED = 0
# DDPM, since its first step multiplies the network's error by 2029.
SAMPLER = Sampler(steps=8)
_LR_STREAM = 1000  # of the noise source, used by no step


class GoldenNetwork:
    """The network's graphs, compiled by an engine.

    Args:
        engine: that loads a format of the bundle.
        bundle: of a network whose recorded size is ``LR_SHAPE``.
    """

    def __init__(self, engine: Engine, bundle: Bundle) -> None:
        self._manifest = bundle.manifest
        self._time_bias = bundle.time_bias()
        graphs = [g for g in bundle.graph_files(engine.graph_format) if g.lr_shape in (None, LR_SHAPE)]
        self.encoder, self.step = (
            engine.compile(bundle.read(getattr(graphs[0], graph)), self._manifest.input_shapes(graph, *LR_SHAPE))
            for graph in (ENCODER, STEP)
        )
        self.cond = self.encoder.run({LR: _lr()})[COND]

    def inputs(self) -> dict[str, np.ndarray]:
        """Of the step graph, with zeros but for cond and the time bias of the middle of the schedule."""
        shapes = self._manifest.input_shapes(STEP, *LR_SHAPE)
        zeros = {name: np.zeros(shape, np.float32) for name, shape in shapes.items()}
        return {**zeros, COND: self.cond, TIME_BIAS: self._bias(len(self._time_bias) // 2)}

    def steps(self) -> list[np.ndarray]:
        """x after each step of the recorded plan, [3, H, W] float32."""
        results = []
        loop = self.start()
        for number in SAMPLER.plan(self._manifest.schedule):
            loop.put(COEF, number.coef.tensor())
            loop.put(TIME_BIAS, self._bias(number.t))
            loop.put(NOISE, self._noise(number.t))
            loop.run()
            results.append(np.array(loop.get(X_NEXT)[0]))
        return results

    def start(self) -> Loop:
        """A loop that holds x_T, before the first step."""
        loop = self.step.loop(FEEDBACK)
        x = self._noise(len(self._time_bias))
        for name, array in self.inputs().items():
            loop.put(name, x if name == X else array)
        return loop

    def _bias(self, t: int) -> np.ndarray:
        return np.ascontiguousarray(self._time_bias[t]).reshape(1, -1, 1, 1)

    def _noise(self, stream: int) -> np.ndarray:
        scale = self._manifest.scale
        return philox_noise(SEED)(stream, 0, 0, LR_SHAPE[0] * scale, LR_SHAPE[1] * scale)[None]


def golden_bundle() -> Bundle:
    return Bundle(GOLDEN / "golden.srdiff")


@dataclass(frozen=True)
class Recorded:
    """What the golden network computes in float32.

    Attributes:
        steps: x after each step of ``SAMPLER``'s plan, [steps, 3, H, W].
        eps: the network's result at x = 1 in the middle of the schedule, [1, 3, H, W].
    """

    steps: np.ndarray
    eps: np.ndarray

    @classmethod
    def read(cls) -> Recorded:
        with np.load(GOLDEN / "recorded.npz", allow_pickle=False) as arrays:
            return cls(arrays["steps"], arrays["eps"])


def _lr() -> np.ndarray:
    return np.clip(philox_noise(SEED)(_LR_STREAM, 0, 0, *LR_SHAPE)[None] / 3, -1, 1)
