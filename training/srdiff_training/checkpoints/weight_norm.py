"""Weight norm (Salimans & Kingma, arXiv 1602.07868), folded: it is for training alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from srdiff.errors import CheckpointError

from .read import Tensors


def fold_weight_norm(path: Path, tensors: Tensors) -> Tensors:
    """weight = g * v / |v|, the norm over all but axis 0.

    Raises:
        CheckpointError: one of the two is missing, or they do not fit.
    """
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
