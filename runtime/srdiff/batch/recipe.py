"""All that decides what a batch's images become, as it can be sent to another machine."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Mapping

from ..jobs.work import JobSettings
from ..upscaler import Upscaler


@dataclass(frozen=True)
class Recipe:
    """Model, engine and settings.

    Attributes:
        settings: of each image.
        model: a built-in name, or a bundle's folder, which lies under the same path wherever it is opened; None is
            the default model.
        engine, device, precision, options: see :func:`srdiff.opening.open_for`.
        tile, overlap: of windows, in LR pixels; see :class:`srdiff.Upscaler`.
    """

    settings: JobSettings = field(default_factory=JobSettings)
    model: Path | str | None = None
    engine: str = "auto"
    device: str = "auto"
    precision: str = "auto"
    options: Mapping[str, str] = field(default_factory=dict)
    tile: int | None = None
    overlap: int | None = None

    def open(self, threads: int | None = None, device: str | None = None) -> Upscaler:
        """An upscaler here.

        Args:
            threads: of the CPU; None leaves them to the engine.
            device: one of several that ``device`` stands for.

        Raises:
            SRDiffError: see :meth:`srdiff.Upscaler.from_bundle`.
        """
        return Upscaler.from_bundle(
            self.model,
            device or self.device,
            self.engine,
            self.precision,
            threads,
            self.tile,
            self.overlap,
            self.options,
        )
