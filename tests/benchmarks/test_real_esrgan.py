"""The peer Real-ESRGAN: its windows, and its network on a photo."""

from __future__ import annotations

import numpy as np
import pytest
from common.real_esrgan import MARGIN, TILE, RealEsrgan, windowed

from srdiff.resize import bicubic
from srdiff_training.measure.fidelity import psnr
from srdiff_training.measure.package_files import PackageFileError


def test_windows_see_a_margin_and_make_the_whole_image() -> None:
    image = np.random.default_rng(0).integers(0, 256, (TILE + 1, 2 * TILE + 30, 3)).astype(np.uint8)
    seen = []

    def nearest(lr: np.ndarray) -> np.ndarray:
        seen.append(lr.shape[:2])
        return lr.repeat(4, 0).repeat(4, 1)

    assert (windowed(image, nearest) == nearest(image)).all()
    assert seen[0] == (TILE + 1, TILE + MARGIN) and len(seen) == 7
    assert max(side for shape in seen[:6] for side in shape) == TILE + 2 * MARGIN


def test_it_enlarges_a_photo_in_its_colours(photo: np.ndarray) -> None:
    pytest.importorskip("ncnn", reason="pip install 'srdiff[bench]'")
    try:
        network = RealEsrgan(1)
    except PackageFileError as error:
        pytest.skip(str(error))
    hr = photo[:64, :64]
    lr = bicubic(hr, 16, 16)
    result = network(lr)
    assert result.shape == hr.shape and result.dtype == np.uint8
    # A GAN trained on photos is near to what it enlarges (here 22.4 dB), and far from it with red and blue swapped.
    assert psnr(hr, result) > 18 > 3 + psnr(hr, result[..., ::-1])
    assert network.calls == 1 and network.seconds > 0
