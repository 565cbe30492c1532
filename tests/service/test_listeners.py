"""Those who listen to a job, leave it, and come back."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any, cast

import pytest
from starlette.requests import Request

from srdiff.service.answers import job_events
from srdiff.service.job import Job
from srdiff.service.limits import Limits
from srdiff.service.service import Service

LEFT_SECONDS = 1.0


class Listening:
    """A job of a service that notes who is given up, and clients that stay until they are told to leave."""

    def __init__(self) -> None:
        self.given_up: list[Job] = []
        limits = Limits(left_seconds=LEFT_SECONDS)
        self._service = SimpleNamespace(
            limits=limits, cancel=self.given_up.append, seconds_left=lambda job: None, place=lambda job: 1
        )
        self.job = Job(None)

    async def come(self) -> asyncio.Task[None]:
        task = asyncio.ensure_future(self._listen())
        await asyncio.sleep(0.05)
        assert self.job.listened
        return task

    async def leave(self, task: asyncio.Task[None]) -> None:
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert not self.job.listened

    async def _listen(self) -> None:
        async def nothing() -> Any:
            await asyncio.Event().wait()

        request = Request({"type": "http"}, nothing)
        async for _ in job_events(request, cast(Service, self._service), self.job):
            pass


def test_who_comes_back_has_all_the_seconds_again() -> None:
    async def scenario() -> None:
        listening = Listening()
        await listening.leave(await listening.come())
        await asyncio.sleep(0.6 * LEFT_SECONDS)
        await listening.leave(await listening.come())
        await asyncio.sleep(0.6 * LEFT_SECONDS)
        assert not listening.given_up, "it was left for a part of the seconds alone"
        await asyncio.sleep(0.8 * LEFT_SECONDS)
        assert listening.given_up == [listening.job]

    asyncio.run(scenario())


def test_it_is_not_given_up_while_somebody_listens() -> None:
    async def scenario() -> None:
        listening = Listening()
        first, second = await listening.come(), await listening.come()
        first.cancel()
        await asyncio.sleep(1.2 * LEFT_SECONDS)
        assert not listening.given_up
        await listening.leave(second)

    asyncio.run(scenario())


def test_who_leaves_leaves_no_task() -> None:
    async def scenario() -> None:
        listening = Listening()
        await listening.leave(await listening.come())
        await asyncio.sleep(0)
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(scenario())
