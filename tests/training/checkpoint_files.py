"""Writes checkpoints in every layout that the two families' trainers, or a user after them, leave behind."""

from __future__ import annotations

from pathlib import Path

import mindspore as ms
import numpy as np
import pytest
import torch
from racing.torch_reference import random_state

from srdiff.errors import CheckpointError
from srdiff.schedule import cosine_betas
from srdiff_training.model.checkpoint import load_checkpoint
from srdiff_training.model.config import NetworkConfig

# name: (is nested as the trainer does it, is a zip archive)
TORCH_LAYOUTS = {
    "trainer, legacy": (True, False),
    "trainer, zip": (True, True),
    "bare, legacy": (False, False),
    "bare, zip": (False, True),
}


def save_torch(
    path: Path,
    state: dict[str, torch.Tensor],
    layout: str = "bare, legacy",
    betas: np.ndarray | None = None,
) -> Path:
    """The trainer's layout holds Adam's state, the step count, the schedule's buffers and the RRDB's own head too."""
    is_nested, is_zip = TORCH_LAYOUTS[layout]
    content: dict = dict(state)
    if is_nested:
        betas = cosine_betas() if betas is None else betas
        head = {f"rrdb.{name}.weight": torch.ones(2, 2, 3, 3) for name in ("upconv1", "HRconv", "conv_last")}
        moments = {"step": torch.tensor(3.0), "exp_avg": torch.full((8,), float("nan"))}
        content = {
            "global_step": 3,
            "optimizer_states": [{"state": {0: moments}, "param_groups": [{"lr": 1e-4, "params": [0]}]}],
            "state_dict": {
                "model": {
                    "betas": torch.tensor(betas, dtype=torch.float32),
                    "alphas_cumprod": torch.tensor(np.cumprod(1 - betas), dtype=torch.float32),
                    **content,
                    **head,
                }
            },
        }
    torch.save(content, str(path), _use_new_zipfile_serialization=is_zip)
    return path


def save_mindspore(path: Path, state: dict[str, torch.Tensor], with_optimizer: bool = False) -> Path:
    """As ``ModelCheckpoint`` does; with Adam's moments (here NaN) and counters where asked for."""
    arrays = {name: tensor.numpy() for name, tensor in state.items()}
    extra = None
    if with_optimizer:
        for moment in ("moment1", "moment2"):
            arrays.update({f"{moment}.{name}": np.full(tensor.shape, np.nan) for name, tensor in state.items()})
        arrays.update({name: np.ones(1) for name in ("beta1_power", "beta2_power", "learning_rate", "global_step")})
        extra = {"epoch_num": 2, "step_num": 800, "note": "best so far"}
    parameters = [{"name": name, "data": ms.Tensor(array.astype(np.float32))} for name, array in arrays.items()]
    ms.save_checkpoint(parameters, str(path), append_dict=extra)
    return path


SMALL = {
    family: NetworkConfig(family, 2, 2, 2, 1, unet_channels=4, unet_mults=(1, 2), up_input=True)
    for family in ("mindediting", "leiali")
}
STATES = {family: random_state(config) for family, config in SMALL.items()}
LEIALI = STATES["leiali"]
SAVE = {"mindediting": save_mindspore, "leiali": save_torch}


def refusal(path: Path, family: str | None = None) -> str:
    """The sentence with which a checkpoint is refused."""
    with pytest.raises(CheckpointError) as info:
        load_checkpoint(path, family)
    message = str(info.value).replace(f"{path.parent}/", "")  # the folder has the test's name
    assert message.startswith(path.name)
    assert "\n" not in message
    assert ". " not in message  # one sentence
    return message
