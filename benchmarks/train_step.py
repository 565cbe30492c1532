"""Time of one optimisation step: this project's, and PyTorch eager's on the same network, batch and optimiser.

    python benchmarks/train_step.py --config small --batch 16 --patch 96 --peer torch

Steps of both alternate in one process, so a busy machine slows both; trust the ratio of the medians.
"""

from __future__ import annotations

import resource
import statistics
import time
from typing import Any, Callable

import click
import numpy as np

from srdiff.commands.command import Command

# One optimisation step, which gives its loss.
TrainStep = Callable[[], float]


@click.command(cls=Command)
@click.option("--config", default="small", show_default=True, help="card, small, or a YAML file for srdiff-train.")
@click.option("--batch", type=click.IntRange(1), default=16, show_default=True)
@click.option("--patch", type=click.IntRange(1), default=96, show_default=True, help="Side of a true crop.")
@click.option("--train-encoder", is_flag=True, help="The encoder is not frozen.")
@click.option("--repeats", type=click.IntRange(1), default=7, show_default=True, help="Timed steps of each.")
@click.option("--peer", type=click.Choice(["none", "torch"]), default="none", show_default=True)
@click.option("--threads", type=click.IntRange(1), default=2, show_default=True, help="Of the peer.")
def main(config: str, batch: int, patch: int, train_encoder: bool, repeats: int, peer: str, threads: int) -> None:
    """Median seconds of a training step of the noise predictor, on random data."""
    from srdiff_training.run.settings_file import load_settings

    changes = [f"batch={batch}", f"patch={patch}", f"freeze_encoder={str(not train_encoder).lower()}"]
    changes += ["device=cpu", "precision=fp32", "data=none", "output=none"]
    settings = load_settings("srdiff", config, changes)
    data = random_batch(settings)
    steps = {"mindspore": mindspore_step(settings, data)}
    if peer == "torch":
        steps["torch"] = torch_step(settings, data, threads)
    seconds: dict[str, list[float]] = {name: [] for name in steps}
    losses: dict[str, list[float]] = {name: [] for name in steps}
    for repeat in range(repeats + 1):
        for name, step in steps.items():
            start = time.perf_counter()
            losses[name].append(step())
            if repeat:  # the first compiles
                seconds[name].append(time.perf_counter() - start)
            else:
                click.echo(f"{name}: first step {time.perf_counter() - start:.1f} s")
    for name, times in seconds.items():
        median = statistics.median(times)
        click.echo(
            f"{name}: median {median:.3f} s, {min(times):.3f} to {max(times):.3f}, {batch / median:.1f} images/s; "
            f"losses {losses[name][0]:.5f} {losses[name][1]:.5f} … {losses[name][-1]:.5f}"
        )
    if len(seconds) == 2:
        ratios = [ours / theirs for ours, theirs in zip(*seconds.values())]
        click.echo(f"mindspore / torch: median of ratios {statistics.median(ratios):.2f}")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    click.echo(f"peak memory of the process {peak:.2f} GiB")


def random_batch(settings: Any) -> tuple[np.ndarray, ...]:
    """lr, lr_up, hr, t, noise."""
    rng = np.random.default_rng(0)
    n, side, small = settings.batch, settings.patch, settings.patch // settings.network.scale
    images = [rng.uniform(-1, 1, (n, 3, s, s)).astype(np.float32) for s in (small, side, side)]
    noise = rng.standard_normal((n, 3, side, side)).astype(np.float32)
    return (*images, rng.integers(settings.timesteps, size=n).astype(np.int32), noise)


def mindspore_step(settings: Any, data: tuple[np.ndarray, ...]) -> TrainStep:
    """The step of ``srdiff-train``."""
    import mindspore as ms

    from srdiff_training.model.network import SRDiff
    from srdiff_training.run.devices import join_devices
    from srdiff_training.run.initial_weights import initialise
    from srdiff_training.run.optimiser_step import rates_at
    from srdiff_training.run.train import build_step

    devices = join_devices(settings)
    network = SRDiff(settings.network)
    initialise(network, settings.seed)
    train_step = build_step(network, settings, devices)
    tensors = [ms.Tensor(array) for array in data]
    done = iter(range(10**9))

    def step() -> float:
        loss, _ = train_step(ms.Tensor(rates_at(next(done), settings)), *tensors)
        return float(loss.asnumpy())

    return step


def torch_step(settings: Any, data: tuple[np.ndarray, ...], threads: int) -> TrainStep:
    """Forward, backward, clipping, Adam and averaging in PyTorch eager, float32."""
    import torch
    import torch.nn.functional as F
    from racing.torch_reference import Weights, reference

    from srdiff_training.model.network import SRDiff
    from srdiff_training.model.parameter_names import public_name, public_shape, to_public_layout
    from srdiff_training.run.initial_weights import initialise
    from srdiff_training.run.optimiser_step import rates_at

    torch.set_num_threads(threads)
    config = settings.network
    network = SRDiff(config)
    initialise(network, settings.seed)
    state = {}
    for parameter in network.get_parameters():
        array = to_public_layout(parameter.name, parameter.asnumpy(), config)
        shape = public_shape(parameter.name, array.shape, config)
        state[public_name(parameter.name, config)] = torch.tensor(array).reshape(shape)
    trained = [
        tensor.requires_grad_()
        for name, tensor in state.items()
        if name.startswith("denoise_fn.") or not settings.freeze_encoder
    ]
    average = [tensor.detach().clone() for tensor in trained]
    networks = reference(config, Weights(state))
    optimiser = torch.optim.Adam(trained, betas=(settings.beta1, settings.beta2))
    lr, lr_up, hr, t, noise = (torch.from_numpy(array) for array in data)
    alpha = torch.tensor(settings.noise_schedule.alpha_cumprod).float()[t.long()][:, None, None, None]
    done = iter(range(10**9))

    def step() -> float:
        rate, _, _, weight = map(float, rates_at(next(done), settings))
        optimiser.param_groups[0]["lr"] = rate
        x0 = ((hr - lr_up) * settings.res_rescale).clamp(-1, 1)
        eps = networks.eps(alpha.sqrt() * x0 + (1 - alpha).sqrt() * noise, t.float(), lr, lr_up)
        loss = F.l1_loss(eps, noise)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(trained, settings.clip_norm)
        optimiser.step()
        torch._foreach_lerp_(average, [tensor.detach() for tensor in trained], weight)
        return float(loss.detach())

    return step


if __name__ == "__main__":
    main()
