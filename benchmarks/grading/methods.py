"""What makes a result from an input: bicubic, a peer, a model with one sampler, and what follows from its results."""

from __future__ import annotations

import hashlib
import sys
from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Callable

import numpy as np
from common.real_esrgan import LABEL, PACKAGE, RealEsrgan

import srdiff
from srdiff.bundle import MANIFEST_NAME, Bundle
from srdiff.consistency import project
from srdiff.diversity import Moments
from srdiff.engines import ENGINES, PRECISIONS
from srdiff.errors import DeviceError, PackageError
from srdiff.photo.convert import photo_from
from srdiff.resize import bicubic
from srdiff.samplers import Sampler
from srdiff.upscaler import Upscaler

# A result already made: (method, seed) -> pixels, for the image in hand.
Earlier = Callable[["Method", int], np.ndarray]


class Method(ABC):
    """One row of the report.

    Attributes:
        label: for a reader, unique.
        seeds: how many results per image.
    """

    label: str
    seeds: int = 1

    @abstractmethod
    def identity(self) -> dict[str, Any]:
        """All that the result depends on besides image and seed, for the cache."""

    def prepare(self, lr: np.ndarray) -> None:
        """What is done before and not timed; nothing, unless a method has something to compile."""
        return

    @abstractmethod
    def make(self, lr: np.ndarray, seed: int, earlier: Earlier) -> np.ndarray:
        """uint8 [h, w, 3] -> uint8, ``scale`` times as large."""


@dataclass(frozen=True)
class Bicubic(Method):
    """MATLAB's enlargement, what everything is compared with."""

    scale: int
    label: str = "bicubic"

    def identity(self) -> dict[str, Any]:
        return {"method": self.label, "scale": self.scale}

    def make(self, lr: np.ndarray, seed: int, earlier: Earlier) -> np.ndarray:
        return bicubic(lr, lr.shape[0] * self.scale, lr.shape[1] * self.scale)


@dataclass(frozen=True)
class Peer(Method):
    """Real-ESRGAN, which the field compares with; four times alone."""

    network: RealEsrgan
    label: str = LABEL

    def identity(self) -> dict[str, Any]:
        return {"method": self.label, "version": self.network.version, "package": PACKAGE.sha256}

    def make(self, lr: np.ndarray, seed: int, earlier: Earlier) -> np.ndarray:
        return self.network(lr)


@dataclass(frozen=True)
class Model(Method):
    """The model on one engine, with one sampler."""

    upscaler: Upscaler
    source: str  # of a checkpoint's own network, the file's hash; empty where the bundle is run
    sampler: Sampler
    seeds: int

    @property
    def steps(self) -> int:
        return self.sampler.steps or self.upscaler.bundle.manifest.steps

    @property
    def engine(self) -> str:
        return self.upscaler.engine.name

    @property
    def precision(self) -> str:
        return self.upscaler.engine.precision

    @property
    def label(self) -> str:  # type: ignore[override]
        device = self.upscaler.engine.device
        where = self.engine if device == "cpu" else f"{self.engine} {device}"
        return f"{where} {self.precision}, {self.upscaler.bundle.manifest.sampling_label(self.sampler)}"

    def identity(self) -> dict[str, Any]:
        manifest = (self.upscaler.bundle.path / MANIFEST_NAME).read_bytes()
        return {
            "engine": self.engine,
            "version": getattr(sys.modules.get(self.engine), "__version__", ""),
            "device": self.upscaler.engine.device,
            "precision": self.precision,
            "sampler": vars(self.sampler),
            "bundle": hashlib.sha256(manifest).hexdigest(),
            "source": self.source,
            "code": runtime_hash(),
        }

    def prepare(self, lr: np.ndarray) -> None:
        self.upscaler.enlarge(
            photo_from(lr), sampler=self.upscaler.bundle.manifest.quickest
        )  # compiles the graphs for this size

    def make(self, lr: np.ndarray, seed: int, earlier: Earlier) -> np.ndarray:
        return self.upscaler.enlarge(photo_from(lr), seed, self.sampler).pixels


@dataclass(frozen=True)
class Mean(Method):
    """The mean over the seeds of another method."""

    of: Model

    @property
    def label(self) -> str:  # type: ignore[override]
        return f"{self.of.label}, mean of {self.of.seeds}"

    def identity(self) -> dict[str, Any]:
        return {"method": "mean", "count": self.of.seeds, "of": self.of.identity()}

    def make(self, lr: np.ndarray, seed: int, earlier: Earlier) -> np.ndarray:
        moments = Moments()
        for index in range(self.of.seeds):
            moments.add(earlier(self.of, index))
        return moments.mean()


@dataclass(frozen=True)
class Consistent(Method):
    """Another method's results, projected so that shrinking them gives the input back."""

    of: Method

    @property
    def label(self) -> str:  # type: ignore[override]
        return f"{self.of.label}, consistent"

    @property
    def seeds(self) -> int:  # type: ignore[override]
        return self.of.seeds

    def identity(self) -> dict[str, Any]:
        return {"method": "consistent", "of": self.of.identity(), "code": runtime_hash()}

    def make(self, lr: np.ndarray, seed: int, earlier: Earlier) -> np.ndarray:
        return project(photo_from(earlier(self.of, seed)), photo_from(lr)).pixels


@lru_cache(maxsize=None)
def runtime_hash() -> str:
    """Of the runtime's source: an edit of the sampler makes cached results old."""
    digest = hashlib.sha256()
    folder = Path(srdiff.__file__).parent
    for file in sorted(folder.rglob("*.py")):
        digest.update(file.read_bytes())
    return digest.hexdigest()


def open_upscalers(
    bundle: Bundle, engines: tuple[str, ...], precisions: tuple[str, ...], threads: int | None
) -> list[Upscaler]:
    """The bundle on each engine at each precision, without repeats.

    ``all`` as an engine or precision stands for every one that opens on this machine; any other name that
    does not open is an error.

    Raises:
        DeviceError, PackageError: an engine or precision that was named is not available here; of all, none is.
    """
    found: dict[tuple[str, str, str], Upscaler] = {}
    for name in ENGINES if "all" in engines else engines:
        for precision in PRECISIONS if "all" in precisions else precisions:
            try:
                upscaler = Upscaler.from_bundle(bundle.path, engine=name, precision=precision, threads=threads)
            except (DeviceError, PackageError):
                if "all" in engines or "all" in precisions:
                    continue
                raise
            engine = upscaler.engine
            found.setdefault((engine.name, engine.device, engine.precision), upscaler)
    if not found:
        raise DeviceError("no engine opens here; run: pip install 'srdiff[cpu]'")
    return list(found.values())


def open_checkpoint(ckpt: Path, bundle: Bundle) -> tuple[Upscaler, str]:
    """The checkpoint's own network in MindSpore, sampled as the bundle is, and the file's hash.

    Raises:
        PackageError: MindSpore is not installed.
        CheckpointError: the checkpoint cannot be read.
        OptionError: it holds another network than the bundle.
    """
    try:
        from srdiff_training.model.cells import open_source
    except ImportError as error:
        raise PackageError(f"--ckpt needs MindSpore ({error}); run: pip install 'srdiff[export]'") from error
    return open_source(ckpt, bundle), hashlib.sha256(ckpt.read_bytes()).hexdigest()
