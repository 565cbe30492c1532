"""Checkpoints of a run under way: weights for the export, and all that is needed to go on.

A file is a MindSpore checkpoint in mindediting's layout (leiali's names for a network of that family). Under the
networks' names are the *averaged* weights, which ``srdiff-export`` takes; beside them ``raw.NAME`` (the weights being
trained), ``moment1.NAME``, ``moment2.NAME`` (Adam), ``betas`` and two numbers (how to sample) and, as a word,
``srdiff_train`` (JSON: stage, steps done, best score, configuration). Random numbers follow from seed and step, so they
need no state.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Iterator

import mindspore as ms
import numpy as np
from mindspore import Parameter, nn

from srdiff.atomic_files import atomic_file
from srdiff.errors import CheckpointError, OptionError, TrainingError

from ..checkpoints.read import Tensors, read_file, read_tensors
from ..model.parameter_names import public_shape, to_public_layout
from ..model.stored_recipe import CLIP_DENOISED, RES_RESCALE, STUDENT_STEPS
from .distil_step import DistilStep
from .optimiser_step import TrainStep
from .settings import TrainSettings
from .settings_file import stored_settings
from .stored_weights import set_parameter, stored_name

STATE_NAME = "srdiff_train"
BEST_NAME = "best.ckpt"
LOWER_RATE = (
    "lower learning_rate and resume the run; where that ends the same, the newest checkpoint is from too late: "
    "remove it first"
)
_FILE = re.compile(r"^step_(\d+)\.ckpt$")


@dataclass(frozen=True)
class Position:
    """How far a run is.

    Attributes:
        step: steps done.
        best: PSNR-Y of the best validation in decibels; None before the first.
    """

    step: int = 0
    best: float | None = None


class Snapshots:
    """The checkpoints in a run's folder.

    Args:
        folder: of the run.
        network: all of it, trained or not.
        train_step: holds weights, averages and moments.
        settings: of the run.
    """

    def __init__(
        self, folder: Path, network: nn.Cell, train_step: TrainStep | DistilStep, settings: TrainSettings
    ) -> None:
        self.folder = folder
        self.network = network
        self.settings = settings
        self.parameters = list(network.get_parameters())
        own = [parameter.name for parameter in train_step.weights]
        self.trained = {
            "raw.": dict(zip(own, train_step.weights)),
            "moment1.": dict(zip(own, train_step.moment1)),
            "moment2.": dict(zip(own, train_step.moment2)),
        }
        self.average = dict(zip(own, train_step.average))
        if isinstance(train_step, DistilStep):
            for prefix, parameters in train_step.beside.items():
                named = {parameter.name[len(prefix) :]: parameter for parameter in parameters}
                self.trained[prefix] = {**self.trained.get(prefix, {}), **named}

    def path(self, step: int) -> Path:
        return self.folder / f"step_{step:08d}.ckpt"

    def save(self, progress: Position) -> Path:
        """Write ``step_NNNNNNNN.ckpt``, then remove the oldest beyond ``keep``.

        Raises:
            OutputError: the disk refuses.
            TrainingError: a weight is not a number any more; nothing is written.
        """
        path = self.path(progress.step)
        self._write(path, progress)
        done = [old for step, old in numbered(self.folder) if step <= progress.step]  # later ones were passed over
        for old in done[: -self.settings.keep]:
            old.unlink()
        return path

    def save_best(self, progress: Position) -> None:
        """Write ``best.ckpt``, which ``keep`` does not count; it raises what :meth:`save` does."""
        self._write(self.folder / BEST_NAME, progress)

    def _write(self, path: Path, progress: Position) -> None:
        arrays = dict(self._arrays())
        for name, array in arrays.items():
            if not np.isfinite(array).all():
                raise TrainingError(f"step {progress.step} has left NaN or infinity in {name}; {LOWER_RATE}")
        content = [{"name": name, "data": ms.Tensor(array)} for name, array in arrays.items()]
        state = {"stage": self.settings.stage, "step": progress.step, "best": progress.best}
        words = {STATE_NAME: json.dumps({**state, "settings": self.settings.plain()})}
        with atomic_file(path) as temporary:
            _save_checkpoint(content, temporary, words)

    def _arrays(self) -> Iterator[tuple[str, np.ndarray]]:
        for parameter in self.parameters:
            yield self._stored("", parameter.name, self.average.get(parameter.name, parameter))
        for prefix, parameters in self.trained.items():
            for own, parameter in parameters.items():
                yield self._stored(prefix, own, parameter)
        yield "betas", np.asarray(self.settings.noise_schedule.betas, np.float32)
        yield RES_RESCALE, np.array([self.settings.res_rescale], np.float32)
        yield CLIP_DENOISED, np.ones(1, np.float32)  # the residual is clamped in training
        if self.settings.stage == "distil":
            yield STUDENT_STEPS, np.array([self.settings.distil.steps], np.float32)

    def _stored(self, prefix: str, own: str, parameter: Parameter) -> tuple[str, np.ndarray]:
        array = to_public_layout(own, parameter.asnumpy(), self.settings.network)
        return prefix + self._name(own), np.ascontiguousarray(array)

    def _name(self, own: str) -> str:
        return stored_name(self.settings.stage, self.settings.network)(own)

    def load(self, path: Path) -> Position:
        """Continue from a file of :meth:`save`.

        Raises:
            CheckpointError: it is damaged, or holds weights alone, or some that are not finite.
            OptionError: it is of another stage, of other sizes, or was trained with other parts frozen.
        """
        state, before = read_state(path)
        if before.stage != self.settings.stage or before.network != self.settings.network:
            raise OptionError(
                f"{path} is of stage {before.stage} with other sizes than this run's; choose another output folder, "
                "or take the run's own configuration"
            )
        tensors = read_tensors(path)
        for parameter in self.parameters:
            self._fill(path, tensors, "", parameter.name, self.average.get(parameter.name, parameter))
        for prefix, parameters in self.trained.items():
            for own, parameter in parameters.items():
                self._fill(path, tensors, prefix, own, parameter)
        return Position(int(state["step"]), state["best"])

    def _fill(self, path: Path, tensors: Tensors, prefix: str, own: str, parameter: Parameter) -> None:
        name = prefix + self._name(own)
        if name not in tensors:
            raise OptionError(f"{path} lacks parameter {name}; it was trained with other parts frozen, start anew")
        expected = public_shape(own, tuple(parameter.shape), self.settings.network)
        if tensors[name].shape != expected:
            raise CheckpointError(
                f"{path} has parameter {name} of shape {list(tensors[name].shape)} where {list(expected)} was written; "
                "it is damaged, take an earlier checkpoint"
            )
        if not np.isfinite(tensors[name]).all():
            raise CheckpointError(f"{path} has NaN or infinity in parameter {name}; take an earlier checkpoint")
        set_parameter(parameter, own, tensors[name], self.settings.network)


def _save_checkpoint(content: list[dict[str, Any]], path: Path, words: dict[str, str]) -> None:
    """MindSpore's writer, without the temporary file that it leaves behind when it fails."""
    unfinished = path.with_suffix(".tmp")
    try:
        ms.save_checkpoint(content, str(path), append_dict=words)
        path.chmod(0o644)  # it writes files that nobody may change or replace
    finally:
        if unfinished.exists():
            unfinished.unlink()


def numbered(folder: Path) -> list[tuple[int, Path]]:
    """(steps done, file) of a run's checkpoints, oldest first."""
    matches = [(_FILE.match(file.name), file) for file in folder.glob("step_*.ckpt")]
    return sorted((int(match.group(1)), file) for match, file in matches if match)


def read_state(path: Path) -> tuple[dict[str, Any], TrainSettings]:
    """The trainer's state in a checkpoint, and the settings of its run.

    Raises:
        CheckpointError: the file is damaged, or was not written by this project's trainer.
    """
    try:
        state = json.loads(read_file(path).words[STATE_NAME])
        return state, stored_settings(state["stage"], state["settings"])
    except (TypeError, ValueError, KeyError, RecursionError, OptionError) as error:
        raise CheckpointError(
            f"{path} holds no state of a training run that can go on; take its weights with init_from"
        ) from error
