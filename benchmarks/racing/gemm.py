"""How fast a machine multiplies matrices: the bound that convolutions are held against."""

from __future__ import annotations

import time
from functools import partial
from typing import Callable

import numpy as np

from racing.entrants import Entrant, Workload, open_entrant
from srdiff.engines import Engine

# Each is eight times the work of the one before; of those that fit a turn, the last is the fastest. Links of a chain,
# so that what is no multiplication counts little: a few percent at 2 TFLOP/s.
GEMM_SIDES = (1024, 2048, 4096, 8192)
GEMM_LINKS = 2
GEMM_TURN_S = 0.5


class Gemm:
    """Multiplies matrices as fast as an entrant's library can: the largest that it multiplies within a turn."""

    def __init__(self, workload: Workload, entrant: Entrant) -> None:
        if entrant.engine == "torch":
            make = partial(torch_product, entrant.precision, workload.threads)
        else:
            make = partial(engine_product, open_entrant(workload, entrant))
        for side in GEMM_SIDES:
            self._run, self._flops = make(side), matmul_flops(side)
            self._run()  # the first compiles
            if 8 * self._seconds() > GEMM_TURN_S:
                break

    def rate(self) -> float:
        """FLOP/s, the best of what fits in a turn."""
        best, begin = float("inf"), time.perf_counter()
        while time.perf_counter() - begin < GEMM_TURN_S:
            best = min(best, self._seconds())
        return self._flops / best

    def _seconds(self) -> float:
        begin = time.perf_counter()
        self._run()
        return time.perf_counter() - begin


def engine_product(engine: Engine, side: int) -> Callable[[], object]:
    if engine.graph_format == "onnx":
        graph = engine.compile(matmul_model(side, GEMM_LINKS), {"x": (1, 1)})
        one = np.ones((1, 1), np.float32)
        return lambda: graph.run({"x": one})
    # A MindIR file can be made by MindSpore alone.
    matrix = np.random.default_rng(0).standard_normal((side, side), dtype=np.float32)
    return lambda: [matrix @ matrix for _ in range(GEMM_LINKS)]


def torch_product(precision: str, threads: int, side: int) -> Callable[[], object]:
    import torch

    torch.set_num_threads(threads)
    matrix = torch.randn(side, side).to(torch.bfloat16 if precision == "bf16" else torch.float32)
    return lambda: [matrix @ matrix for _ in range(GEMM_LINKS)]


def matmul_flops(side: int) -> int:
    return 2 * side**3 * GEMM_LINKS


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
