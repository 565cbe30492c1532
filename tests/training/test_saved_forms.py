"""Checkpoints as people save them: wrapped, averaged, in halves, with settings beside them."""

from __future__ import annotations

import argparse
import datetime
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from srdiff.errors import CheckpointError, OptionError
from srdiff.schedule import cosine_betas, linear_betas

torch = pytest.importorskip("torch")
ms = pytest.importorskip("mindspore")

from racing.torch_reference import random_state  # noqa: E402

from srdiff_training.model.checkpoint import Checkpoint, load_checkpoint  # noqa: E402
from srdiff_training.model.config import NetworkConfig  # noqa: E402
from srdiff_training.model.recipe_options import RecipeOptions  # noqa: E402

from .saved_forms import AVERAGED, BUFFERS, CONFIG, DENOISER, ENCODER, STATE, saved, under  # noqa: E402


def is_state(checkpoint: Checkpoint, state: dict) -> bool:
    return sorted(checkpoint.tensors) == sorted(state) and all(
        np.array_equal(checkpoint.tensors[name], tensor.float().numpy()) for name, tensor in state.items()
    )


WRAPPED = {
    **{prefix: under(prefix) for prefix in ("module.", "_orig_mod.", "model.", "network.")},
    "compiled and parallel": under("module._orig_mod.model."),
    "compiled within": {name.replace("denoise_fn.", "denoise_fn._orig_mod."): t for name, t in STATE.items()},
    "parallel within": {name.replace("denoise_fn.", "model.denoise_fn.module."): t for name, t in STATE.items()},
    "nested": {"epoch": 3, "model": {"state_dict": under("module.")}, "optimizer": {"exp_avg": torch.ones(3)}},
    "lightning": {
        "epoch": 3, "global_step": 5, "pytorch-lightning_version": "2.5.0",
        "state_dict": under("model.", {**STATE, **BUFFERS}),
        "loops": {"fit_loop": {"state_dict": {}}}, "callbacks": {"ModelCheckpoint": {"best": torch.tensor(1.0)}},
        "optimizer_states": [{"state": {0: {"exp_avg": torch.ones(2)}}}], "lr_schedulers": [], "hparams_name": "kwargs",
        "hyper_parameters": OrderedDict(args=argparse.Namespace(lr=1e-3, path=Path("/data"))),
    },
    "numpy beside": {
        "state_dict": STATE, "best": np.float64(27.5), "steps": np.int64(3), "array": np.ones(3),
        "args": argparse.Namespace(a=[1]), "when": datetime.datetime(2026, 1, 1),
        "random": {"numpy": np.random.RandomState(0).get_state(), "torch": torch.get_rng_state()},
        "kinds": {torch.float32, torch.Size([1])}, "device": torch.device("cpu"), "complex": 1j, 7: torch.ones(1),
    },
    "parameters": {name: torch.nn.Parameter(tensor) for name, tensor in STATE.items()},
}  # fmt: skip


@pytest.mark.parametrize("is_zip", [True, False], ids=["zip", "legacy"])
@pytest.mark.parametrize("form", WRAPPED)
def test_wrapped_weights_are_the_same_weights(tmp_path: Path, form: str, is_zip: bool) -> None:
    checkpoint = load_checkpoint(saved(tmp_path, WRAPPED[form], _use_new_zipfile_serialization=is_zip))
    assert is_state(checkpoint, STATE)
    assert (checkpoint.config, checkpoint.weights, checkpoint.taken) == (CONFIG, None, "")
    assert (checkpoint.stored.schedule is None) == (form != "lightning")


def test_the_mindspore_wrapper(tmp_path: Path) -> None:
    config = NetworkConfig("mindediting", 2, 2, 2, 1, unet_channels=4, unet_mults=(1, 2))
    state = {name: tensor.numpy() for name, tensor in random_state(config).items()}
    content = [{"name": f"network.{name}", "data": ms.Tensor(array)} for name, array in state.items()]
    content += [{"name": f"moment1.network.{name}", "data": ms.Tensor(array)} for name, array in state.items()]
    ms.save_checkpoint(content, str(tmp_path / "a.ckpt"))
    tensors = load_checkpoint(tmp_path / "a.ckpt").tensors
    assert sorted(tensors) == sorted(state) and all(np.array_equal(tensors[name], state[name]) for name in state)


BOTH = {
    "basicsr": {"params": STATE, "params_ema": AVERAGED},
    "ema beside": {"model": STATE, "ema": AVERAGED, "step": 3},
    "ema-pytorch": {
        "model": STATE,
        "ema": {**under("online_model."), **under("ema_model.", AVERAGED), "initted": torch.tensor(True)},
    },
    "in one dictionary": {**under("model."), **under("model_ema.", AVERAGED)},
    "names without dots": {
        **under("model."),
        **{"model_ema." + name.replace(".", ""): tensor for name, tensor in AVERAGED.items()},
    },
    "lightning": {"state_dict": under("model.", AVERAGED), "current_model_state": under("model.")},
    "this trainer's": {**AVERAGED, **under("raw.")},
}  # fmt: skip


@pytest.mark.parametrize("form", BOTH)
def test_averaged_weights_and_raw_ones(tmp_path: Path, form: str) -> None:
    path = saved(tmp_path, BOTH[form])
    for wanted, state, taken in (
        (None, AVERAGED, "ema, raw left out"),
        ("ema", AVERAGED, "ema, raw left out"),
        ("raw", STATE, "raw, ema left out"),
    ):
        checkpoint = load_checkpoint(path, weights=wanted)
        assert is_state(checkpoint, state) and checkpoint.taken == taken, wanted


def test_a_frozen_encoder_has_no_average(tmp_path: Path) -> None:
    path = saved(tmp_path, {"model": {**STATE, **BUFFERS}, "ema": DENOISER})
    checkpoint = load_checkpoint(path)
    assert is_state(checkpoint, {**ENCODER, **DENOISER})
    assert checkpoint.stored.schedule is not None


@pytest.mark.parametrize(
    "content", [under("ema_model.", AVERAGED), {**under("module.", AVERAGED), "n_averaged": torch.tensor(5)}]
)
def test_averaged_weights_alone(tmp_path: Path, content: dict) -> None:
    path = saved(tmp_path, content)
    assert is_state(load_checkpoint(path), AVERAGED) and load_checkpoint(path, weights="ema").taken == "ema"
    with pytest.raises(CheckpointError, match="has no raw weights of a network; leave the option weights out"):
        load_checkpoint(path, weights="raw")


def test_weights_that_are_not_there(tmp_path: Path) -> None:
    path = saved(tmp_path, STATE)
    assert is_state(load_checkpoint(path, weights="raw"), STATE)
    with pytest.raises(CheckpointError, match="has no averaged weights"):
        load_checkpoint(path, weights="ema")
    with pytest.raises(OptionError, match="choose one of ema, raw"):
        load_checkpoint(path, weights="best")


def test_two_networks_are_not_mixed(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="twice, the second as network"):
        load_checkpoint(saved(tmp_path, {**under("model."), **under("network.", AVERAGED)}))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16], ids=str)
def test_safetensors(tmp_path: Path, dtype: torch.dtype) -> None:
    save_file = pytest.importorskip("safetensors.torch").save_file
    state = {name: tensor.to(dtype).contiguous() for name, tensor in {**STATE, **BUFFERS}.items()}
    path = tmp_path / "a.safetensors"
    save_file(under("model.", state), str(path), metadata={"format": "pt"})
    checkpoint = load_checkpoint(path)
    assert is_state(checkpoint, {name: state[name] for name in STATE})
    assert checkpoint.stored.schedule is not None and checkpoint.stored.schedule.name == "cosine"
    for size in (100, path.stat().st_size - 1):
        (tmp_path / "b.safetensors").write_bytes(path.read_bytes()[:size])
        with pytest.raises(CheckpointError, match="is damaged or cut short"):
            load_checkpoint(tmp_path / "b.safetensors")


def test_the_newer_weight_norm(tmp_path: Path) -> None:
    state = random_state(CONFIG, weight_norm=True)
    expected = load_checkpoint(saved(tmp_path, state)).tensors
    newer = {n.replace("weight_g", "parametrizations.weight.original0"): t for n, t in state.items()}
    newer = {n.replace("weight_v", "parametrizations.weight.original1"): t for n, t in newer.items()}
    found = load_checkpoint(saved(tmp_path, newer)).tensors
    assert all(np.array_equal(found[name], expected[name]) for name in expected)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=str)
@pytest.mark.parametrize(("name", "betas"), [("cosine", cosine_betas), ("linear", linear_betas)])
def test_rounded_betas_are_the_schedule_they_were(tmp_path: Path, name: str, betas: Any, dtype: torch.dtype) -> None:
    stored = torch.tensor(betas(100)).to(dtype)
    schedule = load_checkpoint(saved(tmp_path, {**STATE, "betas": stored})).stored.schedule
    assert schedule is not None and schedule.name == name
    np.testing.assert_array_equal(schedule.betas, betas(100))


@pytest.mark.parametrize("betas", [cosine_betas(100, s=0.02), np.linspace(0.01, 0.1, 100) ** 2])
def test_other_rounded_betas_are_none(tmp_path: Path, betas: np.ndarray) -> None:
    stored = torch.tensor(betas, dtype=torch.float16)
    schedule = load_checkpoint(saved(tmp_path, {**STATE, "betas": stored})).stored.schedule
    assert schedule is not None and schedule.name == "custom"


def test_a_long_schedule_is_taken_whole(tmp_path: Path) -> None:
    betas = torch.linspace(0.1, 0.2, 20_000)
    schedule = load_checkpoint(saved(tmp_path, {**STATE, "betas": betas})).stored.schedule
    assert schedule is not None and schedule.betas == tuple(betas.double().tolist())


def test_an_option_overrides_what_it_names(tmp_path: Path) -> None:
    content = {**STATE, "betas": torch.full((100,), 2.0), "srdiff_res_rescale": torch.tensor([float("nan")])}
    checkpoint = load_checkpoint(saved(tmp_path, content))
    recipe = RecipeOptions(schedule="cosine", res_rescale=2.5).recipe(checkpoint)
    assert (recipe.schedule.name, recipe.schedule.timesteps, recipe.res_rescale) == ("cosine", 100, 2.5)
    with pytest.raises(CheckpointError, match="100 betas that are no noise schedule"):
        RecipeOptions(res_rescale=2.5).recipe(checkpoint)
    known = load_checkpoint(saved(tmp_path, {**STATE, **BUFFERS}))
    assert RecipeOptions(timesteps=50).recipe(known).schedule.timesteps == 50
    assert RecipeOptions(timesteps=100).recipe(known).schedule == known.stored.schedule
    custom = load_checkpoint(saved(tmp_path, {**STATE, "betas": torch.linspace(0.1, 0.2, 10)}))
    with pytest.raises(OptionError, match="has 10 betas of no known schedule"):
        RecipeOptions(timesteps=50).recipe(custom)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 0.0, -1.0, 1e9])
@pytest.mark.parametrize("name", ["srdiff_res_rescale", "srdiff_student_steps"])
def test_impossible_numbers_of_the_trainer(tmp_path: Path, name: str, value: float) -> None:
    checkpoint = load_checkpoint(saved(tmp_path, {**STATE, name: torch.tensor([value])}))
    with pytest.raises(CheckpointError, match=f"model.pth has {name}"):
        RecipeOptions().recipe(checkpoint)


def test_half_a_step_of_a_student(tmp_path: Path) -> None:
    """No option overrides it, so none is named."""
    checkpoint = load_checkpoint(saved(tmp_path, {**STATE, "srdiff_student_steps": torch.tensor([0.5])}))
    with pytest.raises(CheckpointError, match="one whole number above 0 and up to 1000 was expected") as info:
        RecipeOptions().recipe(checkpoint)
    assert "option" not in str(info.value)
