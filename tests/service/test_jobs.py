"""Jobs: their events, their results, and giving them up."""

from __future__ import annotations

import base64
import io
import json
import threading
import time

import pytest
from PIL import Image
from starlette.testclient import TestClient

from srdiff.service.job import Job
from srdiff.service.kept_jobs import KeptJobs
from srdiff.service.limits import Limits
from srdiff.service.results import Result, Results
from srdiff.service.service import Service
from srdiff.service.speed import LEAST_PIXELS, Speed

from .conftest import Steps, png, wait_for

LONG = "sampler=ddpm&steps=100"


def posted(client: TestClient, query: str, seed: int = 0, side: int = 16) -> str:
    answer = client.post(f"/v1/jobs?{query}&seed={seed}", content=png(side))
    assert answer.status_code == 202, answer.text
    assert answer.headers["location"] == f"/v1/jobs/{answer.json()['id']}"
    return answer.json()["id"]


def events(client: TestClient, id: str) -> list[tuple[str, str]]:
    text = client.get(f"/v1/jobs/{id}/events").text
    blocks = [
        dict(line.split(": ", 1) for line in block.split("\n")) for block in text.split("\n\n") if "event" in block
    ]
    return [(block["event"], block["data"]) for block in blocks]


def test_events_go_from_the_line_to_the_result(client: TestClient, service: Service, steps: Steps) -> None:
    id = posted(client, "sampler=ddpm&steps=12", 1, 32)
    job = service.jobs.get(id)
    assert job is not None

    def go_slowly() -> None:
        wait_for(lambda: job.listened)
        for _ in range(12):
            steps.let(1)
            time.sleep(0.1)
        steps.let_all()

    threading.Thread(target=go_slowly, daemon=True).start()
    told = events(client, id)
    states = [json.loads(data) for kind, data in told if kind == "state"]
    running = [state for state in states if state["state"] == "running"]
    assert [state["done"] for state in running] == sorted(state["done"] for state in running)
    assert any(0 < state["done"] < state["total"] == 12 and state["seconds_left"] > 0 for state in running)
    assert states[-1]["state"] == "done" and states[-1]["result"]["width"] == 128
    previews = [Image.open(io.BytesIO(base64.b64decode(data))) for kind, data in told if kind == "preview"]
    assert previews and previews[-1].size == (128, 128)


def test_a_result_in_parts(client: TestClient) -> None:
    id = posted(client, "steps=2&samples=2&uncertainty=true", 2)
    final = json.loads(events(client, id)[-1][1])
    assert list(final["result"]["parts"]) == ["1", "2", "uncertainty"]
    first, second = (client.get(f"/v1/jobs/{id}/result?part={part}").content for part in "12")
    assert first != second and first == client.get(f"/v1/jobs/{id}/result").content
    assert first == client.post("/v1/upscale?steps=2&seed=2", content=png()).content
    assert Image.open(io.BytesIO(client.get(f"/v1/jobs/{id}/result?part=uncertainty").content)).mode == "L"
    assert client.get(f"/v1/jobs/{id}/result?part=3").status_code == 404


def test_who_asks_for_the_head_of_events_is_no_listener(client: TestClient, service: Service, steps: Steps) -> None:
    id = posted(client, LONG, 15)
    answer = client.head(f"/v1/jobs/{id}/events")
    assert answer.status_code == 200 and answer.headers["content-type"].startswith("text/event-stream")
    job = service.jobs.get(id)
    assert job is not None and job.visits == 0


@pytest.mark.parametrize("accept", ["application/json", "image/webp", "text/html;q=0.5"])
def test_a_jobs_picture_is_not_what_accept_is_about(client: TestClient, accept: str) -> None:
    job = client.post("/v1/jobs?steps=2&seed=2", content=png(), headers={"Accept": accept})
    assert job.status_code == 202 and job.headers["content-type"] == "application/json"
    final = json.loads(events(client, job.json()["id"])[-1][1])
    assert final["result"]["media_type"] == "image/png"


def test_a_result_is_collected_with_its_last_part(client: TestClient, service: Service) -> None:
    id = posted(client, "steps=2&samples=2", 2)
    events(client, id)
    job = service.jobs.get(id)
    assert job is not None
    address = f"/v1/jobs/{id}/result"
    tag = client.get(f"{address}?part=1").headers["etag"]
    client.head(f"{address}?part=2")
    client.get(f"{address}?part=2", headers={"If-None-Match": "*"})
    client.get(f"{address}?part=1", headers={"If-None-Match": tag})
    assert not job.collected and service.jobs.uncollected()
    client.get(f"{address}?part=2")
    assert job.collected


def test_a_full_line_and_room_by_giving_up(client: TestClient, service: Service, steps: Steps) -> None:
    ids = [posted(client, LONG, seed) for seed in range(3)]  # one runs, two wait
    wait_for(lambda: service.line.served == 1)
    refused = client.post(f"/v1/jobs?{LONG}&seed=9", content=png())
    assert refused.status_code == 429 and int(refused.headers["retry-after"]) >= 1
    assert refused.json()["reason"] == "line"
    assert client.get(f"/v1/jobs/{ids[2]}").json()["place"] == 2
    assert client.get(f"/v1/jobs/{ids[2]}/result").status_code == 409
    assert client.delete(f"/v1/jobs/{ids[1]}").status_code == 204
    assert client.get(f"/v1/jobs/{ids[2]}").json()["place"] == 1
    assert client.get(f"/v1/jobs/{ids[1]}").status_code == 404
    posted(client, LONG, 9)


def test_giving_up_a_running_job_frees_its_worker_within_a_step(
    client: TestClient, service: Service, steps: Steps
) -> None:
    def sample(name: str, **labels: str) -> float:
        return service.metrics.registry.get_sample_value(name, labels) or 0.0

    freed = sample("srdiff_freed_seconds_count")
    given_up = sample("srdiff_cancelled_total", state="running")
    run_before = sample("srdiff_step_seconds_count", model="small-v1")
    id = posted(client, LONG, 11)
    steps.let(3)
    job = service.jobs.get(id)
    assert job is not None
    wait_for(lambda: client.get(f"/v1/jobs/{id}").json()["done"] == 3)
    client.delete(f"/v1/jobs/{id}")
    steps.let_all()
    wait_for(lambda: not service.busy)
    assert job.done == 3 and job.state == "cancelled"
    assert sample("srdiff_step_seconds_count", model="small-v1") == run_before + 4, "the fourth was running"
    wait_for(lambda: sample("srdiff_freed_seconds_count") == freed + 1)
    assert sample("srdiff_cancelled_total", state="running") == given_up + 1


def test_it_is_busy_until_the_result_can_be_had(
    client: TestClient, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep, go = service.results.keep, threading.Event()
    monkeypatch.setattr(service.results, "keep", lambda result: (go.wait(10), keep(result)))
    id = posted(client, "steps=2", 14)
    wait_for(lambda: client.get(f"/v1/jobs/{id}").json()["done"] == 2 and not service.line.served)
    assert service.busy
    go.set()
    wait_for(lambda: not service.busy)
    assert client.get(f"/v1/jobs/{id}").json()["state"] == "done"


def test_a_failure_in_the_line_is_told(client: TestClient, service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*args: object, **kwargs: object) -> None:
        raise ZeroDivisionError("a fault of this program")

    monkeypatch.setattr("srdiff.service.service.make", broken)
    id = posted(client, "steps=3", 13)
    wait_for(lambda: client.get(f"/v1/jobs/{id}").json()["state"] == "failed")
    problem = client.get(f"/v1/jobs/{id}").json()["problem"]
    assert problem["status"] == 500 and "a fault of" not in problem["detail"]
    assert client.get(f"/v1/jobs/{id}/result").status_code == 500
    monkeypatch.undo()
    assert client.post("/v1/upscale?steps=3&seed=13", content=png()).status_code == 200


def test_too_long_by_what_was_measured(client: TestClient, service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    speed = Speed()
    speed.note(LEAST_PIXELS, 1, 100.0)
    monkeypatch.setitem(service._speeds, "small-v1", speed)
    refused = client.post("/v1/jobs?steps=10", content=png())
    assert refused.status_code == 422 and refused.json()["reason"] == "seconds" and "1000 seconds" in refused.text
    assert "fewer steps" in refused.text and "shrunk" not in refused.json(), "no smaller one is quicker"


def test_too_much_memory(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("srdiff.service.room.memory_allowed", lambda: 10_000)
    refused = client.post("/v1/jobs?steps=10", content=png())
    assert refused.status_code == 422 and refused.json()["reason"] == "memory"
    offer = refused.json()["shrunk"]
    assert 0 < offer["width"] == offer["height"] < 16


def result(digest: str, size: int) -> Result:
    return Result(digest, "image/png", {"1": bytes(size)}, (1, 1), {})


def test_results_are_kept_within_bytes_and_seconds() -> None:
    now = [0.0]
    results = Results(Limits(kept_bytes=100, kept_seconds=10), lambda: now[0])
    results.keep(result("a", 60))
    results.keep(result("a", 60))
    assert results.bytes == 60
    results.keep(result("b", 60))
    assert results.get("a") is None and results.get("b") is not None
    results.keep(result("c", 500))
    assert results.get("b") is None and results.bytes == 500
    now[0] = 11.0
    assert results.get("c") is None and results.bytes == 0 and len(results) == 0


def test_finished_jobs_are_kept_within_bytes_number_and_seconds() -> None:
    kept = KeptJobs(Limits(kept_bytes=100, kept_jobs=2))
    jobs = [kept.keep(Job(None, result(str(number), 10))) for number in range(3)]
    assert [kept.get(job.id) is not None for job in jobs] == [False, True, True]
    large = kept.keep(Job(None, result("large", 95)))
    assert kept.get(large.id) is large and kept.get(jobs[1].id) is None and kept.get(jobs[2].id) is None
    waiting = kept.keep(Job(None))
    for number in range(3):
        kept.keep(Job(None, result(str(number), 10)))
    assert kept.get(waiting.id) is waiting, "one that is not over stays"


def test_a_result_of_several_jobs_counts_once() -> None:
    kept, shared = KeptJobs(Limits(kept_bytes=100)), result("shared", 40)
    first = kept.keep(Job(None, result("first", 40)))
    jobs = [kept.keep(Job(None, shared)) for _ in range(11)]
    assert all(kept.get(job.id) is job for job in [first, *jobs])
    other = kept.keep(Job(None, result("other", 70)))
    assert kept.get(other.id) is other and not any(kept.get(job.id) for job in [first, *jobs])


def test_speed_is_of_work_and_small_images_do_not_spoil_it() -> None:
    speed = Speed()
    assert speed.seconds(100, 1) == 0
    speed.note(LEAST_PIXELS * 100, 10, 50.0)
    assert speed.pixels(5.0, 10) == pytest.approx(10 * LEAST_PIXELS) and speed.pixels(0.1, 10) == 0
    for _ in range(3):
        speed.note(4, 1, 0.05)
    assert speed.seconds(LEAST_PIXELS * 100, 10) == pytest.approx(50.0, rel=0.01)
