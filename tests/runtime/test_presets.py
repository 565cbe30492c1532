"""Presets: what is sampled where little or nothing is asked for."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from srdiff import Bundle, BundleError, OptionError, Upscaler
from srdiff.commands.run import main
from srdiff.manifest import Manifest
from srdiff.model_names import DEFAULT_MODEL, MANY_STEPS, built_in, bundle_folder
from srdiff.samplers import DDPM, FAST, SAMPLERS, SPACINGS, Sampler

from ..models import SMALL

LR = np.random.default_rng(0).integers(0, 256, (16, 16, 3), np.uint8)


@pytest.fixture(scope="module")
def manifest() -> Manifest:
    return Bundle(SMALL).manifest


@pytest.fixture(scope="module")
def upscaler() -> Upscaler:
    return Upscaler.from_bundle(SMALL, engine="onnxruntime", device="cpu")


def test_small_v1_takes_ten_steps_or_all(manifest: Manifest) -> None:
    assert manifest.sampler() == FAST == manifest.presets["fast"]
    assert manifest.sampler("full") == DDPM
    assert manifest.sampling_label(manifest.sampler()) == "fast: dpm++ eta 1 quadratic, 10 steps"
    assert manifest.sampling_label(Sampler(steps=10)) == "ddpm, 10 steps"


@given(
    name=st.none() | st.sampled_from(list(SAMPLERS)),
    steps=st.none() | st.integers(1, 100),
    spacing=st.none() | st.sampled_from(list(SPACINGS)),
)
def test_any_wish_leaves_the_presets_altogether(name, steps, spacing) -> None:
    manifest = Bundle(SMALL).manifest
    chosen = manifest.sampler(None, name, steps, None, spacing)
    if name is steps is spacing is None:
        assert chosen == FAST
    else:
        assert chosen == Sampler(name or "ddpm", steps, None, spacing or "even")
        with pytest.raises(OptionError, match="leave out the one or the other"):
            manifest.sampler("full", name, steps, None, spacing)


def test_a_preset_is_its_numbers(upscaler: Upscaler) -> None:
    plain = upscaler.upscale(LR, 3)
    np.testing.assert_array_equal(plain, upscaler.upscale(LR, 3, preset="fast"))
    np.testing.assert_array_equal(plain, upscaler.upscale(LR, 3, 10, sampler="dpm++", eta=1.0, spacing="quadratic"))
    assert (plain != upscaler.upscale(LR, 3, 10)).any()


def test_refusals(manifest: Manifest, upscaler: Upscaler) -> None:
    with pytest.raises(OptionError, match="no preset 'best'; choose one of fast, full"):
        upscaler.upscale(LR, preset="best")
    with pytest.raises(OptionError, match="default preset 'x' is none of"):
        replace(manifest, default_preset="x")
    with pytest.raises(OptionError, match="takes 1 to 100"):
        replace(manifest, presets={"full": DDPM, "long": Sampler(steps=101)}, default_preset="full")
    for steps in (2.0, "2", True):
        with pytest.raises(OptionError, match="a whole number"):
            Sampler(steps=steps)


def test_a_student_has_one_way() -> None:
    student = Bundle(built_in()["clean"]).manifest
    assert len(student.plan(student.sampler())) == student.student_steps == 1
    for wish in ({"preset": "full"}, {"steps": 5}, {"eta": 1.0}):
        with pytest.raises(OptionError, match=r"clean is a student.*has no other sampler"):
            student.sampler(**wish)


@pytest.fixture()
def edited(tmp_path: Path):
    """A copy of the built-in bundle with some keys of its manifest changed, or taken out where None."""

    def edit(**changes):
        folder = tmp_path / "m.srdiff"
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(SMALL, folder)
        data = json.loads((folder / "manifest.json").read_text())
        for name, value in changes.items():
            data.pop(name)
            if value is not None:
                data[name] = value
        (folder / "manifest.json").write_text(json.dumps(data))
        return folder

    return edit


def test_version_1_opens_and_takes_all_steps(edited) -> None:
    new = dict.fromkeys(("presets", "default_preset", "overlap", "prediction", "student_steps", "checkpoint"))
    manifest = Bundle(edited(**new)).manifest
    assert (manifest.sampler(), list(manifest.presets), manifest.prediction) == (DDPM, ["full"], "eps")


@pytest.mark.parametrize(
    "presets",
    [[], {"full": 5}, {"full": {"name": "euler"}}, {"full": {"steps": 1e400}}, {"full": {"speed": 1}}, {"full": None}],
)
def test_damaged_presets_are_a_damaged_bundle(edited, presets) -> None:
    with pytest.raises(BundleError, match="is invalid"):
        Bundle(edited(presets=presets))


def test_models_by_name() -> None:
    assert {MANY_STEPS, "clean", "photo"} <= set(built_in())
    assert bundle_folder() == bundle_folder("photo") == DEFAULT_MODEL
    assert bundle_folder("small-v1") == built_in()[MANY_STEPS] == SMALL
    with pytest.raises(BundleError, match=r"none of the models here, .*clean, .*small-v1"):
        bundle_folder("samll-v1")


@pytest.fixture()
def shell(tmp_path: Path):
    """``srdiff-run`` on one picture: what it says."""
    source = tmp_path / "a.png"
    Image.fromarray(LR).save(source)

    def run(*words: str, code: int = 0) -> str:
        result = CliRunner().invoke(main, [str(source), "--engine", "onnxruntime", "--device", "cpu", *words])
        assert result.exit_code == code, result.output
        return result.output

    return run


def test_from_a_shell(shell) -> None:
    assert "fast: dpm++ eta 1 quadratic, 10 steps" in shell("--model", MANY_STEPS)
    refused = shell("--model", MANY_STEPS, "--preset", "fast", "--steps", "3", "--overwrite", code=2)
    assert "leave out the one or the other" in refused


@pytest.mark.parametrize(
    "wish",
    [["--preset", "fast"], ["--steps", "3"], ["--steps", "2", "--sampler", "ddim"], ["--steps", "2", "--eta", "1"]],
)
def test_who_asks_the_default_for_steps_is_told_whom_to_ask(shell, wish: list[str]) -> None:
    refused = shell(*wish, code=2)
    assert refused.startswith("Error: photo, the default model, is a student: it makes its picture in 1 step and has")
    advice = re.search(r"like (--model \S+),", refused)
    assert advice is not None and refused.count("\n") == 1
    assert "a_x4.png: 64x64" in shell(*wish, *advice.group(1).split())


def test_the_default_takes_all_that_is_no_sampler(shell) -> None:
    samples = ["--samples", "2", "--average", "--uncertainty", "--consistency"]
    assert "student, 1 step, fidelity 0.5" in shell(*samples, "--fidelity", "0.5", "--tile", "12", "--overlap", "4")
