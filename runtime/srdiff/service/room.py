"""How large a photo may be for what is wished of it, and what is said of a larger one."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, isqrt

from ..jobs.work import shrunk
from ..photo.photo import Photo
from .limits import Limits, memory_allowed, pixel_bytes
from .problems import Problem
from .speed import Speed


@dataclass(frozen=True)
class Room:
    """What bounds the photo of one job.

    Attributes:
        limits: of the service.
        speed: of the model.
        scale: of the model.
        measured: whether there is a mean, a spread or the correction.
        steps: that the photo takes.
    """

    limits: Limits
    speed: Speed
    scale: int
    measured: bool
    steps: int

    def fit(self, photo: Photo, shrink: bool) -> Photo:
        """The photo, or a smaller one where it is too large and may be shrunk.

        Raises:
            Problem: it is too large, and may not or cannot be.
        """
        height, width = photo.pixels.shape[:2]
        reason, most = min(self._bounds().items(), key=lambda bound: bound[1])
        if height * width <= most:
            return photo
        fitting = fitting_size(height, width, int(most)) if most >= 1 else None
        if shrink and fitting is not None:
            return shrunk(photo, *fitting)
        raise self._refusal(reason, height, width, fitting)

    def seconds(self, photo: Photo) -> float:
        """Predicted."""
        height, width = photo.pixels.shape[:2]
        return self.speed.seconds(height * width, self.steps)

    def _bounds(self) -> dict[str, float]:
        """Pixels, by the word for what bounds them."""
        return {
            "pixels": self.limits.pixels,
            "memory": memory_allowed() / pixel_bytes(self.scale, self.measured),
            "seconds": self.speed.pixels(self.limits.seconds, self.steps),
        }

    def _refusal(self, reason: str, height: int, width: int, fitting: tuple[int, int] | None) -> Problem:
        pixels = height * width
        needed, allowed = (size >> 20 for size in (pixels * pixel_bytes(self.scale, self.measured), memory_allowed()))
        seconds, steps = self.speed.seconds(pixels, self.steps), self.steps
        found = {
            "pixels": f"{width}x{height} are more than the {self.limits.pixels} pixels that are taken",
            "memory": f"{width}x{height} pixels would need {needed} MiB of memory and {allowed} are allowed",
            "seconds": f"{width}x{height} pixels and {steps} steps would take about {seconds:.0f} seconds and "
            f"{self.limits.seconds:.0f} are allowed",
        }[reason]
        if fitting is None:
            return Problem(422, reason, f"{found}; take fewer steps or another model")
        height, width = fitting
        seconds = self.speed.seconds(height * width, steps)
        offer = {"width": width, "height": height, "scale": self.scale, "seconds": ceil(seconds * 10) / 10}
        advice = f"send a part or a smaller image, or shrink=true to begin with {width}x{height}"
        return Problem(422, reason, f"{found}; {advice}", shrunk=offer)


def fitting_size(height: int, width: int, most: int) -> tuple[int, int]:
    """The largest (height, width) of about this shape that has at most so many pixels."""
    short, long = sorted((height, width))
    fitting = isqrt(most * long // short)
    short = max(1, min(round(fitting * short / long), most // fitting))
    long = min(fitting, most // short)
    return (short, long) if height <= width else (long, short)
