"""The MindSpore cells against a second version in PyTorch, with the options that the recorded runs do not have."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from ..conftest import DATA

torch = pytest.importorskip("torch")
ms = pytest.importorskip("mindspore")

from racing.torch_reference import Weights, random_state, reference  # noqa: E402

from srdiff_training.model.checkpoint import load_checkpoint  # noqa: E402
from srdiff_training.model.config import NetworkConfig  # noqa: E402

from .checkpoint_files import TORCH_LAYOUTS, save_mindspore, save_torch  # noqa: E402

# Of the largest value; measured 1.6e-6 at most. The reference computes in float64, so this is the cells' own rounding.
BOUND = 1e-5

LR_SHAPE = (2, 3, 4, 6)


def leiali(**options) -> NetworkConfig:
    sizes = {"encoder_channels": 6, "encoder_blocks": 2, "encoder_growth": 3, "encoder_bias": True}
    return NetworkConfig("leiali", **{**sizes, "unet_channels": 8, "unet_mults": (1, 3), **options})


ALL_OPTIONS = leiali(use_attn=True, up_input=True)


def inputs(config: NetworkConfig) -> tuple[np.ndarray, ...]:
    """x, t, lr, lr_up of a batch of two at different steps, not square."""
    rng = np.random.default_rng(1)
    n, c, h, w = LR_SHAPE
    shapes = (n, c, h * config.scale, w * config.scale), LR_SHAPE, (n, c, h * config.scale, w * config.scale)
    x, lr, lr_up = (rng.standard_normal(shape, dtype=np.float32) for shape in shapes)
    return x, np.float32([99, 4]), lr, lr_up


def expected_eps(config: NetworkConfig, state: dict, weight_norm: bool = False) -> np.ndarray:
    weights = Weights({name: tensor.double() for name, tensor in state.items()})
    arrays = (torch.from_numpy(array).double() for array in inputs(config))
    return reference(config, weights, weight_norm).eps(*arrays).numpy()


def loaded_eps(path: Path, config: NetworkConfig) -> np.ndarray:
    """What the cells make of the checkpoint; every size inferred from the file must be the one it was made with."""
    checkpoint = load_checkpoint(path)
    assert checkpoint.config == config
    return checkpoint.build()(*(ms.Tensor(array) for array in inputs(config))).asnumpy()


def relative_error(actual: np.ndarray, expected: np.ndarray) -> float:
    return float(np.abs(actual - expected).max() / np.abs(expected).max())


def test_reference_agrees_with_the_recorded_run() -> None:
    """Else the comparisons below would prove nothing."""
    content = torch.load(str(DATA / "leiali_tiny.ckpt"), weights_only=True)["state_dict"]["model"]
    sizes = json.loads((DATA / "leiali_tiny.json").read_text())["config"]
    config = NetworkConfig(
        "leiali",
        encoder_channels=sizes["rrdb_num_feat"],
        encoder_blocks=sizes["rrdb_num_block"],
        encoder_growth=sizes["rrdb_num_feat"] // 2,
        encoder_bias=True,
        unet_channels=sizes["hidden_size"],
        unet_mults=tuple(int(mult) for mult in sizes["unet_dim_mults"].split("|")),
    )
    weights = Weights({name: tensor.double() for name, tensor in content.items()})
    arrays = np.load(DATA / "leiali_tiny.npz")
    for t in (99, 50, 0):
        x, lr, lr_up = (torch.from_numpy(arrays[name]).double() for name in (f"x_before_{t}", "lr", "lr_up"))
        eps = reference(config, weights).eps(x, torch.tensor([t]).double(), lr, lr_up).numpy()
        # The recording is float32: measured 1.2e-6.
        assert relative_error(eps, arrays[f"eps_{t}"]) < 5e-6
    beside = [name for name in set(content) - weights.used if "." in name]
    assert all(name.startswith(("rrdb.upconv", "rrdb.HRconv", "rrdb.conv_last")) for name in beside)


def test_every_option_counts() -> None:
    """An option that left eps as it is would be compared in vain."""
    state = random_state(ALL_OPTIONS, weight_norm=True)
    eps = expected_eps(ALL_OPTIONS, state, weight_norm=True)
    for name in (
        "denoise_fn.mid_attn.fn.g",
        "denoise_fn.mid_attn.fn.fn.to_qkv.weight_g",
        "denoise_fn.up_proj.1.weight_g",
        "denoise_fn.downs.0.0.block1.block.1.weight_g",
        "rrdb.RRDB_trunk.1.RDB3.conv5.bias",
    ):
        changed = expected_eps(ALL_OPTIONS, {**state, name: torch.zeros_like(state[name])}, weight_norm=True)
        assert relative_error(changed, eps) > 100 * BOUND, name


@pytest.mark.parametrize("layout", TORCH_LAYOUTS)
def test_all_options_of_leiali_in_every_layout(pynative: None, tmp_path: Path, layout: str) -> None:
    state = random_state(ALL_OPTIONS, weight_norm=True)
    path = save_torch(tmp_path / "model.ckpt", state, layout)
    error = relative_error(loaded_eps(path, ALL_OPTIONS), expected_eps(ALL_OPTIONS, state, weight_norm=True))
    assert error < BOUND


def test_all_options_of_leiali_compiled(tmp_path: Path) -> None:
    ms.set_context(mode=ms.GRAPH_MODE, device_target="CPU")
    state = random_state(ALL_OPTIONS)
    path = save_torch(tmp_path / "model.ckpt", state)
    assert relative_error(loaded_eps(path, ALL_OPTIONS), expected_eps(ALL_OPTIONS, state)) < BOUND


@pytest.mark.parametrize(
    "config",
    [
        leiali(use_attn=True),
        leiali(up_input=True, encoder_bias=False),
        leiali(scale=2, encoder_blocks=3),
        leiali(scale=8, unet_mults=(1, 2, 2)),
    ],
    ids=["use_attn", "up_input", "x2", "x8"],
)
def test_options_of_leiali_one_by_one(pynative: None, tmp_path: Path, config: NetworkConfig) -> None:
    state = random_state(config)
    path = save_torch(tmp_path / "model.pth", state)
    assert relative_error(loaded_eps(path, config), expected_eps(config, state)) < BOUND


@pytest.mark.parametrize(
    "sizes",
    [{"up_input": True}, {"scale": 3, "encoder_blocks": 5}, {"scale": 2, "encoder_bias": True}],
    ids=["up_input", "x3", "x2 with bias"],
)
def test_options_of_mindediting(pynative: None, tmp_path: Path, sizes: dict) -> None:
    defaults = {"encoder_channels": 6, "encoder_blocks": 2, "encoder_growth": 3, "unet_channels": 8}
    config = NetworkConfig("mindediting", **{**defaults, "unet_mults": (1, 3), **sizes})
    state = random_state(config)
    path = save_mindspore(tmp_path / "model.ckpt", state)
    assert relative_error(loaded_eps(path, config), expected_eps(config, state)) < BOUND


@pytest.mark.parametrize("family", ["mindediting", "leiali"])
def test_sizes_below_the_stated_ones_fail_in_the_reference_too(family: str) -> None:
    """hr_multiple and hr_minimum are the networks' own limits, not this project's."""
    config = NetworkConfig(family, 2, 4, 2, 3, unet_channels=4, unet_mults=(1, 2, 2))
    network = reference(config, Weights())

    def run(side: int) -> None:
        hr = torch.zeros(1, 3, side, side)
        network.eps(hr, torch.zeros(1), torch.zeros(1, 3, side // 2, side // 2), hr)

    run(config.hr_minimum)
    with pytest.raises(RuntimeError):
        run(config.hr_minimum + config.hr_multiple // 2)
    if config.hr_minimum > config.hr_multiple:
        with pytest.raises(RuntimeError):
            run(config.hr_minimum - config.hr_multiple)
