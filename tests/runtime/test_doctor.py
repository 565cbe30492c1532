"""The doctor: what it measures on engines that are known, and what it finds in such as were spoilt."""

from __future__ import annotations

import json
from typing import Mapping

import numpy as np
import pytest
from click.testing import CliRunner

from srdiff.bundle import Bundle
from srdiff.commands import doctor as command
from srdiff.cpu import this_cpu
from srdiff.doctor.examination import BOUNDS, Finding, examine, examine_engine
from srdiff.doctor.golden import GOLDEN, Recorded, golden_bundle
from srdiff.doctor.probes import update_format
from srdiff.engines import CANDIDATES, PRECISIONS, Arrays, Graph, open_engine
from srdiff.engines.host_update import HostUpdate
from srdiff.errors import DeviceError
from srdiff.graph_io import STEP

from ..models import SMALL

onnxruntime_engine = pytest.importorskip("srdiff.engines.onnxruntime_engine")
pytest.importorskip("onnxruntime")


class Spoilt(Graph):
    """A graph whose results, inputs or coefficients pass through a narrower format."""

    def __init__(self, graph: Graph, what: str, rounded) -> None:
        self._graph, self._what, self._rounded = graph, what, rounded

    def run(self, inputs: Mapping[str, np.ndarray]) -> Arrays:
        if self._what in inputs:
            inputs = {**inputs, self._what: self._rounded(inputs[self._what])}
        outputs = self._graph.run(inputs)
        return {name: self._rounded(x) if self._what == name else x for name, x in outputs.items()}


def to_float16(array: np.ndarray) -> np.ndarray:
    with np.errstate(over="ignore"):
        return array.astype(np.float16).astype(np.float32)


def to_bfloat16(array: np.ndarray) -> np.ndarray:
    bits = np.ascontiguousarray(array).view(np.uint32).astype(np.uint64)
    return ((bits + 0x7FFF + (bits >> 16 & 1)) & 0xFFFF0000).astype(np.uint32).view(np.float32)


def spoilt_engine(what, rounded):
    class SpoiltEngine(onnxruntime_engine.OnnxRuntimeEngine):
        def compile(self, model, shapes):
            return Spoilt(super().compile(model, shapes), what, rounded)

    return SpoiltEngine("cpu", "fp32", 1, {})


def examined(engine) -> Finding:
    finding = Finding(engine.name, "cpu", engine.precision)
    examine_engine(engine, golden_bundle(), Recorded.read(), finding)
    return finding


@pytest.mark.parametrize(
    ("what", "rounded", "update"),
    [
        ("x_next", to_float16, "fp16"),
        ("x0", to_float16, "fp16"),
        ("x0_prev", to_float16, "fp16"),
        ("noise", to_bfloat16, "bf16"),
        ("coef", to_bfloat16, "bf16"),
        ("x_next", to_bfloat16, "bf16"),
    ],
)
def test_a_rounded_update_is_found(what, rounded, update):
    finding = examined(spoilt_engine(what, rounded))
    assert finding.update == update
    assert finding.is_wrong
    assert any(f"the update is rounded to {update}" in advice for advice in finding.advice)


@pytest.mark.parametrize(("rounded", "network"), [(to_float16, "fp16"), (to_bfloat16, "bf16")])
def test_a_network_narrower_than_it_says_is_found(rounded, network):
    """Its conditioning rounded, which the probe of x does not see and the error of eps does."""
    finding = examined(spoilt_engine("cond", rounded))
    assert finding.network in ("fp16", "bf16")
    assert finding.update == "fp32"
    assert any("although fp32 was asked for" in advice for advice in finding.advice)


@pytest.mark.parametrize("engine", ["onnxruntime", "openvino"])
def test_float32_engines(engine):
    finding = examined(open_engine(engine, "cpu", "fp32"))
    assert (finding.network, finding.update, finding.advice, finding.is_wrong) == ("fp32", "fp32", [], False)
    assert len(finding.parity) == 8 and finding.worst < BOUNDS["fp32"]
    assert finding.x_stays and finding.ms_per_step > 0


def test_float16_as_on_a_gpu():
    finding = examined(onnxruntime_engine.OnnxRuntimeEngine("cpu", "fp16", 1, {}))
    assert (finding.network, finding.update, finding.advice) == ("fp16", "fp32", [])


@pytest.mark.parametrize(("precision", "flag"), [("bf16", "avx512bw"), ("fp16", "avx512_fp16")])
def test_half_precisions_of_openvino(precision, flag):
    """It emulates bf16 on a CPU that has AVX-512 alone, and computes float32 on one that has neither."""
    if flag not in this_cpu().flags:
        pytest.skip(f"this CPU is not known to have {flag}")
    openvino = pytest.importorskip("openvino")
    from srdiff.engines.openvino_engine import OpenVinoEngine

    finding = examined(OpenVinoEngine(openvino.Core(), precision, 1))
    assert (finding.network, finding.update, finding.is_wrong) == (precision, "fp32", False)


def test_an_update_on_the_host_mends_a_rounded_one():
    """For a network with the clamp and for one without."""
    for bundle in (golden_bundle(), Bundle(SMALL)):
        shapes = bundle.manifest.input_shapes(STEP, 8, 12)
        step = spoilt_engine("x_next", to_float16).compile(bundle.read("step.onnx"), shapes)
        zeros = {name: np.zeros(shape, np.float32) for name, shape in shapes.items()}
        assert update_format(step, zeros)[0] == "fp16"
        mended = HostUpdate(step, shapes)
        assert update_format(mended, zeros)[0] == "fp32"
        rng = np.random.default_rng(0)
        inputs = {name: rng.standard_normal(shape).astype(np.float32) for name, shape in shapes.items()}
        exact = open_engine("onnxruntime", "cpu", "fp32").compile(bundle.read("step.onnx"), shapes).run(inputs)
        for name, array in mended.run(inputs).items():
            np.testing.assert_allclose(array, exact[name], atol=1e-4)


def test_every_engine_device_and_precision_is_reported():
    findings = examine(golden_bundle(), Recorded.read(), 1)
    asked = [(finding.engine, finding.device, finding.precision) for finding in findings]
    assert asked == [(*pair, precision) for pair in CANDIDATES for precision in PRECISIONS]
    assert all(finding.refusal or finding.parity for finding in findings)


def test_from_a_shell():
    result = CliRunner().invoke(command.main, ["--threads", "1"])
    assert result.exit_code == 0, result.output
    assert "onnxruntime  cpu" in result.output and "Did not run:" in result.output


def test_json_is_json():
    result = CliRunner().invoke(command.main, ["--json", "--threads", "1"])
    report = json.loads(result.output)
    assert report["machine"]["srdiff"] and len(report["findings"]) == len(CANDIDATES) * len(PRECISIONS)


def test_a_wrong_result_is_the_exit_code(monkeypatch):
    finding = examined(spoilt_engine("x_next", to_float16))
    monkeypatch.setattr(command, "examine", lambda *_: [finding])
    result = CliRunner().invoke(command.main, [])
    assert result.exit_code == 1
    assert "the update is rounded to fp16, so results are wrong" in result.output


def test_an_engine_that_refuses_is_a_finding(monkeypatch):
    def refuse(*_):
        raise DeviceError("no such thing")

    monkeypatch.setattr("srdiff.doctor.examination.open_engine", refuse)
    findings = examine(golden_bundle(), Recorded.read())
    assert {finding.refusal for finding in findings} == {"no such thing"}


def test_it_is_small():
    assert sum(file.stat().st_size for file in GOLDEN.rglob("*") if file.is_file()) < 1_500_000
