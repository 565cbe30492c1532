"""A bundle of either family, one small photo, and the LPIPS weights where they can be had."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

with suppress(ImportError):  # before onnx: they disagree on protobuf
    import mindspore  # noqa: F401

pytest.importorskip("flip_evaluator", reason="pip install 'srdiff[bench]'")

from grading.lpips_weights import load_weights
from PIL import Image
from skimage import data

from srdiff_training.measure.package_files import PackageFileError

from .golden_bundle import GOLDEN

SIDE = 128  # of fewer pixels one level of rounding already moves LPIPS by 0.001


@pytest.fixture(scope="session", params=["mindediting", "leiali"])
def bundle(request: pytest.FixtureRequest) -> Path:
    """Of either family; the other one's is exported here."""
    if request.param == "mindediting":
        return GOLDEN
    return request.getfixturevalue("export_golden")(request.param, True)


@pytest.fixture(scope="session")
def photo() -> np.ndarray:
    """Eyes and hair: [128, 128, 3] uint8."""
    return np.ascontiguousarray(data.astronaut()[64 : 64 + SIDE, 176 : 176 + SIDE])


@pytest.fixture
def photos(tmp_path: Path, photo: np.ndarray) -> Path:
    """A data set of that one photo."""
    folder = tmp_path / "Photos"
    (folder / "HR").mkdir(parents=True)
    Image.fromarray(photo).save(folder / "HR" / "eyes.png")
    return folder


@pytest.fixture(scope="session")
def weights() -> dict[str, np.ndarray]:
    try:
        return load_weights()
    except PackageFileError as error:
        pytest.skip(str(error))
