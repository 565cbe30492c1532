"""The real process over real sockets: clients that go, bodies that lie, and stopping."""

from __future__ import annotations

import json
import os
import signal
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from http.client import HTTPException
from pathlib import Path
from typing import Iterator

import pytest

from srdiff.service.server import COLLECT_SECONDS

from .conftest import png, wait_for
from .process import LARGE, LONG, Process


@pytest.fixture
def started(tmp_path: Path) -> Iterator[Process]:
    began = time.monotonic()
    process = Process(tmp_path / "log", "--model", "small-v1")
    try:
        wait_for(process.find_port)
        assert process.ask("/livez")[0] == 200
        first = process.ask("/readyz")[0]
        assert first == 503 or time.monotonic() - began > 1
        wait_for(lambda: process.ask("/readyz")[0] == 200)
        yield process
    finally:
        process.kill()


def test_clients_that_go(started: Process) -> None:
    """A running one is stopped within a step, a waiting one is gone at once, a listener's job after a while."""
    running = started.send(f"/v1/upscale?{LONG}", png(LARGE))
    wait_for(lambda: started.metric("srdiff_step_seconds_count") >= 2)
    waiting = started.send(f"/v1/upscale?{LONG}&seed=1", png())
    wait_for(lambda: started.metric("srdiff_waiting") == 1)
    waiting.close()
    wait_for(lambda: started.metric("srdiff_waiting") == 0)
    assert started.metric("srdiff_running") == 1
    steps = started.metric("srdiff_step_seconds_count")
    running.close()
    wait_for(lambda: started.metric("srdiff_running") == 0)
    assert started.metric("srdiff_step_seconds_count") < steps + 50, "it ran on"
    assert started.metric("srdiff_freed_seconds_count") == 1
    assert started.metric("srdiff_cancelled_total") == 2


def test_a_client_that_goes_before_it_has_the_jobs_id(started: Process) -> None:
    started.send(f"/v1/jobs?{LONG}", png(LARGE)).close()
    wait_for(lambda: started.metric("srdiff_cancelled_total") == 1)
    wait_for(lambda: started.metric("srdiff_running") == 0)
    assert '"status": 499' in started.log.read_text()


def test_bodies_that_lie_or_never_come(started: Process) -> None:
    with started.send("/v1/upscale", png(), length=1 << 40) as connection:
        assert b" 413 " in connection.recv(100)
    with started.send("/v1/upscale", png()[:50], length=1000) as connection:
        connection.shutdown(socket.SHUT_WR)
        connection.recv(100)
    with started.send("/v1/upscale", png(), length=-1) as connection:
        assert b" 400 " in connection.recv(100)
    assert started.ask("/v1/upscale?steps=1", png())[0] == 200


def test_more_silent_connections_than_files(tmp_path: Path) -> None:
    """All at once, under the bound on open files that systems begin with."""
    resource = pytest.importorskip("resource")
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))
    try:
        process = Process(tmp_path / "log", "--model", "clean")
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    try:
        wait_for(process.find_port)
        with ExitStack() as stack:
            for _ in range(min(1300, soft - 200)):
                silent = stack.enter_context(socket.socket())
                silent.setblocking(False)
                silent.connect_ex(("127.0.0.1", process.port))
            assert process.ask("/livez")[0] == process.ask("/v1/models")[0] == 200
        assert "Traceback" not in process.log.read_text()
    finally:
        process.kill()


def test_draining_finishes_what_is_in_the_line(started: Process) -> None:
    job = started.job("sampler=ddpm&steps=25")
    wait_for(lambda: json.loads(started.ask(f"/v1/jobs/{job['id']}")[1])["done"] >= 1)
    started.process.send_signal(signal.SIGTERM)
    wait_for(lambda: started.ask("/readyz")[0] == 503)
    status, answer = started.ask("/v1/upscale?steps=1", png())
    assert status == 503 and json.loads(answer)["reason"] == "draining"
    wait_for(lambda: json.loads(started.ask(f"/v1/jobs/{job['id']}")[1])["state"] == "done", 300)
    assert started.ask(f"/v1/jobs/{job['id']}/result")[1].startswith(b"\x89PNG")
    assert started.process.wait(30) == 0
    assert "Traceback" not in started.log.read_text()


@pytest.mark.parametrize("path", ["/v1/upscale", "/v1/jobs", "/v1/decoded"])
def test_a_body_that_is_arriving_when_it_stops(started: Process, path: str) -> None:
    with started.send(path, png()[:50], length=1000) as connection:
        assert started.ask("/livez")[0] == 200
        started.process.send_signal(signal.SIGTERM)
        answer = b"".join(iter(lambda: connection.recv(1 << 16), b""))
    assert b" 503 " in answer and b"draining" in answer and b"application/problem+json" in answer
    assert started.process.wait(30) == 0
    assert "Traceback" not in started.log.read_text()


def listener(process: Process, job: str) -> socket.socket:
    """One that has heard something."""
    connection = socket.create_connection(("127.0.0.1", process.port), 60)
    connection.sendall(b"GET /v1/jobs/%s/events HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n" % job.encode())
    connection.recv(1 << 16)
    return connection


def test_a_listener_when_it_stops(started: Process) -> None:
    job = started.job("sampler=ddpm&steps=25")
    with listener(started, job["id"]) as connection:
        started.process.send_signal(signal.SIGTERM)
        told = b"".join(iter(lambda: connection.recv(1 << 16), b""))
    assert b'"state": "done"' in told
    assert started.process.wait(30) == 0
    assert "Traceback" not in started.log.read_text()


def test_every_part_of_a_result_can_be_fetched_while_stopping(started: Process) -> None:
    place = f"/v1/jobs/{started.job('steps=1&samples=3&uncertainty=true')['id']}"
    wait_for(lambda: json.loads(started.ask(place)[1])["state"] == "done")
    assert started.ask(f"{place}/result", method="HEAD")[0] == 200, "this fetches nothing"
    started.process.send_signal(signal.SIGTERM)
    for part in ("1", "2", "3", "uncertainty"):
        time.sleep(0.5)  # several times as long as the process takes to see that nothing is left
        assert started.ask(f"{place}/result?part={part}")[1].startswith(b"\x89PNG")
    began = time.monotonic()
    assert started.process.wait(30) == 0
    assert time.monotonic() - began < COLLECT_SECONDS, "all was fetched"


def test_stopping_while_warming_up(tmp_path: Path) -> None:
    process = Process(tmp_path / "log", "--engine", "openvino")
    try:
        wait_for(process.find_port)
        process.process.send_signal(signal.SIGTERM)
        assert process.process.wait(60) == 0
        assert "Traceback" not in process.log.read_text()
    finally:
        process.kill()


def test_a_second_signal_stops_and_listeners_are_told(started: Process) -> None:
    job = started.job()
    with listener(started, job["id"]) as connection:
        wait_for(lambda: json.loads(started.ask(f"/v1/jobs/{job['id']}")[1])["done"] >= 1)
        started.process.send_signal(signal.SIGTERM)
        wait_for(lambda: started.ask("/readyz")[0] == 503)
        started.process.send_signal(signal.SIGTERM)
        assert b'"state": "cancelled"' in b"".join(iter(lambda: connection.recv(1 << 16), b""))
    assert started.process.wait(20) == 0
    assert "Traceback" not in started.log.read_text()


@pytest.mark.parametrize("works", [False, True])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_any_number_of_signals_ends_it_with_0(started: Process, number: signal.Signals, works: bool) -> None:
    if works:
        started.job()

    def ended() -> bool:
        started.process.send_signal(number)
        return started.process.poll() is not None

    wait_for(ended, 30)
    assert started.process.returncode == 0
    assert "Traceback" not in started.log.read_text()


def test_a_kill_would_leave_no_file(started: Process) -> None:
    """Uploads and results are in memory: no file with a name is open while images come and go."""
    started.job()
    with started.send(f"/v1/upscale?{LONG}", png(), length=len(png()) + 10):
        wait_for(lambda: started.metric("srdiff_running") == 1)
        folder = Path(f"/proc/{started.process.pid}/fd")
        if not folder.is_dir():
            pytest.skip("only Linux tells the open files of a process")
        opened = [os.readlink(entry) for entry in folder.iterdir()]
        files = {name for name in opened if name.startswith("/") and not name.startswith("/dev/")}
        # The system takes back a file whose name is gone; onnxruntime keeps a database of its own.
        left = {name for name in files if not name.endswith(" (deleted)") and ".onnxruntime/" not in name}
        assert left <= {str(started.log)}


def test_killed_under_load_and_started_again(tmp_path: Path) -> None:
    """Clients that ask until they are answered get the right pictures from the second process; no file is left."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    seeds = range(8)
    first = Process(tmp_path / "first.log", "--model", "small-v1", TMPDIR=str(folder))
    wait_for(first.find_port)
    port = first.port
    done_before_the_kill: list[int] = []
    end = time.monotonic() + 240

    def insist(seed: int) -> bytes:
        while time.monotonic() < end:
            with suppress(OSError, HTTPException):
                status, answer = first.ask(f"/v1/upscale?steps=6&seed={seed}", png())
                if status == 200:
                    if first.process.poll() is None:
                        done_before_the_kill.append(seed)
                        first.kill()  # by the first that is answered, while the others wait
                    return answer
            time.sleep(0.1)
        raise AssertionError("never answered")

    with ThreadPoolExecutor(len(seeds)) as clients:
        answers = [clients.submit(insist, seed) for seed in seeds]
        wait_for(lambda: first.process.poll() is not None, 240)
        second = Process(tmp_path / "second.log", "--model", "small-v1", "--port", str(port), TMPDIR=str(folder))
        try:
            found = [answer.result(240) for answer in answers]
            wait_for(second.find_port)
            assert 1 <= len(done_before_the_kill) < len(seeds)
            assert found == [second.ask(f"/v1/upscale?steps=6&seed={seed}", png())[1] for seed in seeds]
            assert list(folder.iterdir()) == []
        finally:
            second.kill()
