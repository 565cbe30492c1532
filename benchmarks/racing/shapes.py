"""Sizes that are raced, and what the model card's seconds have to do with them."""

from __future__ import annotations

import re
from dataclasses import dataclass

from srdiff.errors import OptionError

CARD_SECONDS = 0.96

# What the model card's "0.96 s, 320x270" may mean.
AS_INPUT = "the card's 320x270 read as the size of the input"
AS_OUTPUT = "the card's 320x270 read as the size of the result"
AS_TILE = "the card's 0.96 s read as the time of one 64x64 tile, which its export computes at a time"


@dataclass(frozen=True)
class Shape:
    """A size that was asked for.

    Attributes:
        lr: height and width of the input.
        output: of the result, where that was asked for; the input is the smallest that covers it.
    """

    lr: tuple[int, int]
    output: tuple[int, int] | None = None

    def reading(self) -> str | None:
        """How the card's seconds are read to be those of this shape; None where no reading fits."""
        if self.output is not None and set(self.output) == {320, 270}:
            return AS_OUTPUT
        if set(self.lr) == {320, 270}:
            return AS_INPUT
        return AS_TILE if self.lr == (64, 64) else None

    def text(self, scale: int) -> str:
        result = "x".join(str(side * scale) for side in self.lr)
        wanted = "" if self.output is None else "x".join(map(str, self.output))
        return f"{self.lr[0]}x{self.lr[1]} to {result}" + (f", for {wanted}" if wanted not in ("", result) else "")


def parse_shapes(lrs: tuple[str, ...], outputs: tuple[str, ...], scale: int, default: str) -> list[Shape]:
    """Of ``HxW`` of inputs and of results; ``default`` where there are none.

    Raises:
        OptionError: a text is no size.
    """
    shapes = [Shape(_size("--lr", text)) for text in lrs or (() if outputs else (default,))]
    for text in outputs:
        height, width = _size("--output", text)
        shapes.append(Shape((-(-height // scale), -(-width // scale)), (height, width)))
    return list(dict.fromkeys(shapes))


def _size(option: str, text: str) -> tuple[int, int]:
    match = re.fullmatch(r"([1-9]\d*)x([1-9]\d*)", text)
    if match is None:
        raise OptionError(f"{option} is {text!r}; write height and width in pixels, like 64x64")
    return int(match.group(1)), int(match.group(2))


def comparison(reading: str | None, steps: int, timesteps: int) -> str:
    """What the card's seconds have to do with a table of that reading."""
    if reading is None:
        return (
            f"Not comparable with the model card's {CARD_SECONDS} s per image, which may be 320x270 as the input "
            "(`--lr 320x270`), as the result (`--output 320x270`), or one tile (`--lr 64x64`)."
        )
    source = f"{CARD_SECONDS} s was measured by the card's authors on an Ascend 910, and is not repeated here"
    if steps != timesteps:
        return f"Not compared with {reading}: those are all {timesteps} steps, these {steps}. {source}."
    return f"The last column compares with {reading}. {source}."
