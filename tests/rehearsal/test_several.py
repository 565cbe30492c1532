"""A folder of photos over several cards: one upscaler each, the same pixels as on one."""

from __future__ import annotations

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from srdiff.commands.run import main
from srdiff.doctor.golden import GOLDEN as GOLDEN_FOLDER

GOLDEN = GOLDEN_FOLDER / "golden.srdiff"


@pytest.fixture
def folder(tmp_path, photo):
    photos = tmp_path / "photos"
    photos.mkdir()
    for number in range(4):
        Image.fromarray(np.roll(photo, number, axis=0)).save(str(photos / f"{number}.png"))
    return photos


def run(folder, output, model, device, engine):
    command = [folder, "--model", model, "--device", device, "--engine", engine, "--steps", 2, "-o", output]
    result = CliRunner().invoke(main, [str(part) for part in (*command, "--precision", "fp32")])
    assert result.exit_code == 0, result.output
    assert "4 enlarged, 0 skipped, 0 failed" in result.output
    return [np.asarray(Image.open(str(output / f"{number}.png"))) for number in range(4)], result.output


@pytest.mark.parametrize("engine", ["mindspore_lite", "onnxruntime"])
def test_two_cards_and_one_give_the_same(folder, tmp_path, lite, cann, mindir_bundle, engine):
    lite("2.7.0")
    module = cann()
    bundle = mindir_bundle(((16, 20),)).path if engine == "mindspore_lite" else GOLDEN
    one, _ = run(folder, tmp_path / "one", bundle, "ascend:0", engine)
    two, said = run(folder, tmp_path / "two", bundle, "ascend:0,1", engine)
    for first, second in zip(one, two):
        np.testing.assert_array_equal(first, second)
    assert "ascend:0 " in said and "ascend:1 " in said
    if engine == "onnxruntime":
        assert {session.options["device_id"] for session in module.sessions} == {"0", "1"}


def test_a_card_that_is_not_there(folder, lite, mindir_bundle, tmp_path):
    lite("2.7.0")
    command = [folder, "--model", mindir_bundle().path, "--device", "ascend:0,7", "-o", tmp_path / "out"]
    result = CliRunner().invoke(main, [str(part) for part in command])
    assert result.exit_code == 2
    assert "Ascend device 7 was asked for and this host has 2" in result.output
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("device", ["npu", "cpu:0", "ascend:", "ascend:0,0", "ascend:0,x"])
def test_devices_that_are_none(folder, device):
    result = CliRunner().invoke(main, [str(folder), "--device", device])
    assert result.exit_code == 2
    assert "device is" in result.output


def test_facts_are_listed(lite):
    lite("2.7.0")
    result = CliRunner().invoke(main, ["--list-devices"])
    assert "Ascend: devices davinci0, davinci1" in result.output
