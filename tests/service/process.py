"""The real process, for tests and measurements."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from .conftest import png

LONG = "sampler=ddpm&steps=100"
LARGE = 64  # pixels each way: with LONG, seconds on any machine of today


class Process:
    """``srdiff-serve`` with a log file, on a free port unless the options say otherwise."""

    def __init__(self, log: Path, *options: str, **variables: str) -> None:
        self.log = log
        command = [sys.executable, "-m", "srdiff.commands.serve", "--port", "0", "--engine", "onnxruntime", *options]
        with log.open("w") as stream:
            self.process = subprocess.Popen(command, stderr=stream, env={**os.environ, **variables})
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

    def job(self, query: str = LONG) -> dict[str, Any]:
        """One that is still running when the next requests come."""
        return json.loads(self.ask(f"/v1/jobs?{query}", png(LARGE))[1])

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()
