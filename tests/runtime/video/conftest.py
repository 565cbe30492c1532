"""``srdiff-video`` in this process, with an engine that is open already."""

from __future__ import annotations

from typing import Callable

import pytest
from click.testing import CliRunner, Result

import srdiff.commands.video as video_command
from srdiff.upscaler import Upscaler

from .command import BUNDLE, STEPS


@pytest.fixture(scope="session")
def upscaler() -> Upscaler:
    return Upscaler.from_bundle(BUNDLE, engine="onnxruntime", device="cpu")


@pytest.fixture
def srdiff_video(upscaler: Upscaler, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    monkeypatch.setattr("srdiff.commands.video.Upscaler.from_bundle", lambda *_: upscaler)

    def run(*arguments: object, code: int = 0) -> Result:
        result = CliRunner().invoke(video_command.main, [*map(str, STEPS), *map(str, arguments)])
        assert result.exit_code == code, result.output
        return result

    return run
