"""Connections that ask for nothing, over real sockets."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
import time
from contextlib import ExitStack
from typing import Iterator

import pytest

from srdiff.bundle import Bundle
from srdiff.service.limits import Limits
from srdiff.service.server import Server, configured
from srdiff.service.service import Service

from .conftest import wait_for

LIMITS = Limits(connections=4, head_seconds=1.0)
GET = b"GET %s HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"


@pytest.fixture
def port(bundles: dict[str, Bundle]) -> Iterator[int]:
    service = Service(bundles, [dict], LIMITS)
    server = Server(configured(service, "127.0.0.1", 0, None, True), service)
    thread = threading.Thread(target=lambda: asyncio.run(server.serve()), daemon=True)
    thread.start()
    try:
        wait_for(lambda: server.started)
        yield server.servers[0].sockets[0].getsockname()[1]
    finally:
        server.should_exit = True
        thread.join(30)


def connected(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), 20)


def asked(connection: socket.socket, path: bytes) -> tuple[bytes, bytes]:
    """Head and body of the answer; the connection stays open where the server leaves it."""
    connection.sendall(GET % path)
    answer = connection.recv(1 << 16)
    head, _, body = answer.partition(b"\r\n\r\n")
    while len(body) < int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]):
        body += connection.recv(1 << 16)
    return head, body


def seconds_until_closed(connection: socket.socket, trickle: bytes) -> float:
    """Sending one byte after the other meanwhile."""
    began = time.monotonic()
    connection.settimeout(0.1)
    for byte in [*trickle, *[0] * 200]:
        try:
            if byte:
                connection.sendall(bytes([byte]))
            if connection.recv(100) == b"":
                break
        except socket.timeout:
            continue
        except ConnectionError:
            break
    return time.monotonic() - began


@pytest.mark.parametrize("trickle", [b"", (GET % b"/livez")[:-4] + b"x" * 150])
@pytest.mark.parametrize("asks_before", [False, True])
def test_one_that_does_not_ask_is_closed(port: int, trickle: bytes, asks_before: bool) -> None:
    with connected(port) as connection:
        if asks_before:
            assert b" 200 " in asked(connection, b"/livez")[0]
        assert 0.5 < seconds_until_closed(connection, trickle) < 10


def test_one_that_asks_again_and_again_stays(port: int) -> None:
    with connected(port) as connection:
        for _ in range(8):
            assert b" 200 " in asked(connection, b"/livez")[0]
            time.sleep(0.3)


def test_too_many_are_told_so_and_it_recovers(port: int) -> None:
    with ExitStack() as stack:
        for _ in range(LIMITS.connections):
            stack.enter_context(connected(port))
        crowded = stack.enter_context(connected(port))
        head, body = asked(crowded, b"/openapi.json")
        assert b" 503 " in head and b"retry-after: 5" in head.lower() and b"application/problem+json" in head
        assert json.loads(body)["reason"] == "connections"
        assert crowded.recv(10) == b"", "it is closed"
        assert b" 200 " in asked(stack.enter_context(connected(port)), b"/livez")[0]

        def recovered() -> bool:
            with connected(port) as connection:
                return b" 200 " in asked(connection, b"/openapi.json")[0]

        wait_for(recovered, 20)
