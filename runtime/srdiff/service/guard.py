"""What every request passes: who may ask, what browsers are told, one line of log."""

from __future__ import annotations

import hashlib
import hmac
import json
import logging
import re
import secrets
import time
from typing import Any
from urllib.parse import SplitResult, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .connections import CROWDED
from .listening import address, is_loopback
from .metrics import Metrics
from .problems import Problem

_log = logging.getLogger("srdiff.access")
# The rest is the page and the probes, which hold nothing of anybody.
GUARDED = ("/v1/", "/metrics")
PROBES = ("/livez", "/readyz")
# Own scripts and styles only; pictures also from memory, where the page keeps them.
_POLICY = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' blob:; " + (
    "form-action 'none'; base-uri 'none'; frame-ancestors 'none'"
)
_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Content-Security-Policy": _POLICY,
    "Cache-Control": "no-cache",  # asked for anew, answered with 304: the page follows an upgrade
}


class Guard:
    """An ASGI application around another.

    Args:
        app: the other.
        metrics: told of every request.
        token: that requests have to bring as ``Authorization: Bearer``; None asks for none.
        local: the host that the server listens on, which is this machine alone, so a request for another host's name
            is a foreign page's (DNS rebinding); not asked where there is a token, which foreign pages do not have. None
            where other machines reach the server.
    """

    def __init__(
        self, app: ASGIApp, metrics: Metrics, token: str | None = None, local: str | None = "localhost"
    ) -> None:
        self._app = app
        self._metrics = metrics
        self._token = None if token is None else _hashed(token)
        self._own = None if local is None else local.lower()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        headers = Headers(scope=scope)
        asked = headers.get("x-request-id", "")
        request_id = asked if re.fullmatch(r"[\w.-]{1,64}", asked, re.ASCII) else secrets.token_hex(8)
        scope["state"] = {**scope.get("state", {}), "request_id": request_id}
        status = 0

        async def answer(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                said = MutableHeaders(scope=message)
                said["X-Request-ID"] = request_id
                for name, value in _HEADERS.items():
                    said.setdefault(name, value)
            await send(message)

        try:
            self._admit(scope, headers)
            await self._app(scope, receive, answer)
        except Problem as problem:
            self._metrics.rejected.labels(problem.reason).inc()
            await problem.response()(scope, receive, answer)
        finally:
            seconds = time.perf_counter() - started
            self._metrics.request_seconds.labels(_method(scope), _route(scope), str(status)).observe(seconds)
            _log.info(json.dumps(self._line(scope, request_id, status, seconds)))

    def _admit(self, scope: Scope, headers: Headers) -> None:
        if scope.get(CROWDED) and scope["path"] not in PROBES:
            raise Problem(503, "connections", "too many connections are open; come again later", 5)
        host = headers.get("host", "")
        origin = headers.get("origin")
        if origin is not None and getattr(_address(origin), "netloc", None) != host:
            raise Problem(
                403,
                "origin",
                "a page of another site asked; open this service's own page, and have a proxy before it pass on Host",
            )
        if self._token is None:
            name = getattr(_address(f"//{host}"), "hostname", None) or ""
            if self._own is not None and name != self._own and not is_loopback(name):
                raise Problem(
                    403,
                    "host",
                    "this service answers to loopback addresses and its own host's name alone; "
                    f"ask it at {address(*scope['server'])}",
                )
        elif scope["path"].startswith(GUARDED):
            kind, _, given = headers.get("authorization", "").partition(" ")
            if kind.lower() != "bearer" or not hmac.compare_digest(_hashed(given.strip()), self._token):
                raise Problem(401, "token", "a token is needed; send it as Authorization: Bearer TOKEN")

    def _line(self, scope: Scope, request_id: str, status: int, seconds: float) -> dict[str, Any]:
        """For the log; of the address no query, of the headers nothing."""
        client = scope.get("client") or ("",)
        return {
            "time": round(time.time(), 3),
            "id": request_id,
            "client": client[0],
            "method": scope["method"],
            "route": _route(scope),
            "status": status or "gone",
            "seconds": round(seconds, 4),
        }


def _address(text: str) -> SplitResult | None:
    """None for what is none, such as an open bracket."""
    try:
        return urlsplit(text)
    except ValueError:
        return None


def _hashed(token: str) -> bytes:
    """Of one length, so that comparing tells nothing of the token's."""
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).digest()


def _route(scope: Scope) -> str:
    """The path with its parameters' names: job ids are secrets, and labels few."""
    return str(scope.get("state", {}).get("route", "none"))


def _method(scope: Scope) -> str:
    return scope["method"] if scope["method"] in ("GET", "HEAD", "POST", "DELETE") else "other"
