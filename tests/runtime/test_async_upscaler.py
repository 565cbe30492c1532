"""Awaited, cancelled within a step, bounded."""

from __future__ import annotations

import asyncio
import threading
from typing import Any, Awaitable, Callable

import numpy as np
import pytest

from srdiff import AsyncUpscaler, OptionError, Upscaler
from srdiff.errors import FullLine, Stopped

IMAGE = np.tile(np.arange(0, 240, 16, dtype=np.uint8)[:, None, None], (1, 15, 3))


@pytest.fixture(scope="module")
def upscaler() -> Upscaler:
    return Upscaler.from_bundle("small-v1", "cpu", "onnxruntime")


def run(upscaler: Upscaler, scenario: Callable[[AsyncUpscaler], Awaitable[Any]], waiting: int = 16) -> None:
    async def within() -> None:
        async with AsyncUpscaler(upscaler, waiting) as line:
            await scenario(line)

    asyncio.run(within())


def test_the_same_pixels_while_the_loop_stays_free(upscaler: Upscaler) -> None:
    async def scenario(line: AsyncUpscaler) -> None:
        task = asyncio.ensure_future(asyncio.gather(*(line.upscale(IMAGE, seed, steps=3) for seed in range(3))))
        turns = 0
        while not task.done():
            await asyncio.sleep(0.001)
            turns += 1
        assert turns > 5
        for seed, result in enumerate(await task):
            assert np.array_equal(result, upscaler.upscale(IMAGE, seed, steps=3))

    run(upscaler, scenario)


def test_one_after_the_other_without_a_line(upscaler: Upscaler) -> None:
    async def scenario(line: AsyncUpscaler) -> None:
        for seed in range(20):
            await line.upscale(IMAGE, seed, steps=1)

    run(upscaler, scenario, waiting=0)


class Held:
    """A callback that holds its image after the first step until it is let go."""

    def __init__(self) -> None:
        self.done: list[int] = []
        self._begun, self._go = threading.Event(), threading.Event()

    def __call__(self, step: int, total: int) -> None:
        self.done.append(step)
        self._begun.set()
        assert self._go.wait(60)

    async def begun(self) -> None:
        assert await asyncio.get_running_loop().run_in_executor(None, self._begun.wait, 60)

    def let_go(self) -> None:
        self._go.set()


def test_a_cancelled_task_stops_within_a_step_and_one_that_waits_leaves(upscaler: Upscaler) -> None:
    async def scenario(line: AsyncUpscaler) -> None:
        held = Held()
        running = asyncio.ensure_future(line.upscale(IMAGE, callback=held, steps=90))
        await held.begun()
        waiting = asyncio.ensure_future(line.upscale(IMAGE, callback=held, steps=90))
        await asyncio.sleep(0)
        waiting.cancel()
        running.cancel()
        for task in (running, waiting):
            with pytest.raises(asyncio.CancelledError):
                await task
        held.let_go()
        await line.upscale(IMAGE, steps=1)  # the worker is free
        assert held.done == [1]

    run(upscaler, scenario)


def test_bounded(upscaler: Upscaler) -> None:
    async def scenario(line: AsyncUpscaler) -> None:
        held = Held()
        first = asyncio.ensure_future(line.upscale(IMAGE, callback=held, steps=90))
        await held.begun()
        with pytest.raises(FullLine, match="come again"):
            await line.upscale(IMAGE, steps=1)
        first.cancel()
        held.let_go()

    run(upscaler, scenario, waiting=0)


def test_closing_and_errors_reach_who_waits(upscaler: Upscaler) -> None:
    async def within() -> None:
        line = AsyncUpscaler(upscaler)
        with pytest.raises(OptionError, match="steps"):
            await line.upscale(IMAGE, steps=0)
        held = Held()
        tasks = [asyncio.ensure_future(line.upscale(IMAGE, callback=held, steps=90)) for _ in range(2)]
        await held.begun()
        closing = asyncio.ensure_future(line.close())
        await asyncio.sleep(0)
        held.let_go()
        await closing
        assert [type(error) for error in await asyncio.gather(*tasks, return_exceptions=True)] == [Stopped, Stopped]
        with pytest.raises(Stopped, match="closed"):
            await line.upscale(IMAGE)

    asyncio.run(within())


def test_a_task_that_is_cancelled_while_it_is_closed_is_cancelled(upscaler: Upscaler) -> None:
    async def within() -> None:
        line, held = AsyncUpscaler(upscaler), Held()
        tasks = [asyncio.ensure_future(line.upscale(IMAGE, callback=held, steps=90)) for _ in range(2)]
        await held.begun()
        closing = asyncio.ensure_future(line.close())
        await asyncio.sleep(0)
        for task in tasks:
            task.cancel()
        held.let_go()
        await closing
        for task in tasks:
            with pytest.raises(asyncio.CancelledError):
                await task

    asyncio.run(within())


@pytest.mark.parametrize("waiting", [-1, 1.5, "1", None, True])
def test_no_workers_and_no_line_are_refused(upscaler: Upscaler, waiting: Any) -> None:
    with pytest.raises(OptionError, match="waiting is"):
        AsyncUpscaler(upscaler, waiting)
    with pytest.raises(OptionError, match="no upscaler"):
        AsyncUpscaler([])
