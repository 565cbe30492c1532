"""Hosts that have an Ascend, as far as this project's code can tell."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from pathlib import Path

import pytest

# Protobuf takes the generated code of both only in this order.
with contextlib.suppress(ImportError):
    import mindspore  # noqa: F401

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

from srdiff.bundle import Bundle, write_bundle
from srdiff.doctor.golden import LR_SHAPE, golden_bundle
from srdiff.engines import ascend
from srdiff.graph_files import GraphFiles
from srdiff.graph_io import ENCODER, STEP

from . import fake_cann, fake_lite
from .fake_mindir import fake_mindir


@pytest.fixture
def devices(tmp_path, monkeypatch):
    """devices(n): the host has n Ascend devices."""
    monkeypatch.delenv(ascend.VISIBLE, raising=False)

    def make(count: int) -> None:
        folder = tmp_path / "dev"
        folder.mkdir(exist_ok=True)
        for number in range(count):
            (folder / f"davinci{number}").touch()
        monkeypatch.setattr(ascend, "DEVICE_NODES", folder)

    return make


@pytest.fixture
def lite(devices, tmp_path, monkeypatch):
    """lite(version, chip): MindSpore Lite of a generation on a host with two devices."""

    def make(version: str, chip: str = "910B"):
        devices(2)
        return fake_lite.install(monkeypatch, tmp_path / "mindspore_lite", version, chip)

    return make


@pytest.fixture
def cann(devices, monkeypatch):
    """cann(refused): ONNX Runtime with CANN on a host with two devices."""

    def make(refused: tuple[str, ...] = ()):
        devices(2)
        return fake_cann.install(monkeypatch, refused)

    return make


@pytest.fixture
def mindir_bundle(tmp_path):
    """mindir_bundle(shapes, profiles, …): the golden network as MindIR of these LR sizes, in one file or in several."""

    def make(shapes=(LR_SHAPE,), profiles=False, **header) -> Bundle:
        return write_mindir_bundle(tmp_path / "golden.srdiff", shapes, profiles, **header)

    return make


def write_mindir_bundle(folder: Path, shapes=(LR_SHAPE,), profiles=False, **header) -> Bundle:
    golden = golden_bundle()
    (onnx,) = golden.graph_files("onnx")
    folder.mkdir()
    (folder / "time_bias.npy").write_bytes(golden.read("time_bias.npy"))
    graphs = []
    for index, shape in enumerate(shapes):
        names = {graph: f"{graph}{'' if profiles else index}.mindir" for graph in (ENCODER, STEP)}
        graphs.append(GraphFiles("mindir", names[ENCODER], names[STEP], shape))
        for graph in (ENCODER, STEP):
            held = shapes if profiles else (shape,)
            sizes = [golden.manifest.input_shapes(graph, *each) for each in held]
            content = fake_mindir(golden.read(getattr(onnx, graph)), sizes, **header)
            (folder / names[graph]).write_bytes(content)
    write_bundle(folder, replace(golden.manifest, graphs=tuple(graphs)))
    return Bundle(folder)
