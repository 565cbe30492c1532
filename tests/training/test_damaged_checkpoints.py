"""Checkpoints of something else, and damaged ones: one sentence that names what is wrong."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from srdiff.errors import CheckpointError
from srdiff.schedule import MAX_TIMESTEPS

torch = pytest.importorskip("torch")
ms = pytest.importorskip("mindspore")

from racing.torch_reference import random_state  # noqa: E402

from srdiff_training.model.checkpoint import load_checkpoint  # noqa: E402
from srdiff_training.model.config import NetworkConfig  # noqa: E402
from srdiff_training.model.recipe_options import RecipeOptions  # noqa: E402

from .checkpoint_files import LEIALI, SAVE, SMALL, STATES, refusal, save_mindspore, save_torch  # noqa: E402


def test_checkpoint_of_the_rrdb_alone(tmp_path: Path) -> None:
    state = {name[len("rrdb.") :]: tensor for name, tensor in LEIALI.items() if name.startswith("rrdb.")}
    message = refusal(save_torch(tmp_path / "rrdb.ckpt", state))
    assert "the RRDB encoder alone" in message and "diffusion stage" in message


def test_checkpoint_without_a_denoiser(tmp_path: Path) -> None:
    state = {name: tensor for name, tensor in STATES["mindediting"].items() if name.startswith("encoder.")}
    assert "denoise_fn.*" in refusal(save_mindspore(tmp_path / "encoder.ckpt", state))


@pytest.mark.parametrize("family", ["mindediting", "leiali"])
def test_wrong_family(tmp_path: Path, family: str) -> None:
    other = "leiali" if family == "mindediting" else "mindediting"
    path = SAVE[family](tmp_path / "model.ckpt", STATES[family])
    assert f"family {family}, not {other}" in refusal(path, other)


@given(data=st.data(), family=st.sampled_from(["mindediting", "leiali"]))
@settings(max_examples=25)
def test_any_missing_parameter_is_named(data: st.DataObject, family: str) -> None:
    missing = data.draw(st.sampled_from(sorted(STATES[family])))
    state = {name: tensor for name, tensor in STATES[family].items() if name != missing}
    with tempfile.TemporaryDirectory() as folder:
        assert missing in refusal(SAVE[family](Path(folder, "model.ckpt"), state))


@pytest.mark.parametrize(
    "missing",
    [
        "rrdb.conv_first.weight",
        "rrdb.RRDB_trunk.0.RDB1.conv1.weight",
        "rrdb.RRDB_trunk.0.RDB1.conv1.bias",
        "rrdb.RRDB_trunk.1.RDB3.conv5.bias",
        "denoise_fn.cond_proj.weight",
        "denoise_fn.downs.0.0.mlp.1.bias",
        "denoise_fn.up_proj.1.weight",
        "denoise_fn.mid_attn.fn.g",
        "denoise_fn.final_conv.1.bias",
    ],
)
def test_missing_parameter_that_tells_a_size_is_named(tmp_path: Path, missing: str) -> None:
    config = NetworkConfig("leiali", 2, 2, 2, 1, True, unet_channels=4, unet_mults=(1, 2), up_input=True, use_attn=True)
    state = random_state(config)
    del state[missing]
    assert missing in refusal(save_torch(tmp_path / "model.ckpt", state))


@given(data=st.data(), shape=st.lists(st.integers(0, 9), max_size=4))
@settings(max_examples=40)
def test_any_misshapen_parameter_is_refused(data: st.DataObject, shape: list[int]) -> None:
    name = data.draw(st.sampled_from(sorted(LEIALI)))
    if list(LEIALI[name].shape) == shape:
        shape = [*shape, 1]
    with tempfile.TemporaryDirectory() as folder:
        refusal(save_torch(Path(folder, "model.ckpt"), {**LEIALI, name: torch.ones(shape)}))


def test_misshapen_parameter_is_named(tmp_path: Path) -> None:
    name = "denoise_fn.mid_block1.block2.block.1.weight"
    message = refusal(save_torch(tmp_path / "model.ckpt", {**LEIALI, name: torch.ones(8, 8, 5, 5)}))
    assert f"{name} of shape [8, 8, 5, 5] where [8, 8, 3, 3]" in message


@pytest.mark.parametrize("shape", [(), (2,), (0, 0, 0, 0), (5, 7, 3, 3), (2, 4, 3, 3, 1)], ids=str)
@pytest.mark.parametrize(
    "name",
    [
        "rrdb.conv_first.weight",
        "rrdb.RRDB_trunk.0.RDB1.conv1.weight",
        "denoise_fn.cond_proj.weight",
        "denoise_fn.downs.0.0.mlp.1.bias",
        "denoise_fn.downs.1.0.mlp.1.bias",
    ],
)
def test_misshapen_parameter_that_tells_a_size(tmp_path: Path, name: str, shape: tuple[int, ...]) -> None:
    refusal(save_torch(tmp_path / "model.ckpt", {**LEIALI, name: torch.ones(shape)}))


@pytest.mark.parametrize("prefix", ["rrdb.RRDB_trunk.", "denoise_fn.downs."])
def test_a_block_is_missing(tmp_path: Path, prefix: str) -> None:
    """The number of blocks is not taken from the largest number: that would build a network of a billion blocks."""
    state = {**LEIALI, f"{prefix}999999999.0.mlp.1.bias": torch.ones(4)}
    assert f"lacks every parameter {prefix}2.*" in refusal(save_torch(tmp_path / "model.ckpt", state))
    state = {name: tensor for name, tensor in LEIALI.items() if not name.startswith(f"{prefix}0.")}
    assert f"lacks every parameter {prefix}0.*" in refusal(save_torch(tmp_path / "model.ckpt", state))


def test_extra_parameter_is_named(tmp_path: Path) -> None:
    name = "denoise_fn.mid_block3.mlp.1.bias"
    assert name in refusal(save_torch(tmp_path / "model.ckpt", {**LEIALI, name: torch.ones(3)}))


def test_group_norm_is_refused(tmp_path: Path) -> None:
    name = "denoise_fn.downs.0.0.block1.block.2.weight"
    assert name in refusal(save_torch(tmp_path / "model.ckpt", {**LEIALI, name: torch.ones(4)}))


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_not_finite(tmp_path: Path, value: float) -> None:
    name = "denoise_fn.mid_block1.mlp.1.weight"
    damaged = LEIALI[name].clone()
    damaged[0, 0] = value
    message = refusal(save_torch(tmp_path / "model.ckpt", {**LEIALI, name: damaged}))
    assert f"NaN or infinity in parameter {name}" in message


@pytest.mark.parametrize("missing", ["weight_g", "weight_v"])
def test_half_a_weight_norm(tmp_path: Path, missing: str) -> None:
    state = random_state(SMALL["leiali"], weight_norm=True)
    name = f"denoise_fn.mid_block1.block1.block.1.{missing}"
    del state[name]
    assert name in refusal(save_torch(tmp_path / "model.ckpt", state))


@pytest.mark.parametrize("shape", [(3, 1, 1, 1), (8,), (8, 8, 3, 3), ()], ids=str)
def test_misshapen_weight_norm(tmp_path: Path, shape: tuple[int, ...]) -> None:
    state = random_state(SMALL["leiali"], weight_norm=True)
    name = "denoise_fn.mid_block1.block1.block.1.weight_g"
    state[name] = torch.ones(shape)
    assert name in refusal(save_torch(tmp_path / "model.ckpt", state))


@pytest.mark.filterwarnings("error")
def test_weight_norm_of_zero_is_refused_quietly(tmp_path: Path) -> None:
    state = random_state(SMALL["leiali"], weight_norm=True)
    stem = "denoise_fn.mid_block1.block1.block.1.weight"
    state[stem + "_v"] = torch.zeros_like(state[stem + "_v"])
    assert f"NaN or infinity in parameter {stem}" in refusal(save_torch(tmp_path / "model.ckpt", state))


@pytest.mark.parametrize(
    "betas",
    [np.zeros(0), np.zeros(100), np.full(100, np.nan), np.linspace(0.1, 1.5, 100), np.full(MAX_TIMESTEPS + 1, 0.1)],
    ids=["none", "zeros", "nan", "beyond 1", "too many"],
)
def test_impossible_betas(tmp_path: Path, betas: np.ndarray) -> None:
    checkpoint = load_checkpoint(save_torch(tmp_path / "model.ckpt", LEIALI, "trainer, zip", betas))
    with pytest.raises(CheckpointError, match="betas that are no noise schedule"):
        RecipeOptions().recipe(checkpoint)
    assert RecipeOptions(schedule="linear").recipe(checkpoint).schedule.name == "linear"  # an option helps
