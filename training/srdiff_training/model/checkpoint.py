"""Reads SRDiff checkpoints of both families; sizes are inferred from parameter names and shapes."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import mindspore as ms
import numpy as np

from srdiff.errors import CheckpointError

from ..checkpoints.read import Tensors
from ..checkpoints.weight_norm import fold_weight_norm
from ..checkpoints.weights import Weights, read_weights
from .config import NetworkConfig
from .families import FAMILIES
from .infer_config import infer_config
from .network import SRDiff
from .parameter_names import public_name, public_shape, to_own_layout
from .stored_recipe import StoredRecipe

# Beside the networks, a checkpoint may hold the optimizer's state (MindSpore; `discriminator` is this project's
# trainer's), other parts of its family's code and buffers that follow from the betas (leiali).
_OPTIMIZER = re.compile(
    r"^(moment[12v]?|m|v|accum|stat|momentum|discriminator)\.|^(global_step|epoch_num|step_num|learning_rate|loss_scale|"
    r"beta[12]_power|current_iterator_step|last_overflow_iterator_step|scale_sense)$"
)
_OTHER_PARTS = re.compile("|".join(family.other_parts for family in FAMILIES.values()))


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint whose every parameter has its place in the network.

    Attributes:
        config: the family and all sizes.
        tensors: float32 arrays by their names in the file, nothing but the networks.
        stored: how it is sampled, as far as the file says it.
        weights: ``ema`` or ``raw``, which of them these are; None where the file does not say.
        other_weights: the kind that the file has, too; None where it has one.
    """

    config: NetworkConfig
    tensors: Tensors
    stored: StoredRecipe
    weights: str | None = None
    other_weights: str | None = None

    @property
    def taken(self) -> str:
        """Which weights these are, for a reader; empty where the file has one kind and does not name it."""
        left = f", {self.other_weights} left out" if self.other_weights else ""
        return f"{self.weights}{left}" if self.weights else ""

    def build(self) -> SRDiff:
        """The networks with these weights, in inference mode."""
        network = SRDiff(self.config)
        for parameter in network.get_parameters():
            array = to_own_layout(parameter.name, self.tensors[public_name(parameter.name, self.config)], self.config)
            parameter.set_data(ms.Tensor(np.ascontiguousarray(array)))
        network.set_train(False)
        return network


def load_checkpoint(path: Path | str, family: str | None = None, weights: str | None = None) -> Checkpoint:
    """Read a checkpoint file and check that it is a complete SRDiff.

    Args:
        path: of MindSpore, PyTorch (zip or legacy) or safetensors.
        family: one of ``FAMILIES``; None takes it from the parameter names.
        weights: ``ema`` or ``raw``; None takes the averaged ones, where there are any.

    Raises:
        CheckpointError: the file cannot be read, is another network, or a parameter is missing, extra or of
            another shape; the message names it.
        OptionError: ``weights`` is neither.
    """
    path = Path(path)
    chosen: Weights = read_weights(path, weights)
    folded = fold_weight_norm(path, chosen.tensors)
    tensors = {name: array for name, array in folded.items() if not _is_beside_network(name)}
    config = infer_config(path, tensors, family)
    _check_complete(path, tensors, config)
    buffers = {name: array for name, array in folded.items() if "." not in name}
    stored = StoredRecipe(path, buffers)
    if config.fidelity and stored.student_steps is None:
        raise CheckpointError(
            f"{path} has a second last convolution, as a student of one step has, and does not say that it is one; "
            "give the checkpoint that its distillation wrote"
        )
    return Checkpoint(config, tensors, stored, chosen.kind, chosen.other)


def _is_beside_network(name: str) -> bool:
    is_buffer = "." not in name
    return is_buffer or bool(_OPTIMIZER.search(name) or _OTHER_PARTS.search(name))


def _check_complete(path: Path, tensors: Tensors, config: NetworkConfig) -> None:
    stored = sum(array.size for array in tensors.values())
    if config.least_parameters > stored:  # else a few bytes could ask for a network of any size
        raise CheckpointError(
            f"{path} has {stored} numbers where a network of the sizes that its shapes tell has more than "
            f"{config.least_parameters}; it is damaged or another network"
        )
    expected = {
        public_name(parameter.name, config): public_shape(parameter.name, tuple(parameter.shape), config)
        for parameter in SRDiff(config).get_parameters()
    }
    for name, shape in expected.items():
        if name not in tensors:
            raise CheckpointError(f"{path} lacks parameter {name} {list(shape)}; it is incomplete, export another")
        if tensors[name].shape != shape:
            raise CheckpointError(
                f"{path} has parameter {name} of shape {list(tensors[name].shape)} where {list(shape)} follows from "
                "the others; it is damaged or another network"
            )
        if not np.isfinite(tensors[name]).all():
            raise CheckpointError(f"{path} has NaN or infinity in parameter {name}; take an earlier checkpoint")
    extra = sorted(set(tensors) - set(expected))
    if extra:
        raise CheckpointError(
            f"{path} has parameter {extra[0]} ({len(extra)} in all) that an SRDiff of family {config.family} "
            "does not have; it is another network"
        )
