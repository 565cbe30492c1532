"""The models that come with the package, by name."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("openvino")

from skimage import data

from srdiff import Upscaler
from srdiff.bundle import Bundle
from srdiff.errors import OptionError
from srdiff.model_names import DEFAULT_MODEL, built_in, bundle_folder
from srdiff.resize import bicubic


@pytest.mark.parametrize("name", built_in())
def test_every_file_is_the_one_that_was_exported(name: str) -> None:
    bundle = Bundle(bundle_folder(name))
    assert bundle.manifest.name == name
    for file in bundle.file_names:
        bundle.read(file)


def test_a_folder_comes_before_a_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert bundle_folder("clean") == built_in()["clean"] and bundle_folder(None) == DEFAULT_MODEL
    (tmp_path / "clean").mkdir()
    assert bundle_folder("clean") == Path("clean")


def test_clean_is_one_step_and_nearer_the_truth_than_bicubic() -> None:
    truth = data.astronaut()[:256, 128:384]
    lr = bicubic(truth, 64, 64)
    upscaler = Upscaler.from_bundle("clean", precision="fp32")
    steps: list[tuple[int, int]] = []
    result = upscaler.upscale(lr, callback=lambda done, total: steps.append((done, total)))
    assert steps == [(1, 1)]

    def error(image: np.ndarray) -> float:
        return float(np.mean((image.astype(float) - truth) ** 2))

    assert error(result) < 0.85 * error(bicubic(lr, 256, 256))
    again = upscaler.upscale(lr, seed=1)
    assert 0 < np.abs(again.astype(int) - result).mean() < 2  # seeds differ, by less than shows
    with pytest.raises(OptionError, match=r"clean is a student: .* in 1 step and has no other sampler"):
        upscaler.upscale(lr, steps=10)


def test_photo_takes_noise_away() -> None:
    """A noisy flat becomes flat, and a noisy eye comes nearer to the truth than clean brings it."""
    models = {name: Upscaler.from_bundle(name, precision="fp32") for name in ("clean", "photo")}
    noise = np.random.default_rng(0).normal(0, 8, (48, 48, 3))
    flat = np.rint(noise + np.array([90, 120, 160])).astype(np.uint8)
    left = {name: model.upscale(flat).astype(float).std(axis=(0, 1)).mean() for name, model in models.items()}
    assert left["photo"] < 0.5 * left["clean"]
    truth = data.chelsea()[60:252, 110:302]
    noisy = np.clip(np.rint(bicubic(truth, 48, 48) + noise), 0, 255).astype(np.uint8)
    errors = {name: np.square(model.upscale(noisy).astype(float) - truth).mean() for name, model in models.items()}
    assert errors["photo"] < 0.8 * errors["clean"]
