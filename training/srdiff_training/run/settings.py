"""What one training run is told."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from srdiff.errors import OptionError
from srdiff.samplers import spaced_timesteps
from srdiff.schedule import BETAS, MAX_TIMESTEPS, Schedule

from ..model.config import NetworkConfig
from ..model.stored_recipe import MAX_RES_RESCALE
from .distil_settings import BORDER, LARGEST, SPACING, DistilSettings

STAGES = ("rrdb", "srdiff", "distil")
DEVICES = ("cpu", "ascend", "gpu")
PRECISIONS = ("fp32", "fp16", "bf16")
DEGRADATIONS = ("bicubic", "photo")
MAX_SEED = 2**64 - 1
MAX_CROPS = 10**9  # of a whole run; MindSpore lists their numbers, which takes 7 s for a tenth of it


@dataclass(frozen=True)
class TrainSettings:
    """One training run. It checks itself: an OptionError names what does not fit.

    Attributes:
        stage: ``rrdb`` trains the encoder with an image head, ``srdiff`` the noise predictor, ``distil`` a student of
            few steps.
        network: sizes of the networks.
        data: folders of photos, see ``pairs.py`` for their layouts.
        val: folder of pairs to validate on; empty for none.
        output: the run's folder: checkpoints, log, plot.
        teacher: checkpoint that a student begins as unless there is ``init_from``, and whose sizes it has.
        encoder_from: RRDB checkpoint to take the encoder from.
        init_from: checkpoint of the same stage and sizes to take all weights from.
        freeze_encoder: train the noise predictor alone.
        degradation: ``bicubic`` takes the photos' inputs as they are; ``photo`` makes others of each crop, see
            :mod:`srdiff_training.data.degradation`.
        patch: side of a true crop in pixels.
        batch: crops per step, over all devices.
        epochs, steps_per_epoch: their product is the number of steps.
        learning_rate, final_learning_rate: ends of a cosine over the whole run.
        warmup_steps: over which the learning rate rises linearly from zero.
        beta1, beta2: Adam's.
        clip_norm: gradients together are scaled down to this norm.
        ema_decay: of the averaged weights, which are what a checkpoint gives to the export.
        schedule, timesteps: noise schedule, ``cosine`` or ``linear``.
        res_rescale: factor of the diffused residual.
        seed: of initial weights, crops, timesteps and noise.
        device: ``cpu``, ``ascend`` or ``gpu``.
        precision: of convolutions: ``fp32``; ``fp16`` and ``bf16`` where the device has them.
        memory_gib: true photos are kept decoded up to this size, the others are read when needed.
        workers: threads that make crops.
        log_every, save_every, validate_every: in steps.
        keep: how many checkpoints remain, beside the best.
        validate_steps: steps of the sampler in validation.
        validate_images: at most so many.
        distil: of the stage distil alone.
    """

    stage: str
    network: NetworkConfig
    data: tuple[str, ...]
    val: str = ""
    output: str = ""
    teacher: str = ""
    encoder_from: str = ""
    init_from: str = ""
    freeze_encoder: bool = True
    degradation: str = "bicubic"
    patch: int = 160
    batch: int = 16
    epochs: int = 1
    steps_per_epoch: int = 1000
    learning_rate: float = 2e-4
    final_learning_rate: float = 1e-5
    warmup_steps: int = 0
    beta1: float = 0.9
    beta2: float = 0.99
    clip_norm: float = 10.0
    ema_decay: float = 0.9999
    schedule: str = "cosine"
    timesteps: int = 100
    res_rescale: float = 2.0
    seed: int = 0
    device: str = "cpu"
    precision: str = "fp32"
    memory_gib: float = 4.0
    workers: int = 2
    log_every: int = 20
    save_every: int = 500
    keep: int = 3
    validate_every: int = 1000
    validate_steps: int = 10
    validate_images: int = 5
    distil: DistilSettings = field(default_factory=DistilSettings)

    def __post_init__(self) -> None:
        for name, known in (
            ("stage", STAGES),
            ("device", DEVICES),
            ("precision", PRECISIONS),
            ("degradation", DEGRADATIONS),
            ("schedule", tuple(BETAS)),
        ):
            if getattr(self, name) not in known:
                raise OptionError(f"{name} is {getattr(self, name)!r}; choose one of {', '.join(known)}")
        if not self.data:
            raise OptionError("no photos to train on were named; add --set data=FOLDER")
        if not self.output:
            raise OptionError("no folder for the run was named; add --set output=FOLDER")
        counts = ("batch", "epochs", "steps_per_epoch", "workers", "log_every", "save_every", "keep")
        for name in (*counts, "validate_every", "validate_steps", "validate_images", "timesteps"):
            if getattr(self, name) < 1:
                raise OptionError(f"{name} is {getattr(self, name)}; it must be at least 1")
        for name in ("learning_rate", "final_learning_rate", "clip_norm", "res_rescale"):
            if not 0 < getattr(self, name) <= LARGEST:
                raise OptionError(f"{name} is {getattr(self, name)}; it must be positive, and at most {LARGEST:.1e}")
        for name, most in (("seed", MAX_SEED), ("timesteps", MAX_TIMESTEPS), ("res_rescale", MAX_RES_RESCALE)):
            if getattr(self, name) > most:
                raise OptionError(f"{name} is {getattr(self, name)}; it must be at most {most}")
        if self.steps * self.batch > MAX_CROPS:
            raise OptionError(
                f"epochs, steps_per_epoch and batch make {self.steps * self.batch} crops; take {MAX_CROPS} at most"
            )
        for name in ("beta1", "beta2", "ema_decay"):
            if not 0 <= getattr(self, name) < 1:
                raise OptionError(f"{name} is {getattr(self, name)}; it must be at least 0 and below 1")
        if self.val and self.validate_steps > self.timesteps:
            raise OptionError(
                f"validate_steps is {self.validate_steps} of {self.timesteps} timesteps; set validate_steps to at most "
                f"{self.timesteps}"
            )
        if self.seed < 0 or self.warmup_steps < 0 or not self.memory_gib >= 0:
            raise OptionError("seed, warmup_steps and memory_gib must not be negative")
        multiple = self.network.scale * self.network.hr_multiple
        if self.patch < multiple or self.patch % multiple:
            raise OptionError(
                f"patch is {self.patch}; with scale {self.network.scale} and {len(self.network.unet_mults)} levels it "
                f"must be a multiple of {multiple}"
            )
        if self.stage == "distil" and self.distil.has_dial and self.patch <= 2 * BORDER * self.network.scale:
            raise OptionError(
                f"patch is {self.patch} and distil.fidelity_batches {self.distil.fidelity_batches}; the dial is fitted "
                f"to what lies {BORDER * self.network.scale} pixels within a crop, so choose a larger patch, or "
                "fidelity_batches 0"
            )
        if self.precision != "fp32" and self.device == "cpu":
            raise OptionError(
                f"precision {self.precision} is not available on a CPU, whose MindSpore kernels are float32; "
                "use precision fp32"
            )
        self._check_sources()

    def _check_sources(self) -> None:
        """Where weights come from."""
        if self.init_from and self.encoder_from:
            raise OptionError("init_from and encoder_from are both given; init_from brings an encoder already")
        if self.encoder_from and self.stage != "srdiff":
            raise OptionError(f"encoder_from is for the stage srdiff; for the stage {self.stage} use init_from")
        if self.stage != "distil":
            if self.teacher or self.distil != DistilSettings():
                raise OptionError(f"teacher and distil are for the stage distil; leave them out for {self.stage}")
            if self.network.fidelity:
                raise OptionError(f"network.fidelity is for the stage distil; leave it out for {self.stage}")
        elif not self.teacher and (not self.init_from or self.distil.objective == "regress"):
            raise OptionError("no teacher was named; add teacher=CHECKPOINT, or init_from=STUDENT to go on from one")
        if self.stage == "distil" and max(self.distil.steps, self.distil.teacher_steps) > self.timesteps:
            raise OptionError(f"distil.steps or teacher_steps is more than the {self.timesteps} timesteps; lower it")
        if self.distil.blocks > 0 and self.degradation != "photo":
            raise OptionError(
                f"distil.blocks is {self.distil.blocks} and the inputs have none; set degradation=photo, or take 0"
            )

    @property
    def compares_undamaged(self) -> bool:
        """Whether the target is what a teacher makes of the input before it was damaged."""
        return self.stage == "distil" and self.distil.objective == "regress" and self.degradation == "photo"

    @property
    def steps(self) -> int:
        """Steps of the whole run."""
        return self.epochs * self.steps_per_epoch

    @property
    def noise_schedule(self) -> Schedule:
        return Schedule.named(self.schedule, self.timesteps)

    @property
    def drawn_timesteps(self) -> np.ndarray:
        """Those that training draws from, first to last: all of them, or the few that a student takes."""
        steps = self.distil.steps if self.stage == "distil" else self.timesteps
        return spaced_timesteps(self.timesteps, steps, SPACING)

    def plain(self) -> dict[str, Any]:
        """As YAML and JSON have it."""
        values = asdict(self)
        if self.stage != "distil":
            del values["distil"]
        values["network"]["unet_mults"] = list(self.network.unet_mults)
        values["data"] = list(self.data)
        return values
