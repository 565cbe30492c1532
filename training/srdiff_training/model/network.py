"""Encoder and noise predictor together: what one SRDiff checkpoint holds."""

from __future__ import annotations

from mindspore import Tensor, nn

from .config import NetworkConfig
from .rrdb import RRDBEncoder
from .unet import UNet


class SRDiff(nn.Cell):
    """The networks of one configuration; ``construct`` is the training pass.

    Called with x [n, 3, sh, sw], t [n] float32, lr [n, 3, h, w] and lr_up [n, 3, sh, sw] it gives eps like x.
    """

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.config = config
        self.encoder = RRDBEncoder(config)
        self.denoise_fn = UNet(config)

    def construct(self, x: Tensor, t: Tensor, lr: Tensor, lr_up: Tensor) -> Tensor:
        cond = self.denoise_fn.cond(self.encoder(lr))
        return self.denoise_fn(x, self.denoise_fn.time_bias(t), cond, lr_up)
