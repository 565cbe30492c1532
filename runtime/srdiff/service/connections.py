"""Connections are bounded in number, and each in the seconds until it asks, and until it takes what it asked for."""

from __future__ import annotations

import asyncio
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from .limits import Limits

# Of a request's scope: it came over more connections than there may be.
CROWDED = "crowded"
# Of an answer, handed to the system at a time: what a connection holds that nobody reads is twice this at most.
_PIECE = 1 << 16
# In which answers that are under way have to be taken once the server stops.
STOP_SECONDS = 5


def bounded_protocol(limits: Limits) -> type[asyncio.Protocol]:
    """uvicorn's protocol, which by itself waits for ever: for a request, the rest of its head, a reader of the answer.

    It also holds as much of an unread answer as it is given at once, so it is given pieces. It is the one whose parser
    bounds a head in bytes. Beyond ``limits.connections`` a new connection takes the place of the one that has asked for
    nothing for the longest; where all are being answered, it is crowded.
    """

    class Bounded(H11Protocol):
        def connection_made(self, transport: Any) -> None:
            if len(self.connections) >= limits.connections:
                self._make_room()
            super().connection_made(transport)
            self.app = _in_pieces(self.config.loaded_app)
            if len(self.connections) > limits.connections:
                self.app = _crowded(self.app)
            self._unread: asyncio.TimerHandle | None = None
            self._await_head()

        def on_response_complete(self) -> None:
            super().on_response_complete()
            self._patience.cancel()
            self._await_head()

        def pause_writing(self) -> None:
            super().pause_writing()
            self._unread = self.loop.call_later(limits.unread_seconds, self.transport.abort)

        def resume_writing(self) -> None:
            super().resume_writing()
            _forget(self._unread)

        def connection_lost(self, error: Exception | None) -> None:
            self._patience.cancel()
            _forget(self._unread)
            super().connection_lost(error)

        def shutdown(self) -> None:
            super().shutdown()
            self.loop.call_later(STOP_SECONDS, self.transport.abort)  # cancelling leaves tracebacks

        def _make_room(self) -> None:
            waiting = [
                other
                for other in self.connections
                if isinstance(other, Bounded) and other._silent and not other.transport.get_write_buffer_size()
            ]
            if waiting:
                longest = min(waiting, key=lambda other: other._patience.when())
                self.connections.discard(longest)  # by itself it goes later, when others have come
                longest.transport.abort()

        def _await_head(self) -> None:
            self._patience = self.loop.call_later(limits.head_seconds, self._lose_patience)

        def _lose_patience(self) -> None:
            if self._silent:
                self.transport.close()  # once the last answer is read
                self._patience = self.loop.call_later(limits.unread_seconds, self.transport.abort)

        @property
        def _silent(self) -> bool:
            """Nothing has been asked since the last answer."""
            return self.cycle is None or self.cycle.response_complete

    return Bounded


def _forget(timer: asyncio.TimerHandle | None) -> None:
    if timer is not None:
        timer.cancel()


def _in_pieces(app: ASGIApp) -> ASGIApp:
    """The same application, whose next piece waits until the last was taken."""

    async def slow(scope: Scope, receive: Receive, send: Send) -> None:
        async def pieces(message: Message) -> None:
            body = message.get("body", b"")
            last = max(len(body) - 1, 0) // _PIECE * _PIECE
            for start in range(0, last, _PIECE):
                await send({**message, "body": body[start : start + _PIECE], "more_body": True})
            await send({**message, "body": body[last:]} if last else message)

        await app(scope, receive, pieces)

    return slow


def _crowded(app: ASGIApp) -> ASGIApp:
    """The same application, told so; the connection is closed with the answer."""

    async def marked(scope: Scope, receive: Receive, send: Send) -> None:
        async def last(message: Message) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message["headers"], (b"connection", b"close")]}
            await send(message)

        await app({**scope, CROWDED: True}, receive, last)

    return marked
