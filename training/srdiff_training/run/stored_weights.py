"""From a checkpoint's arrays to a network's parameters, for runs that begin with another's weights."""

from __future__ import annotations

from pathlib import Path
from typing import Callable

import mindspore as ms
import numpy as np
from mindspore import Parameter, nn

from srdiff.errors import CheckpointError

from ..checkpoints.weights import read_weights
from ..model.checkpoint import load_checkpoint
from ..model.config import NetworkConfig
from ..model.parameter_names import public_name, rrdb_name, to_own_layout

# The one part that no gradient trains, see :mod:`.truth_fit`.
TRUE_CONV = "true_conv"


def stored_name(stage: str, config: NetworkConfig) -> Callable[[str], str]:
    """Own name -> name in the file."""
    return rrdb_name if stage == "rrdb" else (lambda own: public_name(own, config))


def set_parameter(parameter: Parameter, own: str, array: np.ndarray, config: NetworkConfig) -> None:
    """Give a parameter, called ``own`` here, the array that a checkpoint has for it."""
    parameter.set_data(ms.Tensor(np.ascontiguousarray(to_own_layout(own, array, config))))


def load_rrdb(path: Path, parameters: list[Parameter], config: NetworkConfig) -> None:
    """Fill parameters of an encoder, or of an encoder with its image head, from an RRDB checkpoint.

    Raises:
        CheckpointError: the file cannot be read, is no RRDB, or has other sizes.
    """
    tensors = read_weights(path).tensors
    if "conv_first.weight" not in tensors:
        raise CheckpointError(
            f"{path} is no RRDB checkpoint: it lacks conv_first.weight; for weights of a whole SRDiff use init_from"
        )
    for parameter in parameters:
        name, shape = rrdb_name(parameter.name), tuple(parameter.shape)
        if name not in tensors:
            raise CheckpointError(
                f"{path} lacks parameter {name} {list(shape)}; it is incomplete, or no RRDB with an image head"
            )
        if tensors[name].shape != shape:
            raise CheckpointError(
                f"{path} has parameter {name} of shape {list(tensors[name].shape)} where the configuration's sizes "
                f"ask for {list(shape)}; change them under network, or give another checkpoint"
            )
    blocks = {name.split(".")[1] for name in tensors if name.startswith("RRDB_trunk.")}
    if len(blocks) != config.encoder_blocks:
        raise CheckpointError(
            f"{path} has {len(blocks)} RRDBs where the configuration has {config.encoder_blocks}; "
            "change network.encoder_blocks, or give another checkpoint"
        )
    for parameter in parameters:
        set_parameter(parameter, parameter.name, tensors[rrdb_name(parameter.name)], config)


def load_srdiff(path: Path, network: nn.Cell, config: NetworkConfig, student: bool | None = None) -> bool:
    """Fill a whole SRDiff from a checkpoint of either family.

    A ``true_conv`` is left out where the configuration has none, and stays as it is where the checkpoint has none: it
    is fitted when the other weights are done.

    Args:
        student: whether the checkpoint must be a student's, which gives x_0, or must not; None takes both.

    Returns:
        Whether a ``true_conv`` was left out.

    Raises:
        CheckpointError: its sizes are others, or it is not what it must be.
    """
    checkpoint = load_checkpoint(path)
    if student is not None and student != (checkpoint.stored.student_steps is not None):
        raise CheckpointError(
            f"{path} holds no student; name it as the teacher, and leave init_from out"
            if student
            else f"{path} holds a student, no teacher; go on from it in the stage distil with init_from={path}"
        )
    for name, value in vars(config).items():
        found = getattr(checkpoint.config, name)
        if found != value and name != "fidelity":
            raise CheckpointError(
                f"{path} has {name} {found} where the configuration has {value}; change network.{name}, "
                "or give another checkpoint"
            )
    for parameter in network.get_parameters():
        own = parameter.name
        if TRUE_CONV in own and not checkpoint.config.fidelity:
            continue
        set_parameter(parameter, own, checkpoint.tensors[public_name(own, config)], config)
    return checkpoint.config.fidelity and not config.fidelity
