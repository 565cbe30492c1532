"""The programs of docs/embedding.md run."""

from __future__ import annotations

import asyncio
import importlib.util
import io
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from PIL import Image

from srdiff import OutputError, Upscaler

ROOT = Path(__file__).parents[1]
SMALL = np.tile(np.arange(0, 240, 20, dtype=np.uint8)[:, None, None], (1, 12, 3))


def example(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, ROOT / "examples" / f"{name}.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def expected() -> np.ndarray:
    return Upscaler.from_bundle().upscale(SMALL)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    Image.fromarray(SMALL).save(tmp_path / "in.png")
    return tmp_path / "in.png"


def pixels(file: object) -> np.ndarray:
    return np.asarray(Image.open(file))  # type: ignore[arg-type]


def test_threads(path: Path, expected: np.ndarray) -> None:
    other = path.with_name("in.bmp")
    Image.fromarray(SMALL).save(other)
    module = example("embed_threads")
    targets = module.enlarge_all([path, other])
    assert len(set(targets)) == 2 and all(np.array_equal(pixels(target), expected) for target in targets)
    targets[0].write_bytes(b"somebody's")
    with pytest.raises(OutputError, match="is kept; move it away"):
        module.enlarge_all([path])
    assert targets[0].read_bytes() == b"somebody's"


def test_fastapi(path: Path, expected: np.ndarray) -> None:
    pytest.importorskip("fastapi")
    from starlette.testclient import TestClient

    with TestClient(example("embed_fastapi").app) as client:
        answer = client.post("/enlarge", content=path.read_bytes())
        assert np.array_equal(pixels(io.BytesIO(answer.content)), expected)
        assert client.post("/enlarge", content=b"no image").status_code == 422
        assert client.post("/enlarge?seed=-1", content=path.read_bytes()).status_code == 422
        assert client.post("/enlarge", content=bytes((8 << 20) + 1)).status_code == 413


@pytest.mark.parametrize("whole", [True, False])
def test_fastapi_whose_client_hangs_up(path: Path, whole: bool) -> None:
    pytest.importorskip("fastapi")
    module = example("embed_fastapi")

    class Never:
        async def upscale(self, image: Any, seed: int) -> None:
            await asyncio.Event().wait()

    async def answer() -> int:
        messages = [
            {"type": "http.request", "body": path.read_bytes(), "more_body": not whole},
            {"type": "http.disconnect"},
        ]
        module.app.state.upscaler = Never()

        async def receive() -> Any:
            return messages.pop(0)

        request = module.Request({"type": "http", "app": module.app}, receive)
        return (await module.enlarge(request)).status_code

    assert asyncio.run(answer()) == module.GONE


def test_worker(path: Path, expected: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    """Through a broker, though one in memory, and a real worker."""
    pytest.importorskip("celery")
    from celery.contrib.testing.worker import start_worker

    monkeypatch.setenv("BROKER", "memory://")
    module = example("embed_worker")
    module.app.conf.result_backend = "cache+memory://"
    target = path.with_name("out.png")
    with start_worker(module.app, perform_ping_check=False):
        module.enlarge.delay(str(path), str(target)).get(timeout=60)
    assert np.array_equal(pixels(target), expected)


def test_the_page_names_every_program() -> None:
    text = (ROOT / "docs" / "embedding.md").read_text(encoding="utf-8")
    for file in (ROOT / "examples").glob("embed_*.py"):
        assert f"../examples/{file.name}" in text
