"""ONNX Runtime's engine with the CANN provider; see fake_cann.py for what is enforced."""

from __future__ import annotations

import numpy as np
import pytest

from srdiff.doctor.examination import BOUNDS, Finding, examine_engine
from srdiff.doctor.golden import GoldenNetwork, Recorded, golden_bundle
from srdiff.engines import open_engine
from srdiff.engines.ascend_precision import CANN_MODES
from srdiff.errors import DeviceError
from srdiff.graph_io import X_NEXT
from srdiff.upscaler import Upscaler

UPDATE_ON_THE_HOST = ("force_fp16", "allow_mix_precision")


def open_cann(precision="fp32", device="ascend", **options):
    return open_engine("onnxruntime", device, precision, options=options)


@pytest.mark.parametrize(("precision", "network"), [("fp32", "fp32"), ("fp16", "fp16"), ("auto", "fp16")])
def test_golden_steps(cann, precision, network):
    module = cann()
    finding = Finding("onnxruntime", "ascend", precision)
    examine_engine(open_cann(precision), golden_bundle(), Recorded.read(), finding)
    assert (finding.network, finding.update, finding.claims) == (network, "fp32", network)
    assert finding.worst < BOUNDS[network]
    assert finding.x_stays and not finding.advice
    modes = {"fp32": "must_keep_origin_dtype", "fp16": "allow_fp32_to_fp16"}
    assert {session.options["precision_mode"] for session in module.sessions} == {modes[network]}
    assert {session.options["dump_om_model"] for session in module.sessions} == {"0"}


@pytest.mark.parametrize("mode", CANN_MODES)
def test_every_mode_keeps_the_update(cann, mode):
    cann()
    engine = open_cann("auto", precision_mode=mode)
    finding = Finding("onnxruntime", "ascend", "auto")
    examine_engine(engine, golden_bundle(), Recorded.read(), finding)
    assert finding.update == "fp32"
    assert finding.network == finding.claims
    assert finding.x_stays == (mode not in UPDATE_ON_THE_HOST)
    assert finding.worst < BOUNDS[finding.network]


def test_x_never_leaves_the_device(cann):
    module = cann()
    network = GoldenNetwork(open_cann(), golden_bundle())
    loop = network.start()
    coef = network.inputs()["coef"]
    module.bus.traffic.clear()
    for _ in range(5):
        loop.put("coef", coef)
        loop.run()
    assert module.bus.traffic == [("h2d", coef.nbytes)] * 5
    loop.get(X_NEXT)
    assert module.bus.count("d2h") == 1


def test_the_device_by_number(cann):
    module = cann()
    network = GoldenNetwork(open_cann(device="ascend:1"), golden_bundle())
    network.start().run()
    assert {session.options["device_id"] for session in module.sessions} == {"1"}


def test_the_built_in_model_on_a_photo(cann, photo):
    """As a user runs it: whole and in windows, as on ONNX Runtime's CPU."""
    expected = Upscaler.from_bundle(golden_bundle().path, engine="openvino", precision="fp32").upscale(photo, steps=3)
    cann()
    for tile in (32, 20):
        upscaler = Upscaler.from_bundle(golden_bundle().path, "ascend", "onnxruntime", "fp32", tile=tile, overlap=8)
        difference = np.abs(upscaler.upscale(photo, steps=3).astype(int) - expected.astype(int))
        assert np.percentile(difference, 99) <= 1


def test_nodes_left_to_the_cpu_are_an_error_unless_allowed(cann):
    cann(refused=("ConvTranspose", "DepthToSpace", "Softplus"))
    with pytest.raises(DeviceError, match=r"does not take every node.*allow_cpu_nodes=1"):
        GoldenNetwork(open_cann(), golden_bundle())
    GoldenNetwork(open_cann(allow_cpu_nodes="1"), golden_bundle())
