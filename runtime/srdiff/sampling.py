"""The sampler loop around the step graph, in lock-step over windows."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Callable, Iterable, Iterator

import numpy as np

from .blending import Blending
from .engines import Arrays, Graph
from .engines.base import computing
from .errors import BundleError
from .graph_io import COEF, FEEDBACK, FIDELITY, LR_UP, NOISE, STEP, TIME_BIAS, X0, X0_PREV, X_NEXT, X
from .noise import NoiseSource
from .progress import Progress, Watch
from .samplers import Plan, Step
from .tiles import Window


@dataclass(frozen=True, eq=False)
class Sampling:
    """What one image's way from noise to x_0 takes.

    Attributes:
        step: the compiled step graph.
        plan: the sampler's table.
        time_bias: [timesteps, channels] float32.
        windows: as :func:`srdiff.tiles.cut` makes them; a single one is the whole image.
        conditions: what the step graph takes of a window besides x and lr_up: cond, the encoder's result [1, C, H, W];
            its features [1, F, h, w] where the step graph makes cond of them; or the input [1, 3, h, w] where encoder
            and step are one graph.
        noise: x_T is its stream ``timesteps``, the noise added after step t its stream t. Called ahead of its use,
            from a thread of its own.
        scale: side of the result over side of the input.
        lr_up: [3, H, W], for models with ``up_input``.
        watch: called after each run of the step graph.
    """

    step: Graph
    plan: Plan
    time_bias: np.ndarray
    windows: list[Window]
    conditions: Callable[[Window], Arrays]
    noise: NoiseSource
    scale: int
    lr_up: np.ndarray | None = None
    watch: Watch | None = None

    def run(self) -> np.ndarray:
        """Run every step on every window; all windows take one step before any takes the next.

        Returns:
            x_0 of the whole image, [3, H, W] float32, unclamped.

        Raises:
            BundleError: the model gives NaN or infinity.
        """
        height = max(window.top + window.height for window in self.windows) * self.scale
        width = max(window.left + window.width for window in self.windows) * self.scale
        x = self.noise(len(self.time_bias), 0, 0, height, width)
        return self._whole(x) if len(self.windows) == 1 else self._lock_step(x)

    def _whole(self, x: np.ndarray) -> np.ndarray:
        """The image as one window: x never leaves the device."""
        loop = self.step.loop(FEEDBACK)
        loop.put(X, x[None])
        loop.put(X0_PREV, np.zeros_like(x)[None])
        for name, array in self.conditions(self.windows[0]).items():
            loop.put(name, array)
        if self.lr_up is not None:
            loop.put(LR_UP, self.lr_up[None])
        for done, (number, noise) in enumerate(zip(self.plan, self._drawn()), start=1):
            for name, array in self._numbers(number).items():
                loop.put(name, array)
            if done == 1 or number.draws_noise:  # where S is 0, what was there before does no harm
                loop.put(NOISE, noise[None])
            began = time.perf_counter()
            with computing(STEP):
                loop.run()
            seconds = time.perf_counter() - began
            if not loop.resident:  # what lies on a device is looked at once it is here
                self._require_finite(loop.get(X_NEXT), done)
            self._tell(done, self.windows[0], lambda: loop.get(X0)[0], seconds, x)
        x0 = loop.get(X_NEXT)[0]
        self._require_finite(x0, len(self.plan))
        return x0.copy() if loop.resident else x0  # it may lie in memory that goes with the loop

    def _lock_step(self, x: np.ndarray) -> np.ndarray:
        """The image as overlapping windows, blended after every step."""
        scale, second_order = self.scale, self.plan.second_order
        x0 = np.zeros_like(x) if second_order else x[:, :0]  # that of the step before
        into = {X_NEXT: x, X0: x0} if second_order else {X_NEXT: x}
        height = self.windows[0].height * scale
        blendings = {name: Blending(image, height, scale) for name, image in into.items()}
        shape = self.windows[0].hr(x, scale).shape
        inputs = {name: np.zeros((1, *shape), np.float32) for name in (X, X0_PREV)}
        drawn = self._drawn()
        done = 0
        for number in self.plan:
            inputs.update(self._numbers(number))
            for window in self.windows:
                inputs[X][0] = window.hr(x, scale)
                inputs.update(self.conditions(window))
                inputs[NOISE] = next(drawn)[None]
                if second_order:
                    inputs[X0_PREV][0] = window.hr(x0, scale)
                if self.lr_up is not None:
                    inputs[LR_UP] = _batch(window.hr(self.lr_up, scale))
                began = time.perf_counter()
                with computing(STEP):
                    outputs = self.step.run(inputs)
                seconds = time.perf_counter() - began
                self._require_finite(outputs[X_NEXT], done // len(self.windows) + 1)
                done += 1
                self._tell(done, window, partial(_first, outputs[X0]), seconds, x)
                for name, blending in blendings.items():
                    blending.add(window, outputs[name][0])
            for blending in blendings.values():
                blending.finish()
        return x

    def _numbers(self, number: Step) -> Arrays:
        """The step graph's inputs that hold no image."""
        bias = np.ascontiguousarray(self.time_bias[number.t]).reshape(1, -1, 1, 1)
        numbers = {COEF: number.coef.tensor(), TIME_BIAS: bias}
        if self.plan.fidelity is not None:
            numbers[FIDELITY] = np.full((1, 1, 1, 1), self.plan.fidelity, np.float32)
        return numbers

    def _require_finite(self, x_next: np.ndarray, done: int) -> None:
        # A sum costs a hundredth of the comparison of every value, and no finite x comes near float32's largest number.
        if not np.isfinite(x_next.sum()):
            raise BundleError(
                f"the model gives values that are not finite in step {done} of {len(self.plan)}; "
                "take precision fp32 if it was another, else export the model anew"
            )

    def _tell(self, done: int, window: Window, x0: Callable[[], np.ndarray], seconds: float, image: np.ndarray) -> None:
        if self.watch is not None:
            total, pixels = len(self.plan) * len(self.windows), image[0].size
            self.watch(Progress(done, total, window, x0, seconds, pixels))

    def _drawn(self) -> Iterator[np.ndarray]:
        """The noise of every run of the step graph, in order."""
        return _ahead(partial(self._draw, number, window) for number in self.plan for window in self.windows)

    def _draw(self, number: Step, window: Window) -> np.ndarray:
        shape = (window.height * self.scale, window.width * self.scale)
        if not number.draws_noise:
            return np.zeros((3, *shape), np.float32)
        return self.noise(number.t, window.top * self.scale, window.left * self.scale, *shape)


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


def _first(batch: np.ndarray) -> np.ndarray:
    return batch[0]


def _batch(window: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(window)[None]
