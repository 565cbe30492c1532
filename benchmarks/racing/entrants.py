"""Who takes part in a race: engines of the runtime and peers, each at a precision."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from racing.peers import LIBRARIES, PEERS, check_peer, open_peer
from racing.processes import Remote
from srdiff.bundle import Bundle
from srdiff.engines import ENGINES, GRAPH_FORMATS, PRECISIONS, Engine, open_engine
from srdiff.errors import DeviceError, PackageError


@dataclass(frozen=True)
class Entrant:
    """An engine, or a peer, at a precision."""

    engine: str
    precision: str

    def __str__(self) -> str:
        return f"{self.engine} {self.precision}"

    @property
    def library(self) -> str:
        """The package that computes."""
        return LIBRARIES.get(self.engine, self.engine)


@dataclass(frozen=True)
class Workload:
    """What all entrants have in common.

    Attributes:
        bundle: its folder.
        lr_shape: height and width of the input.
        steps: of the sampler.
        runs: images timed after the first.
        device: of the engines.
        threads: CPU threads.
    """

    bundle: Path
    lr_shape: tuple[int, int]
    steps: int
    runs: int
    device: str
    threads: int


def open_entrant(workload: Workload, entrant: Entrant) -> Engine:
    if entrant.engine in PEERS:
        return open_peer(entrant.engine, entrant.precision, workload.threads, Bundle(workload.bundle))
    return open_engine(entrant.engine, workload.device, entrant.precision, workload.threads)


def find_entrants(bundle: Path, engines: tuple[str, ...], device: str, threads: int) -> list[Entrant]:
    """Of ``NAME`` and ``NAME:PRECISION`` those that open; of nothing, all engines and precisions that do.

    Raises:
        DeviceError: one that was named does not open.
    """
    with Remote("engine search", Finder, bundle, device, threads) as finder:
        found: list[Entrant] = finder.ask("find", engines)
    return found


class Finder:
    """Opens engines to see which there are; in a process of its own, which forgets them."""

    def __init__(self, bundle: Path, device: str, threads: int) -> None:
        self._formats = {files.format for files in Bundle(bundle).manifest.graphs}
        self._device, self._threads = device, threads

    def find(self, engines: tuple[str, ...]) -> list[Entrant]:
        if not engines:
            found, reasons = self._all([name for name in ENGINES if GRAPH_FORMATS[name] in self._formats])
            if not found:
                raise DeviceError("; ".join(dict.fromkeys(reasons)))
            return found
        entrants: list[Entrant] = []
        for text in engines:
            name, _, precision = text.partition(":")
            found, reasons = self._all([name], (precision,) if precision else PRECISIONS)
            if not found:
                raise DeviceError("; ".join(dict.fromkeys(reasons)))
            entrants += found
        return list(dict.fromkeys(entrants))

    def _all(self, names: list[str], precisions: tuple[str, ...] = PRECISIONS) -> tuple[list[Entrant], list[str]]:
        found, reasons = [], []
        for name in names:
            for precision in precisions:
                try:
                    open_engine(name, self._device, precision, self._threads)
                except (DeviceError, PackageError) as error:
                    reasons.append(str(error))
                else:
                    found.append(Entrant(name, precision))
        return found, reasons


def eps_error(workload: Workload, entrant: Entrant) -> float:
    """The relative error of a peer's eps against an engine's; made in a process of its own, outside what is measured.

    Raises:
        ParityError: the peer computes something else than the bundle's graphs.
    """
    with Remote(f"{entrant}'s check", PeerCheck, workload, entrant) as check:
        error: float = check.ask("run")
    return error


class PeerCheck:
    def __init__(self, workload: Workload, entrant: Entrant) -> None:
        self._workload, self._entrant = workload, entrant

    def run(self) -> float:
        bundle = Bundle(self._workload.bundle)
        engine = open_engine("auto", "cpu", "fp32", self._workload.threads, formats=("onnx",))
        return check_peer(bundle, engine, open_entrant(self._workload, self._entrant))
