"""A batch cut into parts for machines that know nothing of one another but the folder of results."""

from __future__ import annotations

import hashlib
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from ..atomic_files import atomic_file, cannot_write
from ..errors import ExistsError, OptionError, OutputError
from ..jobs.sources import LEDGER_STEM, LEDGER_SUFFIX
from .ledger import Ledger, pins_line
from .lines import HEADER
from .pins import Pins, differences


@dataclass(frozen=True)
class Shard:
    """Part ``index`` of ``count``, from 0: the images whose key's hash says so, whichever others there are.

    Raises:
        OptionError: there is no such part.
    """

    index: int
    count: int

    def __post_init__(self) -> None:
        if not 0 <= self.index < self.count:
            raise OptionError(f"shard is {self.index}/{self.count}; of three they are 0/3, 1/3 and 2/3")

    def has(self, key: str) -> bool:
        digest = hashlib.sha256(key.encode("utf-8", "surrogateescape")).digest()
        return int.from_bytes(digest[:8], "big") % self.count == self.index

    def ledger_in(self, folder: Path) -> Path:
        """A ledger of its own: machines that append to one file over a network lose lines."""
        return folder / f"{LEDGER_STEM}-{self.index}-of-{self.count}{LEDGER_SUFFIX}"


def agree(folder: Path, pins: Pins) -> None:
    """Have all workers of a folder make the same pixels: the first one's pins are put there, the others compare.

    Raises:
        OptionError: this worker's are not the same.
        OutputError: the folder cannot be written.
    """
    file = folder / f"{LEDGER_STEM}-pins{LEDGER_SUFFIX}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not file.exists():
            with suppress(ExistsError), atomic_file(file, replace=False) as whole:
                whole.write_bytes(HEADER + pins_line(pins))
    except OSError as error:
        raise cannot_write(file, error) from error
    agreed = next(iter(Ledger(file).own_pins), None)
    if agreed is None:
        raise OutputError(f"{file} does not say what the batch is made with; delete it and start all workers anew")
    if agreed != pins:
        raise OptionError(
            f"the batch in {folder} is made with {differences(agreed, pins)} of this worker; have them the same here, "
            f"or choose another folder, or delete {file} to go on with others"
        )
