"""The second last convolution of a student: the one whose result is nearest to the true photos."""

from __future__ import annotations

import mindspore as ms
import numpy as np
from mindspore import Tensor, nn

from srdiff.manifest import CLAMP_LIMIT

from ..data.crops import Crops
from ..model.network import SRDiff
from .distil_settings import BORDER
from .distil_step import DistilStep
from .settings import TrainSettings
from .stored_weights import TRUE_CONV

# Of the mean eigenvalue: keeps channels apart that hardly differ, and changes nothing else.
RIDGE = 1e-6


class TruthFit:
    """Fits ``true_conv`` to the averaged weights of a one-step student.

    All other weights given, the 1x1 convolution whose x_0 has the least squared error is the solution of a linear
    system, so that it needs no training. What the discriminator has taught the network to invent cancels on the
    average, and with it goes most of what it costs in PSNR.

    Args:
        network, train_step: of the run; both get the result.
        crops: of the run; their first ones are what is fitted to.
        settings: of the run.
    """

    def __init__(self, network: SRDiff, train_step: DistilStep, crops: Crops, settings: TrainSettings) -> None:
        self.network, self.crops, self.settings = network, crops, settings
        self.average = {weight.name: average for weight, average in zip(train_step.weights, train_step.average)}
        self.copy = SRDiff(settings.network)
        self.copy.set_train(False)
        self.features = _Features(self.copy)

    def __call__(self) -> None:
        for source, target in zip(self.network.get_parameters(), self.copy.get_parameters()):
            target.set_data(self.average[source.name].value())
        solution = self._solve()
        kernel = np.ascontiguousarray(solution[:-1].T[:, :, None, None])
        for own, array in ((f"{TRUE_CONV}.weight", kernel), (f"{TRUE_CONV}.bias", solution[-1])):
            for parameter in self.network.get_parameters():
                if parameter.name.endswith(own):
                    parameter.set_data(Tensor(array))
                    self.average[parameter.name].set_data(Tensor(array))

    def _solve(self) -> np.ndarray:
        """[channels + 1, 3] float32: the kernel, and the bias as its last row."""
        count = self.settings.network.unet_channels + 1
        products, targets = np.zeros((count, count)), np.zeros((count, 3))
        edge = BORDER * self.settings.network.scale
        for number in range(self.settings.distil.fidelity_batches):
            first = number * self.settings.batch
            samples = [self.crops.sample(first + place) for place in range(self.settings.batch)]
            lr, lr_up, hr, t, noise = (np.stack(column) for column in list(zip(*samples))[:5])
            features = self.features(*(ms.Tensor(array) for array in (lr, lr_up, t, noise))).asnumpy()
            x0 = np.clip((hr - lr_up) * self.settings.res_rescale, -CLAMP_LIMIT, CLAMP_LIMIT)
            inner = (..., slice(edge, -edge), slice(edge, -edge))
            rows, wanted = (_rows(array[inner]) for array in (features, x0))
            rows = np.concatenate([rows, np.ones((len(rows), 1))], axis=1)
            products += rows.T @ rows
            targets += rows.T @ wanted
        ridge = RIDGE * np.trace(products) / count * np.eye(count)
        return np.linalg.solve(products + ridge, targets).astype(np.float32)


class _Features(nn.Cell):
    def __init__(self, network: SRDiff) -> None:
        super().__init__(auto_prefix=False)
        self.network = network

    def construct(self, lr: Tensor, lr_up: Tensor, t: Tensor, noise: Tensor) -> Tensor:
        unet = self.network.denoise_fn
        cond = unet.cond(self.network.encoder(lr))
        return unet.features(noise, unet.time_bias(t.astype(noise.dtype)), cond, lr_up)


def _rows(images: np.ndarray) -> np.ndarray:
    """[n, c, h, w] -> [n * h * w, c] float64."""
    return images.transpose(0, 2, 3, 1).reshape(-1, images.shape[1]).astype(np.float64)
