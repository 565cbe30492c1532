"""The peer that works as the public implementation does: encoder, ``cond_proj`` and UNet in every step."""

from __future__ import annotations

import zlib
from typing import Mapping

import numpy as np

from srdiff.bundle import Bundle
from srdiff.engines import Arrays, Engine, Graph, Shapes
from srdiff.manifest import Manifest


class UpstreamEngine(Engine):
    """The public implementation's way, in cost: each step computes cond anew, in one ONNX Runtime session.

    Its own export unrolls all steps into one file; here one step, encoder included, is run again and again.
    """

    name = "upstream-graph"

    def __init__(self, bundle: Bundle, engine: Engine) -> None:
        self._bundle = bundle
        self._engine = engine
        self._lrs: dict[float, np.ndarray] = {}
        self.device, self.precision = engine.device, engine.precision

    def compile(self, model: bytes, shapes: Shapes) -> Graph:
        if "lr" in shapes:
            return UpstreamEncoder(self._lrs, self._bundle.manifest)
        scale = self._bundle.manifest.scale
        lr_shape = (1, 3, *(side // scale for side in shapes["x"][2:]))
        merged_shapes = {**{name: shape for name, shape in shapes.items() if name != "cond"}, "lr": lr_shape}
        encoder = self._bundle.read(self._bundle.graph_files("onnx")[0].encoder)
        return UpstreamStep(self._lrs, self._engine.compile(merge(encoder, model, merged_shapes), merged_shapes))


class UpstreamEncoder(Graph):
    """Keeps lr for the steps; what it gives for cond says which lr, and nothing else."""

    def __init__(self, lrs: dict[float, np.ndarray], manifest: Manifest) -> None:
        self._lrs, self._manifest = lrs, manifest

    def run(self, inputs: Mapping[str, np.ndarray]) -> Arrays:
        lr = inputs["lr"]
        height, width = (side * self._manifest.scale for side in lr.shape[2:])
        cond = np.zeros((1, self._manifest.cond_channels, height, width), np.float32)
        key = zlib.crc32(lr.tobytes()) % 2**24  # float32 holds it exactly
        self._lrs[key] = lr.copy()
        cond[0, 0, 0, 0] = key
        return {"cond": cond}


class UpstreamStep(Graph):
    def __init__(self, lrs: dict[float, np.ndarray], merged: Graph) -> None:
        self._lrs, self._merged = lrs, merged

    def run(self, inputs: Mapping[str, np.ndarray]) -> Arrays:
        rest = {name: array for name, array in inputs.items() if name != "cond"}
        return self._merged.run({**rest, "lr": self._lrs[float(inputs["cond"][0, 0, 0, 0])]})


def merge(encoder: bytes, step: bytes, shapes: Shapes) -> bytes:
    """Encoder and step as one ONNX model of static shapes: cond is computed within."""
    import onnx

    first, second = onnx.load_model_from_string(encoder), onnx.load_model_from_string(step)
    first = onnx.compose.add_prefix(first, "encoder_", rename_inputs=False, rename_outputs=False)
    model = onnx.compose.merge_models(first, second, io_map=[("cond", "cond")])
    for value in model.graph.input:  # both graphs call their axes height and width
        for axis, size in zip(value.type.tensor_type.shape.dim, shapes[value.name]):
            axis.dim_value = size
    for value in model.graph.output:
        value.type.tensor_type.ClearField("shape")
    return model.SerializeToString()
