"""The sampler loop around the step graph, in lock-step over windows."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Callable, Iterable, Iterator

import numpy as np

from .engines import Graph
from .noise import NoiseSource
from .samplers import Plan, Step
from .tiles import Window

# (steps done, steps in all) after each run of the step graph; may raise to stop
Callback = Callable[[int, int], None]
# What a run leaves behind is what the next one starts from.
FEEDBACK = {"x_next": "x", "x0": "x0_prev"}


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
        noise: x_T is its stream ``timesteps``, the noise added after step t its stream t. Called ahead of its use,
            from a thread of its own.
        scale: side of the result over side of the input.
        lr_up: [3, H, W], for models with ``up_input``.
        callback: called after each run of the step graph.

    Returns:
        x_0 of the whole image, [3, H, W] float32, unclamped.
    """
    total = len(plan) * len(windows)

    def tell(done: int) -> None:
        if callback is not None:
            callback(done, total)

    draws = (partial(_drawn, noise, number, window, scale) for number in plan for window in windows)
    drawn = _ahead(draws)
    height = max(window.top + window.height for window in windows) * scale
    width = max(window.left + window.width for window in windows) * scale
    x = noise(len(time_bias), 0, 0, height, width)
    if len(windows) == 1:
        return _whole(step, plan, time_bias, x, conds(windows[0]), drawn, lr_up, tell)
    return _windows(step, plan, time_bias, x, windows, conds, drawn, scale, lr_up, tell)


def _whole(
    step: Graph,
    plan: Plan,
    time_bias: np.ndarray,
    x: np.ndarray,
    cond: np.ndarray,
    drawn: Iterator[np.ndarray],
    lr_up: np.ndarray | None,
    tell: Callable[[int], None],
) -> np.ndarray:
    """The image as one window: x never leaves the device."""
    loop = step.loop(FEEDBACK)
    loop.put("x", x[None])
    loop.put("x0_prev", np.zeros_like(x)[None])
    loop.put("cond", cond)
    if lr_up is not None:
        loop.put("lr_up", lr_up[None])
    for done, (number, noise) in enumerate(zip(plan, drawn), start=1):
        for name, array in _numbers(number, time_bias).items():
            loop.put(name, array)
        if done == 1 or number.draws_noise:  # where S is 0, what was there before does no harm
            loop.put("noise", noise[None])
        loop.run()
        tell(done)
    return loop.get("x_next")[0]


def _windows(
    step: Graph,
    plan: Plan,
    time_bias: np.ndarray,
    x: np.ndarray,
    windows: list[Window],
    conds: Callable[[Window], np.ndarray],
    drawn: Iterator[np.ndarray],
    scale: int,
    lr_up: np.ndarray | None,
    tell: Callable[[int], None],
) -> np.ndarray:
    """The image as overlapping windows, blended after every step."""
    x_next = np.empty_like(x)
    # x_0 of the step before matters to second-order samplers alone; the others save the memory.
    second_order = any(number.coef[4] for number in plan)
    x0, x0_next = (np.zeros_like(x) for _ in range(2)) if second_order else (x[:, :0], x[:, :0])
    nothing = np.zeros((1, *windows[0].hr(x, scale).shape), np.float32)
    done = 0
    for number in plan:
        inputs = _numbers(number, time_bias)
        x_next.fill(0)
        x0_next.fill(0)
        for window in windows:
            inputs["x"] = _batch(window.hr(x, scale))
            inputs["cond"] = conds(window)
            inputs["noise"] = next(drawn)[None]
            inputs["x0_prev"] = _batch(window.hr(x0, scale)) if second_order else nothing
            if lr_up is not None:
                inputs["lr_up"] = _batch(window.hr(lr_up, scale))
            outputs = step.run(inputs)
            window.add(outputs["x_next"][0], x_next, scale)
            if second_order:
                window.add(outputs["x0"][0], x0_next, scale)
            done += 1
            tell(done)
        x, x_next = x_next, x
        x0, x0_next = x0_next, x0
    return x


def _numbers(number: Step, time_bias: np.ndarray) -> dict[str, np.ndarray]:
    """The step graph's inputs that hold no image."""
    return {
        "coef": np.asarray(number.coef, np.float32).reshape(1, -1, 1, 1),
        "time_bias": np.ascontiguousarray(time_bias[number.t]).reshape(1, -1, 1, 1),
    }


def _drawn(noise: NoiseSource, number: Step, window: Window, scale: int) -> np.ndarray:
    shape = (window.height * scale, window.width * scale)
    if not number.draws_noise:
        return np.zeros((3, *shape), np.float32)
    return noise(number.t, window.top * scale, window.left * scale, *shape)


def _ahead(calls: Iterable[Callable[[], np.ndarray]]) -> Iterator[np.ndarray]:
    """The calls' results in order, each made in a thread while the one before is in use."""
    with ThreadPoolExecutor(1) as thread:
        pending = None
        for call in calls:
            following = thread.submit(call)
            if pending is not None:
                yield pending.result()
            pending = following
        if pending is not None:
            yield pending.result()


def _batch(window: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(window)[None]
