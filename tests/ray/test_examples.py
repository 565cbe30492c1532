"""The examples of a batch and a service, as they are."""

from __future__ import annotations

import concurrent.futures
import io
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("ray.serve", reason="pip install 'srdiff[ray]' 'ray[serve]'")

import httpx
import ray
from PIL import Image
from ray import serve

from srdiff import Upscaler

from .cluster import pictures

EXAMPLES = Path(__file__).parents[2] / "examples"


def test_a_batch(tmp_path):
    pictures(tmp_path / "in", 3)
    (tmp_path / "in" / "0001.png").write_bytes(b"no image")
    command = [sys.executable, EXAMPLES / "ray_batch.py", "in", "out", "--model", "clean"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, timeout=300)
    said = done.stdout.decode()
    assert done.returncode == 0 and said.splitlines()[-1] == "2 done, 1 failed", said + done.stderr.decode()
    assert "0001.png is no image" in said and sorted(os.listdir(tmp_path / "out")) == ["0000.png", "0002.png"]


def test_a_service_with_back_pressure(monkeypatch):
    monkeypatch.syspath_prepend(EXAMPLES)
    import ray_serve

    engine = {"engine": "onnxruntime", "device": "cpu", "precision": "fp32"}
    ray.init(num_cpus=2, include_dashboard=False, runtime_env={"env_vars": {"PYTHONPATH": _path()}})
    try:
        serve.start(http_options={"port": 8765})
        serve.run(ray_serve.Enlarger.options(max_queued_requests=1).bind("clean", **engine))
        picture = np.random.default_rng(0).integers(0, 256, (40, 40, 3), np.uint8)
        answer = _post(_png(picture), "?seed=7")
        expected = Upscaler.from_bundle("clean", threads=1, **engine).upscale(picture, seed=7)
        assert answer.status_code == 200
        np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(answer.content))), expected)
        assert _post(b"no image").status_code == 400 and "no image" in _post(b"no image").text
        assert _post(_png(picture), "?seed=x").status_code == 422
        large = _png(np.random.default_rng(0).integers(0, 256, (160, 160, 3), np.uint8))
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            codes = sorted(answer.status_code for answer in pool.map(_post, [large] * 8))
        assert set(codes) == {200, 503} and codes.count(200) >= 2, codes
        assert _post(_png(picture)).status_code == 200  # and afterwards it serves
    finally:
        serve.shutdown()
        ray.shutdown()


def _path() -> str:
    return os.pathsep.join([str(EXAMPLES), os.environ.get("PYTHONPATH", "")])


def _png(pixels: np.ndarray) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PNG")
    return stream.getvalue()


def _post(content: bytes, query: str = "") -> httpx.Response:
    return httpx.post(f"http://127.0.0.1:8765/{query}", content=content, timeout=120)
