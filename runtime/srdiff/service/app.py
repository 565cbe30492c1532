"""The routes."""

from __future__ import annotations

import asyncio
import mimetypes
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, AsyncIterator, Awaitable, Callable

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import FileResponse, JSONResponse, Response, StreamingResponse
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp

from ..errors import SRDiffError
from .answers import disconnected, job_document, job_events, result_response
from .fields import wish_of
from .guard import Guard
from .job import CANCELLED, FAILED, Job
from .making import decoded
from .openapi import document
from .problems import Problem, problem_of
from .service import Service
from .uploads import Uploads

PAGE = Path(__file__).parent / "page"
# Some systems call it text/plain, and browsers then do not run it.
mimetypes.add_type("text/javascript", ".js")
_GONE = 499  # as nginx logs it: nobody is there to read an answer
# Photos that are decoded at a time.
_DECODERS = 2


class Api:
    """The handlers of one service's requests."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._uploads = Uploads(service.limits, service.require_open)
        self._decoders = ThreadPoolExecutor(_DECODERS, "decoder")

    async def upscale(self, request: Request) -> Response:
        """An image in, one out; who hangs up is no longer worked for."""
        job = await self._submit(request, single=True)
        try:
            gone = asyncio.ensure_future(disconnected(request))
            over = asyncio.ensure_future(_over(job))
            try:
                await asyncio.wait([gone, over], return_when=asyncio.FIRST_COMPLETED)
            finally:
                gone.cancel()
                over.cancel()
            if not job.over:
                return Response(status_code=_GONE)
            return result_response(request, _result_of(job))
        finally:
            self._give_up(job)

    async def create_job(self, request: Request) -> Response:
        job = await self._submit(request)
        if await request.is_disconnected():  # nobody will ever know its id
            self._give_up(job)
            return Response(status_code=_GONE)
        place = f"/v1/jobs/{job.id}"
        return JSONResponse(job_document(self._service, job), 202, {"Location": place})

    async def job(self, request: Request) -> Response:
        return JSONResponse(job_document(self._service, self._job(request)), headers={"Cache-Control": "no-store"})

    async def events(self, request: Request) -> Response:
        job = self._job(request)
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        if request.method == "HEAD":  # no listener, whose going would mean something
            return Response(media_type="text/event-stream", headers=headers)
        events = job_events(request, self._service, job)
        return StreamingResponse(events, media_type="text/event-stream", headers=headers)

    async def job_result(self, request: Request) -> Response:
        job = self._job(request)
        if not job.over:
            raise Problem(409, "unfinished", f"the job is {job.state}; ask for its result when it is done", 1)
        return result_response(request, _result_of(job), job.fetched.add)

    async def delete_job(self, request: Request) -> Response:
        self._give_up(self._job(request))
        return Response(status_code=204)

    async def result(self, request: Request) -> Response:
        result = self._service.results.get(request.path_params["digest"])
        if result is None:
            raise Problem(404, "digest", "no such result is kept; make it again")
        return result_response(request, result)

    async def models(self, request: Request) -> Response:
        limits = self._service.limits
        return JSONResponse(
            {
                "models": [_model(name, self._service) for name in self._service.models],
                "limits": {"bytes": limits.upload_bytes, "pixels": limits.pixels, "samples": limits.samples},
            }
        )

    async def decoded(self, request: Request) -> Response:
        """A photo as it is read, as PNG: what a browser shows of a format that it does not know."""
        async with self._uploads.receive(request) as upload:
            content = await asyncio.get_running_loop().run_in_executor(
                self._decoders, decoded, upload, self._service.limits.decoded_pixels
            )
        return Response(content, media_type="image/png")

    async def live(self, request: Request) -> Response:
        return Response("live\n", media_type="text/plain")

    async def ready(self, request: Request) -> Response:
        if self._service.draining or not self._service.ready:
            self._service.require_room()
        return Response("ready\n", media_type="text/plain")

    async def metrics(self, request: Request) -> Response:
        self._service.results.expire()
        content, media_type = self._service.metrics.text()
        return Response(content, headers={"Content-Type": media_type})

    async def openapi(self, request: Request) -> Response:
        return JSONResponse(document(list(self._service.models)))

    async def _submit(self, request: Request, single: bool = False) -> Job:
        service = self._service
        service.require_room()
        async with self._uploads.receive(request) as upload:
            # Of a job the answer is its document, which Accept is about there.
            accept = request.headers.get("accept") if single else None
            wish = wish_of(upload.fields, service.models, accept, service.limits)
            if single and len(wish.part_names) > 1:
                raise Problem(
                    422, "settings", "this answers with one image and several were asked for; post it to /v1/jobs"
                )
            order = await asyncio.get_running_loop().run_in_executor(self._decoders, service.read, upload, wish)
        return service.submit(order)

    def _give_up(self, job: Job) -> None:
        self._service.cancel(job)
        self._service.jobs.forget(job)

    def _job(self, request: Request) -> Job:
        job = self._service.jobs.get(request.path_params["id"])
        if job is None:
            raise Problem(404, "job", "there is no such job; it was never there, given up, or is over for long")
        return job


def create_app(service: Service, token: str | None = None, local: str | None = "localhost") -> ASGIApp:
    """The service over HTTP; see :class:`srdiff.service.guard.Guard` for token and local."""
    api = Api(service)

    @asynccontextmanager
    async def life(app: Starlette) -> AsyncIterator[None]:
        service.start()
        yield
        service.close()

    routes: list[BaseRoute] = [
        _route("/v1/upscale", POST=api.upscale),
        _route("/v1/jobs", POST=api.create_job),
        _route("/v1/jobs/{id}", GET=api.job, DELETE=api.delete_job),
        _route("/v1/jobs/{id}/events", GET=api.events),
        _route("/v1/jobs/{id}/result", GET=api.job_result),
        _route("/v1/results/{digest}", GET=api.result),
        _route("/v1/decoded", POST=api.decoded),
        _route("/v1/models", GET=api.models),
        _route("/livez", GET=api.live),
        _route("/readyz", GET=api.ready),
        _route("/metrics", GET=api.metrics),
        _route("/openapi.json", GET=api.openapi),
        _route("/", GET=_page),
        Mount("/page", StaticFiles(directory=PAGE)),
    ]
    handlers: dict[Any, Any] = {
        SRDiffError: _refuse,
        HTTPException: _refuse_http,
        ClientDisconnect: _say_nothing,
        Exception: _refuse,
    }
    app = Starlette(routes=routes, lifespan=life, exception_handlers=handlers)
    app.state.service = service
    app.router.redirect_slashes = False  # to where Host says
    return Guard(app, service.metrics, token, local)


def _route(path: str, **handlers: Callable[[Request], Awaitable[Response]]) -> Route:
    """Handlers by method; HEAD is GET's."""

    async def noted(request: Request) -> Response:
        request.state.route = path
        return await handlers["GET" if request.method == "HEAD" else request.method](request)

    return Route(path, noted, methods=list(handlers))


async def _page(request: Request) -> Response:
    return FileResponse(PAGE / "index.html")


async def _refuse(request: Request, error: Exception) -> Response:
    problem = problem_of(error)
    request.app.state.service.metrics.rejected.labels(problem.reason).inc()
    return problem.response()


async def _refuse_http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    words = {404: "there is nothing under this address", 405: "this address does not take this method"}
    detail = f"{words.get(error.status_code, error.detail)}; see /openapi.json"
    response = await _refuse(request, Problem(error.status_code, "address", detail))
    response.headers.update(error.headers or {})
    return response


async def _say_nothing(request: Request, error: Exception) -> Response:
    return Response(status_code=_GONE)


async def _over(job: Job) -> None:
    loop, awake = asyncio.get_running_loop(), asyncio.Event()

    def wake() -> None:
        if job.over:
            loop.call_soon_threadsafe(awake.set)

    job.on_end(wake)
    await awake.wait()


def _result_of(job: Job) -> Any:
    if job.state == FAILED and job.problem is not None:
        raise job.problem
    if job.state == CANCELLED or job.result is None:
        raise Problem(410, "cancelled", "the job was given up; post the image again")
    return job.result


def _model(name: str, service: Service) -> dict[str, Any]:
    manifest = service.models[name].manifest
    student = manifest.student_steps is not None
    said: dict[str, Any] = {
        "name": name,
        "scale": manifest.scale,
        "steps": manifest.steps,
        "presets": [] if student else list(manifest.presets),
        "default_preset": None if student else manifest.default_preset,
        "fidelity": manifest.fidelity,
    }
    if service.ready:
        engine = service.upscaler(name).engine
        said["engine"] = {"name": engine.name, "device": engine.device, "precision": engine.precision}
    return said
