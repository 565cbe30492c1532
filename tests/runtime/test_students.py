"""What holds for the built-in model of many steps holds for those of one: engines, seeds, windows, half precisions."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("openvino")  # has no build for Python 3.7

import skimage.data

from srdiff import Upscaler
from srdiff.bundle import Bundle
from srdiff.model_names import built_in
from srdiff.resize import bicubic

from .test_precision import HALVES, HALVES_NAMES, LEAST_PSNR, PICTURES, onnxruntime, openvino, psnr

STUDENTS = [name for name, folder in built_in().items() if Bundle(folder).manifest.student_steps]


@pytest.fixture(scope="module", params=STUDENTS)
def bundle(request: pytest.FixtureRequest) -> Bundle:
    return Bundle(built_in()[request.param])


def test_engines_agree_to_one_level_and_seeds_decide(bundle: Bundle, photo: np.ndarray) -> None:
    ours, theirs = (Upscaler(bundle, opened("fp32")) for opened in (openvino, onnxruntime))
    result = ours.upscale(photo, seed=4)
    assert np.abs(result.astype(int) - theirs.upscale(photo, seed=4)).max() <= 1
    assert np.array_equal(result, ours.upscale(photo, seed=4))
    assert not np.array_equal(result, ours.upscale(photo, seed=5))


def test_windows_cannot_be_seen(bundle: Bundle) -> None:
    """With the bundle's own overlap, against the whole image."""
    image = bicubic(skimage.data.astronaut(), 160, 160)[:, :24]
    engine = openvino("fp32")
    whole, windows = (Upscaler(bundle, engine, tile).upscale(image) for tile in (256, 72))
    assert np.abs(whole.astype(int) - windows).max() <= 1


@pytest.mark.parametrize("engine", HALVES, ids=HALVES_NAMES)
def test_half_precision_is_near_float32(bundle: Bundle, photo: np.ndarray, engine) -> None:
    """Of a photo and pictures unlike the training photos."""
    opened, precision = engine
    exact, half = (Upscaler(bundle, opened(each)) for each in ("fp32", precision))
    for picture in (np.ascontiguousarray(photo[:16, :16]), *PICTURES.values()):
        assert psnr(half.upscale(picture), exact.upscale(picture)) > LEAST_PSNR
