"""Teachers and settings of tiny distillations."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import mindspore as ms
import numpy as np
from racing.torch_reference import random_state

from srdiff_training.model.config import NetworkConfig
from srdiff_training.model.parameter_names import public_name, to_public_layout
from srdiff_training.run.settings import TrainSettings
from srdiff_training.run.settings_file import settings_from

from .checkpoint_files import save_mindspore, save_torch

TINY = {"patch": 16, "batch": 2, "steps_per_epoch": 20, "learning_rate": 3e-4, "workers": 1, "log_every": 1}
L1_ALONE = {"perceptual": 0.0, "adversarial": 0.0}


def save_teacher(folder: Path, family: str) -> Path:
    config = NetworkConfig(
        family, encoder_channels=4, encoder_blocks=2, encoder_growth=2, unet_channels=4, unet_mults=(1, 2)
    )
    state = random_state(config)
    save = save_torch if family == "leiali" else save_mindspore
    return save(folder / f"{family}.ckpt", state)


def distil_settings(teacher: Path, data: Path, output: Path, distil: dict[str, Any], **changes: Any) -> TrainSettings:
    values = {**TINY, "data": str(data), "output": str(output), "teacher": str(teacher), "distil": distil, **changes}
    return settings_from("distil", values)


def public_state(network: ms.nn.Cell) -> dict[str, np.ndarray]:
    config = network.config
    return {
        public_name(p.name, config): to_public_layout(p.name, p.asnumpy(), config).copy()
        for p in network.get_parameters()
    }
