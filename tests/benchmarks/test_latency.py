"""The command, from a shell and end to end, on a tiny bundle; what it counts, against counts by hand."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Mapping

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

with suppress(ImportError):  # before onnx: they disagree on protobuf
    import mindspore  # noqa: F401
pytest.importorskip("onnx", reason="pip install 'srdiff[bench]'")

import latency
from common import real_esrgan
from racing import torch_peer
from racing.flops import FlopCounter
from racing.peers import check_peer, open_peer
from racing.processes import ProcessError, Remote
from racing.shapes import AS_INPUT, AS_OUTPUT, AS_TILE, Shape, comparison, parse_shapes
from racing.stopwatch import Stopwatch

from srdiff.bundle import Bundle
from srdiff.doctor.golden import GOLDEN as GOLDEN_FOLDER
from srdiff.engines import Arrays, Engine, Graph, Shapes, open_engine
from srdiff.engines.base import Loop
from srdiff.errors import DeviceError, ParityError
from srdiff.upscaler import Upscaler
from srdiff_training.measure.package_files import PackageFileError
from srdiff_training.model.config import NetworkConfig

SCRIPT = Path(latency.__file__)
LR = (12, 16)
GOLDEN = GOLDEN_FOLDER / "golden.srdiff"


@pytest.fixture(scope="session")
def mindediting() -> Path:
    """A tiny bundle, which comes with the package; what this has is enough for most."""
    return GOLDEN


@pytest.fixture(scope="session", params=["mindediting", "leiali"])
def bundle(request: pytest.FixtureRequest) -> Path:
    """Of either family; the other one's is exported here."""
    if request.param == "mindediting":
        return GOLDEN
    return request.getfixturevalue("export_golden")(request.param, True)


def config_of(bundle: Path) -> NetworkConfig:
    sizes = Bundle(bundle).manifest.network
    return NetworkConfig(**{**sizes, "unet_mults": tuple(sizes["unet_mults"])})


def shell(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(SCRIPT), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=300)


# Counting


def unet_flops(config: NetworkConfig, height: int, width: int) -> int:
    """Of one step, by hand: two operations per weight of a convolution and pixel that it makes."""

    def convolution(channels_in: int, channels_out: int, kernel: int, level: int) -> int:
        return 2 * channels_in * channels_out * kernel**2 * (height >> level) * (width >> level)

    def res_block(channels_in: int, channels_out: int, level: int) -> int:
        total = convolution(channels_in, channels_out, 3, level) + convolution(channels_out, channels_out, 3, level)
        if config.family == "mindediting" or channels_in != channels_out:
            total += convolution(channels_in, channels_out, 1, level)
        return total

    widths = config.widths
    last = len(widths) - 1
    total = 0
    for level, (before, channels) in enumerate(zip((3, *widths), widths)):
        total += res_block(before, channels, level) + res_block(channels, channels, level)
        if level < last:
            total += convolution(channels, channels, 3, level + 1)
        elif config.family == "mindediting":
            total += convolution(channels, channels, 3, level)
    total += 2 * res_block(widths[-1], widths[-1], last)
    for level in range(last, 0, -1):
        channels = widths[level - 1]
        total += res_block(2 * widths[level], channels, level) + res_block(channels, channels, level)
        if config.family == "mindediting":
            total += convolution(channels, 4 * channels, 3, level)
        else:  # transposed: each pixel of its input meets every weight
            total += convolution(channels, channels, 4, level)
    return total + convolution(widths[0], widths[0], 3, 0) + convolution(widths[0], 3, 1, 0)


def encoder_flops(config: NetworkConfig, height: int, width: int) -> int:
    channels, growth = config.encoder_channels, config.encoder_growth
    dense = sum((channels + i * growth) * growth for i in range(4)) + (channels + 4 * growth) * channels
    convolutions = 9 * (3 * channels + 3 * config.encoder_blocks * dense + channels * channels)
    kernel = 2 * config.scale - (1 if config.family == "mindediting" else 0)
    return 2 * height * width * (convolutions + config.feature_channels * config.unet_channels * kernel**2)


@pytest.mark.parametrize("lr_shape", [(8, 8), (12, 20)])
def test_flops_are_those_counted_by_hand(bundle: Path, lr_shape: tuple[int, int]) -> None:
    config, manifest = config_of(bundle), Bundle(bundle).manifest
    hr = tuple(side * config.scale for side in lr_shape)
    counter = FlopCounter(Bundle(bundle))
    image = (1, 3, *hr)
    shapes = {
        "x": image,
        "time_bias": (1, manifest.time_bias_channels, 1, 1),
        "cond": (1, manifest.cond_channels, *hr),
        "coef": (1, 6, 1, 1),
        "noise": image,
        "x0_prev": image,
    }
    assert counter.count("step", shapes) == unet_flops(config, *hr)
    assert counter.count("encoder", {"lr": (1, 3, *lr_shape)}) == encoder_flops(config, *lr_shape)


def test_the_cards_sizes_need_what_the_design_says() -> None:
    """By hand, which the test above holds against the graphs: 2.20 MFLOP per pixel, 144 GFLOP for 64x64."""
    flops = unet_flops(NetworkConfig("mindediting"), 256, 256)
    assert flops / 256**2 / 1e6 == pytest.approx(2.20, abs=0.005)
    assert flops / 1e9 == pytest.approx(144, abs=0.5)


def test_a_shape_that_onnx_cannot_infer_is_no_smaller_count(mindediting: Path) -> None:
    with pytest.raises(KeyError):
        FlopCounter(Bundle(mindediting)).count("encoder", {"another": (1, 3, 8, 8)})


# Timing


def test_the_stopwatch_sees_every_run_and_changes_nothing(mindediting: Path) -> None:
    engine = open_engine("auto", "cpu", "fp32", 1, formats=("onnx",))
    watch = Stopwatch(engine, engine.name)
    upscaler = Upscaler(Bundle(mindediting), engine)
    pixels = np.zeros((*LR, 3), np.uint8)
    upscaler.upscale(pixels, steps=3)
    assert watch.calls == {"compile": 2, "encoder": 1, "step": 3}
    assert watch.shapes["step"]["x"] == (1, 3, 48, 64) and watch.shapes["encoder"] == {"lr": (1, 3, *LR)}
    watch.restart()
    plain = Upscaler(Bundle(mindediting), open_engine("auto", "cpu", "fp32", 1, formats=("onnx",)))
    assert (upscaler.upscale(pixels, steps=3) == plain.upscale(pixels, steps=3)).all()
    assert watch.calls == {"compile": 0, "encoder": 1, "step": 3} and watch.seconds["compile"] == 0
    assert min(watch.seconds["encoder"], watch.seconds["step"]) > 0


@pytest.mark.parametrize("name", ["openvino", "onnxruntime"])
def test_copies_around_the_librarys_call_are_outside_the_engine(name: str, mindediting: Path) -> None:
    """A result that is copied for long after ``infer``: the library did not compute meanwhile."""
    pytest.importorskip(name)
    engine = open_engine(name, "cpu", "fp32", 1)
    compile = engine.compile

    def slowly_copied(model: bytes, shapes: Shapes) -> Graph:
        graph = compile(model, shapes)
        run = graph.run

        def copied(inputs: Mapping[str, np.ndarray]) -> Arrays:
            outputs = run(inputs)
            time.sleep(0.2)
            return outputs

        graph.run = copied  # type: ignore[method-assign]
        return graph

    engine.compile = slowly_copied  # type: ignore[method-assign]
    watch = Stopwatch(engine, name)
    upscaler = Upscaler(Bundle(mindediting), engine, tile=24, overlap=8)
    for size, calls in (((8, 8), 2), ((20, 36), 4)):  # a loop over one window, and windows
        pixels = np.zeros((*size, 3), np.uint8)
        upscaler.upscale(pixels, steps=1)
        watch.restart()
        begin = time.perf_counter()
        upscaler.upscale(pixels, steps=1)
        seconds = time.perf_counter() - begin
        assert watch.calls["encoder"] + watch.calls["step"] == calls
        inside = watch.seconds["encoder"] + watch.seconds["step"]
        assert 0 < inside < seconds - 0.2 * calls


def test_a_loop_that_does_not_call_its_graph_is_timed(mindediting: Path) -> None:
    """As on a GPU, where the arrays stay on the device."""

    class Owning(Loop):
        def put(self, name: str, array: np.ndarray) -> None: ...

        def run(self) -> None:
            time.sleep(0.01)

        def get(self, output: str) -> np.ndarray:
            return np.zeros(1)

    class OwningGraph(Graph):
        def run(self, inputs: Mapping[str, np.ndarray]) -> Arrays:
            return {}

        def loop(self, feedback: Mapping[str, str]) -> Loop:
            return Owning()

    class OwningEngine(Engine):
        name, device, precision = "owning", "gpu:0", "fp32"

        def compile(self, model: bytes, shapes: Shapes) -> Graph:
            return OwningGraph()

    engine = OwningEngine()
    watch = Stopwatch(engine, "no library")
    loop = engine.compile(b"", {"x": (1, 3, 8, 8)}).loop({})
    for _ in range(3):
        loop.run()
    assert watch.calls["step"] == 3 and watch.seconds["step"] >= 0.03


# Peers


@pytest.mark.parametrize(("name", "precision"), [("torch", "fp32"), ("torch", "bf16"), ("upstream-graph", "fp32")])
def test_peers_compute_the_same_network(bundle: Path, name: str, precision: str) -> None:
    pytest.importorskip("torch" if name == "torch" else "onnxruntime")
    peer = open_peer(name, precision, 1, Bundle(bundle))
    check_peer(Bundle(bundle), open_engine("auto", "cpu", "fp32", 1, formats=("onnx",)), peer)


@pytest.mark.parametrize("name", ["torch", "upstream-graph"])
def test_peers_make_the_same_image(bundle: Path, name: str) -> None:
    """Through the whole sampler, in windows: with each its own cond."""
    pytest.importorskip("torch" if name == "torch" else "onnxruntime")
    pixels = np.random.default_rng(0).integers(0, 256, (20, 36, 3)).astype(np.uint8)
    engines = [open_engine("auto", "cpu", "fp32", 1, formats=("onnx",)), open_peer(name, "fp32", 1, Bundle(bundle))]
    ours, theirs = (
        Upscaler(Bundle(bundle), engine, tile=24, overlap=8).upscale(pixels, steps=4).astype(int) for engine in engines
    )
    assert np.abs(ours - theirs).max() <= 1  # rounded to 8 bits at the end


def test_another_network_is_no_peer(mindediting: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("torch")
    tensors = torch_peer.checkpoint_tensors
    monkeypatch.setattr(
        torch_peer, "checkpoint_tensors", lambda *args: [(n, a * np.float32(1.001)) for n, a in tensors(*args)]
    )
    bundle = Bundle(mindediting)
    with pytest.raises(ParityError, match="two networks"):
        check_peer(
            bundle, open_engine("auto", "cpu", "fp32", 1, formats=("onnx",)), open_peer("torch", "fp32", 1, bundle)
        )


# Processes


class Talker:
    def __init__(self, word: str) -> None:
        self.word = word

    def say(self, times: int) -> str:
        return self.word * times

    def refuse(self) -> None:
        raise DeviceError("no such device; take another")

    def stumble(self) -> None:
        raise ValueError("odd")

    def vanish(self) -> None:
        sys.exit(7)


def test_a_remote_object_answers_refuses_and_dies_in_words() -> None:
    with Remote("talker", Talker, "ho") as remote:
        assert remote.ask("say", 3) == "hohoho"
        with pytest.raises(DeviceError, match="take another"):
            remote.ask("refuse")
        with pytest.raises(ProcessError, match="ValueError"):
            remote.ask("stumble")
        assert remote.ask("say", 1) == "ho"
        with pytest.raises(ProcessError, match="talker ended with code 7"):
            remote.ask("vanish")


# The command


@pytest.mark.slow
def test_two_engines_and_their_peers_from_a_shell(mindediting: Path, tmp_path: Path) -> None:
    pytest.importorskip("openvino")
    pytest.importorskip("onnxruntime")
    pytest.importorskip("matplotlib")
    readme = tmp_path / "README.md"
    readme.write_text("<!-- speed -->\nold\n<!-- /speed -->\n")
    files = ["--json", tmp_path / "new" / "l.json", "--plot", tmp_path / "l.png", "--insert", readme]
    files += ["--mark", "speed"]
    engines = ["--engine", "onnxruntime:fp32", "--engine", "openvino:fp32", "--peer", "upstream-graph"]
    raced = ["torch"] if find_spec("torch") else []
    engines += ["--peer", "torch"] if raced else []
    result = shell("--bundle", mindediting, "--lr", "8x16", "--steps", "3", "--runs", "2", *engines, *files)
    assert result.returncode == 0, result.stderr
    report = json.loads((tmp_path / "new" / "l.json").read_text())
    (table,) = report["tables"]
    assert (table["lr_shape"], table["output_shape"], table["steps"]) == ([8, 16], [32, 64], 3)
    rows = {row["engine"]: row for row in table["rows"]}
    assert list(rows) == ["onnxruntime", "openvino", "upstream-graph", *raced]
    config = config_of(mindediting)
    assert report["mflop_per_pixel"] == pytest.approx(unet_flops(config, 32, 64) / (32 * 64 * 1e6))
    for name, row in rows.items():
        flops = unet_flops(config, 32, 64) + (encoder_flops(config, 8, 16) if name == "upstream-graph" else 0)
        seconds = sorted(3 * flops / image["step"] for image in row["images"])
        assert row["flops"] == pytest.approx(sum(seconds) / 2)
        assert row["first_image_s"] > row["load_s"] > 0 and row["peak_bytes"] > row["library_bytes"] > 0
        assert 0 < row["outside"] < 1 and 0 < row["peak_share"] < 1.5
        inside = [image["step"] + image["encoder"] + image["compile"] for image in row["images"]]
        assert all(0 < part < image["seconds"] for part, image in zip(inside, row["images"]))
        assert [image["step_calls"] for image in row["images"]] == [3, 3]
    assert rows["upstream-graph"]["speedups"]["upstream-graph fp32"] == 1.0
    assert {entry["engine"] for entry in table["gemm_flops"]} == {"onnxruntime", "openvino", *raced}
    assert [entry["engine"] for entry in table["eps_errors"]] == ["upstream-graph", *raced]
    if raced:
        libraries = {name: row["library_bytes"] for name, row in rows.items()}
        assert libraries["torch"] == max(libraries.values()) > 1.2 * libraries["onnxruntime"], "one process for both?"
    assert report["tables"][0]["reading"] is None and "Not comparable with the model card's" in result.stdout
    with Image.open(tmp_path / "l.png") as picture:
        assert picture.width > 500 and np.asarray(picture.convert("L")).std() > 5
    text = readme.read_text()
    assert text.startswith("<!-- speed -->\n```") and "\nold\n" not in text
    assert text.count("| onnxruntime fp32 |") == 1 and "\nonnxruntime fp32  " in result.stdout


@pytest.mark.slow
def test_real_esrgan_races_and_is_not_taken_for_the_network(mindediting: Path, tmp_path: Path) -> None:
    pytest.importorskip("ncnn")
    try:
        real_esrgan.PACKAGE.files()
    except PackageFileError as error:
        pytest.skip(str(error))
    file = tmp_path / "l.json"
    options = ["--engine", "onnxruntime:fp32", "--peer", "ncnn", "--steps", "2", "--runs", "1", "--json", file]
    result = shell("--bundle", mindediting, "--lr", "8x16", *options)
    assert result.returncode == 0, result.stderr
    (table,) = json.loads(file.read_text())["tables"]
    ours, theirs = table["rows"]
    assert theirs["name"] == "Real-ESRGAN x4plus, ncnn fp32"
    assert theirs["step_ms"] is theirs["flops"] is theirs["peak_share"] is None and table["eps_errors"] == []
    assert 0 < theirs["outside"] < 0.5 and theirs["images"][0]["step_calls"] == 1
    assert ours["speedups"] == {"ncnn fp32": theirs["seconds"]["median"] / ours["seconds"]["median"]}
    assert [entry["engine"] for entry in table["gemm_flops"]] == ["onnxruntime"]


@pytest.mark.parametrize(
    ("shape", "reading"),
    [
        (Shape((320, 270)), AS_INPUT),
        (Shape((270, 320)), AS_INPUT),
        (Shape((80, 68), (320, 270)), AS_OUTPUT),
        (Shape((64, 64)), AS_TILE),
        (Shape((64, 63)), None),
        (Shape((16, 16), (64, 64)), None),
    ],
)
def test_the_cards_seconds_are_compared_where_a_reading_fits(shape: Shape, reading: str | None) -> None:
    assert shape.reading() == reading
    assert ("compares with" in comparison(shape.reading(), 100, 100)) == (reading is not None)
    assert "compares with" not in comparison(shape.reading(), 10, 100)


def test_an_output_that_the_scale_does_not_divide_is_covered() -> None:
    assert parse_shapes((), ("320x270",), 4, "64x64") == [Shape((80, 68), (320, 270))]
    assert Shape((80, 68), (320, 270)).text(4) == "80x68 to 320x272, for 320x270"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--lr", "64"], "height and width"),
        (["--output", "0x64"], "height and width"),
        (["--steps", "101"], "1 to 100"),
        (["--engine", "tensorrt"], "onnxruntime"),
        (["--engine", "openvino:int8"], "fp32"),
        (["--peer", "jax"], "upstream-graph:fp32"),
        (["--peer", "upstream-graph:bf16"], "upstream-graph:fp32"),
        (["--card"], "--bundle"),
        (["--engine", "onnxruntime:bf16"], "bf16"),
        (["--device", "ascend", "--engine", "onnxruntime"], "ONNX Runtime"),
        (["--insert", "nowhere.md"], "<!-- latency -->"),
    ],
)
def test_bad_options_are_one_sentence(arguments: list[str], words: str, mindediting: Path, tmp_path: Path) -> None:
    file = tmp_path / "l.json"
    result = CliRunner().invoke(latency.main, ["--bundle", str(mindediting), "--json", str(file), *arguments])
    assert result.exit_code == 2 and words in result.output and "\n" not in result.output.strip(), result.output
    assert list(tmp_path.iterdir()) == []


def test_card_needs_mindspore(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SRDIFF_CACHE", str(tmp_path / "cache"))
    monkeypatch.setitem(sys.modules, "mindspore", None)
    result = CliRunner().invoke(latency.main, ["--card"])
    assert result.exit_code == 2 and "srdiff[cpu,export]" in result.output
    assert not (tmp_path / "cache").exists()


@pytest.mark.slow
def test_card_is_exported_once_at_its_sizes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With sizes made small and unverified, for the time that an export of the real ones takes."""
    pytest.importorskip("mindspore")
    from racing.card import card_bundle

    import srdiff_export.export as export
    import srdiff_training.model.config as config

    monkeypatch.setenv("SRDIFF_CACHE", str(tmp_path))
    monkeypatch.setattr(export, "verify_bundle", lambda *_: [])
    small = NetworkConfig("mindediting", 4, 8, 2, 4, unet_channels=8, unet_mults=(1, 2))
    monkeypatch.setattr(config, "NetworkConfig", lambda family: small)
    first = card_bundle()
    manifest = Bundle(first).manifest
    assert manifest.clip_denoised and manifest.network["unet_channels"] == 8
    assert [file.name for file in tmp_path.iterdir()] == [first.name]
    monkeypatch.setattr(config, "NetworkConfig", None)
    assert card_bundle() == first
