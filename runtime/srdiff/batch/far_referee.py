"""The referee of a batch on a Ray cluster (extra ``ray``): an actor that all workers ask."""

from __future__ import annotations

from typing import Any

import ray
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from ..errors import SRDiffError
from .book import Book
from .entry import Entry, FileRecord
from .ledger import Ledger
from .pins import Pins
from .referee import Referee


def referee_here(book: Book | None = None) -> Referee:
    """Beside the driver, whose ledger it writes promises to: it goes when that goes, and with no other node."""
    ledger = None
    if book is not None and isinstance(book.ledger, Ledger) and not ray.util.client.ray.is_connected():
        book.ledger.begin()
        ledger = book.ledger.path.absolute()
    here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
    actor = ray.remote(num_cpus=0, scheduling_strategy=here)(Referee).remote(ledger)
    return FarReferee(actor)


class FarReferee(Referee):
    """The batch's referee, asked by its workers."""

    def __init__(self, actor: Any) -> None:
        self._actor = actor

    def agree(self, pins: Pins) -> Pins:
        return _asked(self._actor.agree.remote(pins))

    def agreed(self) -> Pins | None:
        return _asked(self._actor.agreed.remote())

    def opens(self, node: str, worker: str = "") -> list[str]:
        return _asked(self._actor.opens.remote(node, _this_actor()))

    def opened(self, worker: str = "") -> None:
        _asked(self._actor.opened.remote(_this_actor()))

    def refuse(self, error: SRDiffError) -> None:
        _asked(self._actor.refuse.remote(error))

    def refusal(self) -> SRDiffError | None:
        return _asked(self._actor.refusal.remote())

    def promise(self, entry: Entry) -> None:
        _asked(self._actor.promise.remote(entry))

    def promised(self, file: FileRecord) -> bool:
        return bool(_asked(self._actor.promised.remote(file)))

    def begin(self, names: list[str]) -> list[str]:
        return _asked(self._actor.begin.remote(names))

    def alone(self, name: str) -> int:
        return _asked(self._actor.alone.remote(name))

    def end(self, names: list[str]) -> None:
        _asked(self._actor.end.remote(names))


def _this_actor() -> str:
    """Stays the same where Ray starts it once more, in another process."""
    return str(ray.get_runtime_context().get_actor_id())


def _asked(answer: Any) -> Any:
    try:
        return ray.get(answer)
    except ray.exceptions.RayTaskError as error:
        raise error.cause from error
