"""What a worker of a cluster does with rows, without a cluster."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from srdiff import OptionError
from srdiff.batch.actor import Errand, Worker, errand_of, heard
from srdiff.batch.book import Book
from srdiff.batch.ledger import Ledger, ledger_in
from srdiff.batch.recipe import Recipe
from srdiff.jobs.sources import find_sources
from srdiff.jobs.targets import Destination, Job
from srdiff.jobs.work import JobSettings
from srdiff.samplers import Sampler

from .in_process import picture

RECIPE = Recipe(JobSettings(sampler=Sampler("ddim", 1)), engine="onnxruntime", device="cpu")


@pytest.fixture
def worker(small_upscaler, monkeypatch) -> Worker:
    monkeypatch.setattr("srdiff.batch.recipe.Upscaler.from_bundle", lambda *_: small_upscaler)
    return Worker(RECIPE, 1, lambda pins: None)


@pytest.fixture
def jobs(tmp_path: Path) -> list[Job]:
    for number in range(3):
        picture(tmp_path / "in" / f"{number}.png", number)
    (tmp_path / "in" / "bad.png").write_bytes(b"no image")
    sources = find_sources([str(tmp_path / "in")], "_x4").sources
    return Destination(str(tmp_path / "out")).jobs(sources, RECIPE.settings.wanted)


def rows(jobs: list[Job], book: Book) -> dict[str, list[str]]:
    folder = book.ledger.path.parent
    made = [errand_of(book.begin(job), folder, book.ledger.entries.get(job.key)).to_row() for job in jobs]
    return {name: [row[name] for row in made] for name in made[0]}


def outcomes(columns, jobs: list[Job], book: Book) -> list[str]:
    """The statuses; entries go to the ledger."""
    statuses = []
    for index, job in enumerate(jobs):
        outcome, entry = heard({name: values[index] for name, values in columns.items()}, job)
        statuses.append(outcome.status)
        if entry is not None:
            book.ledger.append(entry)
    return statuses


def test_a_ledger_as_if_it_were_made_here(worker, jobs, tmp_path, small_upscaler):
    book = Book(RECIPE.settings, Ledger(ledger_in(tmp_path / "out")))
    assert outcomes(worker(rows(jobs, book)), jobs, book) == ["done"] * 3 + ["failed"]
    entries = Ledger(ledger_in(tmp_path / "out")).entries
    assert [entry.status for entry in entries.values()] == ["done"] * 3 + ["failed"]
    assert entries["1.png"].outputs[0].path == "1.png" and not entries["1.png"].outputs[0].found
    assert all(book.begin(job).outcome is not None for job in jobs[:3])
    picture(tmp_path / "in" / "1.png", 9)  # a changed input, whose result is this project's own
    ticket = book.begin(jobs[1])
    assert ticket.outcome is None and ticket.settings.overwrite
    before, sent = (tmp_path / "out" / "1.png").read_bytes(), rows(jobs[1:2], book)
    for _ in range(2):  # and a worker that died before it told
        assert outcomes(worker(sent), jobs[1:2], book) == ["done"]
    assert (tmp_path / "out" / "1.png").read_bytes() != before


def test_results_of_a_worker_that_died_are_this_batchs(worker, jobs, tmp_path):
    book = Book(RECIPE.settings, Ledger(ledger_in(tmp_path / "out")))
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "0.png").write_bytes(b"of old")
    sent = rows(jobs, book)
    worker(sent)
    assert outcomes(worker(sent), jobs, book) == ["skipped", "done", "done", "failed"]
    entries = book.ledger.entries
    assert [entries[f"{number}.png"].outputs[0].found for number in range(3)] == [True, False, False]
    assert entries["0.png"].settings is None and entries["1.png"].settings is not None
    assert (tmp_path / "out" / "0.png").read_bytes() == b"of old"


def test_a_fault_costs_one_image(worker, jobs, tmp_path, monkeypatch):
    import srdiff.jobs.work as work

    read_photo = work.read_photo

    def faulty(source, *arguments):
        if source.name == "1.png":
            raise ZeroDivisionError("a fault")
        return read_photo(source, *arguments)

    monkeypatch.setattr(work, "read_photo", faulty)
    made = worker(rows(jobs, Book(RECIPE.settings, Ledger(ledger_in(tmp_path / "out")))))
    assert made["status"] == ["done", "failed", "done", "failed"]
    assert "1.png failed (ZeroDivisionError: a fault)" in made["error"][1]


def test_rows_without_detail(worker, jobs, tmp_path):
    columns = {
        "input": [str(tmp_path / "in" / "0.png"), str(tmp_path / "in" / "1.png")],
        "output": [str(tmp_path / "a.jpg"), str(tmp_path / "a.txt")],
    }
    assert worker(columns)["status"] == ["failed", "done"]  # what names no format is told first
    assert (tmp_path / "a.jpg").read_bytes()[:2] == b"\xff\xd8"
    assert worker({name: values[:1] for name, values in columns.items()})["status"] == ["skipped"]


def test_a_worker_that_may_not_refuses_its_first_rows(small_upscaler, monkeypatch, jobs):
    monkeypatch.setattr("srdiff.batch.recipe.Upscaler.from_bundle", lambda *_: small_upscaler)

    def disagree(pins):
        raise OptionError("seed 0 for 1")

    with pytest.raises(OptionError, match="seed 0 for 1"):
        Worker(RECIPE, 1, disagree)({})


def test_an_errand_is_what_it_was(jobs, tmp_path):
    errand = Errand(jobs[0], str(tmp_path), True, ("a", "b"))
    again = Errand.from_row(json.loads(json.dumps(errand.to_row())), RECIPE.settings)
    assert again.to_row() == errand.to_row() and again.there == ("a", "b")
