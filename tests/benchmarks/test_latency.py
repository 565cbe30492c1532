"""``latency.py``, from a shell and end to end, on a tiny bundle."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

pytest.importorskip("onnx", reason="pip install 'srdiff[bench]'")

import latency
from common import real_esrgan
from racing.shapes import AS_INPUT, AS_OUTPUT, AS_TILE, Shape, comparison, parse_shapes

from srdiff.bundle import Bundle
from srdiff_training.measure.package_files import PackageFileError
from srdiff_training.model.config import NetworkConfig

from .golden_bundle import GOLDEN, config_of, encoder_flops, unet_flops


def shell(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, latency.__file__, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=300)


@pytest.mark.slow
def test_two_engines_and_their_peers_from_a_shell(tmp_path: Path) -> None:
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
    result = shell("--bundle", GOLDEN, "--lr", "8x16", "--steps", "3", "--runs", "2", *engines, *files)
    assert result.returncode == 0, result.stderr
    report = json.loads((tmp_path / "new" / "l.json").read_text())
    (table,) = report["tables"]
    assert (table["lr_shape"], table["output_shape"], table["steps"]) == ([8, 16], [32, 64], 3)
    rows = {row["engine"]: row for row in table["rows"]}
    assert list(rows) == ["onnxruntime", "openvino", "upstream-graph", *raced]
    config = config_of(GOLDEN)
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
def test_real_esrgan_races_and_is_not_taken_for_the_network(tmp_path: Path) -> None:
    pytest.importorskip("ncnn")
    try:
        real_esrgan.PACKAGE.files()
    except PackageFileError as error:
        pytest.skip(str(error))
    file = tmp_path / "l.json"
    options = ["--engine", "onnxruntime:fp32", "--peer", "ncnn", "--steps", "2", "--runs", "1", "--json", file]
    result = shell("--bundle", GOLDEN, "--lr", "8x16", *options)
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
def test_bad_options_are_one_sentence(arguments: list[str], words: str, tmp_path: Path) -> None:
    file = tmp_path / "l.json"
    result = CliRunner().invoke(latency.main, ["--bundle", str(GOLDEN), "--json", str(file), *arguments])
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
