"""Which of a file's tensors are the network's: names without their wrappers, averaged weights or raw ones."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Dict, NamedTuple

import numpy as np

from srdiff.errors import CheckpointError, OptionError

from .read import Tensors, read_tensors

EMA, RAW = "ema", "raw"
WEIGHTS = (EMA, RAW)

# What wrappers and trainers put before a parameter's name, or have as the key of a dictionary.
_WRAPPERS = re.compile(r"module|_orig_mod|network|net|generator|netG|diffusion|params|(model_?)?(state(_dict)?)?")
_AVERAGED = re.compile(r"(model_)?ema(_\w+)?|(params|state_dict)_ema|(swa|averaged?)_model|shadow")
_TRAINED = re.compile(r"raw|online_model|current_model_state")
# torch.compile and data parallelism may wrap a part of a network; torch's newer weight norm has its own names.
_WITHIN = re.compile(r"(?<=\.)(?:module|_orig_mod)\.")
_NEW_WEIGHT_NORM = re.compile(r"\.parametrizations\.weight\.original([01])$")
_COUNTS = "n_averaged"  # of torch.optim.swa_utils.AveragedModel
_NETWORKS = ("denoise_fn.", "conv_first.")  # of the diffusion stage, of the RRDB alone

Groups = Dict[str, Tensors]


class Weights(NamedTuple):
    """The chosen tensors by their plain names; which they are, None where the file does not say; and what else it has.

    Attributes:
        tensors: with the buffers beside them.
        kind: ``ema`` or ``raw``, or None for a file with one kind that it does not name.
        other: the kind that is there, too, and was not taken.
    """

    tensors: Tensors
    kind: str | None = None
    other: str | None = None


def read_weights(path: Path, wanted: str | None = None) -> Weights:
    """A checkpoint's weights.

    Args:
        path: of a checkpoint of any kind.
        wanted: ``ema`` or ``raw``; None takes the averaged ones, where there are any.

    Raises:
        CheckpointError: the file cannot be read, lacks what is wanted, or has two networks.
        OptionError: there is no such kind.
    """
    if wanted is not None and wanted not in WEIGHTS:
        raise OptionError(f"weights is {wanted!r}; choose one of {', '.join(WEIGHTS)}")
    groups = _groups(path, read_tensors(path))
    plain = groups[""]
    if groups[RAW] or _COUNTS in plain:  # beside raw ones, those without a mark are the averaged
        kinds = {EMA: {**plain, **groups[EMA]}, RAW: groups[RAW]}
    else:
        kinds = {EMA: groups[EMA], RAW: plain}
    present = [kind for kind in WEIGHTS if _has_network(kinds[kind])]
    if wanted is not None and wanted not in present and (wanted == EMA or present):
        named = {EMA: "averaged", RAW: "raw"}
        raise CheckpointError(
            f"{path} has no {named[wanted]} weights of a network; leave the option weights out for those that it has"
        )
    if not present:
        return Weights(plain)
    kind = wanted or present[0]
    others = [other for other in present if other != kind]
    for other in others:
        kinds[kind] = {**_frozen(kinds[other], kinds[kind]), **kinds[kind]}
    buffers = {name: array for name, array in plain.items() if "." not in name}
    is_said = kind == EMA or bool(others)
    return Weights({**buffers, **kinds[kind]}, kind if is_said else None, others[0] if others else None)


def _groups(path: Path, tensors: Tensors) -> Groups:
    groups: Groups = {"": {}, EMA: {}, RAW: {}}
    for full, array in tensors.items():
        kind, name = plain_name(full)
        group = groups[kind]
        if "." in name and name in group and not np.array_equal(group[name], array):
            raise CheckpointError(
                f"{path} has {name} twice, the second as {full}, and they differ; save one network's state_dict alone"
            )
        group[name] = array
    if not _has_network(groups[EMA]):  # some averages have the names without their dots
        originals = {name.replace(".", ""): name for name in (*groups[""], *groups[RAW])}
        groups[EMA] = {originals.get(name, name): array for name, array in groups[EMA].items()}
    return groups


def plain_name(full: str) -> tuple[str, str]:
    """Kind of weights, empty where the name does not say it, and name without wrappers."""
    kind, parts = "", full.split(".")
    while len(parts) > 1:
        if _AVERAGED.fullmatch(parts[0]):
            kind = EMA
        elif _TRAINED.fullmatch(parts[0]):
            kind = RAW
        elif not _WRAPPERS.fullmatch(parts[0]):
            break
        del parts[0]
    name = _WITHIN.sub("", ".".join(parts))
    return kind, _NEW_WEIGHT_NORM.sub(lambda match: ".weight_" + "gv"[int(match.group(1))], name)


def _has_network(group: Tensors) -> bool:
    return any(name.startswith(_NETWORKS) for name in group)


def _frozen(other: Tensors, group: Tensors) -> Tensors:
    """The other kind's encoder, where this one has none: what is not trained is not averaged."""
    prefixes = ("encoder.", "rrdb.")
    if any(name.startswith(prefixes) for name in group):
        return {}
    return {name: array for name, array in other.items() if name.startswith(prefixes)}
