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
