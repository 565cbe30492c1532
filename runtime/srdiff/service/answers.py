"""Results, jobs and their events as HTTP has them."""

from __future__ import annotations

import asyncio
import base64
import json
import re
from typing import Any, AsyncIterator, Callable
from urllib.parse import quote

from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import Response

from .job import DONE, FAILED, QUEUED, Job
from .problems import Problem
from .results import Result
from .service import Service

HEARTBEAT_SECONDS = 10.0


def result_response(request: Request, result: Result, sent: Callable[[str], None] | None = None) -> Response:
    """One part of a result, the first unless ``?part=`` names another; 304 for who has it.

    Args:
        sent: called with the part's name once all of it was sent.
    """
    part = request.query_params.get("part", next(iter(result.parts)))
    if part not in result.parts:
        raise Problem(404, "part", f"the result has no part {part[:40]!r}; choose one of {', '.join(result.parts)}")
    tag = f'"{result.digest}.{part}"'
    facts = {name: header_text(fact) for name, fact in result.facts.items()}
    headers = {**facts, "ETag": tag, "Cache-Control": "private, no-cache"}
    known = re.findall(r'"[^"]*"|\*', request.headers.get("if-none-match", ""))  # weak ones, too
    if request.method in ("GET", "HEAD") and (tag in known or "*" in known):
        return Response(status_code=304, headers=headers)
    told = BackgroundTask(sent, part) if sent is not None and request.method == "GET" else None
    return Response(result.parts[part], media_type=result.media_type, headers=headers, background=told)


def header_text(text: str) -> str:
    """Visible ASCII as it is; the rest, which headers cannot hold, and ``%`` percent-encoded as UTF-8."""
    return re.sub(r"\A +| +\Z|%|[^ -~]", lambda found: quote(found.group(), safe="", errors="surrogatepass"), text)


def job_document(service: Service, job: Job) -> dict[str, Any]:
    """A job's state, for polling and as the data of its events."""
    document: dict[str, Any] = {"id": job.id, "state": job.state, "done": job.done, "total": job.total}
    left = service.seconds_left(job)
    if left is not None:
        document["seconds_left"] = round(left, 1)
    if job.state == QUEUED:
        document["place"] = service.place(job)
    if job.state == DONE and job.result is not None:
        result = job.result
        document["result"] = {
            "digest": result.digest,
            "media_type": result.media_type,
            "width": result.size[0],
            "height": result.size[1],
            "parts": {name: len(content) for name, content in result.parts.items()},
            "facts": result.facts,
        }
    if job.state == FAILED and job.problem is not None:
        document["problem"] = job.problem.document()
    return document


async def disconnected(request: Request) -> None:
    """Returns when the client has gone; for a request whose body was read."""
    while (await request.receive())["type"] != "http.disconnect":
        pass


async def job_events(request: Request, service: Service, job: Job) -> AsyncIterator[str]:
    """Server-sent events until the job is over: ``state`` with its document, ``preview`` with a PNG in base64.

    Whoever reads slowly gets fewer of them, never old ones. When the last reader has gone and does not come back,
    the job is given up.
    """
    loop, awake = asyncio.get_running_loop(), asyncio.Event()

    def wake() -> None:
        if not loop.is_closed():
            loop.call_soon_threadsafe(awake.set)

    job.listen(wake)
    gone = asyncio.ensure_future(disconnected(request))
    shown = 0
    said = ""
    try:
        while True:
            awake.clear()
            over = job.over
            document = json.dumps(job_document(service, job))
            if document != said:
                said = document
                yield f"event: state\ndata: {document}\n\n"
            if not over and job.preview_number > shown:
                shown = job.preview_number
                picture = await asyncio.to_thread(job.picture)
                if picture is not None:
                    yield f"event: preview\ndata: {base64.b64encode(picture).decode()}\n\n"
            if over:
                return
            changed = asyncio.ensure_future(awake.wait())
            try:
                await asyncio.wait([gone, changed], timeout=HEARTBEAT_SECONDS, return_when=asyncio.FIRST_COMPLETED)
            finally:
                changed.cancel()
            if gone.done():
                return
            if not awake.is_set():
                yield ": still here\n\n"
    finally:
        gone.cancel()
        job.forget(wake)
        if not job.over and not job.listened:
            loop.call_later(service.limits.left_seconds, _give_up, service, job, job.visits)


def _give_up(service: Service, job: Job, visits: int) -> None:
    if job.visits == visits:  # nobody came meanwhile; who did and left again has these seconds anew
        service.cancel(job)
