"""Every family and option through ONNX on each CPU engine, against a sampler and networks written in PyTorch."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
ms = pytest.importorskip("mindspore")

from racing.torch_reference import Weights, random_state, reference  # noqa: E402

from srdiff.bundle import Bundle, write_bundle  # noqa: E402
from srdiff.engines import open_engine  # noqa: E402
from srdiff.noise import NoiseSource  # noqa: E402
from srdiff.samplers import DDPM  # noqa: E402
from srdiff.schedule import linear_betas  # noqa: E402
from srdiff.upscaler import Upscaler  # noqa: E402
from srdiff_export.export import ExportOptions, _manifest, _write_graphs  # noqa: E402
from srdiff_training.model.checkpoint import load_checkpoint  # noqa: E402
from srdiff_training.model.config import NetworkConfig  # noqa: E402

from .option_matrix import MATRIX  # noqa: E402

ENGINES = ("openvino", "onnxruntime")
# x_0 is neither drowned in noise nor hidden by the clamp, which is left out: every step counts.
BETAS = np.array([0.3, 0.5, 0.7])
# Of the largest value of x_0; measured 1.5e-6 at most. The reference computes in float64, the engines in float32.
BOUND = 1e-5


@pytest.fixture(autouse=True, scope="module")
def _contexts() -> None:
    ms.set_context(mode=ms.GRAPH_MODE, device_target="CPU")  # as an export does
    torch.set_num_threads(1)


def recorded_noise() -> NoiseSource:
    """In the order in which a sampler asks."""
    rng = np.random.default_rng(3)
    return lambda stream, top, left, height, width: rng.standard_normal((3, height, width), dtype=np.float32)


def expected_x0(
    config: NetworkConfig, state: dict, weight_norm: bool, betas: np.ndarray, pixels: np.ndarray
) -> np.ndarray:
    """DDPM (Ho et al., arXiv 2006.11239, algorithm 2) from the last timestep on: [3, H, W] float64."""
    network = reference(config, Weights({name: tensor.double() for name, tensor in state.items()}), weight_norm)
    size = [config.scale * side for side in pixels.shape[:2]]
    lr = torch.from_numpy(pixels / 127.5 - 1).permute(2, 0, 1)[None]
    lr_up = torch.from_numpy(config.record.recipe.lr_up.apply(pixels, *size))[None].double()
    draw = recorded_noise()
    x = torch.from_numpy(draw(0, 0, 0, *size))[None].double()
    kept = np.cumprod(1 - betas)
    for t in range(len(betas) - 1, -1, -1):
        eps = network.eps(x, torch.tensor([float(t)], dtype=torch.float64), lr, lr_up)
        x0 = (x - (1 - kept[t]) ** 0.5 * eps) / kept[t] ** 0.5
        if t > 0:
            variance = betas[t] * (1 - kept[t - 1]) / (1 - kept[t])
            mean = kept[t - 1] ** 0.5 * betas[t] * x0 + (1 - betas[t]) ** 0.5 * (1 - kept[t - 1]) * x
            x = mean / (1 - kept[t]) + variance**0.5 * torch.from_numpy(draw(0, 0, 0, *size))[None].double()
    return x0[0].numpy()


def require_agreement(
    folder: Path, config: NetworkConfig, lr_shape: tuple[int, int], betas: np.ndarray, weight_norm: bool
) -> Bundle:
    """Exports a checkpoint with random weights and runs it on every engine beside PyTorch."""
    state = random_state(config, weight_norm)
    path = folder / "model.pth"
    torch.save({**state, "betas": torch.from_numpy(betas)}, str(path))
    checkpoint = load_checkpoint(path)
    options = ExportOptions(clip_denoised=False)
    manifest = _manifest(path, checkpoint, options)
    _write_graphs(folder, checkpoint, manifest, options)
    write_bundle(folder, manifest)
    bundle = Bundle(folder)
    pixels = np.random.default_rng(5).integers(0, 256, (*lr_shape, 3)).astype(np.uint8)
    expected = expected_x0(config, state, weight_norm, betas, pixels)
    for engine in ENGINES:
        upscaler = Upscaler(bundle, open_engine(engine, "cpu", "fp32"))
        found = upscaler.sample(pixels, bundle.manifest.plan(DDPM), recorded_noise())
        assert np.abs(found - expected).max() < BOUND * np.abs(expected).max(), engine
    return bundle


@pytest.mark.parametrize("name", MATRIX)
def test_every_option_on_every_engine(tmp_path: Path, name: str) -> None:
    linear = name == "mindediting x2 bias"
    betas = linear_betas(12) if linear else BETAS
    bundle = require_agreement(tmp_path, *MATRIX[name], betas, weight_norm=name == "leiali deep, all")
    assert bundle.manifest.schedule.name == ("linear" if linear else "custom")


def test_a_weight_that_is_off_by_a_hundredth_is_seen() -> None:
    """Else the comparisons above would prove nothing."""
    config, lr_shape = MATRIX["leiali use_attn"]
    pixels = np.random.default_rng(5).integers(0, 256, (*lr_shape, 3)).astype(np.uint8)
    state = random_state(config)
    expected = expected_x0(config, state, False, BETAS, pixels)
    state["denoise_fn.mid_attn.fn.fn.to_out.weight"] *= 1.01
    wrong = expected_x0(config, state, False, BETAS, pixels)
    assert np.abs(wrong - expected).max() > 10 * BOUND * np.abs(expected).max()
