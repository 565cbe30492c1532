"""Bundles that reach for files, memory or time: refused in one sentence before an engine sees them."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any, Callable

import numpy as np
import pytest

pytest.importorskip("onnx")
import onnx
from onnx import TensorProto, helper, numpy_helper

from srdiff.bundle import MAX_GRAPH, Bundle
from srdiff.doctor.golden import GOLDEN as GOLDEN_FOLDER
from srdiff.errors import BundleError
from srdiff.onnx_check import MAX_NODES
from srdiff.samplers import Sampler
from srdiff.upscaler import Upscaler

from ..models import SMALL
from .tampering import edit, refused, rehash

GOLDEN = GOLDEN_FOLDER / "golden.srdiff"
Change = Callable[[Any], Any]


@pytest.fixture
def golden(tmp_path: Path) -> Path:
    target = tmp_path / "copy.srdiff"
    shutil.copytree(str(GOLDEN), str(target))
    return target


def outside(tensor: Any) -> None:
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="../secret")


def subgraph() -> Any:
    value = helper.make_tensor_value_info("y", TensorProto.FLOAT, [1])
    constant = helper.make_node("Constant", [], ["y"], value=numpy_helper.from_array(np.zeros(1, np.float32)))
    return helper.make_graph([constant], "inner", [], [value])


def first(graph: Any, operator: str) -> Any:
    return next(node for node in graph.node if node.op_type == operator)


def widest(graph: Any) -> Any:
    return max(graph.initializer, key=lambda weight: len(weight.raw_data))


def claim(graph: Any) -> None:
    widest(graph).dims[:] = [1 << 40, 1 << 20]


def constant_outside(graph: Any) -> None:
    node = helper.make_node("Constant", [], ["own"], value=numpy_helper.from_array(np.zeros(9, np.float32)))
    outside(node.attribute[0].t)
    graph.node.append(node)


def cycle(graph: Any) -> None:
    node = next(node for node in graph.node if len(node.input) > 1 and node.op_type == "Add")
    node.input[1] = graph.node[-1].output[0]


def endless(graph: Any) -> None:
    graph.node.insert(0, helper.make_node("Loop", ["", ""], ["endless"], body=subgraph()))


def stride(graph: Any) -> None:
    node = first(graph, "Conv")
    kept = [attribute for attribute in node.attribute if attribute.name != "dilations"]
    del node.attribute[:]
    node.attribute.extend([*kept, helper.make_attribute("dilations", [1 << 40, 1])])


def many(graph: Any) -> None:
    graph.node.extend(helper.make_node("Neg", ["x"], [f"n{number}"]) for number in range(MAX_NODES))


GRAPHS: dict[str, tuple[Change, str]] = {
    "a weight in another file": (lambda model: outside(widest(model.graph)), "lies in another file"),
    "an attribute in another file": (lambda model: constant_outside(model.graph), "another file"),
    "a node with a graph": (
        lambda model: first(model.graph, "Add").attribute.append(helper.make_attribute("body", subgraph())),
        "holds a graph",
    ),
    "an endless loop": (lambda model: endless(model.graph), "a graph|operator"),
    "a huge range": (lambda model: setattr(first(model.graph, "Add"), "op_type", "Range"), "'Range'"),
    "an operator of its own": (lambda model: setattr(first(model.graph, "Add"), "domain", "com.microsoft"), "domain"),
    "a function": (
        lambda model: model.functions.append(helper.make_function("own", "Add", ["a"], ["b"], [], [])),
        "one graph and nothing else",
    ),
    "training": (lambda model: model.training_info.add(), "one graph and nothing else"),
    "sparse weights": (lambda model: model.graph.sparse_initializer.add(), "sparse"),
    "a cycle": (lambda model: cycle(model.graph), "nothing before it makes"),
    "two makers": (lambda model: model.graph.node.append(model.graph.node[-1]), "two nodes make"),
    "a claim": (lambda model: claim(model.graph), "claims"),
    "a wide step": (lambda model: stride(model.graph), "dilations"),
    "many nodes": (lambda model: many(model.graph), "nodes, more than"),
    "no graph": (lambda model: model.ClearField("graph"), "one graph and nothing else"),
    "another output": (lambda model: setattr(model.graph.output[0], "name", "z"), "gives z"),
    "no output": (lambda model: model.graph.node.pop(), "no node makes"),
    "another input": (lambda model: setattr(model.graph.input[0], "name", "z"), "takes z"),
    "one input less": (lambda model: model.graph.input.pop(), "takes"),
    "another type": (lambda model: setattr(model.graph.input[0].type.tensor_type, "elem_type", 7), "of type 7"),
    "another rank": (lambda model: model.graph.input[0].type.tensor_type.shape.dim.pop(), "and shape"),
    "other channels": (
        lambda model: setattr(model.graph.input[2].type.tensor_type.shape.dim[1], "dim_value", 5),
        "cond is of type 1 and shape",
    ),
    "a long name": (lambda model: setattr(model.graph.node[0], "op_type", "x" * 5000), "name is longer"),
}


@pytest.mark.parametrize("kind", GRAPHS)
def test_a_graph_is_a_plain_network_or_refused(kind: str, golden: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    change, words = GRAPHS[kind]
    model = onnx.load(str(golden / "step.onnx"))
    change(model)
    (golden / "step.onnx").write_bytes(model.SerializeToString())
    rehash(golden, "step.onnx")
    monkeypatch.chdir(golden)
    sentence = refused(golden)
    assert any(word in sentence for word in words.split("|")), sentence


@pytest.mark.parametrize("bundle", [GOLDEN, SMALL])
def test_what_was_exported_is_taken(bundle: Path) -> None:
    opened = Bundle(bundle)
    for name in opened.file_names:
        assert opened.read(name)


NESTED = "[" * 100_000 + "]" * 100_000
VALUES: dict[str, Change] = {
    "an unhashable file": lambda manifest: manifest["graphs"][0].update(encoder=[]),
    "an unhashable format": lambda manifest: manifest["graphs"][0].update(format={}),
    "another format": lambda manifest: manifest["graphs"][0].update(format="exe"),
    "a long file name": lambda manifest: manifest["graphs"][0].update(step="x" * 300),
    "an infinite size": lambda manifest: manifest["files"]["step.onnx"].update(size=float("inf")),
    "a huge size": lambda manifest: manifest["files"]["step.onnx"].update(size=MAX_GRAPH + 1),
    "a huge beta": lambda manifest: manifest["schedule"]["betas"].__setitem__(3, 10**400),
    "a beta of text": lambda manifest: manifest["schedule"]["betas"].__setitem__(3, "one"),
    "a million betas": lambda manifest: manifest["schedule"].update(betas=[0.5] * 1_000_000),
    "a huge factor": lambda manifest: manifest.update(res_rescale=10**400),
    "an infinite factor": lambda manifest: manifest.update(res_rescale=float("inf")),
    "no number as a factor": lambda manifest: manifest.update(res_rescale=float("nan")),
    "a shape of text": lambda manifest: manifest["graphs"][0].update(lr_shape="ab"),
    "a negative shape": lambda manifest: manifest["graphs"][0].update(lr_shape=[-1, 4]),
    "half a shape": lambda manifest: manifest["graphs"][0].update(lr_shape=[4]),
    "a huge scale": lambda manifest: manifest.update(scale=10**9),
    "a huge margin": lambda manifest: manifest.update(margin=10**9),
    "a huge minimum": lambda manifest: manifest.update(hr_minimum=2**40),
    "no scale": lambda manifest: manifest.update(scale=None),
    "no margin": lambda manifest: manifest.update(margin=None),
    "no channels": lambda manifest: manifest.update(cond_channels=None),
    "a scale of one half": lambda manifest: manifest.update(scale=0.5),
    "an input that the graph has not": lambda manifest: manifest.update(up_input=True),
    "channels that the graph has not": lambda manifest: manifest.update(cond_channels=5),
    "weights of text": lambda manifest: manifest.update(weights_dtype=["float16"]),
    "no schedule": lambda manifest: manifest.update(schedule=None),
    "an unhashable checkpoint": lambda manifest: manifest.update(checkpoint=[[]]),
    "a network in a list": lambda manifest: manifest.update(network=[1]),
    "files in a list": lambda manifest: manifest.update(files=[1]),
    "many presets": lambda manifest: manifest.update(presets={name: {} for name in ("full", *map(str, range(64)))}),
    "many graphs": lambda manifest: manifest.update(graphs=manifest["graphs"] * 200),
    "no graphs": lambda manifest: manifest.update(graphs=[]),
    "a huge overlap": lambda manifest: manifest.update(overlap=256),
}


@pytest.mark.parametrize("kind", VALUES)
def test_a_manifests_values_are_checked(kind: str, golden: Path) -> None:
    edit(golden, VALUES[kind])
    assert len(refused(golden)) < 500


def test_to_open_a_bundle_makes_no_table(golden: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A table has a row for each of a hundred thousand timesteps, and there may be one for each preset."""
    monkeypatch.setattr(Sampler, "plan", lambda self, schedule: pytest.fail("a table"))
    presets = {name: {"spacing": "quadratic"} for name in ("full", *map(str, range(63)))}
    edit(golden, lambda manifest: manifest.update(presets=presets))
    assert len(Bundle(golden).manifest.presets) == 64


def test_a_file_of_several_graphs_is_read_once(golden: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def sized(manifest: dict[str, Any]) -> None:
        pair = next(graph for graph in manifest["graphs"] if graph["format"] == "onnx")
        manifest["graphs"] = [{**pair, "lr_shape": [8, width]} for width in range(2, 42)]

    edit(golden, sized)
    read, once = [], Bundle.read
    monkeypatch.setattr(Bundle, "read", lambda self, name: read.append(name) or once(self, name))
    assert len(Upscaler.from_bundle(golden, engine="onnxruntime", device="cpu")._graphs.static) == 40
    assert len(read) == len(set(read)), read


def test_a_manifest_is_not_nested_nor_huge_nor_a_link(golden: Path) -> None:
    file = golden / "manifest.json"
    text = file.read_text()
    file.write_text(NESTED)
    assert "is damaged" in refused(golden)
    file.write_text(text + " " * (17 << 20))
    assert "16 MiB" in refused(golden)
    file.unlink()
    (golden.parent / "elsewhere.json").write_text(text)
    file.symlink_to(golden.parent / "elsewhere.json")
    assert "is a link" in refused(golden)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x93NUMPY",
        b"\x93NUMPY\x01\x00\xff\xff",
        b"\x93NUMPY\x01\x00\x10\x00{'descr': (((((((((",
        b"PK\x03\x04",
        b"\x93NUMPY\x01\x00\x50\x00" + b"{'descr': '<f4', 'fortran_order': False, 'shape': (1, 999999999999), }",
    ],
)
def test_a_time_bias_is_a_plain_array(content: bytes, golden: Path) -> None:
    (golden / "time_bias.npy").write_bytes(content)
    rehash(golden, "time_bias.npy")
    assert "is no plain array" in refused(golden)


def test_a_time_bias_is_finite(golden: Path) -> None:
    table = np.load(golden / "time_bias.npy").copy()
    table[3, 2] = np.nan
    np.save(golden / "time_bias.npy", table)
    rehash(golden, "time_bias.npy")
    assert "not finite" in refused(golden)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes with names here")
def test_a_pipe_is_no_file(golden: Path) -> None:
    (golden / "step.onnx").unlink()
    os.mkfifo(str(golden / "step.onnx"))
    assert "lacks step.onnx" in refused(golden)


def with_weights(golden: Path, value: float) -> Path:
    model = onnx.load(str(golden / "step.onnx"))
    weight = widest(model.graph)
    array = np.full_like(numpy_helper.to_array(weight), value)
    weight.CopyFrom(numpy_helper.from_array(array, weight.name))
    (golden / "step.onnx").write_bytes(model.SerializeToString())
    rehash(golden, "step.onnx")
    return golden


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_weights_are_finite(value: float, golden: Path) -> None:
    assert "values that are not finite" in refused(with_weights(golden, value))


@pytest.mark.parametrize("tile", [None, 16])
def test_results_that_are_not_finite_are_an_error_that_names_the_step(tile: int | None, golden: Path) -> None:
    pytest.importorskip("onnxruntime")  # OpenVINO's clamp makes a finite number of them
    overlap = None if tile is None else 4
    upscaler = Upscaler.from_bundle(with_weights(golden, 3e38), engine="onnxruntime", tile=tile, overlap=overlap)
    with pytest.raises(BundleError, match="not finite in step 1 of 3"):
        upscaler.upscale(np.zeros((24, 24, 3), np.uint8), steps=3)


@pytest.mark.parametrize("tile", [None, 16])
@pytest.mark.parametrize("graph", ["encoder", "step"])
def test_what_a_library_raises_while_it_runs_is_one_sentence(
    graph: str, tile: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    upscaler = Upscaler.from_bundle(GOLDEN, tile=tile, overlap=None if tile is None else 4)
    compiled = upscaler.graph

    def broken(name: str, *size: int) -> Any:
        found = compiled(name, *size)
        if name == graph:
            found.run = lambda inputs: {}[0]  # type: ignore[method-assign]
        return found

    monkeypatch.setattr(upscaler, "graph", broken)
    with pytest.raises(BundleError, match=f"the {graph} graph fails while it runs"):
        upscaler.upscale(np.zeros((24, 24, 3), np.uint8), steps=3)
