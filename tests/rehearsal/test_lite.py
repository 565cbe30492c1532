"""MindSpore Lite's engine against every documented generation; see fake_lite.py for what is enforced."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from srdiff.doctor.examination import BOUNDS, Finding, examine_engine
from srdiff.doctor.golden import GoldenNetwork, Recorded
from srdiff.doctor.probes import network_format, update_format
from srdiff.engines import open_engine
from srdiff.engines.ascend_precision import LITE_MODES
from srdiff.engines.lite_options import write_sections
from srdiff.errors import BundleError, DeviceError, OptionError
from srdiff.graph_io import COND, FEEDBACK, STEP, X_NEXT, X
from srdiff.upscaler import Upscaler

from .fake_lite import GENERATIONS

real = write_sections
RESIDENT = ("2.3.1", "2.7.0", "2.9.0", "2.11.0")
UPDATE_ON_THE_HOST = ("enforce_fp16", "preferred_optimal")


def open_lite(precision="fp32", **options):
    return open_engine("mindspore_lite", "ascend", precision, options=options)


@pytest.fixture
def network(lite, mindir_bundle):
    """network(version, precision, options): the golden network on a generation, and the fake."""

    def make(version="2.7.0", precision="fp32", **options):
        module = lite(version)
        return GoldenNetwork(open_lite(precision, **options), mindir_bundle()), module

    return make


@pytest.mark.parametrize("version", GENERATIONS)
def test_golden_steps(network, version):
    found, _ = network(version)
    for x, expected in zip(found.steps(), Recorded.read().steps):
        assert np.abs(x - expected).max() / np.abs(expected).max() < BOUNDS["fp32"]


@pytest.mark.parametrize("version", GENERATIONS)
@pytest.mark.parametrize(("precision", "network_is"), [("fp32", "fp32"), ("fp16", "fp16"), ("auto", "fp16")])
def test_precision_is_what_is_said(network, version, precision, network_is):
    found, _ = network(version, precision)
    assert network_format(found.step, found.inputs(), Recorded.read().eps)[0] == network_is
    assert update_format(found.step, found.inputs())[0] == "fp32"
    assert open_lite(precision).precision == network_is


@pytest.mark.parametrize(("precision", "mode"), [("fp32", "enforce_origin"), ("fp16", "preferred_fp32")])
def test_the_mode_that_lite_is_given(network, precision, mode):
    _, module = network("2.7.0", precision)
    built = [model for name, model in module.calls if name == "build"]
    assert {model.context.ascend.precision_mode for model in built} == {mode}
    assert {tuple(model.context.target) for model in built} == {("ascend",)}
    assert mode in open_lite(precision).device


@pytest.mark.parametrize("mode", LITE_MODES)
def test_every_mode_keeps_the_update(lite, mindir_bundle, mode):
    """Where the mode may round vector operators, the update is NumPy's; the engine says so."""
    lite("2.7.0")
    engine = open_lite("auto", precision_mode=mode)
    finding = Finding("mindspore_lite", "ascend", "auto")
    examine_engine(engine, mindir_bundle(), Recorded.read(), finding)
    assert finding.update == "fp32"
    assert finding.network == finding.claims == ("fp32" if mode == "enforce_origin" else "fp16")
    assert finding.x_stays == (mode not in UPDATE_ON_THE_HOST)
    assert ("update on the host" in engine.device) == (mode in UPDATE_ON_THE_HOST)
    assert finding.worst < BOUNDS[finding.network]


def test_a_mode_that_contradicts_the_precision(lite):
    lite("2.7.0")
    with pytest.raises(OptionError, match=r"enforce_fp32 computes the network in fp16 and fp32 was asked for.*origin"):
        open_lite("fp32", precision_mode="enforce_fp32")


@pytest.mark.parametrize("version", RESIDENT)
def test_x_never_leaves_the_device(network, version):
    """Per step coef, time bias and noise go up; nothing comes down until it is asked for."""
    found, module = network(version)
    loop = found.start()
    assert loop.resident
    inputs = found.inputs()
    module.bus.traffic.clear()
    for _ in range(5):
        loop.put("coef", inputs["coef"])
        loop.run()
    assert module.bus.traffic == [("h2d", inputs["coef"].nbytes)] * 5
    loop.get(X_NEXT)
    assert module.bus.count("d2h") == 1


@pytest.mark.parametrize("version", ["2.0.0", "2.1.0"])
def test_older_ones_go_through_main_memory(network, version):
    found, _ = network(version)
    assert not found.start().resident


def test_the_device_by_number(lite, mindir_bundle):
    module = lite("2.7.0")
    found = GoldenNetwork(open_engine("mindspore_lite", "ascend:1", "fp32"), mindir_bundle())
    assert {model.context.ascend.device_id for name, model in module.calls if name == "build"} == {1}
    loop = found.start()
    assert {tensor.device for tensor in loop._inputs.values()} == {"ascend:1"}


def test_results_are_the_callers_own(network):
    found, _ = network()
    inputs = found.inputs()
    first = found.step.run(inputs)
    kept = {name: array.copy() for name, array in first.items()}
    found.step.run({**inputs, X: inputs[X] + 1, "coef": inputs["coef"] + 1})
    for name, array in kept.items():
        np.testing.assert_array_equal(first[name], array)


def test_what_a_loop_gave_is_kept(network):
    found, _ = network()
    loop = found.start()
    loop.put("coef", np.ones((1, 6, 1, 1), np.float32))
    loop.run()
    first = loop.get(X_NEXT)
    kept = first.copy()
    for _ in range(2):  # the two buffers of x change places
        loop.run()
        loop.get(X_NEXT)
    np.testing.assert_array_equal(first, kept)


def test_strided_inputs_are_read_as_they_are(network):
    found, _ = network()
    inputs = {**found.inputs(), "coef": np.ones((1, 6, 1, 1), np.float32)}
    rng = np.random.default_rng(0)
    inputs[X] = rng.standard_normal(inputs[X].shape, np.float32)
    expected = found.step.run(inputs)[X_NEXT]
    found.step.run({**inputs, X: inputs[X] * 2})  # what a refused array would leave in place
    np.testing.assert_array_equal(found.step.run({**inputs, X: np.asfortranarray(inputs[X])})[X_NEXT], expected)
    strided = np.repeat(inputs[X], 2, axis=3)[..., ::2]
    np.testing.assert_array_equal(found.step.run({**inputs, X: strided})[X_NEXT], expected)
    loop = found.step.loop(FEEDBACK)
    for name, array in inputs.items():
        loop.put(name, np.asfortranarray(array))
    loop.run()
    np.testing.assert_array_equal(loop.get(X_NEXT), expected)


def test_threads_share_a_graph(network):
    found, _ = network()
    inputs = [{**found.inputs(), "coef": np.full((1, 6, 1, 1), number, np.float32)} for number in (0.25, 0.5)]
    expected = [found.step.run(each)[X_NEXT] for each in inputs]
    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(lambda number: found.step.run(inputs[number % 2])[X_NEXT], range(16)))
    for number, result in enumerate(results):
        np.testing.assert_array_equal(result, expected[number % 2])


@pytest.mark.parametrize("wrong", ["shape", "dtype", "missing"])
def test_a_wrong_input_is_refused(network, wrong):
    found, _ = network()
    inputs = found.inputs()
    if wrong == "shape":
        inputs[COND] = np.ascontiguousarray(inputs[COND].swapaxes(2, 3))
    elif wrong == "dtype":
        inputs[COND] = inputs[COND].astype(np.float64)
    else:
        del inputs[COND]
    with pytest.raises(OptionError, match="input cond is "):
        found.step.run(inputs)


@pytest.mark.parametrize("version", GENERATIONS)
def test_configuration_reaches_lite(network, version, tmp_path):
    file = tmp_path / "lite.ini"
    file.write_text("[ascend_context]\nKey=from the file\nOther=kept\n")
    options = {"config_file": str(file), "ascend_context.Key": "from the option"}
    _, module = network(version, "fp32", **options)
    section = next(model for name, model in module.calls if name == "build").config["ascend_context"]
    assert {key.lower(): value for key, value in section.items()} == {"key": "from the option", "other": "kept"}


@pytest.mark.parametrize(("version", "files"), [("2.0.0", 1), ("2.7.0", 0), ("2.11.0", 0)])
def test_no_file_where_a_dictionary_is_taken(network, version, files, monkeypatch):
    written = []
    monkeypatch.setattr("srdiff.engines.mindspore_lite_engine.write_sections", lambda *_: written.append(1) or real(*_))
    network(version, "fp32", **{"ascend_context.key": "value"})
    assert len(written) == 2 * files


@pytest.mark.parametrize("version", ["2.1.0", "2.7.0"])
def test_one_graph_of_several_sizes(lite, mindir_bundle, version):
    module = lite(version)
    upscaler = Upscaler(mindir_bundle(((8, 12), (16, 16)), profiles=True), open_lite())
    small, large = upscaler.graph(STEP, 8, 12), upscaler.graph(STEP, 16, 16)
    assert [name for name, _ in module.calls].count("build") == 1
    shapes = upscaler.bundle.manifest
    for graph, size in ((small, (8, 12)), (large, (16, 16)), (small, (8, 12))):
        inputs = {name: np.ones(shape, np.float32) for name, shape in shapes.input_shapes(STEP, *size).items()}
        assert graph.run(inputs)[X_NEXT].shape == inputs[X].shape
    with pytest.raises(BundleError, match=r"takes other sizes where 1x3x12x12 was asked for"):
        upscaler.engine.compile(upscaler.bundle.read("encoder.mindir"), {"lr": (1, 3, 12, 12)})


def test_the_tile_chooser_uses_the_profiles(lite, mindir_bundle):
    module = lite("2.7.0")
    upscaler = Upscaler(mindir_bundle(((8, 12), (16, 16)), profiles=True), open_lite())
    upscaler.upscale(np.zeros((8, 12, 3), np.uint8), steps=1)
    upscaler.upscale(np.zeros((15, 16, 3), np.uint8), steps=1)
    asked = {next(iter(sizes.values())) for name, sizes in module.calls if name == "resize" and "lr" in sizes}
    assert asked == {(1, 3, 8, 12), (1, 3, 16, 16)}


def test_weights_are_shared_with_ge(lite, mindir_bundle):
    module = lite("2.7.0")
    upscaler = Upscaler(mindir_bundle(((8, 12), (16, 16))), open_lite(provider="ge"))
    for size in ((8, 12), (16, 16)):
        upscaler.graph(STEP, *size)
    assert [count for name, count in module.calls if name == "group"] == [1, 2]
    assert {model.context.ascend.provider for name, model in module.calls if name == "build"} == {"ge"}


def test_a_provider_needs_a_later_version(lite):
    lite("2.0.0")
    with pytest.raises(DeviceError, match=r"MindSpore Lite 2\.0\.0 has no provider"):
        open_lite(provider="ge")


def test_a_graph_of_another_shape_is_refused(lite, mindir_bundle):
    lite("2.7.0")
    model = mindir_bundle().read("encoder0.mindir")
    with pytest.raises(BundleError, match=r"takes 1x3x8x12 where 1x3x16x16 was asked for.*--shape"):
        open_lite().compile(model, {"lr": (1, 3, 16, 16)})


def test_a_newer_mindir_is_refused_with_both_versions(lite, mindir_bundle):
    lite("2.1.0")
    with pytest.raises(BundleError, match=r"MindIR version 3 by MindSpore 2\.7\.0, newer than MindSpore Lite 2\.1\.0"):
        GoldenNetwork(open_lite(), mindir_bundle(mindspore="2.7.0", mindir=3))


def test_a_chip_without_float32_convolutions(lite, mindir_bundle):
    lite("2.7.0", "without-fp32")
    with pytest.raises(DeviceError, match=r"enforce_origin needs every operator in float32.*try precision fp16"):
        GoldenNetwork(open_lite(), mindir_bundle())


@pytest.mark.parametrize("version", GENERATIONS)
def test_a_plug_in_that_does_not_load(lite, version):
    module = lite(version)
    for file in (Path(module.__file__).parent / "lib").iterdir():
        file.write_bytes(b"no library")
    with pytest.raises(DeviceError, match=rf"MindSpore Lite {version} cannot use ascend: .*set_env\.sh"):
        open_lite()


def test_the_gpu_went_after_2_7_0(lite):
    lite("2.9.0")
    with pytest.raises(DeviceError, match=r"2\.9\.0 has no GPU: 2\.7\.0 was the last"):
        open_engine("mindspore_lite", "gpu")
