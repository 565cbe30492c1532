"""``srdiff-export``: a checkpoint becomes a verified bundle."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from srdiff.bundle import Bundle
from srdiff.commands.command import Command, table
from srdiff.commands.paths import FilePath
from srdiff.commands.saying import tell, visible
from srdiff.errors import OptionError
from srdiff.manifest import Manifest
from srdiff.mindspore_log import keep_quiet
from srdiff_export.convert import ConvertOptions, convert_bundle
from srdiff_training.commands.packages import brought_by
from srdiff_training.commands.recipe_options import recipe_options
from srdiff_training.model.families import FAMILIES


@click.command(cls=Command)
@click.option(
    "--ckpt",
    type=FilePath(),
    help="Checkpoint of mindediting (MindSpore) or of the authors' PyTorch code, or such weights as .safetensors.",
)
@click.option(
    "--bundle",
    type=FilePath(),
    help="Instead of a checkpoint: a bundle whose ONNX graphs the vendor's converter makes mindir or om of.",
)
@click.option(
    "-o",
    "--output",
    type=FilePath(),
    help="Bundle folder to write.  [default: CKPT with suffix .srdiff, or BUNDLE with suffix .FORMAT.srdiff]",
)
@click.option(
    "--format",
    "formats",
    metavar="FORMAT",
    default="onnx",
    show_default=True,
    help="Of the graphs: onnx, mindir, or onnx,mindir for both; with --bundle, mindir or om.",
)
@click.option(
    "--shape",
    "shapes",
    multiple=True,
    metavar="HxW",
    help="LR size of MindIR graphs, which are static; repeatable.  [default: 64x64]",
)
@click.option("--profiles", is_flag=True, help="With --bundle: one graph that holds all shapes.")
@click.option("--soc", metavar="CHIP", help="With --format om: ATC's name of the chip, like Ascend910B3.")
@click.option(
    "--optimize",
    metavar="TARGET",
    help="Compile MindIR graphs for ascend_oriented or ascend_oriented:CHIP; needs MindSpore Lite and CANN. With "
    "--bundle also general, for MindSpore Lite's CPU.  [default: with --bundle, ascend_oriented]",
)
@click.option(
    "--family",
    type=click.Choice(list(FAMILIES)),
    help="Refuse a checkpoint of the other family.  [default: from the parameter names]",
)
@recipe_options
@click.option(
    "--precision",
    type=click.Choice(["fp32", "fp16"]),
    help="Of the stored weights; fp16 halves the bundle. With --bundle, what is compiled in.  [default: fp32; with "
    "--bundle and an Ascend, fp16 where the model clamps x_0]",
)
@click.option("--opset", type=int, default=11, show_default=True, help="ONNX operator set.")
@click.option(
    "--check-shape",
    "check_shapes",
    multiple=True,
    metavar="HxW",
    help="LR size to compare ONNX graphs with the source at; repeatable.  [default: two small ones]",
)
@click.option("--name", help="Of the model.  [default: the checkpoint's file name]")
@click.option("--license", default="", help="Of the weights, kept in the manifest.")
@click.option("--origin", default="", help="Where the weights come from, kept in the manifest.")
@click.option(
    "--overlap", type=click.IntRange(0), help="Of windows, in input pixels, as measured; kept in the manifest."
)
@click.option("--keep-checkpoint", is_flag=True, help="Put the weights into the bundle as a checkpoint, too.")
@click.option("--overwrite", is_flag=True, help="Replace an existing bundle.")
@click.option(
    "--inspect",
    type=FilePath(),
    metavar="BUNDLE",
    help="Check a bundle, print what it holds, and write nothing.",
)
def main(
    ckpt: Path | None,
    bundle: Path | None,
    output: Path | None,
    formats: str,
    shapes: tuple[str, ...],
    profiles: bool,
    soc: str | None,
    precision: str | None,
    optimize: str | None,
    check_shapes: tuple[str, ...],
    overwrite: bool,
    inspect: Path | None,
    **options: Any,
) -> None:  # long: the options, and what each of three ways takes of them
    """Export a checkpoint to a verified bundle.

    Encoder and sampler step become one graph each. Before the bundle gets its name, both run beside the checkpoint's
    own network on every inference engine installed; a difference above the bound is an error and leaves nothing behind.
    """
    if inspect is not None:
        tell(*describe(Bundle(inspect)).split("\n"))
        return
    if bundle is not None:
        if ckpt is not None:
            raise click.UsageError("give a checkpoint with --ckpt or a bundle with --bundle, not both")
        wanted = ConvertOptions(
            formats,
            tuple(map(_shape, shapes)) or ConvertOptions.shapes,
            profiles,
            optimize or ConvertOptions.optimize,
            soc,
            precision or "auto",
        )
        target = output or bundle.with_suffix(f".{formats}.srdiff")
        made, said = convert_bundle(Bundle(bundle), target, wanted, overwrite)
        tell(f"{made.path}: {said}")
        return
    if ckpt is None:
        raise click.UsageError("give a checkpoint with --ckpt, or a bundle with --bundle or --inspect")
    if profiles or soc is not None:
        raise click.UsageError("--profiles and --soc are for --bundle")
    if shapes and "mindir" not in formats.split(","):
        raise click.UsageError("--shape is for MindIR graphs; add --format mindir, or leave it out")
    keep_quiet()
    with brought_by("export"):
        from .export import DEFAULT_SHAPE, ExportOptions, export_bundle

    target = output or ckpt.with_suffix(".srdiff")
    chosen = ExportOptions(
        formats=tuple(formats.split(",")),
        shapes=tuple(_shape(text) for text in shapes) or (DEFAULT_SHAPE,),
        check_shapes=tuple(_shape(text) for text in check_shapes) or None,
        precision=precision or "fp32",
        optimize=optimize,
        **options,
    )
    exported, comparisons = export_bundle(ckpt, target, chosen, overwrite)
    rows = [_comparison_row(vars(comparison)) for comparison in comparisons]
    tell(*table(COMPARISON_HEAD, rows).split("\n"))
    size = sum((target / name).stat().st_size for name in exported.file_names)
    taken = exported.manifest.origin.get("weights")
    if taken:
        tell(f"weights: {taken}" + ("; see --weights" if "," in taken else ""))
    tell(f"{target}: {size / 1e6:.1f} MB, {exported.manifest.weights_dtype} weights, verified")


def describe(bundle: Bundle) -> str:
    """The manifest for a reader, after checking every file's hash."""
    manifest = bundle.manifest
    for name in bundle.file_names:
        bundle.read(name)
    graphs = ", ".join(
        f"{graph.format} ({'any size' if graph.lr_shape is None else '{}x{} LR'.format(*graph.lr_shape)})"
        for graph in manifest.graphs
    )
    recipe = manifest.lr_up
    facts = [
        ("model", manifest.name),
        ("scale", f"x{manifest.scale}"),
        ("network", ", ".join(f"{key} {_short(value)}" for key, value in manifest.network.items())),
        ("schedule", f"{manifest.schedule.name}, {manifest.schedule.timesteps} timesteps"),
        *_sampling(manifest),
        ("x_0 in a step", "clamped to [-1, 1]" if manifest.clip_denoised else "not clamped"),
        ("residual", f"(hr - lr_up) * {manifest.res_rescale:g}"),
        ("lr_up", f"bicubic, {recipe.border} border, rounding {recipe.rounding}, / {recipe.divisor}"),
        ("margin", f"{manifest.margin} input pixels"),
        ("graphs", graphs),
        ("weights", manifest.weights_dtype),
        ("made by", ", ".join(f"{key} {value}" for key, value in manifest.producer.items())),
        *((key, value or "not stated") for key, value in manifest.origin.items()),
    ]
    width = max(len(key) for key, _ in facts)
    lines = [visible(f"{key:<{width}}  {value}") for key, value in facts]
    files = [[name, f"{(bundle.path / name).stat().st_size:,}"] for name in bundle.file_names]
    lines += ["", table(["file (hash checked)", "bytes"], files)]
    comparisons = manifest.parity.get("comparisons", [])
    if comparisons:
        lines += [
            "",
            "Parity with the checkpoint, measured at export:",
            table(COMPARISON_HEAD, map(_comparison_row, comparisons)),
        ]
    return "\n".join(lines)


def _sampling(manifest: Manifest) -> list[tuple[str, str]]:
    if manifest.student_steps is not None:
        return [("sampling", manifest.sampling_label(manifest.sampler()))]
    default = manifest.default_preset
    return [
        ("default preset" if name == default else "preset", f"{name}: {preset.label(manifest.schedule)}")
        for name, preset in manifest.presets.items()
    ]


COMPARISON_HEAD = ["engine", "graph", "input", "LR size", "max error", "relative", "bound"]


def _comparison_row(comparison: Any) -> list[str]:
    height, width = comparison["lr_shape"]
    numbers = [f"{comparison[key]:.1e}" for key in ("max_error", "relative_error", "bound")]
    return [comparison["engine"], comparison["graph"], comparison["input"], f"{height}x{width}", *numbers]


def _short(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _shape(text: str) -> tuple[int, int]:
    height, _, width = text.lower().partition("x")
    if not (height.isdigit() and width.isdigit() and int(height) and int(width)):
        raise OptionError(f"{text!r} is not a size; write it as HxW, like 64x64")
    return int(height), int(width)


if __name__ == "__main__":
    main()
