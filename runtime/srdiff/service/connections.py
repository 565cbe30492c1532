"""Connections are bounded in number, and each in the seconds until it asks for something."""

from __future__ import annotations

import asyncio
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.http.auto import AutoHTTPProtocol

from .limits import Limits

# Of a request's scope: it came over more connections than there may be.
CROWDED = "crowded"


def bounded_protocol(limits: Limits) -> type[asyncio.Protocol]:
    """uvicorn's protocol, which by itself waits for a first request, and for the rest of any head, for ever."""

    class Bounded(AutoHTTPProtocol):  # type: ignore[valid-type, misc]
        def connection_made(self, transport: Any) -> None:
            super().connection_made(transport)
            self._patience: asyncio.TimerHandle | None = None
            self._await_head()

        def data_received(self, data: bytes) -> None:
            self.app = self.config.loaded_app
            if len(self.connections) > limits.connections:
                self.app = _crowded(self.app)
            super().data_received(data)

        def on_response_complete(self) -> None:
            super().on_response_complete()
            self._await_head()

        def connection_lost(self, error: Exception | None) -> None:
            self._forget_patience()
            super().connection_lost(error)

        def _await_head(self) -> None:
            self._forget_patience()
            self._patience = self.loop.call_later(limits.head_seconds, self._lose_patience)

        def _forget_patience(self) -> None:
            if self._patience is not None:
                self._patience.cancel()

        def _lose_patience(self) -> None:
            if self.cycle is None or self.cycle.response_complete:  # nothing has been asked since
                self.transport.close()

    return Bounded


def _crowded(app: ASGIApp) -> ASGIApp:
    """The same application, told so; the connection is closed with the answer."""

    async def marked(scope: Scope, receive: Receive, send: Send) -> None:
        async def last(message: Message) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message["headers"], (b"connection", b"close")]}
            await send(message)

        await app({**scope, CROWDED: True}, receive, last)

    return marked
