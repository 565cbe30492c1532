"""Distillation in PyTorch: the same student, losses, discriminator and optimisers, written a second time."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from racing.torch_reference import Weights, reference
from torch import Tensor

from srdiff.resize import bicubic
from srdiff_training.run.settings import TrainSettings

TAPS, POOLED = (1, 3, 6, 9, 12), (2, 4, 7, 10)
SHIFT, SCALE = ([-0.030, -0.088, -0.188], [0.458, 0.448, 0.450])


class Twin:
    """Args: initial weights by their names in a checkpoint; VGG's; the discriminator's by those of its cells."""

    def __init__(
        self,
        settings: TrainSettings,
        state: dict[str, np.ndarray],
        vgg: dict[str, np.ndarray] | None = None,
        discriminator: dict[str, np.ndarray] | None = None,
    ) -> None:
        self.settings = settings
        self.state = {name: torch.tensor(array).requires_grad_() for name, array in state.items()}
        self.network = reference(settings.network, Weights(self.state))
        self.network.weights.state = self.state
        self.vgg = {name: torch.tensor(array) for name, array in (vgg or {}).items()}
        found = {name: torch.tensor(array) for name, array in (discriminator or {}).items()}
        self.u = {name: found.pop(name) for name in list(found) if name.endswith(".u")}
        self.critic = {name: tensor.requires_grad_() for name, tensor in found.items()}
        betas = settings.beta1, settings.beta2
        self.adam = torch.optim.Adam(self.state.values(), settings.learning_rate, betas)
        if self.critic:
            rate = settings.distil.discriminator_rate
            self.critic_adam = torch.optim.Adam(self.critic.values(), rate, (0.5, settings.beta2))

    def step(self, rates: np.ndarray, *batch: np.ndarray) -> float:
        """One step; the student's loss."""
        lr, lr_up, hr, t, noise, borders = (torch.tensor(array) for array in batch)
        image = self.image(lr, lr_up, hr, t, noise)
        loss = self.loss(image, lr_up, hr, borders, float(rates[7]))
        _update(self.adam, list(self.state.values()), loss, float(rates[0]), self.settings.clip_norm)
        if self.critic:
            with torch.no_grad():
                image = self.image(lr, lr_up, hr, t, noise)
            real, fake = (self.logits(self.features(x), lr_up) for x in (hr, image))
            hinge = [F.relu(1 - x).mean() + F.relu(1 + y).mean() for x, y in zip(real, fake)]
            critic_loss = sum(hinge) / len(hinge)
            _update(self.critic_adam, list(self.critic.values()), critic_loss, float(rates[4]), self.settings.clip_norm)
            for name in self.u:
                self.u[name] = self.vectors(name)[0]
        return float(loss.detach())

    def image(self, lr: Tensor, lr_up: Tensor, hr: Tensor, t: Tensor, noise: Tensor) -> Tensor:
        x, rescale = noise, self.settings.res_rescale
        if self.settings.distil.steps > 1:
            alpha = torch.tensor(self.settings.noise_schedule.alpha_cumprod, dtype=torch.float32)
            alpha[-1] = 0
            alpha = alpha[t.long()][:, None, None, None]
            x = alpha.sqrt() * ((hr - lr_up) * rescale).clamp(-1, 1) + (1 - alpha).sqrt() * noise
        return self.network.eps(x, t.float(), lr, lr_up).clamp(-1, 1) / rescale + lr_up

    def loss(self, image: Tensor, lr_up: Tensor, hr: Tensor, borders: Tensor, adversarial: float) -> Tensor:
        weights, patch = self.settings.distil, self.settings.patch
        loss = weights.l1 * F.l1_loss(image, hr)
        rows = torch.tensor(bicubic(np.eye(patch), patch // self.settings.network.scale, patch), dtype=torch.float32)
        loss = loss + weights.consistency * (rows @ (image - hr) @ rows.T).abs().mean()
        if weights.blocks:
            steps = []
            for error, marks in zip((image - hr).mean(1), borders):
                for grid, ends in zip((error, error.T), marks):
                    for end in (4 * int(place) for place in ends.nonzero() if place > 0):
                        steps.append((grid[end : end + 3].mean(0) - grid[end - 3 : end].mean(0)).abs().mean())
            loss = loss + weights.blocks * (sum(steps) / len(steps) if steps else 0)
        if self.vgg:
            maps, true = self.features(image), self.features(hr)
            for tap, (first, second) in enumerate(zip(maps, true)):
                unit = [x / (x.square().sum(1, True) + 1e-10).sqrt() for x in (first, second)]
                heads = self.vgg[f"head{tap}"].reshape(1, -1, 1, 1)
                loss = loss + weights.perceptual * (heads * (unit[0] - unit[1]).square()).sum(1).mean()
            if self.critic:
                logits = self.logits(maps, lr_up)
                loss = loss - adversarial * sum(x.mean() for x in logits) / len(logits)
        return loss

    def features(self, x: Tensor) -> list[Tensor]:
        x = (x - torch.tensor(SHIFT)[:, None, None]) / torch.tensor(SCALE)[:, None, None]
        maps = []
        for layer in range(13):
            if layer in POOLED:
                x = F.max_pool2d(x, 2)
            x = F.relu(F.conv2d(x, self.vgg[f"conv{layer}.weight"], self.vgg[f"conv{layer}.bias"], padding=1))
            if layer in TAPS:
                maps.append(x)
        return maps

    def logits(self, maps: list[Tensor], lr_up: Tensor) -> list[Tensor]:
        found = []
        for tap, x in enumerate(maps[:4]):
            name = f"discriminator.heads.{tap}."
            x = x / (x.square().mean(1, True) + 1e-6).sqrt()
            x = torch.cat((x, F.adaptive_avg_pool2d(lr_up, x.shape[2:])), 1)
            for part, stride in (("first", 1), ("second", 2 if tap == 0 else 1), ("third", 1)):
                weight = self.critic[f"{name}{part}.weight"]
                u, v = self.vectors(f"{name}{part}.u")
                sigma = u @ weight.flatten(1) @ v
                bias = self.critic[f"{name}{part}.bias"]
                x = F.leaky_relu(F.conv2d(x, weight / sigma, bias, stride, weight.shape[2] // 2), 0.2)
            found.append(F.conv2d(x, self.critic[f"{name}last.weight"], self.critic[f"{name}last.bias"]))
        return found

    def vectors(self, name: str) -> tuple[Tensor, Tensor]:
        matrix = self.critic[name[: -len("u")] + "weight"].detach().flatten(1)
        v = F.normalize(self.u[name] @ matrix, dim=0)
        return F.normalize(matrix @ v, dim=0), v


def _update(adam: Any, weights: list[Tensor], loss: Tensor, rate: float, clip_norm: float) -> None:
    adam.zero_grad()
    loss.backward()
    torch.nn.utils.clip_grad_norm_(weights, clip_norm)
    adam.param_groups[0]["lr"] = rate
    adam.step()


def tiny_vgg(seed: int = 0) -> dict[str, np.ndarray]:
    """VGG-16's layers with few channels and random weights."""
    rng = np.random.default_rng(seed)
    widths = [4, 4, 5, 5, 6, 6, 6, 7, 7, 7, 8, 8, 8]
    weights, channels = {}, 3
    for layer, width in enumerate(widths):
        deviation = np.sqrt(2 / (9 * channels))
        weights[f"conv{layer}.weight"] = (deviation * rng.standard_normal((width, channels, 3, 3))).astype(np.float32)
        weights[f"conv{layer}.bias"] = (0.1 * rng.standard_normal(width)).astype(np.float32)
        channels = width
    for tap, layer in enumerate(TAPS):
        weights[f"head{tap}"] = rng.uniform(0, 1, widths[layer]).astype(np.float32)
    return weights
