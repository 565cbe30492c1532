"""Awaited, cancelled within a step, bounded."""

from __future__ import annotations

import asyncio
import threading
from typing import Any, Awaitable, Callable

import numpy as np
import pytest

from srdiff import AsyncUpscaler, OptionError, Upscaler
from srdiff.line import FullLine, Stopped

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


def test_a_cancelled_task_stops_within_a_step_and_one_that_waits_leaves(upscaler: Upscaler) -> None:
    async def scenario(line: AsyncUpscaler) -> None:
        done: list[int] = []
        begun = threading.Event()

        def callback(step: int, total: int) -> None:
            done.append(step)
            begun.set()

        running = asyncio.ensure_future(line.upscale(IMAGE, callback=callback, steps=90))
        await asyncio.get_running_loop().run_in_executor(None, begun.wait)
        waiting = asyncio.ensure_future(line.upscale(IMAGE, callback=callback, steps=90))
        await asyncio.sleep(0)
        waiting.cancel()
        running.cancel()
        told = len(done)
        for task in (running, waiting):
            with pytest.raises(asyncio.CancelledError):
                await task
        await line.upscale(IMAGE, steps=1)  # the worker is free
        assert len(done) <= told + 1

    run(upscaler, scenario)


def test_bounded(upscaler: Upscaler) -> None:
    async def scenario(line: AsyncUpscaler) -> None:
        first = asyncio.ensure_future(line.upscale(IMAGE, steps=90))
        await asyncio.sleep(0.05)
        with pytest.raises(FullLine, match="come again"):
            await line.upscale(IMAGE, steps=1)
        first.cancel()

    run(upscaler, scenario, waiting=0)


def test_closing_and_errors_reach_who_waits(upscaler: Upscaler) -> None:
    async def within() -> None:
        line = AsyncUpscaler(upscaler)
        with pytest.raises(OptionError, match="steps"):
            await line.upscale(IMAGE, steps=0)
        tasks = [asyncio.ensure_future(line.upscale(IMAGE, steps=90)) for _ in range(2)]
        await asyncio.sleep(0.05)
        await line.close()
        assert [type(error) for error in await asyncio.gather(*tasks, return_exceptions=True)] == [Stopped, Stopped]
        with pytest.raises(FullLine):
            await line.upscale(IMAGE)

    asyncio.run(within())
