"""The process: a server that drains on the first signal to stop and stops on the second."""

from __future__ import annotations

import asyncio
import atexit
import logging
import signal
import socket
import sys
import threading
from types import FrameType
from typing import Any

import uvicorn
from uvicorn.server import HANDLED_SIGNALS

from ..errors import OptionError
from .app import create_app
from .connections import STOP_SECONDS, bounded_protocol
from .listening import address
from .service import Service

_log = logging.getLogger("srdiff.service")
# For clients to fetch what was finished while draining.
COLLECT_SECONDS = 5.0
# For workers to end: longer than a step or opening a model mostly takes; one that hangs never does.
_WORKER_SECONDS = 30.0
# Connections that are taken at a time, before any of them can be told from those that there may be.
_BACKLOG = 100
# Files beside the connections that there may be: several backlogs on their way, models, libraries.
_SPARE_FILES = 512
_POLL_SECONDS = 0.1


class Server(uvicorn.Server):
    """Serves until it is told to stop; new images are refused from then on, those in the line are finished."""

    def __init__(self, config: uvicorn.Config, service: Service) -> None:
        super().__init__(config)
        self._service = service
        service.on_failure = lambda: setattr(self, "should_exit", True)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        for listening in sockets or []:
            _log.info("running on %s", address(*listening.getsockname()[:2]))

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        if self._service.draining:
            self._service.close()
            self.should_exit = True  # and not force_exit, which leaves out the lifespan's end
            return
        self._service.draining = True
        threading.Thread(target=self._drain, name="drain", daemon=True).start()

    def _drain(self) -> None:
        pause = threading.Event()
        while self._service.busy and not self.should_exit:
            pause.wait(_POLL_SECONDS)
        left = COLLECT_SECONDS
        while self._service.jobs.uncollected() and left > 0 and not self.should_exit:
            pause.wait(_POLL_SECONDS)
            left -= _POLL_SECONDS
        self.should_exit = True


def configured(service: Service, token: str | None, local: str | None, **options: Any) -> uvicorn.Config:
    """What :class:`Server` takes; options are further ones of uvicorn's."""
    return uvicorn.Config(
        create_app(service, token, local),
        http=bounded_protocol(service.limits),
        ws="none",
        backlog=_BACKLOG,
        access_log=False,
        log_config=None,
        server_header=False,
        timeout_graceful_shutdown=2 * STOP_SECONDS,
        **options,
    )


def serve(service: Service, sockets: list[socket.socket], token: str | None, local: str | None) -> None:
    """Serve until stopped.

    Args:
        sockets: to listen on, see :func:`srdiff.service.listening.listening`; they are closed.
        token, local: see :class:`srdiff.service.guard.Guard`.

    Raises:
        OptionError: the system does not let the process open as many files as there may be connections.
        Exception: what kept a worker from opening.
    """
    _allow_files(service.limits.connections + _SPARE_FILES)
    server = Server(configured(service, token, local), service)
    for number in HANDLED_SIGNALS:  # one that comes once the server has ended has no say in how the process does
        signal.signal(number, server.handle_exit)
        atexit.register(signal.signal, number, signal.SIG_IGN)
    asyncio.run(server.serve(sockets))
    service.join(_WORKER_SECONDS)
    if service.failure is not None:
        raise service.failure


def _allow_files(number: int) -> None:
    if sys.platform == "win32":  # sets no bound
        return
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < number:
        raise OptionError(f"the process may open {hard} files and needs {number}; raise its limit, as with ulimit -Hn")
    if soft != resource.RLIM_INFINITY and soft < number:
        resource.setrlimit(resource.RLIMIT_NOFILE, (number, hard))
