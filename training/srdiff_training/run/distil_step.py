"""One step of distillation: the teacher's result where that is the target, the student's step, the discriminator's."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Sequence

import mindspore as ms
import numpy as np
from mindspore import Parameter, Tensor

from srdiff.errors import CheckpointError
from srdiff.samplers import Sampler, student_plan

from ..model.checkpoint import load_checkpoint
from ..model.config import NetworkConfig
from ..model.graphs import EncoderGraph, StepGraph, time_bias_table
from ..model.network import SRDiff
from .devices import Devices
from .discriminator import Discriminator
from .distil_losses import DiscriminatorLoss, Student, StudentLoss
from .optimiser_step import TrainStep, rates_at
from .settings import TrainSettings
from .stored_weights import load_srdiff
from .vgg import Lpips, VggFeatures
from .vgg_weights import TAPS, load_vgg

# Adam's for the discriminator: it must follow a student that moves (Radford et al., arXiv 1511.06434).
DISCRIMINATOR_BETA1 = 0.5
# Of the schedule: a one-step student begins with the time bias that its teacher has here. At the very start of its way
# a teacher looks at the noise alone.
START = 0.7


class TeacherResult:
    """What the teacher makes of a batch from the given noise: in DDIM's steps with eta 0, or a student in its one.

    Args:
        path: the teacher's checkpoint; of one with the dial it is the sharpest result.
        settings: sizes, schedule, factor of the residual, and how many steps it takes.

    Raises:
        CheckpointError: it cannot be read, its sizes are others, or it is a student of several steps.
    """

    def __init__(self, path: Path, settings: TrainSettings) -> None:
        checkpoint = load_checkpoint(path)
        own_steps = checkpoint.stored.student_steps
        if own_steps not in (None, 1):
            raise CheckpointError(
                f"{path} is a student of {own_steps} steps; a teacher is a model of many steps or a student of one"
            )
        config = replace(settings.network, fidelity=checkpoint.config.fidelity)
        network = SRDiff(config)
        load_srdiff(path, network, config)
        network.set_train(False)
        self.encoder, self.step = EncoderGraph(network), StepGraph(network, clip_denoised=True)
        self.time_bias = time_bias_table(network, settings.timesteps)
        schedule, ddim = settings.noise_schedule, Sampler("ddim", settings.distil.teacher_steps)
        self.plan = student_plan(schedule, 1) if own_steps else ddim.plan(schedule)
        self.up_input, self.fidelity, self.res_rescale = config.up_input, config.fidelity, settings.res_rescale

    def __call__(self, lr: Tensor, lr_up: Tensor, noise: Tensor) -> Tensor:
        """lr [n, 3, h, w], lr_up and noise [n, 3, sh, sw] -> the image [n, 3, sh, sw] in about [-1, 1]."""
        cond = self.encoder(lr)
        x, x0 = noise, ms.ops.zeros_like(noise)
        more = [lr_up] if self.up_input else []
        more += [ms.ops.zeros((1, 1, 1, 1), ms.float32)] if self.fidelity else []
        for number in self.plan:
            bias = Tensor(self.time_bias[number.t].reshape(1, -1, 1, 1))
            coef = Tensor(number.coef.tensor())
            x, x0 = self.step(x, bias, cond, coef, noise, x0, *more)
        return x / self.res_rescale + lr_up


class DistilStep:
    """Called with a row of :func:`distil_rates` and a batch, it changes the weights and gives the student's (loss, norm
    of the gradient).

    Args:
        network: the student's, with its initial weights.
        settings: of the run.
        devices: that train together.
        teacher: whose result is the target; None where the true photo is.
        vgg_weights: for tests; None fetches those that the settings need.

    Attributes:
        weights, average, moment1, moment2: see :class:`TrainStep`.
        beside: what else a checkpoint must hold to go on, by prefix.
    """

    def __init__(
        self,
        network: SRDiff,
        settings: TrainSettings,
        devices: Devices,
        teacher: TeacherResult | None = None,
        vgg_weights: dict[str, np.ndarray] | None = None,
    ) -> None:
        self.settings, self.teacher = settings, teacher
        student = Student(network, settings)
        vgg = lpips = None
        self.discriminator: Discriminator | None = None
        self.critic: TrainStep | None = None
        if settings.distil.needs_vgg:
            vgg_weights = vgg_weights or load_vgg()
            vgg = VggFeatures(vgg_weights)
            lpips = Lpips(vgg_weights) if settings.distil.perceptual > 0 else None
            if settings.distil.has_discriminator:
                channels = tuple(vgg_weights[f"conv{tap}.bias"].size for tap in TAPS)
                self.discriminator = Discriminator(channels, settings.distil.discriminator_width, settings.seed)
                self.critic = _step(
                    DiscriminatorLoss(student, vgg, self.discriminator),
                    list(self.discriminator.trainable_params()),
                    replace(settings, beta1=DISCRIMINATOR_BETA1),
                    devices,
                )
        loss = StudentLoss(student, settings, vgg, lpips, self.discriminator)
        self.student = _step(loss, list(network.get_parameters()), settings, devices)
        self.weights, self.average = self.student.weights, self.student.average
        self.moment1, self.moment2 = self.student.moment1, self.student.moment2
        self.beside: dict[str, Sequence[Parameter]] = {}
        if self.discriminator is not None and self.critic is not None:
            self.beside = {
                "": list(self.discriminator.get_parameters()),
                "moment1.": list(self.critic.moment1),
                "moment2.": list(self.critic.moment2),
            }

    def __call__(self, rates: Tensor, *batch: Tensor) -> tuple[Tensor, Tensor]:
        row = rates.asnumpy()
        lr, lr_up, hr, t, noise, borders, *undamaged = batch
        if self.teacher is not None:
            seen, seen_up = undamaged or (lr, lr_up)
            hr = self.teacher(seen, seen_up, noise)
        loss, norm = self.student(Tensor(row[:4]), lr, lr_up, hr, t, noise, borders, Tensor(row[7]))
        if self.critic is not None and self.discriminator is not None:
            self.critic(Tensor(np.append(row[4:7], 1).astype(np.float32)), lr, lr_up, hr, t, noise)
            self.discriminator.renew()
        return loss, norm


def _step(loss: ms.nn.Cell, weights: list[Parameter], settings: TrainSettings, devices: Devices) -> TrainStep:
    step = TrainStep(loss, weights, settings, devices.gradient_reducer(weights), devices.mean())
    step.set_train()  # the cells have forms that train faster and export worse
    return step


def distil_rates(step: int, settings: TrainSettings) -> np.ndarray:
    """Numbers of a step (0 is the first): the student's four of :func:`rates_at`, the discriminator's first three, and
    the weight of the adversarial loss: [8] float32.
    """
    rate = settings.distil.discriminator_rate
    same = replace(settings, learning_rate=rate, final_learning_rate=rate, beta1=DISCRIMINATOR_BETA1)
    adversarial = settings.distil.adversarial if step >= settings.distil.adversarial_from else 0.0
    return np.concatenate([rates_at(step, settings), rates_at(step, same)[:3], [adversarial]]).astype(np.float32)


def begin_student(network: SRDiff, settings: TrainSettings) -> None:
    """Make a student of a network that has its teacher's weights: a last convolution of zeros, so that its first result
    is lr_up, and for a single step the time bias of a timestep at which the teacher looks at the input, too.
    """
    unet = network.denoise_fn
    for last in (unet.final_conv, unet.true_conv) if network.config.fidelity else (unet.final_conv,):
        for parameter in last.get_parameters():
            parameter.set_data(ms.Tensor(np.zeros(parameter.shape, np.float32)))
    if settings.distil.steps > 1:
        return
    last = settings.timesteps - 1
    bias = unet.time_bias(Tensor(np.array([last, round(START * last)], np.float32))).asnumpy().reshape(2, -1)
    for mlp, (first, end) in zip(unet.time_mlps, unet.spans):
        moved = mlp[1].bias.asnumpy() + (bias[1] - bias[0])[first:end]
        mlp[1].bias.set_data(ms.Tensor(moved))


def load_teacher(path: Path, config: NetworkConfig) -> SRDiff:
    """The network of the teacher that a student begins as.

    Raises:
        CheckpointError: it cannot be read, holds a student, or its sizes are others.
    """
    network = SRDiff(config)
    load_srdiff(path, network, config, student=False)
    return network
