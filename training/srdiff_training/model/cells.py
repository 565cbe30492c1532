"""A network in MindSpore where the runtime expects a bundle on an engine."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from srdiff.bundle import GraphSource
from srdiff.errors import OptionError
from srdiff.graph_files import GraphFiles
from srdiff.upscaler import Upscaler

from ..checkpoints.weights import RAW
from .checkpoint import load_checkpoint
from .graphs import CellEngine, time_bias_table
from .manifest import network_manifest
from .network import SRDiff
from .recipe import Recipe
from .recipe_options import RecipeOptions


class CellSource(GraphSource):
    """A network in memory, for :class:`CellEngine`, which reads no graph's bytes.

    Args:
        network: the cells; the time bias is that of their present weights.
        recipe: how they are sampled.
        name: of the model, for messages.
        weights: which of a checkpoint's they are; empty where there is one kind.
    """

    def __init__(self, network: SRDiff, recipe: Recipe, name: str = "network", weights: str = "") -> None:
        self.path = Path(name)
        graphs = (GraphFiles("onnx", "encoder", "step"),)
        origin = {"weights": weights} if weights else None
        self.manifest = network_manifest(network.config, recipe, name, graphs, origin=origin)
        self._time_bias = time_bias_table(network, recipe.schedule.timesteps)

    def read(self, name: str) -> bytes:
        return b""

    def time_bias(self) -> np.ndarray:
        return self._time_bias


def open_checkpoint(ckpt: Path, options: RecipeOptions) -> Upscaler:
    """A checkpoint's own network.

    Args:
        ckpt: file of either family.
        options: how it is sampled, where the checkpoint does not say.

    Raises:
        CheckpointError: the checkpoint cannot be read.
        OptionError: an option is outside what it may be.
    """
    checkpoint = load_checkpoint(ckpt, weights=options.weights)
    network, recipe = checkpoint.build(), options.recipe(checkpoint)
    return Upscaler(CellSource(network, recipe, ckpt.stem, checkpoint.taken), CellEngine(network, recipe.clip_denoised))


def open_source(ckpt: Path, bundle: GraphSource, graph_format: str = "onnx") -> Upscaler:
    """The checkpoint that a bundle was exported from: its own network, sampled as the bundle says.

    Args:
        ckpt: file of either family.
        bundle: what was exported from it.
        graph_format: of the graphs whose windows it shall share.

    Raises:
        CheckpointError: the checkpoint cannot be read.
        OptionError: it holds another network than the bundle.
    """
    is_raw = bundle.manifest.origin.get("weights", "").startswith(RAW)
    network = load_checkpoint(ckpt, weights=RAW if is_raw else None).build()
    recorded = bundle.manifest.network
    found = vars(network.config)
    wrong = [name for name, value in recorded.items() if name in found and _plain(found[name]) != value]
    if wrong:
        raise OptionError(
            f"{ckpt} has {wrong[0]} {_plain(found[wrong[0]])} where {bundle.path} has {recorded[wrong[0]]}; "
            "give the checkpoint that the bundle was exported from"
        )
    return Upscaler(bundle, CellEngine(network, bundle.manifest.clip_denoised, graph_format))


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value
