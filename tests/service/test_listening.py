"""Where the service listens, who is told so, and what cannot be listened on."""

from __future__ import annotations

import socket
import sys
from typing import Iterator

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
            assert TestClient(app, address(opened)).get("/v1/models").status_code == 200


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
