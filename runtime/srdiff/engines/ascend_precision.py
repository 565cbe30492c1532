"""What each precision mode of an Ascend really computes in.

The modes are CANN's; MindSpore Lite has names of its own for them ("Context", mindspore_lite API 2.0 to 2.11). What
they do to a float32 graph is said by "--precision_mode" of ATC (atlasatcparam_16_0067/68, CANN 8.5 and 9.0):

- ``must_keep_origin_dtype`` keeps float32; an operator that the AI core has in float16 alone falls to the AI CPU, and
  the build fails where that has none;
- ``force_fp32`` (also called ``cube_fp16in_fp32out``) gives matrix operators float16 inputs and float32 results;
- ``allow_fp32_to_fp16`` computes matrix operators in float16 and leaves vector operators as they are;
- ``allow_mix_precision`` and ``force_fp16`` compute vector operators in float16, too, some or all.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..errors import OptionError


@dataclass(frozen=True)
class Mode:
    """A precision mode.

    Attributes:
        cann: its name in CANN and ONNX Runtime.
        lite: its name in MindSpore Lite.
        precision: of the network's matrix operators: ``fp32`` or ``fp16``.
        keeps_vectors: vector operators keep float32, the sampler's update among them.
    """

    cann: str
    lite: str
    precision: str
    keeps_vectors: bool


MODES = (
    Mode("must_keep_origin_dtype", "enforce_origin", "fp32", True),
    Mode("allow_fp32_to_fp16", "preferred_fp32", "fp16", True),
    Mode("force_fp32", "enforce_fp32", "fp16", True),
    Mode("allow_mix_precision", "preferred_optimal", "fp16", False),
    Mode("force_fp16", "enforce_fp16", "fp16", False),
)
CANN_MODES = tuple(mode.cann for mode in MODES)
PRECISIONS = tuple(dict.fromkeys(mode.precision for mode in MODES))
LITE_MODES = tuple(mode.lite for mode in MODES)


def choose_mode(precision: str, named: str | None) -> Mode:
    """The mode for ``auto``, ``fp32`` or ``fp16``, or the named one of either library.

    fp16 means what it means on a GPU: the network's matrix operators in float16, the update in float32. auto is fp16.

    Raises:
        OptionError: there is no such mode, or it does not compute in the precision.
    """
    if named is None:
        return MODES[0] if precision == "fp32" else MODES[1]
    for mode in MODES:
        if named in (mode.cann, mode.lite):
            if precision in PRECISIONS and precision != mode.precision:
                fitting = [other.lite for other in MODES if other.precision == precision]
                raise OptionError(
                    f"precision_mode {named} computes the network in {mode.precision} and {precision} was asked for; "
                    f"choose {' or '.join(fitting)}, or leave one of the two out"
                )
            return mode
    raise OptionError(f"precision_mode is {named!r}; choose one of {', '.join((*LITE_MODES, *CANN_MODES))}")
