"""A service in this process, and small photos."""

from __future__ import annotations

import io
import threading
import time
from typing import Callable, Iterator

import numpy as np
import pytest
from PIL import Image
from skimage import data
from starlette.testclient import TestClient

from srdiff import Upscaler
from srdiff.bundle import Bundle
from srdiff.model_names import bundle_folder
from srdiff.service.app import create_app
from srdiff.service.job import Job, Order
from srdiff.service.limits import Limits
from srdiff.service.making import make
from srdiff.service.metrics import Metrics
from srdiff.service.results import Result
from srdiff.service.service import Service

BASE = "http://127.0.0.1"
MODELS = ("small-v1", "clean")
LIMITS = Limits(upload_bytes=1 << 20, pixels=64 * 64, waiting=2, samples=4, left_seconds=0.2)


def png(side: int = 16, seed: int = 0) -> bytes:
    """A part of a photograph as PNG, another one for each seed."""
    top = 8 * seed
    return encoded(data.astronaut()[top : top + 4 * side : 4, 200 : 200 + 4 * side : 4], "PNG")


def encoded(pixels: np.ndarray, format: str) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels)).save(stream, format)
    return stream.getvalue()


def wait_for(condition: Callable[[], bool], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not come to be"
        time.sleep(0.01)


class Steps:
    """Holds whoever works before its next step, until the test lets it go: nothing hangs on who is faster."""

    def __init__(self) -> None:
        self._tokens = threading.Semaphore(0)
        self._free = False

    def let(self, number: int) -> None:
        """Let so many steps be noted as done."""
        for _ in range(number):
            self._tokens.release()

    def let_all(self) -> None:
        self._free = True
        self._tokens.release()

    def take(self) -> None:
        while not self._free and not self._tokens.acquire(timeout=1):
            pass


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> Iterator[Steps]:
    """Of all jobs of the service of this process, from now on."""
    steps = Steps()

    def held(upscaler: Upscaler, job: Job, order: Order, metrics: Metrics, go_on: Callable[[], None]) -> Result:
        def held_on() -> None:
            steps.take()
            go_on()

        return make(upscaler, job, order, metrics, held_on)

    monkeypatch.setattr("srdiff.service.service.make", held)
    yield steps
    steps.let_all()


@pytest.fixture(scope="package")
def worker() -> dict[str, Upscaler]:
    return {name: Upscaler.from_bundle(name, "cpu", "onnxruntime") for name in MODELS}


@pytest.fixture(scope="package")
def bundles() -> dict[str, Bundle]:
    return {name: Bundle(bundle_folder(name)) for name in MODELS}


@pytest.fixture(scope="package")
def service(worker: dict[str, Upscaler], bundles: dict[str, Bundle]) -> Service:
    return Service(bundles, [lambda: worker], LIMITS)


@pytest.fixture(scope="package")
def client(service: Service) -> Iterator[TestClient]:
    with TestClient(create_app(service), BASE, raise_server_exceptions=False) as client:
        wait_for(lambda: service.ready or service.failure is not None)
        assert service.failure is None
        yield client


@pytest.fixture(autouse=True)
def idle_afterwards(request: pytest.FixtureRequest) -> Iterator[None]:
    """No test leaves work to the next."""
    yield
    if "service" in request.fixturenames:
        service = request.getfixturevalue("service")
        for job in service.jobs.unfinished():
            service.cancel(job)
        wait_for(lambda: not service.busy)
