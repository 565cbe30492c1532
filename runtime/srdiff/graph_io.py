"""What goes into a bundle's two graphs and what comes out: the contract that exporter, engines and sampler share.

The *encoder* runs once per image, the *step* once per sampler step. With eps the network's output, a step computes::

    x0     = clip(C * x + D * eps)
    x_next = P * x0 + Q * x + R * x0_prev + S * noise

All tensors are float32, batch 1, channels first; images of the encoder have LR size, those of the step HR size.
"""

from __future__ import annotations

from typing import Iterable, Mapping, NamedTuple, Tuple

import numpy as np

from .errors import OptionError

Shapes = Mapping[str, Tuple[int, ...]]

ENCODER, STEP = "encoder", "step"
JOINED = "joined"  # both, compiled as one: the step graph with lr in the place of cond
# Parted elsewhere: the encoder as far as it works at lr's size, and what follows of it with the step as one graph.
HEAD, REST = "head", "rest"

LR = "lr"  # [1, 3, h, w] in [-1, 1]
FEATURES = "features"  # [1, F, h, w]: what the head gives and cond is made from; a fraction of cond's size
COND = "cond"  # [1, C, H, W]: the encoder's result, the same for every step
X = "x"  # [1, 3, H, W]: x_t
TIME_BIAS = "time_bias"  # [1, B, 1, 1]: row t of the bundle's table
COEF = "coef"  # [1, 6, 1, 1]: see Coefficients
NOISE = "noise"  # [1, 3, H, W], standard normal
X0_PREV = "x0_prev"  # [1, 3, H, W]: x0 of the step before
LR_UP = "lr_up"  # [1, 3, H, W] in [-1, 1], only for models with up_input
FIDELITY = "fidelity"  # [1, 1, 1, 1] in [0, 1], only for models with that dial
X_NEXT = "x_next"  # [1, 3, H, W]
X0 = "x0"  # [1, 3, H, W]: the present guess of the result's residual

INPUTS = {ENCODER: (LR,), STEP: (X, TIME_BIAS, COND, COEF, NOISE, X0_PREV, LR_UP, FIDELITY)}
OUTPUTS = {ENCODER: (COND,), STEP: (X_NEXT, X0)}
# What a step leaves behind is what the next one starts from.
FEEDBACK = {X_NEXT: X, X0: X0_PREV}


class Coefficients(NamedTuple):
    """The six numbers of a sampler step, float64."""

    C: float
    D: float
    P: float
    Q: float
    R: float
    S: float

    def tensor(self) -> np.ndarray:
        """As the step graph takes them: [1, 6, 1, 1] float32."""
        return np.asarray(self, np.float32).reshape(1, -1, 1, 1)


def graph_of(inputs: Iterable[str]) -> str:
    """``encoder`` or ``step``, told from the names of a graph's inputs.

    Raises:
        OptionError: they are neither's.
    """
    found = tuple(inputs)
    for graph in (ENCODER, STEP):
        if found == _inputs(graph, LR_UP in found, FIDELITY in found):
            return graph
    raise OptionError(f"a graph takes {', '.join(found) or 'nothing'}, which is neither an encoder nor a step")


def _inputs(graph: str, up_input: bool, fidelity: bool) -> tuple[str, ...]:
    left_out = {LR_UP: not up_input, FIDELITY: not fidelity}
    return tuple(name for name in INPUTS[graph] if not left_out.get(name))


def input_shapes(
    graph: str,
    height: int,
    width: int,
    scale: int,
    cond_channels: int,
    time_bias_channels: int,
    up_input: bool,
    fidelity: bool = False,
) -> dict[str, tuple[int, ...]]:
    """The shape of every input, in order, for windows of height x width LR pixels."""
    image = (1, 3, height * scale, width * scale)
    shapes: dict[str, tuple[int, ...]] = {
        LR: (1, 3, height, width),
        X: image,
        TIME_BIAS: (1, time_bias_channels, 1, 1),
        COND: (1, cond_channels, *image[2:]),
        COEF: (1, len(Coefficients._fields), 1, 1),
        NOISE: image,
        X0_PREV: image,
        LR_UP: image,
        FIDELITY: (1, 1, 1, 1),
    }
    return {name: shapes[name] for name in _inputs(graph, up_input, fidelity)}
