"""The two losses, as cells from one batch to a number."""

from __future__ import annotations

import numpy as np
from mindspore import Tensor, nn, ops

from srdiff.manifest import CLAMP_LIMIT
from srdiff.schedule import Schedule

from ..model.network import SRDiff
from ..model.rrdb import RRDBUpscaler


class ImageLoss(nn.Cell):
    """L1 between the RRDB's image and the true one, both in [-1, 1]."""

    def __init__(self, network: RRDBUpscaler) -> None:
        super().__init__(auto_prefix=False)
        self.network = network

    def construct(self, lr: Tensor, hr: Tensor) -> Tensor:
        return ops.abs(self.network(lr) - hr).mean()


class NoiseLoss(nn.Cell):
    """L1 between predicted and true noise (Ho et al., arXiv 2006.11239, eq. 14, with the L1 norm that SRDiff uses).

    Diffused is the residual (hr - lr_up) * res_rescale, clamped to [-1, 1].

    Args:
        network: encoder and noise predictor.
        schedule: of the noise.
        res_rescale: factor of the residual.
        freeze_encoder: no gradient goes into the encoder.
    """

    def __init__(self, network: SRDiff, schedule: Schedule, res_rescale: float, freeze_encoder: bool) -> None:
        super().__init__(auto_prefix=False)
        self.network = network
        alpha_cumprod = schedule.alpha_cumprod.reshape(-1, 1, 1, 1)
        self.signal = Tensor(np.sqrt(alpha_cumprod).astype(np.float32))
        self.sigma = Tensor(np.sqrt(1 - alpha_cumprod).astype(np.float32))
        self.res_rescale = res_rescale
        self.freeze_encoder = freeze_encoder

    def construct(self, lr: Tensor, lr_up: Tensor, hr: Tensor, t: Tensor, noise: Tensor) -> Tensor:
        """lr [n, 3, h, w], lr_up and hr [n, 3, sh, sw] in [-1, 1], t [n] int32, noise like hr -> a number."""
        x0 = ops.clamp((hr - lr_up) * self.res_rescale, -CLAMP_LIMIT, CLAMP_LIMIT)
        x = ops.gather(self.signal, t, 0) * x0 + ops.gather(self.sigma, t, 0) * noise
        features = self.network.encoder(lr)
        if self.freeze_encoder:
            features = ops.stop_gradient(features)
        unet = self.network.denoise_fn
        eps = unet(x, unet.time_bias(t.astype(noise.dtype)), unet.cond(features), lr_up)
        return ops.abs(eps - noise).mean()
