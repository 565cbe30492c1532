"""The checkpoint families: all that tells one public SRDiff from another, one record each.

To add one, write its record here and name it in ``FAMILIES``: readers, networks, exporter, trainer and commands ask the
record and know no family by name. What no switch here gives is a new switch, read in ``unet.py`` or ``rrdb.py``.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from srdiff.lr_up import LrUpRecipe

from .recipe import Recipe


@dataclass(frozen=True)
class Family:
    """How one code base names, lays out, builds and samples its networks.

    Attributes:
        name: as options and manifests have it.
        encoder_prefix: what its checkpoints put before the encoder's parameters.
        renames: (pattern, replacement) applied in order to this project's parameter names give the checkpoint's.
        dense_time_mlp: the time MLP's weights are matrices, not those of 1x1 convolutions.
        reflect: 3x3 convolutions of the UNet see mirrored pixels beyond the edge, not zeros.
        projects_always: each residual path has a 1x1 convolution, not only where the widths differ.
        cond_kernel_less: the transposed convolution to scale s has a kernel of 2 * s less this.
        downs_last: the coarsest level ends in a convolution, too, of stride 1.
        down_bias: the convolutions between levels have a bias.
        pixel_shuffle: upsampling is a pixel shuffle, not a transposed convolution.
        other_parts: pattern of what its checkpoints hold beside the networks and nothing here needs.
        recipe: how its own code samples.
    """

    name: str
    encoder_prefix: str
    renames: tuple[tuple[str, str], ...]
    dense_time_mlp: bool
    reflect: bool
    projects_always: bool
    cond_kernel_less: int
    downs_last: bool
    down_bias: bool
    pixel_shuffle: bool
    other_parts: str = "(?!)"
    recipe: Recipe = field(default_factory=Recipe)


# Both call these parts alike.
_COMMON = (
    (r"^(encoder\..*)\.conv\.(weight|bias)$", r"\1.\2"),
    (r"\.(cond_proj|up_proj|res_conv)\.conv\.", r".\1."),
    (r"\.final_conv\.", ".final_conv.1."),
)

MINDEDITING = Family(
    name="mindediting",
    encoder_prefix="encoder.",
    renames=(
        *_COMMON,
        (r"\.time_embedding\.mlp\.(\d)\.", r".mlp.\1.conv."),
        (r"\.block(\d)\.conv\.conv\.", r".block\1.block.0."),
        (r"\.final_block\.conv\.conv\.", ".final_conv.0.block.0."),
        (r"\.ups\.(\d+)\.2\.conv\.conv\.", r".ups.\1.2.pixel_shuffle_pack.upsample_conv."),
    ),
    dense_time_mlp=False,
    reflect=False,
    projects_always=True,
    cond_kernel_less=1,
    downs_last=True,
    down_bias=False,
    pixel_shuffle=True,
)

LEIALI = Family(
    name="leiali",
    encoder_prefix="rrdb.",
    renames=(
        *_COMMON,
        (r"^encoder\.", "rrdb."),
        (r"\.time_embedding\.mlp\.(\d)\.", r".mlp.\1."),
        (r"\.block(\d)\.conv\.conv\.", r".block\1.block.1."),
        (r"\.final_block\.conv\.conv\.", ".final_conv.0.block.1."),
        (r"\.up_proj\.", ".up_proj.1."),
        (r"\.downs\.(\d+)\.2\.conv\.", r".downs.\1.2.conv.1."),
        (r"\.ups\.(\d+)\.2\.conv\.", r".ups.\1.2.conv.0."),
        (r"\.mid_attn\.g$", ".mid_attn.fn.g"),
        (r"\.mid_attn\.(to_qkv|to_out)\.", r".mid_attn.fn.fn.\1."),
    ),
    other_parts=r"^rrdb\.(upconv\d|HRconv|conv_last)\.",  # its image head
    dense_time_mlp=True,
    reflect=True,
    projects_always=False,
    cond_kernel_less=0,
    downs_last=False,
    down_bias=True,
    pixel_shuffle=False,
    recipe=Recipe(clip_denoised=True, lr_up=LrUpRecipe("symmetric", "none", 256)),
)

FAMILIES = {family.name: family for family in (MINDEDITING, LEIALI)}
