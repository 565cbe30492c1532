"""The losses of a student and of its discriminator, as cells from one batch to a number."""

from __future__ import annotations

import numpy as np
from mindspore import Tensor, nn, ops

from srdiff.manifest import CLAMP_LIMIT
from srdiff.resize import bicubic

from ..model.network import SRDiff
from .discriminator import Discriminator
from .settings import TrainSettings
from .vgg import Lpips, VggFeatures


class Student(nn.Cell):
    """The image that the network makes in one of its steps: lr_up and the x_0 that it reads off, clamped.

    At the first timestep x is noise alone; at later ones the true residual, diffused as in the teacher's training.
    """

    def __init__(self, network: SRDiff, settings: TrainSettings) -> None:
        super().__init__(auto_prefix=False)
        self.network = network
        alpha_cumprod = settings.noise_schedule.alpha_cumprod.copy()
        alpha_cumprod[-1] = 0.0
        self.signal, self.sigma = (
            Tensor(np.sqrt(value).astype(np.float32).reshape(-1, 1, 1, 1))
            for value in (alpha_cumprod, 1 - alpha_cumprod)
        )
        self.diffuses = settings.distil.steps > 1
        self.res_rescale = settings.res_rescale

    def construct(self, lr: Tensor, lr_up: Tensor, hr: Tensor, t: Tensor, noise: Tensor) -> Tensor:
        """lr [n, 3, h, w], lr_up and hr [n, 3, sh, sw] in [-1, 1], t [n] int32, noise like hr -> like hr."""
        x = noise
        if self.diffuses:
            x0 = ops.clamp((hr - lr_up) * self.res_rescale, -CLAMP_LIMIT, CLAMP_LIMIT)
            x = ops.gather(self.signal, t, 0) * x0 + ops.gather(self.sigma, t, 0) * noise
        unet = self.network.denoise_fn
        cond = unet.cond(self.network.encoder(lr))
        x0 = unet(x, unet.time_bias(t.astype(noise.dtype)), cond, lr_up)
        return ops.clamp(x0, -CLAMP_LIMIT, CLAMP_LIMIT) / self.res_rescale + lr_up


class StudentLoss(nn.Cell):
    """Weighted sum of L1 to the true photo, L1 between both shrunk to the input's size, L1 of the steps across the
    borders of JPEG's blocks, LPIPS on VGG-16 and the discriminator's hinge.

    Args:
        student: whose image is judged.
        settings: of the run.
        vgg: what the other two look through.
        lpips, discriminator: None without that loss.
    """

    def __init__(
        self,
        student: Student,
        settings: TrainSettings,
        vgg: VggFeatures | None = None,
        lpips: Lpips | None = None,
        discriminator: Discriminator | None = None,
    ) -> None:
        super().__init__(auto_prefix=False)
        self.student = student
        self.vgg, self.lpips, self.discriminator = vgg, lpips, discriminator
        weights = settings.distil
        self.l1, self.consistency, self.perceptual = weights.l1, weights.consistency, weights.perceptual
        self.blocks, self.scale = weights.blocks, settings.network.scale
        side = settings.patch // self.scale
        self.rows = Tensor(bicubic(np.eye(settings.patch), side, settings.patch).astype(np.float32))
        self.columns = Tensor(np.ascontiguousarray(self.rows.asnumpy().T))

    def construct(
        self, lr: Tensor, lr_up: Tensor, hr: Tensor, t: Tensor, noise: Tensor, borders: Tensor, adversarial: Tensor
    ) -> Tensor:
        """As for :class:`Student`; ``borders`` [n, 2, h] marks rows and columns of lr at which a block begins,
        ``adversarial`` [] float32 is the discriminator's weight in this step.
        """
        image = self.student(lr, lr_up, hr, t, noise)
        loss = self.l1 * ops.abs(image - hr).mean()
        if self.consistency > 0:
            loss = loss + self.consistency * ops.abs(self.shrunk(image - hr)).mean()
        if self.blocks > 0:
            loss = loss + self.blocks * self.steps_across(image - hr, borders)
        if self.vgg is not None:
            maps = self.vgg(image)
            if self.lpips is not None:
                loss = loss + self.perceptual * self.lpips(maps, self.vgg(hr))
            if self.discriminator is not None:
                logits = self.discriminator(maps, lr_up)
                for tap in logits:
                    loss = loss - adversarial * tap.mean() / len(logits)
        return loss

    def steps_across(self, error: Tensor, borders: Tensor) -> Tensor:
        """Mean size of the grey error's steps at the marked borders, from the mean of the scale - 1 pixels before to
        that of as many behind; 0 where none is marked.
        """
        grey = error.mean(1)
        total = 0.0
        for across, marks in ((grey, borders[:, 0]), (grey.swapaxes(1, 2), borders[:, 1])):
            n, height, width = across.shape
            pixels = across.reshape((n, height // self.scale, self.scale, width))
            steps = pixels[:, 1:, :-1].mean(2) - pixels[:, :-1, 1:].mean(2)
            total = total + (ops.abs(steps).mean(2) * marks[:, 1:]).sum()
        return total / ops.maximum(borders[:, :, 1:].sum(), 1.0)

    def shrunk(self, image: Tensor) -> Tensor:
        """MATLAB's bicubic, which is linear: [n, 3, sh, sw] -> [n, 3, h, w]."""
        return ops.matmul(ops.matmul(self.rows, image), self.columns)


class DiscriminatorLoss(nn.Cell):
    """Hinge loss: logits of true photos above 1, those of results below -1."""

    def __init__(self, student: Student, vgg: VggFeatures, discriminator: Discriminator) -> None:
        super().__init__(auto_prefix=False)
        self.student, self.vgg, self.discriminator = student, vgg, discriminator

    def construct(self, lr: Tensor, lr_up: Tensor, hr: Tensor, t: Tensor, noise: Tensor) -> Tensor:
        image = ops.stop_gradient(self.student(lr, lr_up, hr, t, noise))
        real = self.discriminator(self.vgg(hr), lr_up)
        fake = self.discriminator(self.vgg(image), lr_up)
        loss = 0.0
        for tap in range(len(real)):
            loss = loss + (ops.relu(1 - real[tap]).mean() + ops.relu(1 + fake[tap]).mean()) / len(real)
        return loss
