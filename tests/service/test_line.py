"""Turns in a line: order, bounds, and those who go."""

from __future__ import annotations

import threading
from typing import Any, Callable

import pytest

from srdiff.errors import FullLine, Stopped
from srdiff.line import Line, Turn


def serving(line: Line, workers: int = 1) -> None:
    for number in range(workers):
        threading.Thread(target=line.hire(number), daemon=True).start()


def test_turns_are_taken_in_order() -> None:
    line, seen = Line(5), []
    turns = [Turn(lambda worker, number=number: seen.append(number)) for number in range(5)]
    for turn in turns:
        line.join(turn)
    assert [line.place(turn) for turn in turns] == [1, 2, 3, 4, 5]
    serving(line)
    for turn in turns:
        turn.future.result(10)
    assert seen == [0, 1, 2, 3, 4]
    line.close()


def test_a_full_line_takes_no_more_and_who_leaves_makes_room() -> None:
    line = Line(1)
    first = Turn(lambda worker: None)
    line.join(first)
    assert line.full
    with pytest.raises(FullLine):
        line.join(Turn(lambda worker: None))
    line.leave(first)
    assert first.future.cancelled() and not line.full
    line.join(Turn(lambda worker: None))


def test_a_free_worker_counts_as_room() -> None:
    line, begun, go = Line(0), threading.Event(), threading.Event()
    assert line.full
    serving(line)
    assert not line.full
    turn = Turn(lambda worker: (begun.set(), go.wait(10)))
    line.join(turn)
    assert begun.wait(10)
    with pytest.raises(FullLine):
        line.join(Turn(lambda worker: None))
    go.set()
    turn.future.result(10)
    line.close()


@pytest.mark.parametrize("work", [lambda worker: None, lambda worker: 1 / 0])
def test_who_has_a_result_finds_the_worker_free(work: Callable[[Any], Any]) -> None:
    line, told = Line(0), threading.Event()
    serving(line)
    turn = Turn(work)
    turn.future.add_done_callback(lambda future: (room.append((line.full, line.served)), told.set()))
    room: list[tuple[bool, int]] = []
    line.join(turn)
    assert told.wait(10) and room == [(False, 0)]
    line.close()


def test_one_that_is_served_stops_at_its_next_step() -> None:
    line, begun, steps = Line(1), threading.Event(), []

    def work(worker: int) -> None:
        for step in range(1000):
            turn.go_on()
            steps.append(step)
            begun.set()
            asked.wait(10)

    turn, asked = Turn(work), threading.Event()
    line.join(turn)
    serving(line)
    assert begun.wait(10)
    line.leave(turn)
    asked.set()
    with pytest.raises(Stopped):
        turn.future.result(10)
    assert steps == [0]
    line.close()


def test_closing_gives_up_what_waits_and_lets_workers_go() -> None:
    line = Line(2)
    turn = Turn(lambda worker: None)
    line.join(turn)
    line.close()
    with pytest.raises(Stopped):
        turn.future.result(1)
    worker = threading.Thread(target=line.hire(0))
    worker.start()
    worker.join(10)
    assert not worker.is_alive()
    with pytest.raises(Stopped):
        line.join(Turn(lambda worker: None))


def test_an_error_is_the_turns_and_the_worker_goes_on() -> None:
    line = Line(2)
    serving(line)
    bad, good = Turn(lambda worker: 1 / 0), Turn(lambda worker: "fine")
    line.join(bad)
    with pytest.raises(ZeroDivisionError):
        bad.future.result(10)
    line.join(good)
    assert good.future.result(10) == "fine"
    line.close()
