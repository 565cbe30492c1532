"""What the public implementations recorded, through MindIR and MindSpore Lite on the CPU."""

from __future__ import annotations

import numpy as np
import pytest

from tests.conftest import Golden
from tests.export.test_golden import CASES, RECORDED, RecordingUpscaler


@pytest.mark.parametrize("case", CASES)
def test_every_recorded_step_and_the_final_pixels(export_mindir, case):
    family, clip_denoised, prefix, output, (black, white) = CASES[case]
    golden = Golden(family)
    upscaler = RecordingUpscaler.from_bundle(
        export_mindir(family, clip_denoised), engine="mindspore_lite", device="cpu", threads=2
    )
    result = upscaler.upscale(golden.arrays["lr_uint8"][0], noise=golden.noise())

    assert len(upscaler.kept) == 100
    for t in RECORDED:
        expected = golden.arrays[f"{prefix}x_after_{t}"]
        error = np.abs(upscaler.kept[99 - t] - expected).max() / np.abs(expected).max()
        # The first step multiplies the float32 error of eps, 1e-6, by 2029 and clamps.
        assert error < 1e-3, f"t = {t}"
    recorded = (golden.arrays[output][0].transpose(1, 2, 0) - black) / (white - black)
    difference = np.abs(result.astype(int) - np.rint(np.clip(recorded, 0, 1) * 255).astype(int))
    assert difference.max() <= 1
    assert (difference > 0).mean() <= 1e-3


@pytest.mark.parametrize("case", CASES)
def test_the_noise_predictor_alone(export_mindir, case):
    """eps at the recorded x: with C = 0 and D = 2**-10 the clamp is out of reach and x0 is eps / 1024."""
    family, clip_denoised, prefix, _, _ = CASES[case]
    golden = Golden(family)
    upscaler = RecordingUpscaler.from_bundle(export_mindir(family, clip_denoised), device="cpu")
    lr = golden.arrays["lr"]
    height, width = lr.shape[2:]
    inputs = {"cond": upscaler.graph("encoder", height, width).run({"lr": lr})["cond"]}
    inputs["coef"] = np.array([0, 2**-10, 0, 0, 0, 0], np.float32).reshape(1, 6, 1, 1)
    time_bias = upscaler.bundle.time_bias()
    for t in (99, 50, 0):
        x = golden.arrays[f"{prefix}x_before_{t}"]
        inputs.update(
            x=x, noise=np.zeros_like(x), x0_prev=np.zeros_like(x), time_bias=time_bias[t].reshape(1, -1, 1, 1)
        )
        eps = upscaler.graph("step", height, width).run(inputs)["x0"] * 1024
        expected = golden.arrays[f"{prefix}eps_{t}"]
        assert np.abs(eps - expected).max() / np.abs(expected).max() < 1e-4, f"t = {t}"
