"""What a step graph computes in, found with numbers that the narrower formats cannot hold."""

from __future__ import annotations

from typing import Mapping

import numpy as np

from ..engines import Graph
from ..graph_io import COEF, NOISE, X0, X0_PREV, X_NEXT, Coefficients, X

# Coarsest last. A mantissa of 24 bits, 11 or 8 rounds by half a unit in its last place: 2^-24, 2^-11 or 2^-8 of the
# number. TensorFloat-32 has float16's mantissa and counts as such.
FORMATS = ("fp32", "fp16", "bf16")
# Of an update that is float32 throughout: three roundings, 2^-22.
_EXACT = 2.0**-22
_FLOAT16 = 2.0**-10
# Relative root-mean-square error of eps: float32 sums in another order, measured up to 2e-6; float16 keeps 11 bits.
_EPS_FLOAT32 = 2e-5
_EPS_FLOAT16 = 4e-3
# eps / 16 is out of reach of the clamp.
_SCALE = 16


def update_format(step: Graph, like: Mapping[str, np.ndarray]) -> tuple[str, float]:
    """(format, largest relative error) of the sampler's update.

    The network's share is switched off (D = 0); what is left is products and sums whose float32 value is known.

    Args:
        step: the step graph.
        like: its inputs, of a finite eps.
    """
    shape = like[X].shape
    rng = np.random.default_rng(0)
    fine, other = (1 + rng.random(shape, np.float32) for _ in range(2))
    large = fine * np.float32(1e5)  # more than float16 holds
    small = fine / np.float32(8192)
    cases = (
        ({X: fine}, (0, 0, 0, 1, 0, 0), X_NEXT, fine),
        ({X0_PREV: large}, (0, 0, 0, 0, 1, 0), X_NEXT, large),
        ({NOISE: other}, (0, 0, 0, 0, 0, 1), X_NEXT, other),
        ({X0_PREV: large, NOISE: large}, (0, 0, 0, 0, 1, 1), X_NEXT, large + large),
        ({X: small}, (2029, 0, 0, 0, 0, 0), X0, np.float32(2029) * small),
        ({X: small}, (2029, 0, 1, 1, 0, 0), X_NEXT, np.float32(2029) * small + small),
    )
    worst = 0.0
    for arrays, coef, output, expected in cases:
        found = step.run({**like, X: np.zeros(shape, np.float32), **arrays, COEF: Coefficients(*coef).tensor()})[output]
        with np.errstate(all="ignore"):
            error = np.abs(found.astype(np.float64) - expected) / np.abs(expected)
        worst = max(worst, float(error.max()) if np.isfinite(error).all() else np.inf)
    if worst <= _EXACT:
        return "fp32", worst
    return ("bf16" if _FLOAT16 < worst < np.inf else "fp16"), worst


def network_format(step: Graph, like: Mapping[str, np.ndarray], reference: np.ndarray) -> tuple[str, float]:
    """(format, relative error of eps) of the network.

    x = 1 + 2^-12 is 1 in float16 and 1 + 2^-10 is 1 in bfloat16: where the first convolution rounds its input so, eps
    does not move. What is rounded further inside shows in the error of eps.

    Args:
        step: the step graph.
        like: its inputs.
        reference: eps [1, 3, H, W] at x = 1, in float32.
    """
    eps, at_12, at_10 = (eps_at(step, like, 1 + offset) for offset in (0, 2.0**-12, 2.0**-10))
    probed = "fp32" if (eps != at_12).any() else "fp16" if (eps != at_10).any() else "bf16"
    error = float(np.linalg.norm(eps.astype(np.float64) - reference) / np.linalg.norm(reference))
    measured = "fp32" if error <= _EPS_FLOAT32 else "fp16" if error <= _EPS_FLOAT16 else "bf16"
    return max(probed, measured, key=FORMATS.index), error


def eps_at(step: Graph, like: Mapping[str, np.ndarray], x: float) -> np.ndarray:
    """The network's result for an x of one number, [1, 3, H, W]."""
    inputs = {**like, X: np.full(like[X].shape, x, np.float32), COEF: Coefficients(0, 1 / _SCALE, 0, 0, 0, 0).tensor()}
    return step.run(inputs)[X0] * _SCALE
