"""What a distillation takes of its teacher's file, and what does not go with it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("mindspore")

import mindspore as ms  # noqa: E402
from racing.torch_reference import random_state  # noqa: E402

from srdiff.errors import CheckpointError, OptionError  # noqa: E402
from srdiff.schedule import linear_betas  # noqa: E402
from srdiff_training.model.checkpoint import load_checkpoint  # noqa: E402
from srdiff_training.model.config import NetworkConfig  # noqa: E402
from srdiff_training.run.settings_file import load_settings, settings_from  # noqa: E402
from srdiff_training.run.train import build_network  # noqa: E402

from ..conftest import DATA  # noqa: E402
from .checkpoint_files import save_mindspore  # noqa: E402
from .distillations import L1_ALONE, TINY, distil_settings, public_state  # noqa: E402


def test_the_teachers_file_says_what_the_settings_do_not(tmp_path: Path) -> None:
    leiali = distil_settings(DATA / "leiali_tiny.ckpt", tmp_path, tmp_path, L1_ALONE, patch=32)
    assert leiali.network.family == "leiali"
    assert leiali.noise_schedule == load_checkpoint(DATA / "leiali_tiny.ckpt").stored.schedule
    small = load_settings(
        "distil", "distil_small", [f"teacher={DATA / 'mindediting_tiny.ckpt'}", "data=x", "output=y", "distil.steps=2"]
    )
    assert small.distil.steps == 2 and small.distil.adversarial > 0
    assert settings_from("distil", small.plain()) == small
    photo = load_settings("distil", "photo", [f"teacher={DATA / 'mindediting_tiny.ckpt'}", "data=x", "output=y"])
    assert photo.degradation == "photo" and photo.distil.blocks > 0


DIAL = {f"denoise_fn.true_conv.{name}": torch.ones(shape) for name, shape in (("weight", (3, 4, 1, 1)), ("bias", (3,)))}
STATED = {"timesteps": 60, "schedule": "linear", "res_rescale": 2.1}


def stating(folder: Path) -> Path:
    """A teacher whose file says all that one can."""
    state = random_state(NetworkConfig("mindediting", 4, 4, 2, 2, unet_channels=4, unet_mults=(1, 2)))
    betas = linear_betas(STATED["timesteps"])
    return save_mindspore(
        folder / "t.ckpt", {**state, "betas": torch.tensor(betas), "srdiff_res_rescale": torch.tensor([2.1])}
    )


@pytest.mark.parametrize("network", [{}, {"unet_channels": 4}, {"up_input": False, "scale": 4}])
def test_what_is_set_of_the_network_leaves_the_rest_the_teachers(tmp_path: Path, network: dict) -> None:
    path = stating(tmp_path)
    settings = distil_settings(path, tmp_path, tmp_path, L1_ALONE, network=network)
    assert settings.network == load_checkpoint(path).config
    found = {name: getattr(settings, name) for name in STATED}
    assert found == {**STATED, "res_rescale": pytest.approx(2.1)}
    assert distil_settings(path, tmp_path, tmp_path, L1_ALONE, network=network, **STATED).res_rescale == 2.1


@pytest.mark.parametrize(("name", "value"), [("timesteps", 50), ("schedule", "cosine"), ("res_rescale", 2.0)])
@pytest.mark.parametrize("network", [{}, {"unet_channels": 4}])
def test_nobody_learns_on_another_schedule_than_the_teachers(
    tmp_path: Path, name: str, value: Any, network: dict
) -> None:
    with pytest.raises(OptionError, match=f"^{name} is {value} where .* was trained with"):
        distil_settings(stating(tmp_path), tmp_path, tmp_path, L1_ALONE, network=network, **{name: value})


def test_a_teacher_with_a_schedule_of_its_own(tmp_path: Path) -> None:
    state = random_state(NetworkConfig("mindediting", 4, 4, 2, 2, unet_channels=4, unet_mults=(1, 2)))
    path = save_mindspore(tmp_path / "t.ckpt", {**state, "betas": torch.linspace(0.1, 0.2, 30)})
    with pytest.raises(OptionError, match=r"has a noise schedule of its own .*; name the nearest, schedule=NAME"):
        distil_settings(path, tmp_path, tmp_path, L1_ALONE)
    assert distil_settings(path, tmp_path, tmp_path, L1_ALONE, schedule="linear").timesteps == 30
    path = save_mindspore(tmp_path / "t.ckpt", {**state, "betas": torch.zeros(30)})
    with pytest.raises(CheckpointError, match="name the schedule that it was trained with"):
        distil_settings(path, tmp_path, tmp_path, L1_ALONE)
    assert distil_settings(path, tmp_path, tmp_path, L1_ALONE, schedule="linear", timesteps=30).schedule == "linear"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"network": {"fidelity": True}}, r"network\.fidelity is True where distil\.fidelity_batches .* make it False"),
        ({"teacher": ""}, "no teacher was named"),
        ({"distil": {"steps": 3}}, r"distil\.steps is 3; a student takes 1, 2 or 4"),
        ({"distil": {"objective": "copy"}}, "choose one of adversarial, regress"),
        ({"distil": {"l2": 1}}, r"unknown key distil\.l2"),
        ({"distil": {"l1": 0, "consistency": 0, "perceptual": 0}}, "nothing is left to learn"),
        ({"distil": {"adversarial": -1}}, r"distil\.adversarial is -1\.0; it must be from 0 to 3\.4e\+38"),
        ({"distil": {"l1": 1e39}}, r"distil\.l1 is 1e\+39; it must be from 0"),
        (
            {"distil": {"fidelity_batches": 1}, "patch": 16, "network": {"unet_mults": [1, 2]}},
            r"patch is 16 and distil\.fidelity_batches 1; the dial is",
        ),
        ({"distil": {"blocks": 1}}, r"distil\.blocks is 1\.0 and the inputs have none; set degradation=photo"),
        ({"timesteps": 10}, r"more than the 10 timesteps"),
        ({"encoder_from": "x"}, "encoder_from is for the stage srdiff"),
    ],
)
def test_what_does_not_fit_is_one_sentence(changes: dict, message: str) -> None:
    values = {
        **TINY,
        "patch": 32,
        "data": "x",
        "output": "y",
        "teacher": str(DATA / "mindediting_tiny.ckpt"),
        **changes,
    }
    with pytest.raises(OptionError, match=message):
        settings_from("distil", values)


def test_init_from_goes_on_from_a_student_and_teacher_does_not(tmp_path: Path) -> None:
    """A teacher's eps is no x_0. The dial is the run's own, whatever the file has."""
    config = NetworkConfig("mindediting", 4, 4, 2, 2, unet_channels=4, unet_mults=(1, 2), fidelity=True)
    student = {**random_state(config), **DIAL, "srdiff_student_steps": torch.tensor([1.0])}
    files = {"student": student, "teacher": random_state(replace(config, fidelity=False))}
    paths = {name: save_mindspore(tmp_path / f"{name}.ckpt", state) for name, state in files.items()}

    def built(key: str, name: str, stage: str = "distil", **distil: Any) -> ms.nn.Cell:
        changes = (
            {"distil": {**L1_ALONE, **distil}}
            if stage == "distil"
            else {"network": {**vars(config), "fidelity": False, "unet_mults": [1, 2]}}
        )
        given = {**TINY, "patch": 32, "data": "x", "output": "y", key: str(paths[name]), **changes}
        return build_network(settings_from(stage, given), echo=lines.append)

    lines: list[str] = []
    with pytest.raises(CheckpointError, match="holds no student; name it as the teacher, and leave init_from out"):
        built("init_from", "teacher")
    for stage, key in (("distil", "teacher"), ("srdiff", "init_from")):
        with pytest.raises(CheckpointError, match="holds a student, no teacher; go on from it in the stage distil"):
            built(key, "student", stage)
    found = public_state(built("init_from", "student"))
    assert not any("true_conv" in name for name in found)
    assert [line.partition("; ")[0] for line in lines] == [
        f"{paths['student']} has the dial --fidelity and this run's student gets none"
    ]
    assert built("init_from", "student", fidelity_batches=1).config.fidelity and len(lines) == 1
    assert all(np.array_equal(array, student[name].numpy()) for name, array in found.items())


def test_a_dial_of_no_student_is_refused(tmp_path: Path) -> None:
    config = NetworkConfig("mindediting", 4, 4, 2, 2, unet_channels=4, unet_mults=(1, 2))
    path = save_mindspore(tmp_path / "m.ckpt", {**random_state(config), **DIAL})
    with pytest.raises(CheckpointError, match=r"m\.ckpt has a second last convolution, .* give the checkpoint that"):
        load_checkpoint(path)


def test_other_stages_have_no_dial() -> None:
    with pytest.raises(OptionError, match=r"network\.fidelity is for the stage distil; leave it out for srdiff"):
        settings_from("srdiff", {"data": "x", "output": "y", "network": {"fidelity": True}})


def test_other_stages_have_no_teacher() -> None:
    with pytest.raises(OptionError, match="teacher and distil are for the stage distil"):
        settings_from("srdiff", {"data": "x", "output": "y", "teacher": "z"})
