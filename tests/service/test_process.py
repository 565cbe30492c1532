"""The real process over real sockets: clients that go, bodies that lie, and stopping."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any, Iterator

import pytest

from .conftest import png, wait_for

LONG = "sampler=ddpm&steps=100"


class Process:
    """``srdiff-serve`` on a free port."""

    def __init__(self, log: Path) -> None:
        self.log = log
        command = [sys.executable, "-m", "srdiff.commands.serve", "--port", "0", "--model", "small-v1"]
        with log.open("w") as stream:
            self.process = subprocess.Popen([*command, "--engine", "onnxruntime"], stderr=stream)
        self.port = 0

    def find_port(self) -> bool:
        found = re.search(r"http://127\.0\.0\.1:(\d+)", self.log.read_text())
        self.port = int(found.group(1)) if found else 0
        return bool(found)

    def ask(self, path: str, body: bytes | None = None, method: str | None = None) -> tuple[int, bytes]:
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", body, method=method)
        try:
            with urllib.request.urlopen(request, timeout=120) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as error:
            return error.code, error.read()

    def send(self, path: str, body: bytes, length: int | None = None) -> socket.socket:
        """A request by hand; whoever sends it may hang up at any time."""
        connection = socket.create_connection(("127.0.0.1", self.port), 60)
        head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {len(body) if length is None else length}"
        connection.sendall(head.encode() + b"\r\n\r\n" + body)
        return connection

    def metric(self, name: str) -> float:
        text = self.ask("/metrics")[1].decode()
        return sum(float(value) for value in re.findall(rf"^{re.escape(name)}(?:{{.*}})? (.*)$", text, re.MULTILINE))

    def job(self, query: str = LONG, seed: int = 0) -> dict[str, Any]:
        return json.loads(self.ask(f"/v1/jobs?{query}&seed={seed}", png())[1])


@pytest.fixture
def started(tmp_path: Path) -> Iterator[Process]:
    began = time.monotonic()
    process = Process(tmp_path / "log")
    try:
        wait_for(process.find_port)
        assert process.ask("/livez")[0] == 200
        first = process.ask("/readyz")[0]
        assert first == 503 or time.monotonic() - began > 1
        wait_for(lambda: process.ask("/readyz")[0] == 200)
        yield process
    finally:
        process.process.kill()
        process.process.wait()


def test_clients_that_go(started: Process) -> None:
    """A running one is stopped within a step, a waiting one is gone at once, a listener's job after a while."""
    running = started.send(f"/v1/upscale?{LONG}", png())
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


def test_bodies_that_lie_or_never_come(started: Process) -> None:
    with started.send("/v1/upscale", png(), length=1 << 40) as connection:
        assert b" 413 " in connection.recv(100)
    with started.send("/v1/upscale", png()[:50], length=1000) as connection:
        connection.shutdown(socket.SHUT_WR)
        connection.recv(100)
    with started.send("/v1/upscale", png(), length=-1) as connection:
        assert b" 400 " in connection.recv(100)
    assert started.ask("/v1/upscale?steps=1", png())[0] == 200


def test_draining_finishes_what_is_in_the_line(started: Process) -> None:
    job = started.job("sampler=ddpm&steps=60")
    wait_for(lambda: json.loads(started.ask(f"/v1/jobs/{job['id']}")[1])["done"] >= 1)
    started.process.send_signal(signal.SIGTERM)
    wait_for(lambda: started.ask("/readyz")[0] == 503)
    status, answer = started.ask("/v1/upscale?steps=1", png())
    assert status == 503 and json.loads(answer)["reason"] == "draining"
    wait_for(lambda: json.loads(started.ask(f"/v1/jobs/{job['id']}")[1])["state"] == "done")
    assert started.ask(f"/v1/jobs/{job['id']}/result")[1].startswith(b"\x89PNG")
    assert started.process.wait(30) == 0
    assert "Traceback" not in started.log.read_text()


def test_a_second_signal_stops(started: Process) -> None:
    job = started.job()
    wait_for(lambda: json.loads(started.ask(f"/v1/jobs/{job['id']}")[1])["done"] >= 1)
    started.process.send_signal(signal.SIGTERM)
    wait_for(lambda: started.ask("/readyz")[0] == 503)
    started.process.send_signal(signal.SIGTERM)
    started.process.wait(20)


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
