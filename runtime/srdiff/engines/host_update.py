"""The sampler's update on the host, for graphs whose own one may be rounded."""

from __future__ import annotations

from typing import Mapping

import numpy as np

from ..graph_io import COEF, NOISE, X0, X0_PREV, X_NEXT, Coefficients, Shapes, X
from ..manifest import CLAMP_LIMIT
from .base import Arrays, Graph

# The graph is asked for x0 = eps / 16, which the clamp leaves alone: eps is standard normal in training, and a power of
# two rounds nothing.
_SCALE = 1 / 16


class HostUpdate(Graph):
    """A step graph from which only the network's result is taken; x0 and x_next are computed here, in float32.

    Args:
        step: the step graph, which computes x0 = clip(C * x + D * eps) in any precision.
        shapes: of its inputs, to ask it once whether it clamps x0.
    """

    def __init__(self, step: Graph, shapes: Shapes) -> None:
        self._step = step
        asked = {name: np.zeros(shape, np.float32) for name, shape in shapes.items()}
        asked[X] += 1
        asked[COEF] = _coef(4, 0)
        clamps = step.run(asked)[X0].max() < 2
        self._limit = np.float32(CLAMP_LIMIT if clamps else np.inf)

    def run(self, inputs: Mapping[str, np.ndarray]) -> Arrays:
        C, D, P, Q, R, S = inputs[COEF].ravel()
        eps = self._step.run({**inputs, COEF: _coef(0, _SCALE)})[X0] / np.float32(_SCALE)
        x0 = np.clip(C * inputs[X] + D * eps, -self._limit, self._limit)
        x_next = P * x0 + Q * inputs[X] + R * inputs[X0_PREV] + S * inputs[NOISE]
        return {X_NEXT: x_next, X0: x0}


def _coef(C: float, D: float) -> np.ndarray:
    return Coefficients(C, D, 0, 0, 0, 0).tensor()
