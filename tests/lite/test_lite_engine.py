"""MindSpore Lite's traps and refusals, provoked."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from srdiff.bundle import Bundle
from srdiff.engines import ascend, open_engine, try_devices
from srdiff.engines.lite_options import write_sections
from srdiff.errors import BundleError, DeviceError, OptionError
from srdiff.upscaler import Upscaler
from tests.conftest import DATA
from tests.lite.conftest import TILE


@pytest.fixture(scope="module")
def upscaler(export_mindir) -> Upscaler:
    return Upscaler.from_bundle(export_mindir("mindediting", False), device="cpu", threads=1)


def step_inputs(upscaler: Upscaler, seed: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    shapes = upscaler.bundle.manifest.input_shapes("step", *TILE)
    return {name: rng.standard_normal(shape, dtype=np.float32) for name, shape in shapes.items()}


def command(module: str, *arguments: object, cwd: Path) -> subprocess.CompletedProcess:
    return subprocess.run(
        [str(Path(sys.executable).with_name(module)), *map(str, arguments)],
        cwd=str(cwd),
        capture_output=True,
        text=True,
        timeout=300,
    )


def test_from_a_shell_to_an_enlarged_photo(tmp_path, photo):
    """Checkpoint to picture with nothing but this and MindSpore, by the installed commands."""
    if shutil.which("srdiff-export", path=str(Path(sys.executable).parent)) is None:
        pytest.skip("srdiff is not installed, only on the path")
    exported = command("srdiff-export", "--ckpt", DATA / "mindediting_tiny.ckpt", "--format", "mindir",
                       "--shape", "16x16", "--shape", "24x20", "-o", "m.srdiff", cwd=tmp_path)  # fmt: skip
    assert exported.returncode == 0, exported.stderr
    for shape in ("16x16", "24x20"):
        for engine in ("mindspore GraphCell (cpu)", "mindspore_lite (cpu)"):
            assert any(line.startswith(engine) and shape in line for line in exported.stdout.splitlines())
    manifest = Bundle(tmp_path / "m.srdiff").manifest
    assert [graph.lr_shape for graph in manifest.graphs] == [(16, 16), (24, 20)]
    assert manifest.producer["mindspore"] == "2.0.0"
    assert manifest.producer["mindir"] == 1

    Image.fromarray(photo).save(str(tmp_path / "photo.png"))
    run = command("srdiff-run", "photo.png", "--model", "m.srdiff", "--engine", "mindspore_lite", "--device", "cpu",
                  "--steps", "3", cwd=tmp_path)  # fmt: skip
    assert run.returncode == 0, run.stderr
    assert "mindspore_lite cpu fp32" in run.stderr
    assert "ERROR" not in run.stderr
    assert Image.open(str(tmp_path / "photo_x4.png")).size == (80, 96)
    assert sorted(os.listdir(tmp_path)) == ["m.srdiff", "photo.png", "photo_x4.png"]


def test_results_are_the_callers_own(upscaler):
    graph = upscaler.graph("step", *TILE)
    first = graph.run(step_inputs(upscaler, 1))
    kept = {name: array.copy() for name, array in first.items()}
    second = graph.run(step_inputs(upscaler, 2))
    for name, array in kept.items():
        np.testing.assert_array_equal(first[name], array)
        assert np.abs(second[name] - array).max() > 0.1


def test_inputs_may_change_after_the_run(upscaler):
    graph = upscaler.graph("step", *TILE)
    inputs = step_inputs(upscaler, 1)
    before = graph.run(inputs)["x0"]
    for array in inputs.values():
        array[...] = 7
    np.testing.assert_array_equal(graph.run(step_inputs(upscaler, 1))["x0"], before)


def test_strided_inputs_are_read_as_they_are(upscaler):
    graph = upscaler.graph("step", *TILE)
    graph.run(step_inputs(upscaler, 2))  # what a refused array would leave in place
    inputs = step_inputs(upscaler, 1)
    strided = {name: np.repeat(array, 2, axis=3)[..., ::2] for name, array in inputs.items()}
    fortran = {name: np.asfortranarray(array) for name, array in inputs.items()}
    expected = graph.run(inputs)["x0"]
    np.testing.assert_array_equal(graph.run(strided)["x0"], expected)
    np.testing.assert_array_equal(graph.run(fortran)["x0"], expected)


def test_threads_share_a_graph(upscaler):
    graph = upscaler.graph("step", *TILE)
    inputs = [step_inputs(upscaler, seed) for seed in range(4)]
    expected = [graph.run(arrays)["x_next"] for arrays in inputs]
    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(lambda number: graph.run(inputs[number % 4])["x_next"], range(32)))
    for number, result in enumerate(results):
        np.testing.assert_array_equal(result, expected[number % 4])


@pytest.mark.parametrize("wrong", ["shape", "dtype", "missing"])
def test_a_wrong_input_is_refused(upscaler, wrong):
    inputs = step_inputs(upscaler, 1)
    if wrong == "shape":  # of the same size, which Lite itself takes
        inputs["cond"] = np.ascontiguousarray(inputs["cond"].swapaxes(2, 3))
    elif wrong == "dtype":
        inputs["cond"] = inputs["cond"].astype(np.float64)
    else:
        del inputs["cond"]
    with pytest.raises(OptionError, match=r"input cond is .* where float32 \(1, 8, 48, 64\) was expected"):
        upscaler.graph("step", *TILE).run(inputs)


def test_a_graph_of_another_shape_is_refused(export_mindir):
    bundle = Bundle(export_mindir("mindediting", False))
    model = bundle.read(bundle.manifest.graphs[0].encoder)
    with pytest.raises(BundleError, match=r"takes 1x3x12x16 where 1x3x16x16 was asked for.*--shape"):
        open_engine("mindspore_lite", "cpu").compile(model, {"lr": (1, 3, 16, 16)})


def test_a_newer_mindir_is_refused_with_both_versions(export_mindir):
    bundle = Bundle(export_mindir("mindediting", False))
    # A field that comes twice has the value that comes last.
    newer = bundle.read(bundle.manifest.graphs[0].encoder) + b"\x2a\x052.7.0" + b"\x68\x03"
    with pytest.raises(BundleError, match=r"MindIR version 3 by MindSpore 2\.7\.0, newer than MindSpore Lite 2\.0\.0"):
        open_engine("mindspore_lite", "cpu").compile(newer, {"lr": (1, 3, *TILE)})


@pytest.mark.parametrize("damage", [lambda model: b"", lambda model: model[:-9000], lambda model: b"PNG" + model])
def test_a_damaged_graph_is_refused(export_mindir, damage):
    bundle = Bundle(export_mindir("mindediting", False))
    model = damage(bundle.read(bundle.manifest.graphs[0].encoder))
    with pytest.raises(BundleError, match="MindIR"):
        open_engine("mindspore_lite", "cpu").compile(model, {"lr": (1, 3, *TILE)})


@pytest.mark.parametrize("engine", ["mindspore_lite", "auto"])
def test_ascend_without_cann_names_the_missing_library(export_mindir, tmp_path, monkeypatch, engine):
    if ascend.ascend_devices():
        pytest.skip("this host has an Ascend")
    monkeypatch.setattr(ascend, "DEVICE_NODES", tmp_path)
    (tmp_path / "davinci0").touch()
    with pytest.raises(DeviceError, match=r"MindSpore Lite 2\.0\.0 cannot use ascend: lib\w+\.so.*set_env\.sh"):
        Upscaler.from_bundle(export_mindir("mindediting", False), engine=engine, device="ascend")


def test_a_provider_needs_a_later_version(tmp_path, monkeypatch):
    monkeypatch.setattr(ascend, "DEVICE_NODES", tmp_path)
    (tmp_path / "davinci0").touch()
    with pytest.raises(DeviceError, match=r"MindSpore Lite 2\.0\.0 has no provider"):
        open_engine("mindspore_lite", "ascend", options={"provider": "ge"})


@pytest.mark.parametrize("precision", ["fp16", "bf16"])
def test_the_cpu_computes_in_float32(precision):
    with pytest.raises(DeviceError, match=precision):
        open_engine("mindspore_lite", "cpu", precision)


def test_configuration_reaches_lite(export_mindir, tmp_path):
    file = tmp_path / "lite.ini"
    file.write_text("[execution_plan]\nsome_op=data_Type: float32\n")
    options = {"config_file": str(file), "model_file.Key": "value"}
    engine = open_engine("mindspore_lite", "cpu", options=options)
    written = tmp_path / "written.ini"
    write_sections(engine._options.sections(), written)
    written = written.read_text()
    assert "[execution_plan]\nsome_op=data_Type: float32" in written
    assert "[model_file]\nKey=value" in written
    bundle = Bundle(export_mindir("mindediting", False))
    engine.compile(bundle.read(bundle.manifest.graphs[0].encoder), {"lr": (1, 3, *TILE)})

    file.write_text("no section")
    with pytest.raises(OptionError, match="not an ini file"):
        engine.compile(bundle.read(bundle.manifest.graphs[0].encoder), {"lr": (1, 3, *TILE)})


def test_lite_is_listed():
    found = {(engine, device): result for engine, device, result in try_devices()}
    assert found["mindspore_lite", "cpu"] == "yes: cpu, fp32, mindir graphs"
    assert found["mindspore_lite", "gpu"].startswith(("yes", "no: MindSpore Lite 2.0.0 cannot use gpu"))


def test_conversion_for_ascend_needs_cann(tmp_path):
    from srdiff_export.export import ExportOptions, export_bundle

    ckpt = DATA / "mindediting_tiny.ckpt"
    options = ExportOptions(formats=("mindir",), shapes=(TILE,), optimize="ascend_oriented")
    with pytest.raises(DeviceError, match=r"could not compile encoder_12x16\.mindir for ascend_oriented.*CANN"):
        export_bundle(ckpt, tmp_path / "m.srdiff", options)
    options = ExportOptions(formats=("mindir",), shapes=(TILE,), optimize="ascend_oriented:910b")
    with pytest.raises(
        DeviceError, match=r"the converter of MindSpore Lite 2\.0\.0 does not take ascend_oriented:910b"
    ):
        export_bundle(ckpt, tmp_path / "m.srdiff", options)
    assert os.listdir(tmp_path) == []
