"""One optimisation step against PyTorch's Adam, clipping and averaging; losses against their formulas."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("mindspore")

import mindspore as ms  # noqa: E402
import torch.nn.functional as F  # noqa: E402
from mindspore import Parameter, Tensor, nn, ops  # noqa: E402

from srdiff_training.model.config import NetworkConfig  # noqa: E402
from srdiff_training.model.network import SRDiff  # noqa: E402
from srdiff_training.model.rrdb import RRDBUpscaler  # noqa: E402
from srdiff_training.run.initial_weights import initialise  # noqa: E402
from srdiff_training.run.losses import ImageLoss, NoiseLoss  # noqa: E402
from srdiff_training.run.optimiser_step import TrainStep, rates_at  # noqa: E402
from srdiff_training.run.settings_file import load_settings  # noqa: E402

from .training_runs import tiny_settings  # noqa: E402

HERE = Path(__file__).parent


def small_network(seed: int = 0) -> SRDiff:
    network = SRDiff(NetworkConfig("mindediting", 4, 4, 2, 2, unet_channels=4, unet_mults=(1, 2)))
    initialise(network, seed)
    return network


class Quadratic(nn.Cell):
    """A loss with two parameters and gradients of very different size."""

    def __init__(self) -> None:
        super().__init__(auto_prefix=False)
        self.a = Parameter(Tensor(np.float32([1, -2, 3])), name="a")
        self.b = Parameter(Tensor(np.float32([[0.5], [4.0]])), name="b")

    def construct(self, x: Tensor) -> Tensor:
        return (x * self.a * self.a).sum() + 0.1 * (self.b * self.b * self.b).sum()


def test_steps_are_adams() -> None:
    """Eight steps, some clipped and some not, at changing rates. MindSpore adds epsilon before the correction of the
    second moment where PyTorch adds it after, which gradients near 1e-8 alone would show."""
    settings = replace(tiny_settings(HERE, HERE), clip_norm=5.0, warmup_steps=3, steps_per_epoch=8, ema_decay=0.6)
    settings = replace(settings, learning_rate=0.1)
    loss = Quadratic()
    step = TrainStep(loss, [loss.a, loss.b], settings)
    weights = [torch.tensor(w.asnumpy(), dtype=torch.float64, requires_grad=True) for w in (loss.a, loss.b)]
    average = [w.detach().clone() for w in weights]
    adam = torch.optim.Adam(weights, betas=(settings.beta1, settings.beta2))
    clipped = set()
    for number in range(8):
        x = np.float32([1, 0.1, 3]) if number % 2 else np.float32([0.1, 0.2, 0.05])
        rates = rates_at(number, settings)
        found, norm = step(Tensor(rates), Tensor(x))
        expected = (torch.tensor(x) * weights[0] ** 2).sum() + 0.1 * (weights[1] ** 3).sum()
        adam.zero_grad()
        expected.backward()
        adam.param_groups[0]["lr"] = float(rates[0])
        expected_norm = float(torch.nn.utils.clip_grad_norm_(weights, settings.clip_norm))
        adam.step()
        for mean, weight in zip(average, weights):
            mean += (weight.detach() - mean) * float(rates[3])
        clipped.add(expected_norm > settings.clip_norm)
        assert float(found.asnumpy()) == pytest.approx(expected.item(), rel=1e-5)
        assert float(norm.asnumpy()) == pytest.approx(expected_norm, rel=1e-5)
    assert clipped == {True, False}
    for ours, theirs in zip((*step.weights, *step.average), (*weights, *average)):
        # Float32 against float64 over eight steps; measured 4e-7. Torch's clipping adds 1e-6 to the norm.
        np.testing.assert_allclose(ours.asnumpy(), theirs.detach().numpy(), atol=5e-6)


def test_an_overflow_changes_no_weight() -> None:
    """What fp16 asks for, here by an infinite input in float32; the next step goes on as if nothing had been."""
    settings = tiny_settings(HERE, HERE)
    object.__setattr__(settings, "precision", "fp16")  # refused on a CPU, whose kernels would not take it
    loss = Quadratic()
    step = TrainStep(loss, [loss.a, loss.b], settings)
    before = [p.asnumpy().copy() for p in (*step.weights, *step.average)]
    _, norm = step(Tensor(rates_at(0, settings)), Tensor(np.float32([1, np.inf, 1])))
    assert not np.isfinite(norm.asnumpy())
    for old, new in zip(before, (*step.weights, *step.average)):
        np.testing.assert_array_equal(new.asnumpy(), old)
    _, norm = step(Tensor(rates_at(1, settings)), Tensor(np.float32([1, 1, 1])))
    expected = np.linalg.norm([2, -4, 6, 0.3 * 0.5**2, 0.3 * 4.0**2])
    assert float(norm.asnumpy()) == pytest.approx(expected, rel=1e-5)
    assert np.isfinite(step.weights[0].asnumpy()).all() and not np.array_equal(step.weights[0].asnumpy(), before[0])


def test_rates() -> None:
    settings = load_settings("srdiff", "card", ["data=x", "output=y"])
    first, middle, last = (rates_at(step, settings) for step in (0, settings.steps // 2, settings.steps - 1))
    assert first[0] == pytest.approx(1.6e-4) and last[0] == pytest.approx(1e-5, rel=1e-3)
    assert middle[0] == pytest.approx((1.6e-4 + 1e-5) / 2, rel=1e-6)
    assert first[1:3] == pytest.approx([0.9, 0.99]) and rates_at(1, settings)[1:3] == pytest.approx([0.81, 0.9801])
    assert first[3] == pytest.approx(9 / 11) and last[3] == pytest.approx(1 - settings.ema_decay, rel=1e-3)
    warm = replace(settings, warmup_steps=10)
    assert rates_at(4, warm)[0] == pytest.approx(0.5 * rates_at(4, settings)[0])
    assert rates_at(10, warm)[0] == rates_at(10, settings)[0]


@pytest.mark.usefixtures("pynative")
def test_noise_loss() -> None:
    network, settings, rng = small_network(), tiny_settings(HERE, HERE), np.random.default_rng(0)
    lr, lr_up, hr = (rng.uniform(-1, 1, (2, 3, side, side)).astype(np.float32) for side in (4, 16, 16))
    noise = rng.standard_normal((2, 3, 16, 16)).astype(np.float32)
    t = np.int32([0, 73])
    alpha = settings.noise_schedule.alpha_cumprod[t].reshape(2, 1, 1, 1)
    x0 = np.clip((hr - lr_up) * 2.0, -1, 1)
    assert (np.abs(x0) == 1).any()
    x = (np.sqrt(alpha) * x0 + np.sqrt(1 - alpha) * noise).astype(np.float32)
    eps = network(*(Tensor(array) for array in (x, t.astype(np.float32), lr, lr_up))).asnumpy()
    loss = NoiseLoss(network, settings.noise_schedule, 2.0, freeze_encoder=False)
    found = loss(*(Tensor(array) for array in (lr, lr_up, hr, t, noise)))
    assert float(found.asnumpy()) == pytest.approx(np.abs(eps - noise).mean(), rel=1e-5)


@pytest.mark.usefixtures("pynative")
def test_frozen_encoder_gets_no_gradient() -> None:
    network, settings, rng = small_network(), tiny_settings(HERE, HERE), np.random.default_rng(0)
    arrays = [rng.uniform(-1, 1, (1, 3, side, side)).astype(np.float32) for side in (4, 16, 16)]
    batch = [
        Tensor(array) for array in (*arrays, np.int32([50]), rng.standard_normal((1, 3, 16, 16)).astype(np.float32))
    ]
    weight = network.encoder.conv_first.conv.weight
    sizes = []
    for freeze in (True, False):
        loss = NoiseLoss(network, settings.noise_schedule, 2.0, freeze)
        gradient = ops.GradOperation(get_by_list=True)(loss, ms.ParameterTuple([weight]))(*batch)
        sizes.append(float(np.abs(gradient[0].asnumpy()).max()))
    assert sizes[0] == 0 and sizes[1] > 0


@pytest.mark.usefixtures("pynative")
def test_image_head_and_loss() -> None:
    """The RRDB's image against the same in PyTorch functions; the loss is its L1 in [-1, 1]."""
    network = RRDBUpscaler(NetworkConfig("mindediting", 4, 4, 2, 2))
    initialise(network, 1)
    network.set_train(False)
    lr = np.random.default_rng(0).uniform(-1, 1, (1, 3, 5, 6)).astype(np.float32)
    x = torch.tensor(network.encoder.outputs(Tensor(lr))[-1].asnumpy())
    state = {p.name: torch.tensor(p.asnumpy()) for p in network.head.get_parameters()}

    def conv(name: str, x: torch.Tensor) -> torch.Tensor:
        return F.conv2d(x, state[f"head.{name}.conv.weight"], state.get(f"head.{name}.conv.bias"), padding=1)

    for block in ("upconv1", "upconv2"):
        x = F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)
        seen = x
        for k in range(1, 5):
            seen = torch.cat((seen, F.leaky_relu(conv(f"{block}.conv{k}", seen), 0.2)), 1)
        x = F.leaky_relu(x + 0.2 * conv(f"{block}.conv5", seen), 0.2)
    expected = (conv("conv_last", F.leaky_relu(conv("HRconv", x), 0.2)) * 2 - 1).numpy()
    found = network(Tensor(lr)).asnumpy()
    assert np.abs(found - expected).max() < 1e-5 * np.abs(expected).max()
    loss = ImageLoss(network)(Tensor(lr), Tensor(np.zeros_like(expected)))
    assert float(loss.asnumpy()) == pytest.approx(np.abs(expected).mean(), rel=1e-5)


def test_initial_weights_follow_from_the_seed() -> None:
    networks = [small_network(seed) for seed in (0, 0, 1)]
    first, same, other = ([p.asnumpy() for p in network.get_parameters()] for network in networks)
    assert all(np.array_equal(a, b) for a, b in zip(first, same))
    assert sum(np.array_equal(a, b) for a, b in zip(first, other)) < 5  # biases of the encoder start at zero


@pytest.mark.slow
def test_the_card_has_its_parameters() -> None:
    """40.2 M: 34.45 M noise predictor and 5.79 M encoder."""
    settings = load_settings("srdiff", "card", ["data=x", "output=y"])
    network = SRDiff(settings.network)
    counts = [sum(p.size for p in part.get_parameters()) for part in (network.denoise_fn, network.encoder)]
    assert [round(count / 1e6, 2) for count in counts] == [34.45, 5.79]
    assert round(sum(counts) / 1e6, 1) == 40.2
