"""What the service takes on."""

from __future__ import annotations

from dataclasses import dataclass, fields

from ..errors import OptionError
from ..machine import usable_memory

# Bytes per sample of the result at the peak of a run: x, x_next, x_0 and noise in float32, twice where they are
# blended, and the picture. A mean, a spread and the correction hold arrays of float64 beside them.
SAMPLE_BYTES, MEASURED_BYTES = 36, 48
# Share of the memory that one image may need by this.
MEMORY_SHARE = 0.5


@dataclass(frozen=True)
class Limits:
    """Bounds of one service.

    Attributes:
        upload_bytes: of one request's body.
        body_bytes: of all bodies that are being received.
        body_seconds: in which a body has to arrive.
        pixels: of a photo that is enlarged.
        shrinkable_pixels: of one that a part is taken of, or that is shrunk first.
        samples: of one photo.
        waiting: jobs in the line, beside those that run.
        seconds: that a job may take by its size, its steps and the speed measured.
        kept_seconds, kept_bytes, kept_jobs: how long, and how much of, what is done is kept.
        left_seconds: a job whose listeners have all left is given up after these.
        connections: open at a time.
        head_seconds: in which a request's head has to arrive, from the connection or the answer before.
        unread_seconds: in which a client has to take the next 64 KiB of an answer.

    Raises:
        OptionError: a bound below 1, or a line of less than no length.
    """

    upload_bytes: int = 32 << 20
    body_bytes: int = 256 << 20
    body_seconds: float = 60.0
    pixels: int = 4_000_000
    shrinkable_pixels: int = 50_000_000
    samples: int = 32
    waiting: int = 16
    seconds: float = 900.0
    kept_seconds: float = 900.0
    kept_bytes: int = 512 << 20
    kept_jobs: int = 1000
    left_seconds: float = 15.0
    connections: int = 512
    head_seconds: float = 10.0
    unread_seconds: float = 60.0

    def __post_init__(self) -> None:
        for field in fields(self):
            value, least = getattr(self, field.name), 0 if field.name in ("waiting", "left_seconds") else 1
            if not value >= least:
                raise OptionError(f"{field.name} is {value}; it is at least {least}")

    @property
    def decoded_pixels(self) -> int:
        """Of a photo, checked before it is decoded."""
        return max(self.pixels, self.shrinkable_pixels)


def pixel_bytes(scale: int, measured: bool) -> int:
    """Of a pixel of the input, at the peak of enlarging it; ``measured``: with a mean, a spread or the correction."""
    return 3 * scale**2 * (SAMPLE_BYTES + (MEASURED_BYTES if measured else 0))


def memory_allowed() -> int:
    return int(usable_memory() * MEMORY_SHARE)
