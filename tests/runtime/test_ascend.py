"""Everything up to the edge of an Ascend: options, refusals, what is chosen. No device is needed, and none is used."""

from __future__ import annotations

import sys
from contextlib import suppress
from types import SimpleNamespace

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from srdiff import engines
from srdiff.commands.run import main
from srdiff.engines import ascend, onnxruntime_engine, open_engine, try_devices
from srdiff.engines.ascend_precision import MODES, choose_mode
from srdiff.engines.lite_options import LiteOptions
from srdiff.engines.mindir_header import read_mindir_header
from srdiff.engines.onnxruntime_options import cann_options
from srdiff.errors import BundleError, DeviceError, OptionError, PackageError
from srdiff.tiles import choose_tile, cut, tile_overlap


@pytest.fixture
def devices(tmp_path, monkeypatch):
    """devices(n): the host has n Ascend devices, as far as its device nodes tell."""

    def make(count: int) -> None:
        for number in range(count):
            (tmp_path / f"davinci{number}").touch()
        (tmp_path / "davinci_manager").touch()

    monkeypatch.setattr(ascend, "DEVICE_NODES", tmp_path)
    return make


@pytest.fixture
def lite(monkeypatch, tmp_path):
    """A MindSpore Lite of another build: it imports, and has no plug-ins."""
    module = SimpleNamespace(__version__="2.3.0", __file__=str(tmp_path / "__init__.py"), Context=None)
    monkeypatch.setitem(sys.modules, "mindspore_lite", module)


@pytest.fixture
def no_lite(monkeypatch):
    monkeypatch.setitem(sys.modules, "mindspore_lite", None)


@pytest.mark.parametrize(
    ("count", "asked", "sentence"),
    [
        (0, "0", "Ascend device 0 was asked for and this host has none"),
        (0, "7", "Ascend device 7 was asked for and this host has none"),
        (2, "2", "Ascend device 2 was asked for and this host has 2; choose device_id from 0 to 1"),
        (1, "0", "this MindSpore Lite 2.3.0 is built without ascend"),
    ],
)
def test_a_device_that_is_not_there(devices, lite, count, asked, sentence):
    devices(count)
    with pytest.raises(DeviceError) as error:
        open_engine("mindspore_lite", "ascend", options={"device_id": asked})
    assert sentence in str(error.value)


def test_lite_that_is_not_installed(no_lite):
    with pytest.raises(PackageError, match=r"MindSpore Lite is not installed.*pip install"):
        open_engine("mindspore_lite", "cpu")


@pytest.mark.parametrize(
    ("device", "options"),
    [
        ("cpu", {"device_id": "0"}),
        ("cpu", {"precision_mode": "enforce_fp32"}),
        ("ascend", {"device_id": "-1"}),
        ("ascend", {"device_id": "one"}),
        ("ascend", {"precision_mode": "fast"}),
        ("ascend", {"provider": "acl"}),
        ("ascend", {"config_file": "nowhere.ini"}),
        ("ascend", {"colour": "red"}),
        ("ascend", {".key": "value"}),
        ("gpu", {"provider": "ge"}),
    ],
)
def test_options_that_lite_does_not_have(device, options):
    with pytest.raises(OptionError) as error:
        open_engine("mindspore_lite", device, options=options)
    assert str(error.value).count(";") == 1


def test_options_that_lite_has():
    parsed = LiteOptions.parse("ascend", "auto", {"device_id": "3", "provider": "ge", "ascend_context.plugin": "x"})
    assert (parsed.device_id, parsed.provider, parsed.config) == (3, "ge", {"ascend_context": {"plugin": "x"}})


@pytest.mark.parametrize(
    "options", [{"device_id": "x"}, {"precision_mode": "fp16"}, {"allow_cpu_nodes": "yes"}, {"a": "b"}]
)
def test_options_that_cann_does_not_have(options):
    with pytest.raises(OptionError):
        open_engine("onnxruntime", "ascend", options=options)


@pytest.mark.parametrize(
    ("precision", "mode", "network"),
    [
        ("auto", "allow_fp32_to_fp16", "fp16"),
        ("fp32", "must_keep_origin_dtype", "fp32"),
        ("fp16", "allow_fp32_to_fp16", "fp16"),
    ],
)
def test_canns_precision_is_chosen_and_nothing_is_dumped(precision, mode, network):
    options, chosen = cann_options(precision, {"device_id": "1", "allow_cpu_nodes": "1"})
    assert options == {"device_id": "1", "precision_mode": mode, "dump_om_model": "0"}
    assert (chosen.precision, chosen.keeps_vectors) == (network, True)
    options, chosen = cann_options("auto", {"precision_mode": "force_fp16", "dump_om_model": "1"})
    assert (options["precision_mode"], options["dump_om_model"]) == ("force_fp16", "1")
    assert (chosen.precision, chosen.keeps_vectors) == ("fp16", False)


@pytest.mark.parametrize("precision", ["fp32", "fp16"])
@pytest.mark.parametrize("mode", MODES)
def test_a_mode_computes_in_what_was_asked_for_or_is_refused(precision, mode):
    for name in (mode.lite, mode.cann):
        if mode.precision == precision:
            assert choose_mode(precision, name) == mode
        else:
            with pytest.raises(
                OptionError, match=f"computes the network in {mode.precision} and {precision} was asked"
            ):
                choose_mode(precision, name)


def test_onnx_runtime_without_cann():
    ort = pytest.importorskip("onnxruntime")
    if "CANNExecutionProvider" in ort.get_available_providers():
        pytest.skip("this ONNX Runtime has CANN")
    with pytest.raises(DeviceError, match=r"has no CANNExecutionProvider .*pip install onnxruntime-cann"):
        open_engine("onnxruntime", "ascend")


def test_nodes_left_to_the_cpu_are_an_error(monkeypatch):
    """ONNX Runtime's own switch does it; a provider that takes no node at all stands for CANN."""
    ort = pytest.importorskip("onnxruntime")
    if "AzureExecutionProvider" not in ort.get_available_providers():
        pytest.skip("this ONNX Runtime has no provider that takes no node")
    monkeypatch.setitem(onnxruntime_engine.PROVIDERS, "ascend", "AzureExecutionProvider")
    from srdiff.bundle import Bundle

    from ..models import SMALL

    model = Bundle(SMALL).read("encoder.onnx")
    options = {"device_id": "0", "precision_mode": "force_fp32"}
    strict = onnxruntime_engine.OnnxRuntimeEngine("ascend", "fp32", 1, options, allow_cpu_nodes=False)
    with pytest.raises(DeviceError, match=r"does not take every node.*allow_cpu_nodes=1"):
        strict.compile(model, {"lr": (1, 3, 8, 8)})


def test_the_bundles_format_chooses_the_engine(monkeypatch):
    tried = []

    def refusing(name):
        def refuse(device, precision, threads, options):
            tried.append((name, device))
            raise DeviceError(f"{name} {device}")

        return SimpleNamespace(open_engine=refuse)

    monkeypatch.setattr(engines, "_module", refusing)
    for formats, expected in (
        (("mindir",), [("mindspore_lite", "ascend")]),
        (("onnx",), [("onnxruntime", "ascend")]),
        (("onnx", "mindir"), [("mindspore_lite", "ascend"), ("onnxruntime", "ascend")]),
    ):
        tried.clear()
        with pytest.raises(DeviceError):
            open_engine(device="ascend", formats=formats)
        assert tried == expected


def test_no_engine_for_the_device(no_lite):
    with pytest.raises(DeviceError, match="engine openvino has no device ascend"):
        open_engine("openvino", "ascend")


def test_every_engine_and_device_is_listed():
    result = CliRunner().invoke(main, ["--list-devices"])
    assert result.exit_code == 0
    lines = result.output.splitlines()
    assert [tuple(line.split()[:2]) for line in lines] == list(engines.CANDIDATES)
    assert all(line.split()[2] in ("yes:", "no:") for line in lines)
    assert len(try_devices()) == len(lines)


@pytest.mark.parametrize("option", ["device_id", "=1", ""])
def test_an_engine_option_without_a_value(option):
    result = CliRunner().invoke(main, ["photo.png", "--engine-option", option])
    assert result.exit_code == 2
    assert "write it as KEY=VALUE" in result.output


def test_a_mindir_engine_and_an_onnx_bundle(monkeypatch):
    from srdiff.bundle import Bundle
    from srdiff.upscaler import Upscaler

    from ..models import SMALL

    engine = SimpleNamespace(name="mindspore_lite", graph_format="mindir", threads=None)
    with pytest.raises(BundleError, match=r"has no mindir graphs.*--format mindir"):
        Upscaler(Bundle(SMALL), engine)


@given(st.binary(max_size=200))
def test_what_is_no_mindir_is_a_value_error(junk):
    with suppress(ValueError):
        read_mindir_header(junk)


def test_a_header():
    header = read_mindir_header(b"\x0a\x050.1.1" + b"\x2a\x052.7.0" + b"\x50\x01" + b"\x68\x03")
    assert (header.mindspore, header.mindir) == ("2.7.0", 3)
    with pytest.raises(ValueError, match="no MindIR version"):
        read_mindir_header(b"\x0a\x050.1.1")


shapes = st.tuples(st.integers(1, 12), st.integers(1, 12)).map(lambda pair: (2 * pair[0], 2 * pair[1]))


@given(shapes, st.lists(shapes, min_size=1, max_size=4), st.integers(0, 8).map(lambda half: 2 * half))
def test_static_tiles_cover_every_image(size, tiles, overlap):
    tile = choose_tile(*size, tiles, overlap)
    assert tile in tiles
    fitting = [area for area in tiles if area[0] >= size[0] and area[1] >= size[1]]
    if fitting:
        assert tile[0] * tile[1] <= min(height * width for height, width in fitting)
    shared = tile_overlap(tile, overlap, 2)
    assert shared * 2 < min(tile)
    assert shared % 2 == 0
    height, width = max(size[0], tile[0]), max(size[1], tile[1])
    windows = cut(height, width, tile, shared, 2, 4)
    assert {(window.height, window.width) for window in windows} == {tile}
    assert max(window.top + window.height for window in windows) == height
    assert max(window.left + window.width for window in windows) == width
