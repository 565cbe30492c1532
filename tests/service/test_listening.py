"""Where the service listens, who is told so, and what cannot be listened on."""

from __future__ import annotations

import socket
import sys
from typing import Any, Iterator

import pytest
from click.testing import CliRunner
from starlette.testclient import TestClient

from srdiff import OptionError
from srdiff.bundle import Bundle
from srdiff.commands.serve import main
from srdiff.service.app import create_app
from srdiff.service.listening import address, is_loopback, listening
from srdiff.service.service import Service

from .conftest import LIMITS

LOCAL = ["127.0.0.1", "127.1", "localhost", *(["127.0.0.2"] if sys.platform == "linux" else [])]


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as other:
        yield other.getsockname()[1]


@pytest.mark.parametrize("host", LOCAL)
def test_a_loopback_address_is_local_and_answers_under_its_name(host: str, bundles: dict[str, Bundle]) -> None:
    app = create_app(Service(bundles, [dict], LIMITS))
    for opened in listening(host, 0):
        with opened:
            assert is_loopback(opened.getsockname()[0])
            socket.create_connection(opened.getsockname()[:2], 5).close()
            assert TestClient(app, address(*opened.getsockname()[:2])).get("/v1/models").status_code == 200


@pytest.mark.parametrize("host, local", [("Vm", "Vm"), ("0.0.0.0", None)])
def test_the_name_that_was_given_is_one_of_its_own_where_it_is_this_machine_alone(
    host: str, local: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    found, served = socket.getaddrinfo, []

    def known(name: str, *more: Any, **options: Any) -> Any:
        return found("127.0.0.1" if name == "Vm" else name, *more, **options)

    def serve(service: Service, sockets: list[socket.socket], token: str | None, local: str | None) -> None:
        served.append(local)
        for opened in sockets:
            opened.close()

    monkeypatch.setattr("socket.getaddrinfo", known)
    monkeypatch.setattr("srdiff.service.server.serve", serve)
    assert CliRunner().invoke(main, ["--host", host, "--port", "0", "--model", "clean"]).exit_code == 0
    assert served == [local]


def test_every_address_is_not_local() -> None:
    for opened in listening("0.0.0.0", 0):
        with opened:
            assert not is_loopback(opened.getsockname()[0])


@pytest.mark.parametrize("host", ["192.0.2.1", "no-such-host.invalid", "a" * 300, "..", "127.0.0.1:8000"])
def test_no_address_of_this_machine(host: str) -> None:
    with pytest.raises(OptionError, match=r"^[^\[;]+; give [^;]+$"):
        listening(host, 0)


def test_a_port_that_is_taken_is_said_before_anything_is_opened(taken: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("srdiff.service.service.Service.__init__", lambda *args: pytest.fail("a worker was made"))
    ran = CliRunner().invoke(main, ["--port", str(taken), "--model", "clean"])
    assert ran.exit_code == 2 and "in use" in ran.output and "give another port" in ran.output
    assert len(ran.output.splitlines()) == 1
