"""The public implementations' own checkpoints, exported, through the runtime, against what they recorded."""

from __future__ import annotations

from typing import Mapping

import numpy as np
import pytest

from srdiff.engines import Arrays, Graph
from srdiff.upscaler import Upscaler
from tests.conftest import Golden

RECORDED = (99, 98, 50, 10, 1, 0)
CASES = {
    # name: (family, clamp, prefix of the arrays, output, its range)
    "mindediting": ("mindediting", False, "noclip_", "output_01_noclip", (0, 1)),
    "mindediting-clamped": ("mindediting", True, "clip_", "output_01_clip", (0, 1)),
    "leiali": ("leiali", True, "", "output_pm1", (-1, 1)),
}


class Recorder(Graph):
    """A step graph that keeps x after each step."""

    def __init__(self, graph: Graph, kept: list[np.ndarray]) -> None:
        self._graph = graph
        self._kept = kept

    def run(self, inputs: Mapping[str, np.ndarray]) -> Arrays:
        outputs = self._graph.run(inputs)
        self._kept.append(outputs["x_next"])
        return outputs


class RecordingUpscaler(Upscaler):
    def graph(self, name: str, height: int, width: int) -> Graph:
        graph = super().graph(name, height, width)
        if name == "encoder":
            return graph
        self.kept: list[np.ndarray] = []
        return Recorder(graph, self.kept)


@pytest.mark.parametrize("engine", ["openvino", "onnxruntime"])
@pytest.mark.parametrize("case", CASES)
def test_every_recorded_step_and_the_final_pixels(export_golden, case, engine):
    family, clip_denoised, prefix, output, (black, white) = CASES[case]
    golden = Golden(family)
    bundle = export_golden(family, clip_denoised)
    upscaler = RecordingUpscaler.from_bundle(bundle, engine=engine, device="cpu", precision="fp32")
    result = upscaler.upscale(golden.arrays["lr_uint8"][0], noise=golden.noise())

    assert len(upscaler.kept) == 100
    for t in RECORDED:
        expected = golden.arrays[f"{prefix}x_after_{t}"]
        error = np.abs(upscaler.kept[99 - t] - expected).max() / np.abs(expected).max()
        # Measured: 3e-5. The first step multiplies the float32 error of eps, 1e-6, by 2029 and clamps.
        assert error < 1e-3, f"t = {t}"
    recorded = (golden.arrays[output][0].transpose(1, 2, 0) - black) / (white - black)
    expected_8bit = np.rint(np.clip(recorded, 0, 1) * 255).astype(int)
    difference = np.abs(result.astype(int) - expected_8bit)
    assert difference.max() <= 1
    assert (difference > 0).mean() <= 1e-3
