"""A training run: from settings to checkpoints, resumable and stoppable, on one device or on many."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Callable, Iterable

import mindspore as ms
import numpy as np
import yaml
from mindspore import Parameter, nn
from tqdm import tqdm

from srdiff.atomic_files import atomic_file, make_folder, require_writable
from srdiff.errors import CheckpointError, OptionError, TrainingError
from srdiff.unfinished_files import remove_leftovers

from ..data.crops import Crops, Photos, batches
from ..measure.validate_averaged import AveragedValidator
from ..model.network import SRDiff
from ..model.rrdb import RRDBUpscaler
from .devices import Devices, join_devices
from .distil_step import DistilStep, TeacherResult, begin_student, distil_rates, load_teacher
from .initial_weights import initialise
from .log import Log
from .losses import ImageLoss, NoiseLoss
from .optimiser_step import TrainStep, lower_precision, rates_at
from .own_folder import SETTINGS_NAME, require_own
from .running_means import RunningMeans
from .settings import TrainSettings
from .snapshot import LOWER_RATE, Position, Snapshots, numbered, read_state
from .stopping import Caught, stop_signals
from .stored_weights import load_rrdb, load_srdiff
from .truth_fit import TruthFit

Echo = Callable[[str], None]


@dataclass(frozen=True)
class TrainingResult:
    """How a run ended: steps done, the newest checkpoint, and the signal that stopped it, if one did."""

    step: int
    checkpoint: Path
    signal: int | None = None


def train(settings: TrainSettings, resume: bool = False, echo: Echo = print) -> TrainingResult:
    """Train, or go on with training.

    Args:
        settings: of the run.
        resume: go on from the newest checkpoint in the run's folder that is whole; a folder without any begins anew.
        echo: takes lines for the user.

    Raises:
        CheckpointError, ImageError, OptionError: bad input.
        DeviceError: the device is not there.
        OutputError: the run's folder cannot be written, or holds another run or files of the names that a run writes.
        TrainingError: the loss or a weight is not a number any more.
    """
    folder = Path(settings.output)
    if os.path.realpath(str(folder)) in map(os.path.realpath, filter(None, (*settings.data, settings.val))):
        raise OptionError(f"output is {folder}, a folder of photos, where log.png would be one; choose another")
    require_writable(folder / SETTINGS_NAME)
    written = [path for _, path in reversed(numbered(folder))]
    require_own(folder, written, settings.stage, resume)
    devices = join_devices(settings)
    if not devices.leads:
        echo = _silent
    network = build_network(settings, bool(written), echo)
    train_step = build_step(network, settings, devices)
    snapshots = Snapshots(folder, network, train_step, settings)
    progress = _resumed(snapshots, written, echo) if written else Position()
    if progress.step >= settings.steps:
        echo(f"all {settings.steps} steps are done; more of them take a larger epochs or steps_per_epoch")
        return TrainingResult(progress.step, snapshots.path(progress.step))
    validates = bool(settings.val) and devices.leads
    validate = AveragedValidator(network, train_step, settings) if validates else None
    photos = Photos(settings.data, settings.network.scale, settings.patch, settings.memory_gib, settings.workers)
    echo(
        f"{len(photos)} photos; {_millions(train_step.weights)} M of {_millions(snapshots.parameters)} M parameters "
        f"are trained; steps {progress.step + 1} to {settings.steps}"
    )
    crops = Crops(photos, settings, progress.step, devices.rank, devices.count)
    if devices.leads:
        make_folder(folder / SETTINGS_NAME)
        remove_leftovers(folder)
        with atomic_file(folder / SETTINGS_NAME) as temporary:
            temporary.write_text(yaml.safe_dump(settings.plain(), sort_keys=False))
    fits = isinstance(network, SRDiff) and isinstance(train_step, DistilStep) and settings.network.fidelity
    fit = TruthFit(network, train_step, crops, settings) if fits and devices.leads else None
    return TrainingLoop(settings, train_step, snapshots, crops, devices, validate, fit).run(progress)


def _resumed(snapshots: Snapshots, written: list[Path], echo: Echo) -> Position:
    """The state of the newest checkpoint that is whole; where none is, the newest one's CheckpointError."""
    damage = []
    for path in written:
        try:
            progress = snapshots.load(path)
        except CheckpointError as error:
            damage.append(error)
            continue
        for found in damage:
            echo(f"passed over: {found}")
        echo(f"going on from {path}{_changes(path, snapshots.settings)}")
        return progress
    raise damage[0]


def build_network(settings: TrainSettings, resumes: bool = False, echo: Echo = print) -> nn.Cell:
    """The networks of a stage, with weights from the settings' checkpoint, or initial ones of their seed; those where
    the run's own checkpoint brings all, so that the other may have been moved.
    """
    config = settings.network
    network: nn.Cell
    if settings.stage == "distil" and not settings.init_from and not resumes:
        network = load_teacher(Path(settings.teacher), config)
        begin_student(network, settings)
        return network
    network = RRDBUpscaler(config) if settings.stage == "rrdb" else SRDiff(config)
    initialise(network, settings.seed)
    if resumes:
        return network
    if settings.init_from and settings.stage == "rrdb":
        load_rrdb(Path(settings.init_from), list(network.get_parameters()), config)
    elif settings.init_from:
        if load_srdiff(Path(settings.init_from), network, config, student=settings.stage == "distil"):
            echo(
                f"{settings.init_from} has the dial --fidelity and this run's student gets none; one of one step gets "
                "it with distil.fidelity_batches=16"
            )
    elif settings.encoder_from:
        load_rrdb(Path(settings.encoder_from), list(network.encoder.get_parameters()), config)
    elif settings.freeze_encoder and settings.stage != "rrdb":
        raise OptionError(
            "the encoder is frozen and has no weights; add --set encoder_from=RRDB.ckpt, or --set freeze_encoder=false"
        )
    return network


def build_step(network: nn.Cell, settings: TrainSettings, devices: Devices) -> TrainStep | DistilStep:
    """The compiled part of training for a network."""
    lower_precision(network, settings.precision)
    if settings.stage == "distil":
        regresses = settings.distil.objective == "regress"
        teacher = TeacherResult(Path(settings.teacher), settings) if regresses else None
        return DistilStep(network, settings, devices, teacher)
    if settings.stage == "rrdb":
        loss: nn.Cell = ImageLoss(network)
        weights = list(network.get_parameters())
    else:
        loss = NoiseLoss(network, settings.noise_schedule, settings.res_rescale, settings.freeze_encoder)
        trained = network.denoise_fn if settings.freeze_encoder else network
        weights = list(trained.get_parameters())
    train_step = TrainStep(loss, weights, settings, devices.gradient_reducer(weights), devices.mean())
    train_step.set_train()  # the cells have forms that train faster and export worse
    return train_step


class TrainingLoop:
    """Steps, and what happens between them. Only the leading device logs and saves.

    Args:
        settings, train_step, snapshots, crops, devices: of the run.
        validate: gives PSNR-Y and SSIM-Y; None where there is nothing to validate on.
        fit: called before a checkpoint is written, for weights that follow from the others.
    """

    def __init__(
        self,
        settings: TrainSettings,
        train_step: TrainStep | DistilStep,
        snapshots: Snapshots,
        crops: Crops,
        devices: Devices,
        validate: Callable[[], tuple[float, float]] | None,
        fit: Callable[[], None] | None = None,
    ) -> None:
        self.settings = settings
        self.train_step = train_step
        self.snapshots = snapshots
        self.crops = crops
        self.devices = devices
        self.validate = validate
        self.fit = fit
        self.rates = distil_rates if settings.stage == "distil" else rates_at
        self.meter = RunningMeans(settings.batch)
        self.log = Log(snapshots.folder, crops.first_step) if devices.leads else None

    def run(self, progress: Position) -> TrainingResult:
        """All steps that remain, or those until a signal comes."""
        settings = self.settings
        bar = tqdm(
            total=settings.steps, initial=progress.step, unit="step", dynamic_ncols=True, disable=not self.devices.leads
        )
        signal = None
        with bar, stop_signals() as caught:
            data = batches(self.crops).create_tuple_iterator(num_epochs=1, do_copy=False)
            for step in range(progress.step + 1, settings.steps + 1):
                with self.meter:
                    rates = ms.Tensor(self.rates(step - 1, settings))
                    loss, norm = (float(value.asnumpy()) for value in self.train_step(rates, *next(data)))
                caught.listen()
                self._require_number(loss, step)
                self.meter.add(loss, norm)
                bar.set_postfix_str(self.meter.words, refresh=False)
                bar.update()
                signal = self._agreed_signal(caught, step)
                progress = self._after(replace(progress, step=step), stops=signal is not None)
                if signal is not None:
                    break
        return TrainingResult(progress.step, self.snapshots.path(progress.step), signal)

    def _require_number(self, loss: float, step: int) -> None:
        if not np.isfinite(loss):
            raise TrainingError(f"the loss of step {step} is {loss}; {LOWER_RATE}")

    def _agreed_signal(self, caught: Caught, step: int) -> int | None:
        if self.devices.count == 1:
            return caught.signal
        # All must stop after the same step, or the others wait for gradients that never come.
        return None if step % self.settings.log_every else self.devices.any_signal(caught.signal)

    def _after(self, progress: Position, stops: bool) -> Position:
        """Log, validate and save, each when its time has come."""
        settings, step = self.settings, progress.step
        if self.log is None:
            return progress
        ends = stops or step == settings.steps
        saves = ends or step % settings.save_every == 0
        psnr = ssim = None
        if self.validate is not None and (step == settings.steps or step % settings.validate_every == 0):
            psnr, ssim = self._validated(self.validate, progress)
        if saves or psnr is not None or step % settings.log_every == 0:
            self.log.add(
                step=step,
                loss=self.meter.mean_loss,
                gradient_norm=self.meter.mean_norm,
                learning_rate=float(rates_at(step - 1, settings)[0]),
                images_per_second=self.meter.rate,
                psnr_y=psnr,
                ssim_y=ssim,
            )
            self.meter.start_row()
        is_best = psnr is not None and (progress.best is None or psnr > progress.best)
        if self.fit is not None and (saves or is_best):
            self.fit()
        if is_best:
            progress = replace(progress, best=psnr)
            self.snapshots.save_best(progress)
        if saves:
            self.snapshots.save(progress)
            self.log.plot()
        return progress

    def _validated(self, validate: Callable[[], tuple[float, float]], progress: Position) -> tuple[float, float]:
        """What it measures; where it fails, the steps up to here are saved first."""
        try:
            return validate()
        except BaseException:
            if self.fit is not None:
                self.fit()
            self.snapshots.save(progress)
            raise


def _millions(parameters: Iterable[Parameter]) -> str:
    return f"{sum(int(np.prod(parameter.shape)) for parameter in parameters) / 1e6:.2f}"


def _changes(checkpoint: Path, settings: TrainSettings) -> str:
    """What is set otherwise than when the checkpoint was written, for the user."""
    before, now = read_state(checkpoint)[1].plain(), settings.plain()
    changed = [f"{name} {before[name]} -> {now[name]}" for name in now if before[name] != now[name]]
    return f", changed: {', '.join(changed)}" if changed else ""


def _silent(line: str) -> None:
    """What devices that do not lead tell."""
