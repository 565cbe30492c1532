"""What ``--engine-option`` sets of ONNX Runtime's providers."""

from __future__ import annotations

from typing import Mapping

from ..errors import OptionError
from .ascend_precision import Mode, choose_mode
from .base import option_number, require_known

# "CANN Execution Provider", onnxruntime.ai.
CANN_OPTIONS = (
    "device_id", "npu_mem_limit", "arena_extend_strategy", "enable_cann_graph", "dump_graphs", "dump_om_model",
    "precision_mode", "op_select_impl_mode", "optypelist_for_implmode",
)  # fmt: skip
CUDA_OPTIONS = ("device_id", "gpu_mem_limit", "cudnn_conv_algo_search", "prefer_nhwc", "use_tf32")
# This project's own: nodes that CANN does not take may run on the CPU.
ALLOW_CPU_NODES = "allow_cpu_nodes"


def cuda_options(precision: str, options: Mapping[str, str]) -> dict[str, str]:
    """The CUDA provider's options, checked. fp32 means float32: TensorFloat-32, its own default, has 10 bits."""
    require_known("ONNX Runtime on gpu", options, CUDA_OPTIONS)
    chosen = {"device_id": "0", "use_tf32": "1" if precision == "fp16" else "0", **options}
    for name in CUDA_OPTIONS:
        if name in chosen and name != "cudnn_conv_algo_search":
            option_number(name, chosen[name])
    return chosen


def cann_options(precision: str, options: Mapping[str, str]) -> tuple[dict[str, str], Mode]:
    """The CANN provider's options, checked, with this project's defaults, and what they compute in."""
    require_known("ONNX Runtime on ascend", options, (*CANN_OPTIONS, ALLOW_CPU_NODES))
    if options.get(ALLOW_CPU_NODES, "0") not in ("0", "1"):
        raise OptionError(f"{ALLOW_CPU_NODES} is {options[ALLOW_CPU_NODES]!r}; choose 0 or 1")
    mode = choose_mode(precision, options.get("precision_mode"))
    chosen = {
        "device_id": "0",
        "dump_om_model": "0",  # would drop a file into the working folder
        **{name: value for name, value in options.items() if name != ALLOW_CPU_NODES},
        "precision_mode": mode.cann,  # its own default is force_fp16
    }
    option_number("device_id", chosen["device_id"])
    return chosen, mode
