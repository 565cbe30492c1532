"""The second last convolution: what its fit promises, on the run's own crops."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip("torch")  # writes the teacher
pytest.importorskip("mindspore")

import mindspore as ms

from srdiff.errors import OptionError
from srdiff_training.data.crops import Crops, Photos
from srdiff_training.model.checkpoint import load_checkpoint
from srdiff_training.run.distil_settings import BORDER, DistilSettings
from srdiff_training.run.train import build_network, train
from srdiff_training.run.truth_fit import TruthFit

from .distillations import L1_ALONE, distil_settings, save_teacher
from .training_runs import make_photos, uncompiled

BATCHES = 3


@pytest.mark.slow
@pytest.mark.usefixtures("pynative")
def test_nothing_near_it_is_nearer_to_the_photos(tmp_path: Path) -> None:
    """The squared error of x_0 at fidelity 1 grows whichever way the kernel is moved, and is below that at 0."""
    photos = make_photos(tmp_path / "photos")
    teacher = save_teacher(tmp_path, "mindediting")
    distil = {**L1_ALONE, "fidelity_batches": BATCHES}
    settings = distil_settings(teacher, photos, tmp_path / "run", distil, steps_per_epoch=4, patch=24)
    with uncompiled():
        outcome = train(settings, echo=lambda line: None)
    network = load_checkpoint(outcome.checkpoint).build()
    crops = Crops(Photos([str(photos)], 4, 24, 1.0, 1, lambda items, total: items), settings)
    lr, lr_up, hr, t, noise, _ = (
        np.stack(column) for column in zip(*(crops.sample(number) for number in range(BATCHES * settings.batch)))
    )

    def error(fidelity: float) -> float:
        unet = network.denoise_fn
        cond = unet.cond(network.encoder(ms.Tensor(lr)))
        bias = unet.time_bias(ms.Tensor(t.astype(np.float32)))
        dial = ms.Tensor(np.full((1, 1, 1, 1), fidelity, np.float32))
        x0 = unet(ms.Tensor(noise), bias, cond, ms.Tensor(lr_up), dial).asnumpy()
        edge = BORDER * 4
        wanted = np.clip((hr - lr_up) * settings.res_rescale, -1, 1)
        return float(np.square((x0 - wanted).astype(np.float64)[..., edge:-edge, edge:-edge]).mean())

    best = error(1.0)
    assert best < error(0.0)
    rng = np.random.default_rng(0)
    for parameter in network.denoise_fn.true_conv.get_parameters():
        fitted = parameter.asnumpy().copy()
        for _ in range(3):
            step = (0.05 * rng.standard_normal(fitted.shape)).astype(np.float32)
            for sign in (-1, 1):
                parameter.set_data(ms.Tensor(fitted + sign * step))
                assert error(1.0) > best
        parameter.set_data(ms.Tensor(fitted))


@pytest.mark.slow
@pytest.mark.usefixtures("pynative")
def test_compiled_it_fits_the_same(tmp_path: Path) -> None:
    photos = make_photos(tmp_path / "photos")
    distil = {**L1_ALONE, "fidelity_batches": BATCHES}
    settings = distil_settings(save_teacher(tmp_path, "mindediting"), photos, tmp_path / "run", distil, patch=24)
    network = build_network(settings)
    weights = ms.ParameterTuple(network.get_parameters())
    step = SimpleNamespace(weights=weights, average=weights.clone("average", init="same"))
    fit = TruthFit(
        network, step, Crops(Photos([str(photos)], 4, 24, 1.0, 1, lambda items, total: items), settings), settings
    )
    fitted = []
    for mode in (ms.PYNATIVE_MODE, ms.GRAPH_MODE):
        ms.set_context(mode=mode)
        fit()
        fitted.append([parameter.asnumpy().copy() for parameter in network.denoise_fn.true_conv.get_parameters()])
    for one, other in zip(*fitted):
        assert np.abs(one - other).max() < 1e-4 * np.abs(one).max()  # measured 0


def test_a_dial_is_for_one_step() -> None:
    assert DistilSettings(fidelity_batches=1).has_dial
    assert not DistilSettings(fidelity_batches=1, steps=2).has_dial and not DistilSettings().has_dial
    with pytest.raises(OptionError, match=r"distil\.fidelity_batches is -1"):
        DistilSettings(fidelity_batches=-1)
