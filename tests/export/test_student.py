"""A user's path: an own checkpoint, a student of it, its bundle, an enlarged image."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml
from click.testing import CliRunner
from PIL import Image

pytest.importorskip("mindspore")
pytest.importorskip("onnx")
pytest.importorskip("openvino")

from srdiff import Upscaler
from srdiff.bundle import Bundle
from srdiff.commands.run import main as run_main
from srdiff.errors import OptionError
from srdiff.noise import philox_noise
from srdiff.samplers import Sampler
from srdiff_export.command import main as export_main
from srdiff_training.model.checkpoint import load_checkpoint

from ..conftest import DATA
from ..models import SMALL
from ..training.training_runs import make_photos

# srdiff-train in a process of its own: with engines' libraries loaded, MindSpore's data pipeline may crash.
TRAIN = """
from tests.training.training_runs import uncompiled
from srdiff_training.commands.train import main

with uncompiled():
    main()
"""


def run(command, *arguments: object) -> str:
    result = CliRunner().invoke(command, [str(argument) for argument in arguments])
    assert result.exit_code == 0, result.output
    return result.output


@pytest.mark.slow
@pytest.mark.parametrize(("family", "steps"), [("mindediting", 1), ("leiali", 2)])
def test_from_a_checkpoint_to_an_image(tmp_path: Path, family: str, steps: int) -> None:
    if family == "leiali":
        pytest.importorskip("torch")
    photos = make_photos(tmp_path / "photos")
    config = tmp_path / "c.yaml"
    config.write_text(
        yaml.safe_dump(
            {
                "patch": 32,
                "batch": 2,
                "steps_per_epoch": 3,
                "workers": 1,
                "distil": {"perceptual": 0, "fidelity_batches": 2 if steps == 1 else 0},
            }
        )
    )
    places = (f"teacher={DATA / (family + '_tiny.ckpt')}", f"data={photos}", f"output={tmp_path / 'run'}")
    settings = [part for text in (*places, f"distil.steps={steps}") for part in ("--set", text)]
    train = [sys.executable, "-c", TRAIN, "distil", "--config", str(config), *settings]
    subprocess.run(train, check=True, timeout=900)
    student = tmp_path / "run" / "step_00000003.ckpt"
    bundle = tmp_path / "student.srdiff"
    export = ["--precision", "fp16", "--keep-checkpoint", "--overlap", 16]
    run(export_main, "--ckpt", student, "-o", bundle, *export)

    manifest = json.loads((bundle / "manifest.json").read_text())
    has_dial = steps == 1
    assert (manifest["prediction"], manifest["student_steps"]) == ("x0", steps)
    assert (manifest["format_version"], manifest["fidelity"]) == ((3, True) if has_dial else (2, False))
    kept, trained = load_checkpoint(bundle / manifest["checkpoint"]), load_checkpoint(student)
    assert (kept.config, kept.stored.schedule, kept.stored.student_steps) == (
        trained.config,
        trained.stored.schedule,
        steps,
    )
    for name, array in trained.tensors.items():
        np.testing.assert_array_equal(kept.tensors[name], array.astype(np.float16).astype(np.float32), err_msg=name)

    pixels = np.random.default_rng(0).integers(0, 256, (12, 16, 3), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "in.png")
    run(run_main, tmp_path / "in.png", "-o", tmp_path / "out.png", "--model", bundle, "--seed", 3)
    result = np.asarray(Image.open(tmp_path / "out.png"))
    assert result.shape == (48, 64, 3)
    upscaler = Upscaler.from_bundle(bundle, precision="fp32")
    progress: list[tuple[int, int]] = []
    again = upscaler.upscale(pixels, seed=3, callback=lambda done, total: progress.append((done, total)))
    assert progress[-1] == (steps, steps)
    assert np.abs(result.astype(int) - again).max() <= 1  # automatic precision may be bf16

    lr_up = upscaler.bundle.manifest.lr_up.apply(pixels, 48, 64).transpose(1, 2, 0)
    # Three steps from a last convolution of zeros: near lr_up, and not the same.
    distance = np.abs((again / 127.5 - 1) - np.clip(lr_up, -1, 1)).max()
    assert 0 < distance < 0.2
    for wish in ({"steps": 1}, {"steps": steps}, {"sampler": "ddim"}, {"eta": 1.0}, {"spacing": "trailing"}):
        with pytest.raises(OptionError, match=f"is a student: .* in {steps} step"):
            upscaler.upscale(pixels, **wish)
    if has_dial:
        the_dial_blends(upscaler, pixels)
    else:
        with pytest.raises(OptionError, match="has no dial between true and sharp"):
            upscaler.upscale(pixels, fidelity=0.0)
    refused = CliRunner().invoke(run_main, [str(tmp_path / "in.png"), "--model", str(bundle), "--steps", "10"])
    assert refused.exit_code == 2 and "is a student" in refused.output
    assert upscaler.overlap == 16 == Bundle(bundle).manifest.overlap


def the_dial_blends(upscaler: Upscaler, pixels: np.ndarray) -> None:
    """Before the last rounding the result is linear in fidelity where nothing is clamped; 0 is what no wish gives."""
    plans = [upscaler.bundle.manifest.plan(Sampler(fidelity=value)) for value in (0.0, 0.25, 1.0)]
    small = [upscaler.sample(pixels, plan, philox_noise(0)) for plan in plans]
    assert all(np.abs(x0).max() < 1 for x0 in small)
    assert np.abs(small[0] - small[2]).max() > 0.01
    np.testing.assert_allclose(small[1], 0.75 * small[0] + 0.25 * small[2], atol=1e-5)
    plain, sharp, true = (upscaler.upscale(pixels, **wish) for wish in ({}, {"fidelity": 0}, {"fidelity": 1.0}))
    assert np.array_equal(plain, sharp) and not np.array_equal(plain, true)
    for wrong in (-0.1, 1.5, float("nan"), "1"):
        with pytest.raises(OptionError, match="fidelity is"):
            upscaler.upscale(pixels, fidelity=wrong)


def test_a_bundle_that_contradicts_itself(tmp_path: Path) -> None:
    """Hostile or edited manifests of students are refused in words."""
    from dataclasses import replace

    manifest = Bundle(SMALL).manifest
    for values in ({"prediction": "x0"}, {"student_steps": 1}, {"prediction": "v"}):
        with pytest.raises(OptionError, match="does not go with"):
            replace(manifest, **values)
    with pytest.raises(OptionError, match="fidelity goes with the prediction x0 alone"):
        replace(manifest, fidelity=True)
    for steps in (0, 101):
        with pytest.raises(OptionError, match="student_steps is"):
            replace(manifest, prediction="x0", student_steps=steps)
    with pytest.raises(OptionError, match="overlap is -1"):
        replace(manifest, overlap=-1)
