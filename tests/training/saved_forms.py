"""A network's weights as a PyTorch program would hold them, and files of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from racing.torch_reference import random_state

from srdiff.schedule import cosine_betas
from srdiff_training.model.config import NetworkConfig

CONFIG = NetworkConfig("leiali", 2, 2, 2, 1, unet_channels=4, unet_mults=(1, 2))
STATE = random_state(CONFIG)
AVERAGED = {name: tensor + 1 for name, tensor in STATE.items()}
BUFFERS = {"betas": torch.tensor(cosine_betas(100), dtype=torch.float32)}


def saved(folder: Path, content: Any, **options: Any) -> Path:
    torch.save(content, str(folder / "model.pth"), **options)
    return folder / "model.pth"


def under(prefix: str, state: dict = STATE) -> dict:
    return {prefix + name: tensor for name, tensor in state.items()}


ENCODER = {name: tensor for name, tensor in STATE.items() if name.startswith("rrdb.")}
DENOISER = {name: tensor for name, tensor in AVERAGED.items() if name.startswith("denoise_fn.")}
