"""The checkpoint that goes along with a bundle: the networks' weights and how to sample them, nothing of training."""

from __future__ import annotations

from pathlib import Path

import mindspore as ms
import numpy as np

from srdiff.manifest import Manifest
from srdiff_training.model.checkpoint import Checkpoint
from srdiff_training.model.stored_recipe import CLIP_DENOISED, RES_RESCALE, STUDENT_STEPS

CHECKPOINT_NAME = "checkpoint.ckpt"


def save_networks(checkpoint: Checkpoint, path: Path, manifest: Manifest) -> None:
    """Write a MindSpore checkpoint with the family's names, in the precision of the manifest's weights.

    It is read back to the same network, schedule, clamp and factor as ``checkpoint``, as far as the precision goes.
    """
    dtype = np.dtype(manifest.weights_dtype)
    arrays = {name: array.astype(dtype) for name, array in checkpoint.tensors.items()}
    arrays["betas"] = np.asarray(manifest.schedule.betas, np.float32)
    arrays[RES_RESCALE] = np.array([manifest.res_rescale], np.float32)
    arrays[CLIP_DENOISED] = np.array([manifest.clip_denoised], np.float32)
    if manifest.student_steps is not None:
        arrays[STUDENT_STEPS] = np.array([manifest.student_steps], np.float32)
    ms.save_checkpoint([{"name": name, "data": ms.Tensor(array)} for name, array in arrays.items()], str(path))
    path.chmod(0o644)  # it writes files that nobody may change or replace
