"""The programs of docs/embedding.md run."""

from __future__ import annotations

import importlib.util
import io
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from PIL import Image

from srdiff import Upscaler

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
    (path.with_name("b.png")).write_bytes(path.read_bytes())
    targets = example("embed_threads").enlarge_all([path, path.with_name("b.png")])
    assert len(targets) == 2 and all(np.array_equal(pixels(target), expected) for target in targets)


def test_fastapi(path: Path, expected: np.ndarray) -> None:
    pytest.importorskip("fastapi")
    from starlette.testclient import TestClient

    with TestClient(example("embed_fastapi").app) as client:
        answer = client.post("/enlarge", content=path.read_bytes())
        assert np.array_equal(pixels(io.BytesIO(answer.content)), expected)
        assert client.post("/enlarge", content=b"no image").status_code == 422
        assert client.post("/enlarge", content=bytes((8 << 20) + 1)).status_code == 413


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
