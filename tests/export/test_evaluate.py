"""``srdiff-eval``: the checkpoint's cells and the bundle exported from it, with the same noise."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("mindspore")

from click.testing import CliRunner, Result
from PIL import Image

from srdiff.engines.openvino_engine import OpenVinoGraph
from srdiff.resize import bicubic
from srdiff.upscaler import Upscaler
from srdiff_training.commands.evaluate import main
from srdiff_training.measure.fidelity import fidelity
from tests.conftest import DATA

from ..models import SMALL

TINY = DATA / "mindediting_tiny.ckpt"
STEPS = 4


def run(*options: object) -> Result:
    return CliRunner().invoke(main, [str(option) for option in options])


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two true images of one size, so that the cells are compiled once."""
    import skimage.data

    folder = tmp_path_factory.mktemp("data") / "Two"
    (folder / "HR").mkdir(parents=True)
    for name, left in (("eyes.png", 190), ("hat.png", 260)):
        Image.fromarray(skimage.data.astronaut()[80:128, left : left + 32]).save(folder / "HR" / name)
    return folder


def test_from_a_shell_both_agree(data, export_golden, tmp_path):
    bundle = export_golden("mindediting", True)
    command = [
        sys.executable,
        "-m",
        "srdiff_training.commands.evaluate",
        "--ckpt",
        TINY,
        "--bundle",
        bundle,
        "--data",
        data,
    ]
    command += ["--steps", STEPS, "--seed", 3, "--crop", 2, "--threads", 1, "--json", tmp_path / "new" / "scores.json"]
    result = subprocess.run([str(word) for word in command], capture_output=True, text=True, timeout=300)
    assert result.returncode == 0, result.stderr
    scores = json.loads((tmp_path / "new" / "scores.json").read_text())
    assert scores["crop"] == 2 and "BT.601" in scores["definitions"] and "border of 2 pixels" in scores["definitions"]
    assert [row["image"] for row in scores["images"]] == ["eyes", "hat"]

    upscaler = Upscaler.from_bundle(bundle, precision="fp32")
    for row in scores["images"]:
        assert row["parity"] > 60 and row["levels"] <= 1
        hr = np.asarray(Image.open(data / "HR" / f"{row['image']}.png"))
        lr = bicubic(hr, 12, 8)
        assert row["scores"]["bundle"] == pytest.approx(fidelity(hr, upscaler.upscale(lr, 3, STEPS), 2), abs=1e-9)
        assert row["scores"]["bicubic"] == fidelity(hr, bicubic(lr, 48, 32), 2)
    for model in ("bicubic", "checkpoint", "bundle"):
        values = [row["scores"][model]["psnr_y"] for row in scores["images"]]
        assert scores["mean"][model]["psnr_y"] == pytest.approx(np.mean(values))
        assert any(
            line.startswith("mean") and f" {model} " in line and f"{np.mean(values):.2f}" in line
            for line in result.stdout.splitlines()
        )
    assert "mindspore cpu fp32" in result.stdout and "against each other" in result.stdout


@pytest.mark.slow
def test_a_checkpoint_alone_is_sampled_as_asked(data, export_golden):
    """With the clamp it equals the bundle that has it, and without it differs: the option counts."""
    common = ["--data", data, "--steps", STEPS, "--limit", 1]
    bundle = run("--bundle", export_golden("mindediting", True), *common)
    clamped = run("--ckpt", TINY, "--clip-denoised", *common)
    plain = run("--ckpt", TINY, *common)
    rows = []
    for result in (bundle, clamped, plain):
        assert result.exit_code == 0, result.output
        rows.append([float(word) for word in result.stdout.splitlines()[-1].split()[2:]])
    assert rows[0] == pytest.approx(rows[1], abs=0.0101)
    assert rows[2] != pytest.approx(rows[1], abs=0.0101)
    assert "against" not in clamped.output


def test_a_bundle_that_is_off_is_an_error(data, export_golden, monkeypatch):
    """An engine off by 1 % of a standard deviation in each step."""
    graph_run = OpenVinoGraph.run

    def off(self, inputs):
        outputs = graph_run(self, inputs)
        return {name: array + np.float32(0.01 if name == "x_next" else 0) for name, array in outputs.items()}

    monkeypatch.setattr(OpenVinoGraph, "run", off)
    bundle = export_golden("mindediting", True)
    result = run("--ckpt", TINY, "--bundle", bundle, "--data", data, "--steps", 2, "--limit", 1, "--engine", "openvino")
    assert result.exit_code == 1 and "export that checkpoint again" in result.output
    assert result.output.count("Error: ") == 1
    assert "mean" in result.output  # the table is there to look at


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ([], "give a checkpoint"),
        (["--ckpt", "missing.ckpt"], "missing.ckpt is not a file"),
        (["--ckpt", DATA / "README.md"], "neither a MindSpore nor a PyTorch checkpoint"),
        (["--bundle", "."], "is not a bundle"),
        (["--ckpt", TINY, "--bundle", SMALL], "exported from"),
        (["--bundle", SMALL, "--clip-denoised"], "leave out --weights"),
        (["--bundle", SMALL, "--steps", 101], "1 to 100"),
        (["--bundle", SMALL, "--steps", 1, "--crop", 16], "leaves nothing"),
        (["--ckpt", TINY, "--res-rescale", 0], "--res-rescale"),
        (["--bundle", SMALL, "--data", "empty"], "holds no images"),
        (["--bundle", SMALL, "--json", "file/scores.json"], "cannot be written"),
    ],
)
def test_bad_input_is_one_sentence(options, words, data, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_text("")
    result = run("--data", data, *options)
    assert result.exit_code == 2, result.output
    assert words in result.output and result.output.count("Error: ") == 1
    assert not (tmp_path / "scores.json").exists()


def test_an_input_of_another_size_is_named(tmp_path):
    for folder, size in (("HR", (16, 16)), ("LR_x4", (5, 4))):
        (tmp_path / folder).mkdir()
        Image.fromarray(np.zeros((*size, 3), np.uint8)).save(tmp_path / folder / "a.png")
    result = run("--bundle", SMALL, "--data", tmp_path, "--steps", 1)
    assert result.exit_code == 2 and "a.png is 4x5" in result.output
