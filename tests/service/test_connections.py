"""Connections that ask for nothing, over real sockets."""

from __future__ import annotations

import asyncio
import json
import logging
import socket
import threading
import time
from contextlib import ExitStack, suppress
from dataclasses import replace
from typing import Iterator

import pytest
from starlette.responses import Response
from uvicorn.protocols.http.h11_impl import H11Protocol

from srdiff.bundle import Bundle
from srdiff.service.limits import Limits
from srdiff.service.server import Server, configured
from srdiff.service.service import Service

from .conftest import wait_for

LIMITS = Limits(connections=4, head_seconds=60.0, unread_seconds=2.0)
HASTY = replace(LIMITS, head_seconds=1.0)
LARGE = bytes(range(256)) * (64 << 12)  # 64 MiB, more than systems hold for a socket
GET = b"GET %s HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
POST = b"POST /v1/decoded HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 1\r\n\r\n"


@pytest.fixture
def limits() -> Limits:
    return LIMITS


@pytest.fixture
def server(bundles: dict[str, Bundle], limits: Limits) -> Iterator[Server]:
    service = Service(bundles, [dict], limits)
    server = Server(configured(service, None, "localhost", port=0), service)
    thread = threading.Thread(target=lambda: asyncio.run(server.serve()), daemon=True)
    thread.start()
    try:
        wait_for(lambda: server.started)
        yield server
    finally:
        server.should_exit = True
        thread.join(30)


@pytest.fixture
def port(server: Server) -> int:
    return server.servers[0].sockets[0].getsockname()[1]


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


def busy(port: int) -> socket.socket:
    """One whose request is being answered until another byte comes."""
    connection = connected(port)
    connection.sendall(POST)
    return connection


def wait_until_closed(connection: socket.socket, trickle: bytes) -> None:
    """Sending one byte after the other meanwhile."""
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


@pytest.mark.parametrize("limits", [HASTY])
@pytest.mark.parametrize("trickle", [b"", (GET % b"/livez")[:-4] + b"x" * 150])
@pytest.mark.parametrize("asks_before", [False, True])
def test_one_that_does_not_ask_is_closed(port: int, trickle: bytes, asks_before: bool) -> None:
    began = time.monotonic()
    with connected(port) as connection:
        if asks_before:
            assert b" 200 " in asked(connection, b"/livez")[0]
        wait_until_closed(connection, trickle)
    assert 0.9 * HASTY.head_seconds < time.monotonic() - began < 15


@pytest.mark.parametrize("limits", [replace(LIMITS, head_seconds=2.0)])
def test_one_that_asks_again_and_again_stays(port: int) -> None:
    with connected(port) as connection:
        for _ in range(10):
            assert b" 200 " in asked(connection, b"/livez")[0]
            time.sleep(0.25)


def test_those_that_ask_for_nothing_make_room(server: Server, port: int) -> None:
    with ExitStack() as stack:
        asking = stack.enter_context(busy(port))
        for _ in range(5 * LIMITS.connections):
            silent = stack.enter_context(connected(port))
            with connected(port) as connection:
                assert b" 200 " in asked(connection, b"/openapi.json")[0]
            assert len(server.server_state.connections) <= LIMITS.connections
        assert b" 200 " in asked(silent, b"/livez")[0], "the last to come is not the first to go"
        asking.sendall(b"x")
        assert b" 422 " in asking.recv(1 << 16)


def test_too_many_are_told_so_and_it_recovers(server: Server, port: int) -> None:
    with ExitStack() as stack:
        before = stack.enter_context(connected(port))
        assert b" 200 " in asked(before, b"/livez")[0]
        all_but_one = [stack.enter_context(busy(port)) for _ in range(LIMITS.connections - 1)]
        before.sendall(POST)
        wait_for(lambda: len(server.server_state.tasks) == LIMITS.connections)
        crowded = stack.enter_context(connected(port))
        head, body = asked(crowded, b"/openapi.json")
        assert b" 503 " in head and b"retry-after: 5" in head.lower() and b"application/problem+json" in head
        assert json.loads(body)["reason"] == "connections"
        assert crowded.recv(10) == b"", "it is closed"
        assert b" 200 " in asked(stack.enter_context(connected(port)), b"/livez")[0]
        before.sendall(b"x")
        assert b" 422 " in before.recv(1 << 16), "it was there before"
        all_but_one[0].close()

        def recovered() -> bool:
            with connected(port) as connection:
                return b" 200 " in asked(connection, b"/openapi.json")[0]

        wait_for(recovered, 20)


@pytest.mark.parametrize("line", [b"x: " + b"x" * 1000, b"x" * 1000, b"x:\r\n"])
def test_a_head_is_bounded_in_bytes(port: int, line: bytes) -> None:
    with connected(port) as connection:
        connection.sendall((GET % b"/livez")[:-2])
        sent = 0
        with suppress(ConnectionError):
            while sent < 8 << 20:
                sent += connection.send(line * 100)
        assert sent < 8 << 20


def test_no_other_parser_and_protocol_are_taken_where_they_are_installed(server: Server) -> None:
    protocol = server.config.http_protocol_class
    assert isinstance(protocol, type) and issubclass(protocol, H11Protocol) and server.config.ws == "none"


@pytest.fixture
def large(server: Server) -> None:
    """Whatever is asked for is large."""
    server.config.loaded_app = Response(LARGE)


def held(server: Server) -> int:
    """Bytes of answers in the process, for all connections together."""
    return sum(connection.transport.get_write_buffer_size() for connection in server.server_state.connections)


def test_one_that_does_not_read_holds_little_and_is_closed(server: Server, port: int, large: None) -> None:
    with connected(port) as connection:
        connection.sendall(GET % b"/")
        wait_for(lambda: held(server) > 0)
        most, began = 0, time.monotonic()
        while server.server_state.connections and time.monotonic() < began + 10:
            most = max(most, held(server))
            time.sleep(0.01)
        assert 0 < most <= 1 << 18
        assert LIMITS.unread_seconds / 2 < time.monotonic() - began < 10


def test_one_that_does_not_read_when_it_stops(
    server: Server, port: int, large: None, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("srdiff.service.connections.STOP_SECONDS", 0.3)
    caplog.set_level(logging.INFO, "uvicorn.error")
    with connected(port) as connection:
        connection.sendall(GET % b"/")
        wait_for(lambda: held(server) > 0)
        server.should_exit = True
        wait_for(lambda: "Finished server process" in caplog.text)
    assert [record for record in caplog.records if record.levelname == "ERROR"] == []


def test_one_that_reads_slowly_gets_all(server: Server, port: int, large: None) -> None:
    answer = bytearray()
    with connected(port) as connection:
        connection.sendall(GET % b"/")
        began = time.monotonic()
        while not answer.endswith(LARGE):
            part = connection.recv(1 << 20)
            if not part:
                break
            answer += part
            time.sleep(0.05)
    assert time.monotonic() - began > LIMITS.unread_seconds, "slow enough to be told from one that does not read"
    assert answer.partition(b"\r\n\r\n")[2] == LARGE
