"""What ``latency.py`` counts, against counts by hand."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("onnx", reason="pip install 'srdiff[bench]'")

from racing.flops import FlopCounter

from srdiff.bundle import Bundle
from srdiff_training.model.config import NetworkConfig

from .golden_bundle import GOLDEN, config_of, encoder_flops, unet_flops


@pytest.mark.parametrize("lr_shape", [(8, 8), (12, 20)])
def test_flops_are_those_counted_by_hand(bundle: Path, lr_shape: tuple[int, int]) -> None:
    config, manifest = config_of(bundle), Bundle(bundle).manifest
    hr = tuple(side * config.scale for side in lr_shape)
    counter = FlopCounter(Bundle(bundle))
    image = (1, 3, *hr)
    shapes = {
        "x": image,
        "time_bias": (1, manifest.time_bias_channels, 1, 1),
        "cond": (1, manifest.cond_channels, *hr),
        "coef": (1, 6, 1, 1),
        "noise": image,
        "x0_prev": image,
    }
    assert counter.count("step", shapes) == unet_flops(config, *hr)
    assert counter.count("encoder", {"lr": (1, 3, *lr_shape)}) == encoder_flops(config, *lr_shape)


def test_the_cards_sizes_need_what_the_design_says() -> None:
    """By hand, which the test above holds against the graphs: 2.20 MFLOP per pixel, 144 GFLOP for 64x64."""
    flops = unet_flops(NetworkConfig("mindediting"), 256, 256)
    assert flops / 256**2 / 1e6 == pytest.approx(2.20, abs=0.005)
    assert flops / 1e9 == pytest.approx(144, abs=0.5)


def test_a_shape_that_onnx_cannot_infer_is_no_smaller_count() -> None:
    with pytest.raises(KeyError):
        FlopCounter(Bundle(GOLDEN)).count("encoder", {"another": (1, 3, 8, 8)})
