"""What a job is said to take, and how much of that is left."""

from __future__ import annotations

import pytest
from starlette.testclient import TestClient

from srdiff import Upscaler
from srdiff.bundle import Bundle
from srdiff.service.app import create_app
from srdiff.service.service import Service
from srdiff.service.speed import LEAST_PIXELS, Speed

from .conftest import BASE, LIMITS, Steps, wait_for
from .test_jobs import events, posted


@pytest.mark.parametrize("query", ["model=small-v1&steps=2", "model=clean&samples=2"])
def test_the_next_of_the_same_is_said_to_take_what_this_one_took(bundles: dict[str, Bundle], query: str) -> None:
    """Of a picture in several windows, too."""
    opened = {name: Upscaler.from_bundle(name, "cpu", "onnxruntime", tile=32, overlap=8) for name in bundles}
    service, model = Service(bundles, [lambda: opened], LIMITS), query[6:].split("&")[0]
    with TestClient(create_app(service), BASE) as client:
        wait_for(lambda: service.ready)
        speed = service._speeds[model] = Speed()
        id = posted(client, query, side=64)
        assert events(client, id)
        job = service.jobs.get(id)
        assert job is not None and job.total > 2, "it is to have several windows"
        took = service.metrics.registry.get_sample_value("srdiff_job_seconds_sum", {"model": model})
        assert speed.seconds(64 * 64, 2) == pytest.approx(took)


def test_a_waiting_job_counts_those_before_it(
    client: TestClient, service: Service, steps: Steps, monkeypatch: pytest.MonkeyPatch
) -> None:
    speed = Speed()
    speed.note(LEAST_PIXELS, 1, 1.0)
    monkeypatch.setitem(service._speeds, "small-v1", speed)
    ids = [posted(client, f"steps={number}", 20) for number in (10, 20, 30)]
    wait_for(lambda: service.line.served == 1)
    assert [client.get(f"/v1/jobs/{id}").json()["seconds_left"] for id in ids] == [10, 30, 60]
    monkeypatch.setattr(service, "_workers", [*service._workers, {}])
    assert [client.get(f"/v1/jobs/{id}").json()["seconds_left"] for id in ids] == [10, 20, 40]
