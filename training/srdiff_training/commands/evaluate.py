"""``srdiff-eval``: PSNR and SSIM of a checkpoint, of a bundle, and of one against the other."""

from __future__ import annotations

import json
from pathlib import Path
from textwrap import fill
from typing import Any

import click
from tqdm import tqdm

from srdiff.atomic_files import atomic_file, make_folder, require_writable
from srdiff.commands.command import Command
from srdiff.commands.paths import FilePath
from srdiff.commands.saying import tell
from srdiff.engines import ENGINES, PRECISIONS
from srdiff.errors import OptionError, ParityError
from srdiff.mindspore_log import keep_quiet
from srdiff.upscaler import Upscaler

from ..measure.pairs import find_pairs
from ..model.recipe_options import RecipeOptions
from .packages import brought_by
from .recipe_options import recipe_options

# Both compute in float32 but sum in another order: 69 to 72 dB on Set5, where few pixels differ by a level.
MIN_PARITY_DB = 60.0


@click.command(cls=Command)
@click.option("--ckpt", type=FilePath(), help="Checkpoint, run by its own network in MindSpore.")
@click.option("--bundle", type=FilePath(), help="Bundle, run as srdiff-run does.")
@click.option(
    "--data",
    type=FilePath(),
    required=True,
    help="Folder with HR and LR_x4, with HR alone, with val/X1 and val/X4, or with images.",
)
@click.option("--steps", type=click.IntRange(1), help="Sampler steps.  [default: all of the model's]")
@click.option("--seed", type=click.IntRange(0, 2**64 - 1), default=0, show_default=True, help="Of the noise.")
@click.option(
    "--crop",
    type=click.IntRange(0),
    help="Border in HR pixels left out of PSNR and SSIM; the model card has 0.  [default: the scale, as most papers]",
)
@click.option("--limit", type=click.IntRange(1), help="Only the first images.")
@click.option("--engine", type=click.Choice(["auto", *ENGINES]), default="auto", show_default=True, help="Of --bundle.")
@click.option(
    "--precision",
    type=click.Choice(["auto", *PRECISIONS]),
    default="fp32",
    show_default=True,
    help="Of --bundle; auto is what srdiff-run takes.",
)
@click.option("--threads", type=click.IntRange(1), help="CPU threads of --bundle.  [default: the engine's]")
@recipe_options
@click.option("--json", "json_file", type=FilePath(), help="Also write all numbers to this file.")
def main(
    ckpt: Path | None,
    bundle: Path | None,
    data: Path,
    steps: int | None,
    seed: int,
    crop: int | None,
    limit: int | None,
    engine: str,
    precision: str,
    threads: int | None,
    json_file: Path | None,
    **recipe: Any,
) -> None:
    """Measure how near results come to true images.

    With --ckpt, --bundle or both. Both get the same noise, and the last column is the PSNR of one result against the
    other: what deployment changes. Below 60 dB in float32 that is an error (exit code 1). Sampled is as the bundle
    says; --weights to --margin are for a checkpoint alone.
    """
    if ckpt is None and bundle is None:
        raise click.UsageError("give a checkpoint with --ckpt, a bundle with --bundle, or both")
    if json_file is not None:
        require_writable(json_file)
    from ..measure.evaluate import EvaluateOptions, as_json, definitions, evaluate, report

    models = _open(ckpt, bundle, RecipeOptions(**recipe), engine, precision, threads)
    scale = next(iter(models.values())).scale
    pairs = find_pairs(data, scale, limit)
    setting = EvaluateOptions(scale, steps, seed, scale if crop is None else crop)
    with tqdm(total=len(pairs.pairs) * len(models), unit="result", disable=None) as bar:

        def advance(label: str) -> None:
            bar.set_postfix_str(label)
            bar.update()

        rows = evaluate(models, pairs, setting, advance)
    paths = {"checkpoint": ckpt, "bundle": bundle}
    described = {name: _describe(paths[name], upscaler) for name, upscaler in models.items()}
    tell(f"{pairs.name} x{scale}, {len(rows)} images, {setting.steps or 'all'} steps, seed {seed}")
    for name, words in described.items():
        tell(f"{name}: {words}")
    tell(*fill(definitions(setting), 100).split("\n"), "", *report(rows).split("\n"))
    if json_file is not None:
        facts = {"data": pairs.name, **vars(setting), "definitions": definitions(setting), "models": described}
        make_folder(json_file)
        with atomic_file(json_file) as temporary:
            temporary.write_text(json.dumps({**facts, **as_json(rows)}, indent=1) + "\n", encoding="utf-8")
    _require_parity([(row.parity, row.image) for row in rows if row.parity is not None], models)


def _open(
    ckpt: Path | None, bundle: Path | None, recipe: RecipeOptions, engine: str, precision: str, threads: int | None
) -> dict[str, Upscaler]:
    if bundle is not None and recipe != RecipeOptions():
        raise OptionError("a bundle says itself how it is sampled; leave out --weights to --margin")
    deployed = None
    if bundle is not None:
        deployed = Upscaler.from_bundle(bundle, engine=engine, precision=precision, threads=threads)
    models = {}
    if ckpt is not None:
        keep_quiet()
        with brought_by("train"):
            import mindspore as ms

            from ..model.cells import open_checkpoint, open_source
        ms.set_context(mode=ms.GRAPH_MODE)  # many steps at one size: compiling pays
        models["checkpoint"] = (
            open_checkpoint(ckpt, recipe)
            if deployed is None
            else open_source(ckpt, deployed.bundle, deployed.engine.graph_format)
        )
    if deployed is not None:
        models["bundle"] = deployed
    return models


def _describe(path: Path | None, upscaler: Upscaler) -> str:
    engine = upscaler.engine
    weights = upscaler.bundle.manifest.origin.get("weights")
    return f"{path}, {engine.name} {engine.device} {engine.precision}" + (f", weights {weights}" if weights else "")


def _require_parity(parities: list[tuple[float, str]], models: dict[str, Upscaler]) -> None:
    """Raises ParityError where float32 does not compute what the checkpoint does; ``parities`` are dB and image."""
    exact = all(
        upscaler.engine.precision == "fp32" and upscaler.bundle.manifest.weights_dtype == "float32"
        for upscaler in models.values()
    )
    parity, image = min(parities, default=(MIN_PARITY_DB, ""))
    if exact and parity < MIN_PARITY_DB:
        raise ParityError(
            f"the bundle's result for {image} has {parity:.1f} dB against the checkpoint's where {MIN_PARITY_DB:.0f} "
            "were expected; export that checkpoint again"
        )


if __name__ == "__main__":
    main()
