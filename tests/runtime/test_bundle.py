"""A bundle that was tampered with, cut short or made by a stranger is refused in one sentence."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from srdiff.batch.pins import pins_of
from srdiff.bundle import Bundle
from srdiff.errors import OptionError
from srdiff.jobs.work import JobSettings
from srdiff.lr_up import LrUpRecipe
from srdiff.manifest import FORMAT_VERSION
from srdiff.upscaler import Upscaler
from tests.conftest import Golden

from ..models import SMALL
from .tampering import edit, refused, rehash


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    target = tmp_path / "copy.srdiff"
    shutil.copytree(SMALL, target)
    return target


def test_the_default_bundle_is_whole_and_small():
    bundle = Bundle(SMALL)
    sizes = [len(bundle.read(name)) for name in bundle.file_names]
    assert sum(sizes) < 12e6
    assert bundle.manifest.weights_dtype == "float16"
    assert bundle.time_bias().shape == (100, bundle.manifest.time_bias_channels)
    assert all(row["relative_error"] <= row["bound"] for row in bundle.manifest.parity["comparisons"])


def test_a_manifest_survives_writing_and_reading():
    bundle = Bundle(SMALL)
    again = type(bundle.manifest).from_json(json.loads(bundle.manifest.to_json({})))
    assert again == bundle.manifest


def test_a_model_that_is_open_is_pinned_as_it_was_opened(copy: Path) -> None:
    upscaler = Upscaler.from_bundle(copy, engine="onnxruntime", device="cpu")
    expected = hashlib.sha256((copy / "manifest.json").read_bytes()).hexdigest()
    pins = pins_of(upscaler, JobSettings())
    edit(copy, lambda manifest: manifest.update(name="another"))
    assert pins["bundle"] == expected != Bundle(copy).digest
    assert pins_of(upscaler, JobSettings()) == pins
    shutil.rmtree(copy)
    assert pins_of(upscaler, JobSettings()) == pins


@pytest.mark.parametrize("name", ["step.onnx", "encoder.onnx", "time_bias.npy"])
def test_a_flipped_bit(copy, name):
    content = bytearray((copy / name).read_bytes())
    content[len(content) // 2] ^= 1
    (copy / name).write_bytes(content)
    assert name in refused(copy)


def test_a_missing_file(copy):
    (copy / "step.onnx").unlink()
    assert "lacks step.onnx" in refused(copy)


def test_a_file_cut_short(copy):
    content = (copy / "step.onnx").read_bytes()
    (copy / "step.onnx").write_bytes(content[:-1])
    assert f"{len(content)}" in refused(copy)


def test_a_newer_format_version(copy):
    edit(copy, lambda manifest: manifest.update(format_version=FORMAT_VERSION + 1))
    assert "pip install -U srdiff" in refused(copy)


@pytest.mark.parametrize("name", ["../outside.onnx", "/etc/hostname", "..", "sub/step.onnx", "..\\outside"])
def test_a_path_that_leads_out(copy, name):
    (copy.parent / "outside.onnx").write_bytes(b"x")

    def point_outside(manifest: dict[str, Any]) -> None:
        manifest["files"][name] = manifest["files"].pop("step.onnx")
        manifest["graphs"][0]["step"] = name

    edit(copy, point_outside)
    assert "leads out of its folder" in refused(copy)


def test_a_link(copy):
    content = (copy / "step.onnx").read_bytes()
    (copy.parent / "elsewhere").write_bytes(content)
    (copy / "step.onnx").unlink()
    (copy / "step.onnx").symlink_to(copy.parent / "elsewhere")
    assert "is a link" in refused(copy)


def test_a_folder_that_is_no_bundle(tmp_path):
    assert "holds no manifest.json" in refused(tmp_path)
    assert "holds no manifest.json" in refused(tmp_path / "nowhere")


@pytest.mark.parametrize("text", ["", "{", "[]", '{"format": "other"}', "\x00\x01"])
def test_a_manifest_that_is_none(copy, text):
    (copy / "manifest.json").write_text(text)
    refused(copy)


@pytest.mark.parametrize(
    "change",
    [
        lambda manifest: manifest.pop("schedule"),
        lambda manifest: manifest["schedule"].update(betas=[0.1, 2.0]),
        lambda manifest: manifest["schedule"].update(betas="cosine"),
        lambda manifest: manifest.update(scale=0),
        lambda manifest: manifest.update(scale="4"),
        lambda manifest: manifest.update(res_rescale=-1),
        lambda manifest: manifest.update(clip_denoised=1),
        lambda manifest: manifest.update(graphs=[]),
        lambda manifest: manifest.update(graphs=[{"format": "onnx"}]),
        lambda manifest: manifest.update(files=[]),
        lambda manifest: manifest["files"].pop("encoder.onnx"),
        lambda manifest: manifest["lr_up"].update(divisor=1),
        lambda manifest: manifest["lr_up"].update(unknown=1),
        lambda manifest: manifest.update(format_version="1"),
        lambda manifest: manifest.update(margin=-1),
        lambda manifest: manifest.update(hr_minimum=12),
        lambda manifest: manifest.update(time_bias_channels=7),
    ],
)
def test_a_manifest_with_a_wrong_entry(copy, change):
    edit(copy, change)
    refused(copy)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda manifest: manifest.update(format_version=0), "never existed"),
        (lambda manifest: manifest.update(format_version=True), "never existed"),
        (lambda manifest: manifest.update(checkpoint="weights.ckpt"), "does not list weights.ckpt"),
        (lambda manifest: manifest["files"].update(more={"sha256": "", "size": (2 << 30) + 1}), "more than 2 GiB"),
    ],
)
def test_what_is_wrong_in_a_manifest_is_said(copy, change, words):
    with (copy / "more").open("wb") as file:
        file.truncate((2 << 30) + 1)  # takes no room on the disk
    edit(copy, change)
    assert words in refused(copy)


def test_a_pickled_time_bias_is_not_unpickled(copy):
    np.save(copy / "time_bias.npy", np.array([object()]), allow_pickle=True)
    rehash(copy, "time_bias.npy")
    assert "no plain array" in refused(copy)


def test_a_graph_that_is_none(copy):
    (copy / "step.onnx").write_bytes(b"not a graph")
    rehash(copy, "step.onnx")
    assert "is no graph of an SRDiff" in refused(copy)


@pytest.mark.parametrize(
    ("family", "recipe"),
    [("mindediting", LrUpRecipe("symmetric", "half_even", 255)), ("leiali", LrUpRecipe("symmetric", "none", 256))],
)
def test_lr_up_is_that_of_the_family(family, recipe):
    arrays = Golden(family).arrays
    found = recipe.apply(arrays["lr_uint8"][0], 48, 64)
    np.testing.assert_allclose(found, arrays["lr_up"][0], atol=1e-7)  # one float32 rounding near 1


def test_lr_up_of_16_bits_is_not_rounded_to_8(photo):
    eight = photo // 2 + 64  # away from black and white, so that no overshoot is clipped
    deep = eight.astype(np.uint16) * 257
    rounded = LrUpRecipe().apply(eight, 96, 80)
    exact = LrUpRecipe().apply(deep, 96, 80)
    levels = np.abs(exact - rounded) * 127.5
    assert 0.2 < levels.mean() < 0.5  # two roundings, each off by a quarter of a level in the mean
    assert levels.max() < 1.3  # the first rounding's half, through weights whose sizes add up to 1.27, and a half


def test_an_unknown_recipe_is_refused():
    with pytest.raises(OptionError):
        LrUpRecipe("symmetric", "half_even", 128)
