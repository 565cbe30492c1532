"""What follows from a race for each of its entrants."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median

from common.real_esrgan import LABEL

from racing.flops import FlopCounter
from racing.peers import PEERS
from racing.race import Measured, Race
from racing.runners import Timing


@dataclass(frozen=True)
class Standing:
    """One entrant's numbers at one shape; medians are over the images after the first.

    Attributes:
        measured: what they follow from.
        steps: of the sampler.
        flops: per second of the step graph's runs, one value per image; None where they could not be counted.
        peak_shares: of the best matrix product at that precision in the same round, likewise.
        speedups: over each peer, by its name: the median over the rounds of its seconds over these.
    """

    measured: Measured
    steps: int
    flops: tuple[float, ...] | None
    peak_shares: tuple[float, ...] | None
    speedups: dict[str, float]

    @property
    def is_sampled(self) -> bool:
        """Whether the bundle's network makes the image, step by step."""
        return bool(self.measured.first.shapes)

    @property
    def name(self) -> str:
        device = self.measured.opened.device
        name = f"{self.measured.entrant}" if self.is_sampled else LABEL
        return name if device == "cpu" else f"{name} on {device}"

    @property
    def load(self) -> float:
        return self.measured.opened.seconds + self.measured.first.compile

    @property
    def first(self) -> float:
        return self.measured.opened.seconds + self.measured.first.seconds

    @property
    def seconds(self) -> list[float]:
        return [image.seconds for image in self.measured.images]

    @property
    def step_seconds(self) -> float | None:
        """Of a sampler step, within the library."""
        return median(image.step for image in self.measured.images) / self.steps if self.is_sampled else None

    @property
    def outside(self) -> float:
        return median(image.outside for image in self.measured.images)


def standings(race: Race, counter: FlopCounter | None) -> list[Standing]:
    """From the first entrant to the last."""
    peers = [measured for measured in race.measured if measured.entrant.engine in PEERS]
    found = []
    for measured in race.measured:
        flops = shares = None
        if counter is not None and measured.first.shapes:
            flops = tuple(image_flops(measured, image, counter) / image.step for image in measured.images)
            shares = _shares(race, measured, flops)
        speedups = {}
        for peer in peers:
            pairs = zip(peer.images, measured.images)
            speedups[str(peer.entrant)] = median(theirs.seconds / own.seconds for theirs, own in pairs)
        found.append(Standing(measured, race.workload.steps, flops, shares, speedups))
    return found


def image_flops(measured: Measured, image: Timing, counter: FlopCounter) -> int:
    """Operations of all runs of the step graph for an image."""
    flops = counter.count("step", image.shapes["step"])
    if measured.entrant.engine == "upstream-graph" or not image.encoder_calls:  # the step has the encoder in it
        flops += counter.count("encoder", image.shapes["encoder"])
    return flops * image.step_calls


def _shares(race: Race, measured: Measured, flops: tuple[float, ...]) -> tuple[float, ...] | None:
    rates = [values for entrant, values in race.gemm.items() if entrant.precision == measured.entrant.precision]
    return tuple(own / max(round) for own, *round in zip(flops, *rates)) if rates else None
