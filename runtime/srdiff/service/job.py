"""One photo on its way through the service."""

from __future__ import annotations

import io
import secrets
import threading
import time
from dataclasses import dataclass
from typing import Any, Callable

from PIL import Image

from ..line import Turn
from ..photo.photo import Photo
from ..progress import Preview, Progress
from .fields import Wish
from .problems import Problem
from .results import Result

QUEUED, RUNNING, DONE, FAILED, CANCELLED = "queued", "running", "done", "failed", "cancelled"
PREVIEW_SECONDS = 0.25  # between two pictures, at least


@dataclass(frozen=True)
class Order:
    """A photo that was read, and what is to be made of it.

    Attributes:
        digest: of the result to come.
        steps: of the model over the whole photo, of all samples; what a prediction is made for and checked against.
        seconds: predicted.
        facts: of the result, under the names of their headers.
    """

    photo: Photo
    wish: Wish
    digest: str
    steps: int
    seconds: float
    facts: dict[str, str]


class Job:
    """Its state, for those who ask and those who listen; changed by its worker and the service, read from anywhere.

    Attributes:
        id: known to nobody but its sender.
        state: ``queued``, ``running``, ``done``, ``failed`` or ``cancelled``.
        done, total: runs of the step graph; 0 of 0 before the first.
        result, problem: of a job that is done, or failed.
        fetched: names of the result's parts that were sent.
        visits: of listeners, those who left counted.
    """

    def __init__(self, order: Order | None, result: Result | None = None) -> None:
        self.id = secrets.token_urlsafe(16)
        self.order = order
        self.state = QUEUED if result is None else DONE
        self.done = self.total = 0
        self.result = result
        self.problem: Problem | None = None
        self.turn: Turn | None = None
        self.created = time.monotonic()
        self.begun: float | None = None
        self.ended: float | None = None if result is None else self.created
        self.fetched: set[str] = set()
        self.visits = 0
        self.preview_number = 0
        self._preview: Preview | None = None
        self._picture: Any = None
        self._shown = 0.0
        self._listeners: list[Callable[[], None]] = []
        self._last_words: list[Callable[[], None]] = []
        self._ending = threading.Lock()

    @property
    def over(self) -> bool:
        return self.ended is not None

    @property
    def collected(self) -> bool:
        """Nothing of its result is still to be fetched."""
        return self.result is None or self.fetched >= self.result.parts.keys()

    @property
    def listened(self) -> bool:
        return bool(self._listeners)

    def listen(self, listener: Callable[[], None]) -> None:
        """Have ``listener`` called after each change, from any thread."""
        self.visits += 1
        self._listeners = [*self._listeners, listener]

    def forget(self, listener: Callable[[], None]) -> None:
        self._listeners = [other for other in self._listeners if other is not listener]

    def on_end(self, listener: Callable[[], None]) -> None:
        """Have ``listener`` called once it is over, from any thread; at once where it is."""
        with self._ending:
            if not self.over:
                self._last_words.append(listener)
                return
        listener()

    def changed(self) -> None:
        for listener in self._listeners:
            listener()

    def begin(self) -> None:
        self.begun = time.monotonic()
        self.state = RUNNING
        self.changed()

    def tell(self, progress: Progress, preview: Callable[[], Preview]) -> None:
        """Note a step; a picture is made only while somebody looks."""
        self.done, self.total = progress.done, progress.total
        if self._listeners:
            self._preview = self._preview or preview()
            self._preview.take(progress)
            now = time.monotonic()
            if now - self._shown >= PREVIEW_SECONDS or progress.done == progress.total:
                self._shown = now
                self._picture = self._preview.picture()
                self.preview_number += 1
        self.changed()

    def end(self, state: str, result: Result | None = None, problem: Problem | None = None) -> None:
        """Come to an end, once; the photo goes."""
        with self._ending:
            if self.over:
                return
            self.result, self.problem, self.state = result, problem, state
            self.ended = time.monotonic()
            self.order = self.turn = self._preview = self._picture = None
        self.changed()
        for listener in self._last_words:
            listener()

    def seconds_left(self) -> float | None:
        """By its own speed once it has one, before that as predicted; None once it is over."""
        order = self.order
        if self.over or order is None:
            return None
        if self.begun is None or not self.done:
            return order.seconds
        return (time.monotonic() - self.begun) / self.done * (self.total - self.done)

    def picture(self) -> bytes | None:
        """The latest preview as PNG."""
        picture = self._picture
        if picture is None:
            return None
        encoded = io.BytesIO()
        Image.fromarray(picture).save(encoded, "PNG", compress_level=1)
        return encoded.getvalue()
