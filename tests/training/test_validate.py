"""Validation of a network during training."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("mindspore")

import mindspore as ms
from PIL import Image

from srdiff.errors import ImageError, OptionError
from srdiff.resize import bicubic
from srdiff.upscaler import Upscaler
from srdiff_training.measure.fidelity import fidelity
from srdiff_training.measure.validate import Validator, validate
from srdiff_training.model.cells import CellSource
from srdiff_training.model.checkpoint import load_checkpoint
from srdiff_training.model.families import MINDEDITING
from srdiff_training.model.graphs import CellEngine
from srdiff_training.model.network import SRDiff
from tests.conftest import DATA

pytestmark = pytest.mark.usefixtures("pynative")
RECIPE = replace(MINDEDITING.recipe, clip_denoised=True)


@pytest.fixture
def network() -> SRDiff:
    return load_checkpoint(DATA / "mindediting_tiny.ckpt").build()


@pytest.fixture
def pairs(tmp_path: Path, photo: np.ndarray) -> Path:
    """Two true images of different sizes, of sides that the network does not take unpadded."""
    folder = tmp_path / "pairs"
    (folder / "HR").mkdir(parents=True)
    Image.fromarray(photo[:22, :19]).save(folder / "HR" / "a.png")
    Image.fromarray(photo[::-1]).save(folder / "HR" / "b.png")
    return folder


def test_scores_are_the_means_of_what_the_runtime_makes(network, pairs):
    upscaler = Upscaler(CellSource(network, RECIPE), CellEngine(network, RECIPE.clip_denoised))
    expected = []
    for name, height, width in (("a.png", 20, 16), ("b.png", 24, 20)):
        hr = np.asarray(Image.open(pairs / "HR" / name))[:height, :width]
        lr = bicubic(hr, height // 4, width // 4)
        expected.append(fidelity(hr, upscaler.upscale(lr, seed=5, steps=3), 2))
    scores = validate(network, RECIPE, pairs, steps=3, seed=5, crop=2)
    assert scores.images == 2
    for key in ("psnr_y", "ssim_y", "psnr_rgb", "ssim_rgb"):
        assert getattr(scores, key) == pytest.approx(np.mean([entry[key] for entry in expected]), abs=1e-9)


def test_it_sees_the_present_weights_and_leaves_them_alone(network, pairs):
    before = {parameter.name: parameter.asnumpy().copy() for parameter in network.get_parameters()}
    validator = Validator(network, RECIPE, pairs, limit=1)
    first = validator(steps=2)
    assert first == validator(steps=2) and first.images == 1
    assert validator(steps=2, seed=1) != first
    after = {parameter.name: parameter.asnumpy() for parameter in network.get_parameters()}
    assert list(after) == list(before)
    assert all(np.array_equal(after[name], before[name]) for name in before)
    for parameter in network.denoise_fn.time_embedding.get_parameters():
        parameter.set_data(ms.Tensor(parameter.asnumpy() * np.float32(0.5)))
    assert validator(steps=2) != first


def test_the_recipe_counts(network, pairs):
    first = validate(network, RECIPE, pairs, steps=2, limit=1)
    assert validate(network, replace(RECIPE, res_rescale=1.0), pairs, steps=2, limit=1) != first
    assert validate(network, replace(RECIPE, clip_denoised=False), pairs, steps=2, limit=1) != first


def test_an_image_below_the_window_of_ssim_has_none(network, tmp_path, photo):
    Image.fromarray(photo[:8, :8]).save(tmp_path / "small.png")
    scores = validate(network, RECIPE, tmp_path, steps=1, crop=0)
    assert scores.ssim_y is None and scores.ssim_rgb is None and scores.psnr_y > 5


def test_bad_input_is_one_sentence(network, pairs, tmp_path):
    with pytest.raises(ImageError, match="holds no images"):
        validate(network, RECIPE, tmp_path / "missing")
    with pytest.raises(OptionError, match="1 to 100"):
        validate(network, RECIPE, pairs, steps=101)
    with pytest.raises(OptionError, match="leaves nothing"):
        validate(network, RECIPE, pairs, steps=1, crop=12)
    with pytest.raises(OptionError, match="res_rescale"):
        replace(RECIPE, res_rescale=0.0)
