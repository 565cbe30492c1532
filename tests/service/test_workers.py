"""Workers that open, that fail to, and that end."""

from __future__ import annotations

import threading
import time
from types import SimpleNamespace
from typing import Any

import pytest
from starlette.testclient import TestClient

from srdiff import OptionError, Upscaler
from srdiff.bundle import Bundle
from srdiff.service.app import create_app
from srdiff.service.service import Service

from .conftest import BASE, LIMITS, png, wait_for


def test_one_that_is_opening_ends_before_the_process_does(bundles: dict[str, Bundle]) -> None:
    opened, warmed = threading.Event(), threading.Event()

    def opener() -> Any:
        opened.wait(30)
        return {"clean": SimpleNamespace(enlarge=warmed.set)}

    service = Service(bundles, [opener, opener], LIMITS)
    service.start()
    service.close()
    ended = threading.Thread(target=service.join, args=(30,), daemon=True)
    ended.start()
    ended.join(0.3)
    assert ended.is_alive()
    opened.set()
    ended.join(30)
    assert not ended.is_alive() and not warmed.is_set()


def test_one_that_fails_is_told_at_once_and_those_that_hang_keep_nothing(
    bundles: dict[str, Bundle], caplog: pytest.LogCaptureFixture
) -> None:
    go_on = threading.Event()

    def bad() -> Any:
        raise OptionError("there is no such device;\nname another")

    service = Service(bundles, [bad, go_on.wait, go_on.wait], LIMITS)
    stops = threading.Event()
    service.on_failure = stops.set
    try:
        service.start()
        assert stops.wait(30)
        assert caplog.messages[-1].endswith("there is no such device; name another")
        service.close()
        began = time.monotonic()
        service.join(0.2)
        assert time.monotonic() - began < 10
    finally:
        go_on.set()


def test_a_closed_line_is_no_full_one(bundles: dict[str, Bundle], worker: dict[str, Upscaler]) -> None:
    service = Service(bundles, [lambda: worker], LIMITS)
    with TestClient(create_app(service), BASE) as client:
        wait_for(lambda: service.ready)
        service.line.close()
        answer = client.post("/v1/jobs", content=png())
    assert answer.status_code == 503 and answer.json()["reason"] == "draining"
    assert not service.busy
