"""How fast a machine multiplies matrices: the bound that convolutions are held against."""

from __future__ import annotations

import time
from typing import Callable

import numpy as np

from racing.entrants import Entrant, Workload, open_entrant
from srdiff.engines import Engine

# Of 1024, 2048 and 4096, the last was fastest; a GPU needs more to be filled. Links of a chain, so that what is no
# multiplication counts little: a few percent at 2 TFLOP/s.
GEMM_SIDE = {"cpu": 4096, "other": 8192}
GEMM_LINKS = 2
GEMM_TURN_S = 0.5


class Gemm:
    """Multiplies large matrices as fast as an entrant's library can."""

    _run: Callable[[], object]

    def __init__(self, workload: Workload, entrant: Entrant) -> None:
        if entrant.engine == "torch":
            self._run = torch_matmul(entrant.precision, workload.threads)
            self._flops = matmul_flops(GEMM_SIDE["cpu"])
        else:
            self._open(open_entrant(workload, entrant))
        self._run()

    def _open(self, engine: Engine) -> None:
        side = GEMM_SIDE["cpu" if engine.device == "cpu" else "other"]
        self._flops = matmul_flops(side)
        if engine.graph_format == "onnx":
            graph = engine.compile(matmul_model(side, GEMM_LINKS), {"x": (1, 1)})
            one = np.ones((1, 1), np.float32)
            self._run = lambda: graph.run({"x": one})
        else:  # a MindIR file can be made by MindSpore alone
            matrix = np.random.default_rng(0).standard_normal((side, side), dtype=np.float32)
            self._run = lambda: [matrix @ matrix for _ in range(GEMM_LINKS)]

    def rate(self) -> float:
        """FLOP/s, the best of what fits in a turn."""
        best, begin = float("inf"), time.perf_counter()
        while time.perf_counter() - begin < GEMM_TURN_S:
            start = time.perf_counter()
            self._run()
            best = min(best, time.perf_counter() - start)
        return self._flops / best


def matmul_flops(side: int) -> int:
    return 2 * side**3 * GEMM_LINKS


def torch_matmul(precision: str, threads: int) -> Callable[[], object]:
    import torch

    torch.set_num_threads(threads)
    side = GEMM_SIDE["cpu"]
    matrix = torch.randn(side, side).to(torch.bfloat16 if precision == "bf16" else torch.float32)
    return lambda: [matrix @ matrix for _ in range(GEMM_LINKS)]


def matmul_model(side: int, links: int) -> bytes:
    """An ONNX model of a chain of square matrix products with next to no input and output: x [1, 1] -> y [1, 1]."""
    from onnx import TensorProto, helper, numpy_helper

    weights = np.random.default_rng(0).standard_normal((side, side), dtype=np.float32) / np.float32(side**0.5)
    nodes = [helper.make_node("Mul", ["x", "w"], ["product0"])]  # by an input, else the chain is folded into a constant
    nodes += [helper.make_node("MatMul", [f"product{i}", "w"], [f"product{i + 1}"]) for i in range(links)]
    nodes.append(helper.make_node("ReduceMax", [f"product{links}"], ["y"], axes=[0, 1], keepdims=1))
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, (1, 1)) for name in ("x", "y")]
    graph = helper.make_graph(nodes, "gemm", ends[:1], ends[1:], [numpy_helper.from_array(weights, "w")])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 11)])
    model.ir_version = 6  # of opset 11: what an engine older than this onnx still reads
    return model.SerializeToString()
