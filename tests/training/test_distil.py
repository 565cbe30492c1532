"""Distillation: against PyTorch step by step, and from a teacher's file to a student's."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("mindspore")

import mindspore as ms  # noqa: E402

from srdiff.errors import CheckpointError  # noqa: E402
from srdiff.samplers import DDPM, Sampler, student_plan  # noqa: E402
from srdiff_training.checkpoints.read import read_tensors  # noqa: E402
from srdiff_training.data.crops import Crops, Photos, columns  # noqa: E402
from srdiff_training.model.checkpoint import load_checkpoint  # noqa: E402
from srdiff_training.run.devices import Devices  # noqa: E402
from srdiff_training.run.distil_step import START, DistilStep, TeacherResult, distil_rates, load_teacher  # noqa: E402
from srdiff_training.run.settings import TrainSettings  # noqa: E402
from srdiff_training.run.settings_file import settings_from  # noqa: E402
from srdiff_training.run.train import build_network, train  # noqa: E402

from ..conftest import DATA  # noqa: E402
from .distillations import L1_ALONE, TINY, distil_settings, public_state, save_teacher  # noqa: E402
from .student_twin import Twin, tiny_vgg  # noqa: E402
from .training_runs import make_photos, uncompiled  # noqa: E402


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_photos(tmp_path_factory.mktemp("distil") / "photos")


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
