"""Distillation: against PyTorch step by step, and from a teacher's file to a student's."""

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
from srdiff.samplers import DDPM, Sampler, student_plan  # noqa: E402
from srdiff.schedule import linear_betas  # noqa: E402
from srdiff_training.checkpoints.read import read_tensors  # noqa: E402
from srdiff_training.data.crops import Crops, Photos, columns  # noqa: E402
from srdiff_training.model.checkpoint import load_checkpoint  # noqa: E402
from srdiff_training.model.config import NetworkConfig  # noqa: E402
from srdiff_training.model.parameter_names import public_name, to_public_layout  # noqa: E402
from srdiff_training.run.devices import Devices  # noqa: E402
from srdiff_training.run.distil_step import START, DistilStep, TeacherResult, distil_rates, load_teacher  # noqa: E402
from srdiff_training.run.settings import TrainSettings  # noqa: E402
from srdiff_training.run.settings_file import load_settings, settings_from  # noqa: E402
from srdiff_training.run.train import build_network, train  # noqa: E402

from ..conftest import DATA  # noqa: E402
from .checkpoint_files import save_mindspore, save_torch  # noqa: E402
from .student_twin import Twin, tiny_vgg  # noqa: E402
from .training_runs import make_photos, uncompiled  # noqa: E402

TINY = {"patch": 16, "batch": 2, "steps_per_epoch": 20, "learning_rate": 3e-4, "workers": 1, "log_every": 1}
L1_ALONE = {"perceptual": 0.0, "adversarial": 0.0}


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_photos(tmp_path_factory.mktemp("distil") / "photos")


def save_teacher(folder: Path, family: str) -> Path:
    config = NetworkConfig(
        family, encoder_channels=4, encoder_blocks=2, encoder_growth=2, unet_channels=4, unet_mults=(1, 2)
    )
    state = random_state(config)
    save = save_torch if family == "leiali" else save_mindspore
    return save(folder / f"{family}.ckpt", state)


def distil_settings(teacher: Path, data: Path, output: Path, distil: dict[str, Any], **changes: Any) -> TrainSettings:
    values = {**TINY, "data": str(data), "output": str(output), "teacher": str(teacher), "distil": distil, **changes}
    return settings_from("distil", values)


def public_state(network: ms.nn.Cell) -> dict[str, np.ndarray]:
    config = network.config
    return {
        public_name(p.name, config): to_public_layout(p.name, p.asnumpy(), config).copy()
        for p in network.get_parameters()
    }


@pytest.mark.parametrize(
    ("family", "steps", "weights"),
    [
        ("leiali", 4, L1_ALONE),
        ("mindediting", 1, {"l1": 0.2, "consistency": 0.5, "blocks": 0.5, "adversarial": 0.1, "adversarial_from": 5}),
    ],
    ids=["four steps, L1", "one step, everything"],
)
def test_twenty_steps_are_pytorchs(photos: Path, tmp_path: Path, family: str, steps: int, weights: dict) -> None:
    """The same batches and initial weights: the same losses within 1e-3 of them. VGG has random weights here."""
    ms.set_context(mode=ms.GRAPH_MODE, device_target="CPU")
    teacher = save_teacher(tmp_path, family)
    distil = {"steps": steps, "discriminator_width": 6, **weights}
    degradation = "photo" if "blocks" in weights else "bicubic"
    settings = distil_settings(teacher, photos, tmp_path / "run", distil, degradation=degradation)
    network = build_network(settings)
    vgg = tiny_vgg() if settings.distil.needs_vgg else None
    state = public_state(network)
    step = DistilStep(network, settings, Devices(), vgg_weights=vgg)
    discriminator = {}
    if step.discriminator is not None:
        discriminator = {p.name: p.asnumpy().copy() for p in step.discriminator.get_parameters()}
    twin = Twin(settings, state, vgg, discriminator)
    crops = Crops(Photos([str(photos)], 4, 16, 1.0, 1, lambda items, total: items), settings)
    found, expected, marked = [], [], 0
    for number in range(20):
        samples = [crops.sample(number * 2 + place) for place in range(2)]
        batch = [np.stack(column) for column in zip(*samples)]
        marked += batch[5].sum()
        rates = distil_rates(number, settings)
        found.append(float(step(ms.Tensor(rates), *(ms.Tensor(array) for array in batch))[0].asnumpy()))
        expected.append(twin.step(rates, *batch))
    np.testing.assert_allclose(found, expected, rtol=1e-3)
    moved = max(np.abs(array - state[name]).max() for name, array in public_state(network).items())
    assert moved > 10 * TINY["learning_rate"] / 2  # else equal losses would say nothing
    assert (marked > 0) == ("blocks" in weights)
    if weights is L1_ALONE:
        assert step.discriminator is None
    else:
        assert len(set(np.float32(expected))) == 20


@pytest.mark.usefixtures("pynative")
def test_a_student_begins_with_what_its_teacher_knows(photos: Path, tmp_path: Path) -> None:
    """Its first result is lr_up, and its time bias is that of a timestep at which the teacher looks at the input."""
    path = save_teacher(tmp_path, "mindediting")
    settings = distil_settings(path, photos, tmp_path / "run", L1_ALONE)
    assert settings.network == load_checkpoint(path).config
    student, teacher = build_network(settings), load_teacher(path, settings.network)
    t = [ms.Tensor(np.float32([value])) for value in (99, round(START * 99))]
    biases = [network.denoise_fn.time_bias(value).asnumpy() for network, value in zip((student, teacher), t)]
    np.testing.assert_allclose(*biases, atol=1e-5)
    assert all(not p.asnumpy().any() for p in student.denoise_fn.final_conv.get_parameters())
    same = [
        np.array_equal(a.asnumpy(), b.asnumpy()) for a, b in zip(student.get_parameters(), teacher.get_parameters())
    ]
    assert np.mean(same) > 0.7


@pytest.mark.usefixtures("pynative")
def test_regress_aims_at_the_teachers_own_result(photos: Path, tmp_path: Path) -> None:
    """DDIM with eta 0; of the undamaged input, where inputs are damaged."""
    path = DATA / "mindediting_tiny.ckpt"
    distil = {**L1_ALONE, "objective": "regress", "teacher_steps": 3}
    settings = distil_settings(path, photos, tmp_path / "run", distil, patch=32, degradation="photo")
    gives_what_the_runtime_gives(path, settings, Sampler("ddim", 3))
    crops = Crops(Photos([str(photos)], 4, 32, 1.0, 1, lambda items, total: items), settings)
    plain = Crops(crops.photos, replace(settings, degradation="bicubic"))
    damaged, clean = (dict(zip(columns(one.settings), one.sample(1))) for one in (crops, plain))
    assert list(damaged) == columns(settings) and len(damaged) == len(crops.sample(1)) == len(clean) + 2
    for name in ("lr", "lr_up"):
        np.testing.assert_array_equal(damaged[f"undamaged_{name}"], clean[name])
        assert not np.array_equal(damaged[name], clean[name])
    seen = []

    def teacher(*given: ms.Tensor) -> ms.Tensor:
        seen.extend(array.asnumpy()[0] for array in given)
        return given[1]

    step = DistilStep.__new__(DistilStep)
    step.teacher, step.critic, step.student = teacher, None, lambda *given: (given[3], None)
    batch = [ms.Tensor(array[None]) for array in damaged.values()]
    target, _ = step(ms.Tensor(distil_rates(0, settings)), *batch)
    for found, name in zip(seen, ("lr", "lr_up", "noise")):
        np.testing.assert_array_equal(found, clean[name])
    np.testing.assert_array_equal(target.asnumpy()[0], clean["lr_up"])


def gives_what_the_runtime_gives(path: Path, settings: TrainSettings, sampler: Sampler) -> None:
    """A teacher's result, by the runtime's own loop, from the same noise."""
    from srdiff_training.model.cells import open_checkpoint
    from srdiff_training.model.recipe_options import RecipeOptions

    upscaler = open_checkpoint(path, RecipeOptions(clip_denoised=True))
    pixels = np.random.default_rng(3).integers(0, 256, (8, 8, 3), np.uint8)
    noise = np.random.default_rng(4).standard_normal((3, 32, 32)).astype(np.float32)
    expected = upscaler.sample(pixels, upscaler.bundle.manifest.plan(sampler), lambda *place: noise)
    lr_up = upscaler.bundle.manifest.lr_up.apply(pixels, 32, 32)
    lr = pixels.transpose(2, 0, 1).astype(np.float32) / 127.5 - 1
    found = TeacherResult(path, settings)(*(ms.Tensor(array[None]) for array in (lr, lr_up, noise))).asnumpy()[0]
    np.testing.assert_allclose(found, expected / 2.0 + lr_up, atol=1e-4)


def test_a_students_plan() -> None:
    schedule = settings_from("srdiff", {"data": "x", "output": "y"}).noise_schedule
    assert tuple(student_plan(schedule, 1).steps[0].coef) == (0.0, 1.0, 1.0, 0.0, 0.0, 0.0)
    plan = student_plan(schedule, 4)
    assert [step.t for step in plan] == [99, 74, 49, 24]
    for step, after in zip(plan.steps[:-1], plan.steps[1:]):
        C, D, P, Q, R, S = step.coef
        alpha, later = schedule.alpha_cumprod[[step.t, after.t]]
        # x_t = sqrt(alpha) x_0 + sqrt(1 - alpha) eps turns into the same of the next timestep.
        assert (C, D, R) == (0, 1, 0)
        assert P + Q * np.sqrt(alpha) == pytest.approx(np.sqrt(later))
        assert Q**2 * (1 - alpha) + S**2 == pytest.approx(1 - later)
    assert tuple(plan.steps[-1].coef) == pytest.approx((0, 1, 1, 0, 0, 0))


@pytest.mark.slow
def test_a_run_goes_on_where_it_was(photos: Path, tmp_path: Path) -> None:
    """With discriminator, to the last bit; the file is a student's, and no teacher. LPIPS has no state to go on with,
    and the first run alone validates: that takes time, and changes nothing."""
    import srdiff_training.run.distil_step as module

    teacher = save_teacher(tmp_path, "mindediting")
    distil = {"perceptual": 0.0, "adversarial": 0.1, "discriminator_width": 6}
    with pytest.MonkeyPatch.context() as patch, uncompiled():
        patch.setattr(module, "load_vgg", tiny_vgg)
        arguments = {"steps_per_epoch": 4, "save_every": 2, "keep": 9}
        validation = {"val": str(photos), "validate_every": 4, "validate_images": 1}
        whole = distil_settings(teacher, photos, tmp_path / "whole", distil, **arguments, **validation)
        train(whole, echo=lambda line: None)
        (tmp_path / "parts").mkdir()
        first = tmp_path / "whole" / "step_00000002.ckpt"
        (tmp_path / "parts" / first.name).write_bytes(first.read_bytes())
        parts = distil_settings(teacher, photos, tmp_path / "parts", distil, **arguments)
        outcome = train(parts, resume=True, echo=lambda line: None)
    expected, found = (
        read_tensors(folder / "step_00000004.ckpt") for folder in (tmp_path / "whole", tmp_path / "parts")
    )
    assert set(expected) == set(found) and any(name.startswith("discriminator.") for name in found)
    for name, array in expected.items():
        np.testing.assert_array_equal(found[name], array, err_msg=name)
    assert load_checkpoint(outcome.checkpoint).stored.student_steps == 1
    with pytest.raises(
        CheckpointError, match="holds a student, no teacher; go on from it in the stage distil with init_from"
    ):
        load_teacher(outcome.checkpoint, whole.network)
    gives_what_the_runtime_gives(outcome.checkpoint, whole, DDPM)
    again = settings_from("distil", {**TINY, "data": "x", "output": "y", "init_from": str(outcome.checkpoint)})
    assert again.network == whole.network


def test_the_teachers_file_says_what_the_settings_do_not(photos: Path, tmp_path: Path) -> None:
    leiali = distil_settings(DATA / "leiali_tiny.ckpt", photos, tmp_path, L1_ALONE, patch=32)
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
