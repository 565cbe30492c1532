"""Reads SRDiff checkpoints of both families; sizes are inferred from parameter names and shapes."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import mindspore as ms
import numpy as np

from srdiff.errors import CheckpointError, OptionError
from srdiff.schedule import BETAS, Schedule

from ..checkpoints.read import Tensors, read_tensors
from .config import NetworkConfig
from .families import FAMILIES
from .network import SRDiff
from .parameter_names import public_name, public_shape, to_own_layout

# Beside the networks, a checkpoint may hold the optimizer's state (MindSpore; `raw` and `discriminator` are this
# project's trainer's), other parts of its family's code and buffers that follow from the betas (leiali).
_OPTIMIZER = re.compile(
    r"^(moment[12v]?|m|v|accum|stat|momentum|ema|raw|discriminator)\.|^(global_step|epoch_num|step_num|learning_rate|loss_scale|"
    r"beta[12]_power|current_iterator_step|last_overflow_iterator_step|scale_sense)$"
)
_OTHER_PARTS = re.compile("|".join(family.other_parts for family in FAMILIES.values()))
# What srdiff-train adds, as single numbers.
RES_RESCALE, CLIP_DENOISED, STUDENT_STEPS = "srdiff_res_rescale", "srdiff_clip_denoised", "srdiff_student_steps"


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint whose every parameter has its place in the network.

    Attributes:
        config: the family and all sizes.
        tensors: float32 arrays by their names in the file, nothing but the networks.
        schedule: the noise schedule, where the file has the betas (leiali); None where it does not.
        res_rescale, clip_denoised: how to sample it, see :class:`~srdiff_training.model.recipe.Recipe`,
            where the file says so (srdiff-train's own).
        student_steps: of a student, whose network gives x_0, how many steps it takes; None for a network that gives the
            noise.
    """

    config: NetworkConfig
    tensors: Tensors
    schedule: Schedule | None
    res_rescale: float | None = None
    clip_denoised: bool | None = None
    student_steps: int | None = None

    def build(self) -> SRDiff:
        """The networks with these weights, in inference mode."""
        network = SRDiff(self.config)
        for parameter in network.get_parameters():
            array = to_own_layout(parameter.name, self.tensors[public_name(parameter.name, self.config)], self.config)
            parameter.set_data(ms.Tensor(np.ascontiguousarray(array)))
        network.set_train(False)
        return network


def load_checkpoint(path: Path | str, family: str | None = None) -> Checkpoint:
    """Read a checkpoint file and check that it is a complete SRDiff.

    Args:
        path: a MindSpore ``.ckpt``, or a PyTorch checkpoint, zip or legacy (read with ``weights_only``).
        family: one of ``FAMILIES``; None takes it from the parameter names.

    Raises:
        CheckpointError: the file cannot be read, is another network, or a parameter is missing, extra or of
            another shape; the message names it.
    """
    path = Path(path)
    raw = read_tensors(path)
    tensors = {name: array for name, array in _fold_weight_norm(path, raw).items() if not _is_beside_network(name)}
    config = _infer_config(path, tensors, family)
    _check_complete(path, tensors, config)
    clip_denoised, student_steps = _number_of(raw, CLIP_DENOISED), _number_of(raw, STUDENT_STEPS)
    return Checkpoint(
        config,
        tensors,
        _schedule_of(path, raw),
        _number_of(raw, RES_RESCALE),
        None if clip_denoised is None else bool(clip_denoised),
        None if student_steps is None else int(student_steps),
    )


def _fold_weight_norm(path: Path, tensors: Tensors) -> Tensors:
    """Weight norm (Salimans & Kingma, arXiv 1602.07868): weight = g * v / |v|, the norm over all but axis 0."""
    folded = dict(tensors)
    stems = {name[: -len("_g")] for name in tensors if name.endswith((".weight_g", ".weight_v"))}
    for stem in sorted(stems):
        for half, other in (("_g", "_v"), ("_v", "_g")):
            if stem + half not in tensors:
                raise CheckpointError(
                    f"{path} lacks parameter {stem}{half} beside {stem}{other}; it is incomplete, export another"
                )
        g, v = folded.pop(stem + "_g"), folded.pop(stem + "_v").astype(np.float64)
        if v.ndim == 0 or g.shape != v.shape[:1] + (1,) * (v.ndim - 1):
            raise CheckpointError(
                f"{path} has parameter {stem}_g of shape {list(g.shape)} beside {stem}_v of shape {list(v.shape)}, "
                "which is no weight norm; it is damaged or another network"
            )
        norm = np.sqrt((v**2).sum(axis=tuple(range(1, v.ndim)), keepdims=True))
        with np.errstate(divide="ignore", invalid="ignore"):  # not finite is refused later, with the name
            folded[stem] = (g * v / norm).astype(np.float32)
    return folded


def _is_beside_network(name: str) -> bool:
    is_buffer = "." not in name
    return is_buffer or bool(_OPTIMIZER.search(name) or _OTHER_PARTS.search(name))


def _infer_config(path: Path, tensors: Tensors, family: str | None) -> NetworkConfig:
    found = [known for known in FAMILIES.values() if known.encoder_prefix + "conv_first.weight" in tensors]
    if not found or not any(name.startswith("denoise_fn.") for name in tensors):
        first = ", ".join(sorted(tensors)[:2]) or "no parameter at all"
        raise CheckpointError(
            f"{path} is not an SRDiff checkpoint: it has {first}, … where encoder.conv_first.weight "
            "(or rrdb.conv_first.weight) and denoise_fn.* were expected; give the checkpoint of the diffusion stage"
        )
    if family is not None and family != found[0].name:
        raise CheckpointError(
            f"{path} has the parameter names of family {found[0].name}, not {family}; leave out the family option"
        )
    encoder = found[0].encoder_prefix

    def shape(name: str) -> list[int]:
        if name not in tensors:
            raise CheckpointError(f"{path} lacks parameter {name}; it is incomplete, export another")
        rank = 1 if name.endswith(".bias") else 4
        if tensors[name].ndim != rank:
            raise CheckpointError(
                f"{path} has parameter {name} of shape {list(tensors[name].shape)} where {rank} axes were expected; "
                "it is damaged or another network"
            )
        return list(tensors[name].shape)

    def count(prefix: str) -> int:
        matches = [re.match(re.escape(prefix) + r"(\d+)\.", name) for name in tensors]
        numbers = {int(match.group(1)) for match in matches if match}
        for number in range(len(numbers)):
            if number not in numbers:
                raise CheckpointError(
                    f"{path} lacks every parameter {prefix}{number}.*; it is incomplete, export another"
                )
        return len(numbers)

    _, unet_channels, kernel, _ = shape("denoise_fn.cond_proj.weight")
    widths = [shape(f"denoise_fn.downs.{level}.0.mlp.1.bias")[0] for level in range(count("denoise_fn.downs."))]
    if unet_channels < 1 or any(width % unet_channels for width in widths):
        raise CheckpointError(
            f"{path} has UNet widths {widths}, which are not multiples of the {unet_channels} channels that "
            "denoise_fn.cond_proj.weight has; it is damaged or another network"
        )
    try:
        return NetworkConfig(
            family=found[0].name,
            scale=(kernel + found[0].cond_kernel_less) // 2,
            encoder_channels=shape(encoder + "conv_first.weight")[0],
            encoder_blocks=count(encoder + "RRDB_trunk."),
            encoder_growth=shape(encoder + "RRDB_trunk.0.RDB1.conv1.weight")[0],
            encoder_bias=any(re.search(r"\.RDB\d\.conv\d\.bias$", name) for name in tensors),
            unet_channels=unet_channels,
            unet_mults=tuple(width // unet_channels for width in widths),
            up_input=any(name.startswith("denoise_fn.up_proj.") for name in tensors),
            use_attn=any(name.startswith("denoise_fn.mid_attn.") for name in tensors),
        )
    except OptionError as error:
        raise CheckpointError(f"{path} is not an SRDiff that this project knows: {error}") from error


def _check_complete(path: Path, tensors: Tensors, config: NetworkConfig) -> None:
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


def _number_of(raw: Tensors, name: str) -> float | None:
    return float(raw[name].ravel()[0]) if name in raw and raw[name].size == 1 else None


def _schedule_of(path: Path, raw: Tensors) -> Schedule | None:
    if "betas" not in raw:
        return None
    stored = raw["betas"].ravel()
    if stored.size:
        for name in BETAS:
            betas = BETAS[name](stored.size)
            if np.abs(betas - stored).max() < 1e-6:  # stored as float32: take the float64 values it was rounded from
                return Schedule(name, tuple(betas.tolist()))
    try:
        return Schedule("custom", tuple(stored.astype(np.float64).tolist()))
    except OptionError as error:
        raise CheckpointError(f"{path} has betas that are no noise schedule: {error}") from error
