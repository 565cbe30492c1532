"""A line of bounded length in front of workers: whoever has gone is dropped, or stopped at the next step."""

from __future__ import annotations

import threading
from collections import deque
from concurrent.futures import Future
from functools import partial
from typing import Any, Callable

from .errors import FullLine, Stopped
from .whole import whole


class Turn:
    """One piece of work in a line.

    Args:
        work: called as ``work(worker)``; what it returns or raises is what ``future`` gives.
    """

    def __init__(self, work: Callable[[Any], Any]) -> None:
        self.future: Future[Any] = Future()
        self._work = work
        self._stop = threading.Event()

    def stop(self) -> None:
        """Ask a turn that has begun to end; it does when it next calls :meth:`go_on`."""
        self._stop.set()

    def go_on(self) -> None:
        """To be called between the steps of the work. Raises Stopped once the turn is to end."""
        if self._stop.is_set():
            raise Stopped("the work was given up before its end; ask for it anew")

    def take(self, worker: Any) -> Callable[[], None]:
        """Do the work; what is returned gives the future what came of it."""
        if not self.future.set_running_or_notify_cancel():
            return lambda: None
        try:
            self.go_on()
            return partial(self.future.set_result, self._work(worker))
        except BaseException as error:  # the future's owner decides
            return partial(self.future.set_exception, error)


class Line:
    """Turns in the order in which they came, each taken by whichever worker is free.

    Args:
        waiting: turns that may wait, beside those that are being worked on.
        on_change: called after every change of who waits and who is served, from any thread.

    Raises:
        OptionError: waiting is no whole number from 0.
    """

    def __init__(self, waiting: int, on_change: Callable[[], None] = lambda: None) -> None:
        self._room = whole("waiting", waiting, 0)
        self._on_change = on_change
        self._waiting: deque[Turn] = deque()
        self._served: set[Turn] = set()
        self._free = 0
        self._closed = False
        self._changed = threading.Condition()

    @property
    def waiting(self) -> int:
        return len(self._waiting)

    @property
    def served(self) -> int:
        return len(self._served)

    @property
    def full(self) -> bool:
        """One more would be refused; a free worker's turn does not count as waiting."""
        with self._changed:
            return len(self._waiting) >= self._room + self._free

    def hire(self, worker: Any) -> Callable[[], None]:
        """Count on a worker from now on; what is returned takes turns with it, in a thread of its own."""
        with self._changed:
            self._free += 1
        return partial(self._serve, worker)

    def _serve(self, worker: Any) -> None:
        """Until the line is closed."""
        while True:
            with self._changed:
                while not self._waiting and not self._closed:
                    self._changed.wait()
                if not self._waiting:
                    return
                turn = self._waiting.popleft()
                self._served.add(turn)
                self._free -= 1
            self._on_change()
            publish = turn.take(worker)
            with self._changed:
                self._served.discard(turn)
                self._free += 1
            publish()  # after the worker is free: who has the result may come again at once
            del turn, publish  # and with them the pictures, which would lie here until the next one comes
            self._on_change()

    def join(self, turn: Turn) -> None:
        """Wait for a worker.

        Raises:
            FullLine: as many wait as may.
            Stopped: the line is closed.
        """
        with self._changed:
            if self._closed:
                raise _closed()
            if self.full:
                raise FullLine(f"{len(self._waiting)} are waiting, which is all that may; come again later")
            self._waiting.append(turn)
            self._changed.notify()
        self._on_change()

    def leave(self, turn: Turn) -> None:
        """Give up a turn: one that waits is gone at once, one that is being served after its step."""
        turn.stop()
        with self._changed:
            waited = turn in self._waiting
            if waited:
                self._waiting.remove(turn)
        if waited:
            turn.future.cancel()
            turn.future.set_running_or_notify_cancel()
            self._on_change()

    def place(self, turn: Turn) -> int:
        """How many are before it, itself included; 0 for one that does not wait."""
        with self._changed:
            return self._waiting.index(turn) + 1 if turn in self._waiting else 0

    def close(self) -> None:
        """Give up every turn, whose future raises Stopped, and let the workers go."""
        with self._changed:
            self._closed = True
            waiting, served = list(self._waiting), list(self._served)
            self._waiting.clear()
            self._changed.notify_all()
        for turn in served:
            turn.stop()
        for turn in waiting:
            if turn.future.set_running_or_notify_cancel():
                turn.future.set_exception(_closed())
        self._on_change()


def _closed() -> Stopped:
    return Stopped("the line is closed and takes no more work; open another")
