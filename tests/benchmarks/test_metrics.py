"""Measures against closed forms and published definitions."""

from __future__ import annotations

import numpy as np
import pytest
from grading import metrics
from grading.metrics import METRICS, MetricSuite, Sample, blur, flip, lr_psnr, spread
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from srdiff.errors import OptionError
from srdiff.resize import bicubic
from srdiff_training.measure.package_files import PackageFileError
from tests.benchmarks.conftest import SIDE


@settings(max_examples=25, deadline=None)
@given(arrays.arrays(np.uint8, (2, 12, 13, 3), elements=st.integers(0, 255)))
def test_flip_is_a_distance(pair: np.ndarray) -> None:
    first, second = pair
    assert flip(Sample(first, first, first, 0)) == 0 <= flip(Sample(first, first, second, 0)) <= 1


def test_lr_psnr_is_perfect_for_the_true_image_and_not_for_bicubic(photo: np.ndarray) -> None:
    lr = bicubic(photo, SIDE // 4, SIDE // 4)
    assert lr_psnr(Sample(None, lr, photo, 0)) == 100
    assert 25 < lr_psnr(Sample(None, lr, bicubic(lr, SIDE, SIDE), 0)) < 45


def test_border_is_left_out(photo: np.ndarray) -> None:
    lr = bicubic(photo, SIDE // 4, SIDE // 4)
    broken = photo.copy()
    broken[:4], broken[:, -4:] = 0, 255
    assert MetricSuite(4)(photo, lr, broken)["psnr_rgb"] == 100
    assert MetricSuite(0)(photo, lr, broken)["psnr_rgb"] < 25


@pytest.mark.parametrize("crop", [-1, SIDE // 2])
def test_impossible_border_is_refused(crop: int, photo: np.ndarray) -> None:
    with pytest.raises(OptionError, match="border"):
        MetricSuite(crop)(photo, photo[::4, ::4], photo)


def test_other_measures_survive_missing_weights(photo: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing() -> None:
        raise PackageFileError("the LPIPS weights could not be fetched (no network); connect")

    monkeypatch.setattr(metrics, "Lpips", missing)
    suite = MetricSuite()
    found = suite(photo, bicubic(photo, SIDE // 4, SIDE // 4), photo)
    assert list(suite.missing) == ["LPIPS"] and "no network" in suite.missing["LPIPS"]
    assert found["lpips"] is None
    assert [key for key, value in found.items() if value is None] == ["lpips"]
    assert set(found) == {metric.key for metric in METRICS}


def test_spread_is_of_what_was_measured() -> None:
    assert spread([1.0, 3.0]) == pytest.approx(np.sqrt(2)) and spread([1.0, None]) is None


def test_blur_grows_with_blurring_and_needs_no_truth(photo: np.ndarray) -> None:
    soft = bicubic(bicubic(photo, SIDE // 4, SIDE // 4), SIDE, SIDE)
    sharp, blurred = (blur(Sample(None, photo, image, 0)) for image in (photo, soft))
    assert 0 < sharp < blurred - 0.1 < blurred < 1


def test_a_photo_without_truth_has_the_measures_that_need_none(photo: np.ndarray) -> None:
    found = MetricSuite(4)(None, bicubic(photo, SIDE // 4, SIDE // 4), photo)
    assert [key for key, value in found.items() if value is not None] == ["lr_psnr", "blur"]
