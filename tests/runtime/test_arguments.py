"""Arguments of no kind that fits are refused in a sentence, by whatever takes them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from srdiff import OptionError, Upscaler
from srdiff.doctor.golden import GOLDEN
from srdiff.latent import fuse, mixed_noise
from srdiff.model_names import built_in
from srdiff.noise import philox_noise
from srdiff.samplers import Sampler
from srdiff.schedule import Schedule

BUNDLE = GOLDEN / "golden.srdiff"
LR, HR = np.zeros((8, 8, 3), np.uint8), np.zeros((32, 32, 3), np.uint8)
ODD: list[Any] = [["x"], {"x": 1}, (), -1, 1.5, float("nan"), "x", b"x", object(), {1: "2"}, {"device_id": 1}, ...]


@pytest.fixture(scope="module")
def upscaler() -> Upscaler:
    return Upscaler.from_bundle(BUNDLE)


@pytest.mark.parametrize("value", ODD)
@pytest.mark.parametrize("name", ["device", "engine", "precision", "threads", "tile", "overlap", "engine_options"])
def test_of_opening(name: str, value: Any) -> None:
    if name == "engine_options" and value == ():
        return  # none
    with pytest.raises(OptionError):
        Upscaler.from_bundle(BUNDLE, **{name: value})


def test_a_device_is_a_name() -> None:
    with pytest.raises(OptionError, match="device is None"):
        Upscaler.from_bundle(BUNDLE, device=None)  # type: ignore[arg-type]


@pytest.mark.parametrize("value", ODD)
@pytest.mark.parametrize("name", ["seed", "steps", "sampler", "eta", "spacing", "preset", "fidelity"])
def test_of_a_run(name: str, value: Any, upscaler: Upscaler) -> None:
    with pytest.raises(OptionError):
        upscaler.upscale(LR, **{name: value})


@pytest.mark.parametrize("value", ODD)
def test_of_what_is_around_it(value: Any, upscaler: Upscaler) -> None:
    for name in ("name", "eta", "spacing", "fidelity"):
        with pytest.raises(OptionError):
            Sampler(**{name: value})
    with pytest.raises(OptionError):
        Schedule.named(value)
    with pytest.raises(OptionError):
        Schedule.named("cosine", value)
    with pytest.raises(OptionError):
        mixed_noise(philox_noise(1), philox_noise(2), value)
    with pytest.raises(OptionError):
        fuse(upscaler, LR, HR, strength=value)


def test_a_student_is_refused_before_the_pictures_are_looked_at() -> None:
    student = Upscaler.from_bundle(built_in()["photo"])
    with pytest.raises(OptionError, match="is a student"):
        fuse(student, LR, Path("no picture"))
