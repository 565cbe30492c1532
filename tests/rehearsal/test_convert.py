"""A bundle's ONNX graphs through the converters; see fake_tools.py for what is enforced."""

from __future__ import annotations

import os
import subprocess
from dataclasses import replace

import numpy as np
import pytest
from click.testing import CliRunner

from srdiff.bundle import Bundle, write_bundle
from srdiff.doctor.examination import BOUNDS, Finding, examine_engine
from srdiff.doctor.golden import LR_SHAPE, Recorded, golden_bundle
from srdiff.errors import BundleError, OptionError
from srdiff.upscaler import Upscaler
from srdiff_export.command import main
from srdiff_export.convert import SCRIPT, ConvertOptions, convert_bundle

from . import fake_tools

SHAPE = "{}x{}".format(*LR_SHAPE)


@pytest.fixture
def onnx_bundle(tmp_path):
    """The golden network as ONNX alone."""
    golden, folder = golden_bundle(), tmp_path / "onnx.srdiff"
    folder.mkdir()
    for name in ("encoder.onnx", "step.onnx", "time_bias.npy"):
        (folder / name).write_bytes(golden.read(name))
    write_bundle(folder, replace(golden.manifest, graphs=golden.graph_files("onnx")))
    return Bundle(folder)


@pytest.fixture
def tools(tmp_path, monkeypatch):
    """tools(names): these programs are installed, and nothing else."""
    monkeypatch.setenv("PATH", "/usr/bin:/bin")

    def install(*names: str) -> None:
        fake_tools.install(tmp_path / "bin", monkeypatch, *names)

    return install


def export(*arguments: object) -> str:
    result = CliRunner().invoke(main, [str(argument) for argument in arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


@pytest.mark.parametrize(("precision", "compiled"), [("fp32", "fp32"), ("fp16", "fp16"), (None, "fp16")])
def test_from_onnx_to_golden_steps(onnx_bundle, tools, lite, tmp_path, precision, compiled):
    """The way in: a bundle, the converter, MindSpore Lite; the manifest says what was compiled in and compared."""
    tools("converter_lite")
    lite("2.7.0")
    target = tmp_path / "lite.srdiff"
    chosen = ["--precision", precision] if precision else []
    said = export("--bundle", onnx_bundle.path, "--format", "mindir", "--shape", SHAPE, "-o", target, *chosen)
    assert "differs from the ONNX graphs by" in said
    bundle = Bundle(target)
    (graph,) = bundle.graph_files("mindir")
    assert (graph.lr_shape, graph.precision) == (LR_SHAPE, compiled)
    rows = bundle.manifest.parity["conversion"]["comparisons"]
    assert [row["graph"] for row in rows] == ["encoder", "step"]
    assert all(0 <= row["relative_error"] <= row["bound"] for row in rows)
    upscaler = Upscaler.from_bundle(target, "ascend", "mindspore_lite")
    assert upscaler.engine.precision == compiled
    finding = Finding("mindspore_lite", "ascend", compiled)
    examine_engine(upscaler.engine, bundle, Recorded.read(), finding)
    assert (finding.network, finding.update) == (compiled, "fp32")
    assert finding.worst < BOUNDS[compiled]


def test_a_graph_of_several_sizes(onnx_bundle, tools, lite, tmp_path):
    tools("converter_lite")
    module = lite("2.7.0")
    target = tmp_path / "lite.srdiff"
    shapes = [part for size in (SHAPE, "16x16", "16x20") for part in ("--shape", size)]
    export("--bundle", onnx_bundle.path, "--format", "mindir", *shapes, "--profiles", "-o", target)
    bundle = Bundle(target)
    graphs = bundle.graph_files("mindir")
    assert {graph.step for graph in graphs} == {"step_profiles.mindir"}
    assert [graph.lr_shape for graph in graphs] == [LR_SHAPE, (16, 16), (16, 20)]
    module.calls.clear()
    upscaler = Upscaler.from_bundle(target, "ascend", "mindspore_lite")
    for size in ((8, 12), (15, 19)):
        assert upscaler.upscale(np.zeros((*size, 3), np.uint8), steps=1).shape == (4 * size[0], 4 * size[1], 3)
    assert [name for name, _ in module.calls].count("build") == 2  # encoder and step, of all sizes


def test_by_lites_own_module(onnx_bundle, tools, lite, tmp_path):
    """Where the wheel is installed and the program is not."""
    lite("2.7.0")
    target = tmp_path / "lite.srdiff"
    export("--bundle", onnx_bundle.path, "--format", "mindir", "--shape", SHAPE, "-o", target)
    assert Bundle(target).graph_files("mindir")


def test_without_the_tools_the_command_lines_are_written(onnx_bundle, tools, tmp_path, monkeypatch):
    target, made = tmp_path / "script.srdiff", tmp_path / "made.srdiff"
    options = ["--format", "mindir", "--shape", SHAPE, "--shape", "16x16", "--profiles", "--optimize"]
    options.append("ascend_oriented:910b")
    said = export("--bundle", onnx_bundle.path, *options, "-o", target)
    assert "converter_lite is not installed here, so nothing was converted" in said
    bundle = Bundle(target)
    assert not bundle.graph_files("mindir")
    assert {SCRIPT, "encoder_profiles.ini", "step_profiles.ini"} <= set(bundle.file_names)

    tools("converter_lite")
    subprocess.run(["sh", str(target / SCRIPT)], check=True, stdout=subprocess.DEVNULL)
    said = export("--bundle", target, *options, "-o", made)
    assert "not compared" in said and "MindSpore Lite is not installed" in said
    bundle = Bundle(made)
    assert [graph.lr_shape for graph in bundle.graph_files("mindir")] == [LR_SHAPE, (16, 16)]
    assert "MindSpore Lite is not installed" in bundle.manifest.parity["conversion"]["not run"]


@pytest.mark.parametrize("profiles", [False, True])
def test_om(onnx_bundle, tools, tmp_path, profiles):
    tools("atc")
    target = tmp_path / "om.srdiff"
    shapes = ["--shape", SHAPE, "--shape", "16x16", *(["--profiles"] if profiles else [])]
    said = export("--bundle", onnx_bundle.path, "--format", "om", *shapes, "--soc", "Ascend910B3", "-o", target)
    assert "no engine of this project runs om files" in said
    bundle = Bundle(target)
    assert len({graph.step for graph in bundle.graph_files("om")}) == (1 if profiles else 2)
    assert bundle.manifest.producer["converted"] == "atc for Ascend910B3"


def test_a_converter_that_fails_leaves_nothing(onnx_bundle, tools, tmp_path):
    tools("converter_lite")
    program = tmp_path / "bin" / "converter_lite"
    program.write_text("#!/bin/sh\necho 'no CANN here'\nexit 3\n")
    result = CliRunner().invoke(
        main, ["--bundle", str(onnx_bundle.path), "--format", "mindir", "-o", str(tmp_path / "x.srdiff")]
    )
    assert result.exit_code == 2
    assert "converter_lite failed with 3: no CANN here" in result.output
    assert sorted(os.listdir(tmp_path)) == ["bin", "onnx.srdiff"]


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"optimize": "ascend_oriented:310"}, "ascend_oriented:910b as MindSpore Lite's converter knows them"),
        ({"optimize": "gpu_oriented"}, "optimize is 'gpu_oriented'"),
        ({"format": "om"}, "soc is None; give ATC's name of the chip"),
        ({"format": "om", "soc": "910; rm"}, "soc is '910; rm'"),
        ({"profiles": True}, "a graph of several has 2 to 100"),
        ({"optimize": "general", "precision": "fp16"}, "for the CPU, in fp32"),
        ({"format": "onnx"}, "converted to mindir or om"),
    ],
)
def test_options_that_do_not_fit(options, sentence):
    with pytest.raises(OptionError) as error:
        ConvertOptions(**options)
    assert sentence in str(error.value)


def test_a_bundle_that_has_them_already(tmp_path):
    with pytest.raises(BundleError, match=r"give a bundle with onnx and without mindir"):
        convert_bundle(golden_bundle(), tmp_path / "x.srdiff", ConvertOptions(shapes=(LR_SHAPE,)))


def test_a_size_that_does_not_fit(onnx_bundle, tmp_path):
    with pytest.raises(OptionError, match="an LR shape of 0x8 gives 0x32"):
        convert_bundle(onnx_bundle, tmp_path / "x.srdiff", ConvertOptions(shapes=((0, 8),)))


def test_attention_reaches_lites_cpu_as_mindir_of_the_checkpoint_alone(onnx_bundle, tmp_path):
    """Its converter makes a file of such an ONNX graph that it then refuses to load."""
    (onnx_bundle.path / "manifest.json").unlink()
    write_bundle(onnx_bundle.path, replace(onnx_bundle.manifest, global_context=True))
    wanted = ConvertOptions(optimize="general", shapes=(LR_SHAPE,))
    with pytest.raises(OptionError, match=r"has attention, .* with --format mindir"):
        convert_bundle(Bundle(onnx_bundle.path), tmp_path / "lite.srdiff", wanted)
    assert os.listdir(tmp_path) == ["onnx.srdiff"]
