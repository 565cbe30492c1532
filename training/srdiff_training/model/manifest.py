"""What the runtime is told of a network."""

from __future__ import annotations

from dataclasses import asdict

from srdiff.graph_files import GraphFiles
from srdiff.manifest import FULL, Manifest
from srdiff.samplers import DDPM, FAST

from .config import NetworkConfig
from .recipe import Recipe


def network_manifest(
    config: NetworkConfig,
    recipe: Recipe,
    name: str,
    graphs: tuple[GraphFiles, ...],
    weights_dtype: str = "float32",
    origin: dict[str, str] | None = None,
) -> Manifest:
    """What the runtime must know of a network of these sizes, sampled by this recipe."""
    presets = {FULL: DDPM}
    if recipe.student_steps is None and recipe.schedule.timesteps >= (FAST.steps or 1):
        presets["fast"] = FAST
    return Manifest(
        name=name,
        scale=config.scale,
        hr_multiple=config.hr_multiple,
        hr_minimum=config.hr_minimum,
        schedule=recipe.schedule,
        res_rescale=recipe.res_rescale,
        clip_denoised=recipe.clip_denoised,
        lr_up=recipe.lr_up,
        up_input=config.up_input,
        global_context=config.use_attn,
        cond_channels=config.unet_channels,
        time_bias_channels=config.time_bias_channels,
        weights_dtype=weights_dtype,
        margin=recipe.margin,
        graphs=graphs,
        prediction="eps" if recipe.student_steps is None else "x0",
        student_steps=recipe.student_steps,
        fidelity=config.fidelity,
        presets=presets,
        network=asdict(config),
        origin=origin or {},
    )
