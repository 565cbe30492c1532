"""The sampler loop around the step graph, in lock-step over windows."""

from __future__ import annotations

from typing import Callable

import numpy as np

from .engines import Graph
from .noise import NoiseSource
from .samplers import Plan
from .tiles import Window

# (steps done, steps in all) after each run of the step graph; may raise to stop
Callback = Callable[[int, int], None]


def run_plan(
    step: Graph,
    plan: Plan,
    time_bias: np.ndarray,
    windows: list[Window],
    conds: Callable[[Window], np.ndarray],
    noise: NoiseSource,
    scale: int,
    lr_up: np.ndarray | None = None,
    callback: Callback | None = None,
) -> np.ndarray:
    """Run every step of the plan on every window; all windows take one step before any takes the next.

    Args:
        step: the compiled step graph.
        plan: the sampler's table.
        time_bias: [timesteps, channels] float32.
        windows: as :func:`srdiff.tiles.cut` makes them; a single one is the whole image.
        conds: the encoder's result [1, C, H, W] of a window.
        noise: x_T is its stream ``timesteps``, the noise added after step t its stream t.
        scale: side of the result over side of the input.
        lr_up: [3, H, W], for models with ``up_input``.
        callback: called after each run of the step graph.

    Returns:
        x_0 of the whole image, [3, H, W] float32, unclamped.
    """
    height = max(window.top + window.height for window in windows) * scale
    width = max(window.left + window.width for window in windows) * scale
    x = noise(len(time_bias), 0, 0, height, width)
    x0 = np.zeros_like(x)
    done = 0
    for number in plan:
        coef = np.asarray(number.coef, np.float32).reshape(1, -1, 1, 1)
        bias = np.ascontiguousarray(time_bias[number.t]).reshape(1, -1, 1, 1)
        x_next = np.zeros_like(x)
        x0_next = np.zeros_like(x)
        for window in windows:
            top, left = window.top * scale, window.left * scale
            shape = (window.height * scale, window.width * scale)
            drawn = noise(number.t, top, left, *shape) if number.draws_noise else np.zeros((3, *shape), np.float32)
            inputs = {
                "x": _batch(window.hr(x, scale)),
                "time_bias": bias,
                "cond": conds(window),
                "coef": coef,
                "noise": drawn[None],
                "x0_prev": _batch(window.hr(x0, scale)),
            }
            if lr_up is not None:
                inputs["lr_up"] = _batch(window.hr(lr_up, scale))
            outputs = step.run(inputs)
            weight = window.row_weight[:, None] * window.column_weight
            window.hr(x_next, scale)[...] += outputs["x_next"][0] * weight
            window.hr(x0_next, scale)[...] += outputs["x0"][0] * weight
            done += 1
            if callback is not None:
                callback(done, len(plan) * len(windows))
        x, x0 = x_next, x0_next
    return x


def _batch(window: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(window)[None]
