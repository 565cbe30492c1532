"""What a checkpoint is that is no SRDiff, by its parameters' names: people give what lies beside the right one."""

from __future__ import annotations

import re
from typing import Iterable

# (patterns that some names match, one each; what it is and, where it helps, what to do)
_NETWORKS = (
    ((r"^(encoder|rrdb)\.conv_first\.weight$",), "an SRDiff's encoder without its noise predictor"),
    (
        (r"^conv_first\.weight$", r"^RRDB_trunk\.0\.RDB1\."),
        "the RRDB encoder alone, of the first stage of training, which srdiff-train takes as encoder_from,",
    ),
    ((r"denoise_fn\.cond_proj\.",), "an SRDiff's noise predictor without its encoder"),
    ((r"denoise_fn\.(noise_level_mlp|downs\.0\.weight)",), "SR3, another diffusion network"),
    ((r"conv_first\.weight$", r"body\.0\.(rdb|RDB)1\.conv1\."), "an RRDBNet of BasicSR (ESRGAN, Real-ESRGAN)"),
    ((r"(^|\.)1\.sub\.0\.RDB1\.",), "an RRDBNet of the first ESRGAN"),
    ((r"layers\.0\.residual_group\.",), "SwinIR or HAT"),
    ((r"head\.0\.weight$", r"body\.0\.body\.0\.weight$"), "EDSR or RCAN"),
    ((r"first_stage_model\.",), "a latent diffusion model"),
    ((r"input_blocks\.0\.0\.weight$",), "a UNet of guided or latent diffusion"),
    ((r"down_blocks\.0\.(resnets|attentions)\.",), "a UNet of diffusers"),
    ((r"features\.0\.weight$",), "a VGG or AlexNet"),
    ((r"layer1\.0\.conv1\.weight$",), "a ResNet"),
)


def what_it_is(names: Iterable[str]) -> str | None:
    """The network whose parameters have such names; None where it is not on the list."""
    names = list(names)
    for patterns, said in _NETWORKS:
        if all(any(re.search(pattern, name) for name in names) for pattern in patterns):
            return said
    return None
