"""What the workers of a batch ask one another: who is like the first of them, what was promised, what ends workers."""

from __future__ import annotations

from pathlib import Path

from ..errors import SRDiffError
from .entry import Entry, FileRecord
from .ledger import pins_line, promise_line
from .lines import Pen
from .pins import Pins


class Referee:
    """One for all workers of a batch; what asks it from elsewhere has the same methods.

    Args:
        ledger: where promises are written; None only keeps them in mind.
    """

    def __init__(self, ledger: Path | None = None) -> None:
        self._promised: set[tuple[str, str | None]] = set()
        self._pen = None if ledger is None else Pen(ledger)
        self._pins: Pins | None = None
        self._refusal: SRDiffError | None = None
        self._begun: set[str] = set()
        self._tries: dict[str, int] = {}
        self._opening: dict[str, list[str]] = {}

    def agree(self, pins: Pins) -> Pins:
        """The first worker's pins, which decide for all."""
        if self._pins is None:
            self._pins = pins
            if self._pen is not None:
                self._pen.write(pins_line(pins))
        return self._pins

    def agreed(self) -> Pins | None:
        return self._pins

    def opens(self, node: str, worker: str = "") -> list[str]:
        """Be told that a worker is about to open the model; the nodes on which its process ended at that before.

        Args:
            worker: what it is called, also once it was started anew.
        """
        nodes = self._opening.setdefault(worker, [])
        nodes.append(node)
        return nodes[:-1]

    def opened(self, worker: str = "") -> None:
        """It has the model, or a reason why not."""
        self._opening.pop(worker, None)

    def refuse(self, error: SRDiffError) -> None:
        """Be told why a worker could not begin."""
        self._refusal = error

    def refusal(self) -> SRDiffError | None:
        return self._refusal

    def promise(self, entry: Entry) -> None:
        """Note that a file with this content is about to get its name; ``entry`` has it as its output.

        Raises:
            OutputError: the ledger cannot be written.
        """
        if self._pen is not None:
            self._pen.write(promise_line(entry))
        self._promised.update((output.path, output.sha256) for output in entry.outputs)

    def promised(self, file: FileRecord) -> bool:
        """Whether a worker of this batch was about to give a file of this content this name."""
        return (file.path, file.sha256) in self._promised

    def begin(self, names: list[str]) -> list[str]:
        """Those that were begun before and never ended: a worker went while it was at some of them."""
        suspects = [name for name in names if name in self._begun]
        self._begun.update(names)
        return suspects

    def alone(self, name: str) -> int:
        """How often a worker has begun this one with no other beside it, this time counted."""
        self._tries[name] = self._tries.get(name, 0) + 1
        return self._tries[name]

    def end(self, names: list[str]) -> None:
        """They are made, or known to fail."""
        self._begun.difference_update(names)
        for name in names:
            self._tries.pop(name, None)
