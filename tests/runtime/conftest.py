"""The order of two imports, and ``srdiff-run`` and ``srdiff-models`` in this process."""

from __future__ import annotations

import contextlib

# Protobuf takes the generated code of both only in this order, and float16 graphs are made with onnx.
with contextlib.suppress(ImportError):
    import mindspore  # noqa: F401

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

import srdiff.commands.models as models_command
import srdiff.commands.run as run_command
from srdiff.upscaler import Upscaler

from ..models import ONE_STEP, SMALL
from .adding import Models


@pytest.fixture(scope="session")
def small_upscaler() -> Upscaler:
    return Upscaler.from_bundle(SMALL, engine="onnxruntime", device="cpu")


@pytest.fixture
def srdiff_run(small_upscaler: Upscaler, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """``srdiff-run`` in a folder of its own, with one step and an engine that is open already."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("srdiff.batch.recipe.Upscaler.from_bundle", lambda *_: small_upscaler)

    def run(*arguments: object, code: int = 0) -> Result:
        words = [*map(str, arguments), *ONE_STEP]
        result = CliRunner().invoke(run_command.main, words)
        assert result.exit_code == code, result.output
        return result

    return run


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "store"
    monkeypatch.setenv("SRDIFF_MODELS", str(folder))
    return folder


@pytest.fixture
def models(store: Path) -> Models:
    def run(*words: object, code: int = 0) -> str:
        result = CliRunner().invoke(models_command.main, [str(word) for word in words])
        assert result.exit_code == code, result.output
        assert code == 0 or result.output.count("\n") == 1, result.output
        return result.output

    return run
