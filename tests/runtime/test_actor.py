"""What a worker of a cluster does with rows, without a cluster."""

from __future__ import annotations

import json
import platform
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from srdiff import DeviceError, OptionError, OutputError
from srdiff.batch.actor import Errand, Worker, errand_of, heard
from srdiff.batch.book import Book
from srdiff.batch.ledger import Ledger, ledger_in
from srdiff.batch.recipe import Recipe
from srdiff.batch.referee import Referee
from srdiff.jobs.sources import find_sources
from srdiff.jobs.targets import Destination, Job
from srdiff.jobs.work import JobSettings
from srdiff.samplers import Sampler

from .in_process import picture

RECIPE = Recipe(JobSettings(sampler=Sampler("ddim", 1)), engine="onnxruntime", device="cpu")


@pytest.fixture
def worker(small_upscaler, monkeypatch) -> Worker:
    monkeypatch.setattr("srdiff.batch.recipe.Upscaler.from_bundle", lambda *_: small_upscaler)
    return Worker(RECIPE, 1, Referee())


@pytest.fixture
def jobs(tmp_path: Path) -> list[Job]:
    for number in range(3):
        picture(tmp_path / "in" / f"{number}.png", number)
    (tmp_path / "in" / "bad.png").write_bytes(b"no image")
    sources = find_sources([str(tmp_path / "in")], "_x4").sources
    return Destination(str(tmp_path / "out")).jobs(sources, RECIPE.settings.wanted)


def rows(jobs: list[Job], book: Book) -> dict[str, list[str]]:
    folder = book.ledger.path.parent
    made = [errand_of(book.begin(job), folder).to_row() for job in jobs]
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
    (tmp_path / "out" / "2.png").write_bytes(b"somebody's own")  # which is not, though nobody had it before
    assert outcomes(worker(sent), jobs, book) == ["skipped", "done", "skipped", "failed"]
    entries = book.ledger.entries
    assert [entries[f"{number}.png"].outputs[0].found for number in range(3)] == [True, False, True]
    assert entries["0.png"].settings is None and entries["1.png"].settings is not None
    for number, content in ((0, b"of old"), (2, b"somebody's own")):
        picture(tmp_path / "in" / f"{number}.png", 9)
        assert "was there before the ledger" in str(book.begin(jobs[number]).outcome.error)
        assert (tmp_path / "out" / f"{number}.png").read_bytes() == content


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

    referee = Referee()
    first = Worker(RECIPE, 1, referee)
    assert first({}) == {} and referee.refusal() is None
    other = Recipe(JobSettings(seed=1, sampler=Sampler("ddim", 1)), engine="onnxruntime", device="cpu")
    with pytest.raises(OptionError, match="made with seed 0 for 1 of the worker on"):
        Worker(other, 1, referee)({})
    assert "seed 0 for 1" in str(referee.refusal())


def test_a_worker_that_never_opens_its_model_refuses_its_first_rows(small_upscaler, monkeypatch):
    def gone(*_):
        raise Gone

    referee = Referee()
    with monkeypatch.context() as patch:
        patch.setattr("srdiff.batch.recipe.Upscaler.from_bundle", gone)
        with pytest.raises(Gone):
            Worker(RECIPE, 1, referee, tries=2)
        patch.setattr("srdiff.batch.recipe.Upscaler.from_bundle", lambda *_: small_upscaler)
        Worker(RECIPE, 1, referee, tries=2)  # one that did counts no longer
        patch.setattr("srdiff.batch.recipe.Upscaler.from_bundle", gone)
        for _ in range(2):
            with pytest.raises(Gone):
                Worker(RECIPE, 1, referee, tries=2)
    with pytest.raises(DeviceError, match=f"ended 2 of 2 times while it opened the model, on {platform.node()}; see"):
        Worker(RECIPE, 1, referee, tries=2)({})
    assert "2 of 2 times" in str(referee.refusal())


def test_an_errand_is_what_it_was(jobs, tmp_path):
    errand = Errand(jobs[0], str(tmp_path), True, ("a", "b"))
    again = Errand.from_row(json.loads(json.dumps(errand.to_row())), RECIPE.settings)
    assert again.to_row() == errand.to_row() and again.there == ("a", "b")


class Gone(BaseException):
    """The end of a worker's process, as far as the worker can see."""


@pytest.mark.parametrize("overwrite", [False, True])
def test_an_image_that_ends_its_worker_is_found_out(jobs, tmp_path, small_upscaler, monkeypatch, overwrite):
    began = []

    class Poisoned:
        def __getattr__(self, name):
            return getattr(small_upscaler, name)

        def enlarge(self, photo, *arguments):
            began.append(photo.pixels[0, 0, 0])
            if photo.pixels[0, 0, 0] == poison:
                raise Gone
            return small_upscaler.enlarge(photo, *arguments)

    poison = np.asarray(Image.open(jobs[1].source.path))[0, 0, 0]
    monkeypatch.setattr("srdiff.batch.recipe.Upscaler.from_bundle", lambda *_: Poisoned())
    settings = JobSettings(sampler=Sampler("ddim", 1), overwrite=overwrite)
    book, referee = Book(settings, Ledger(ledger_in(tmp_path / "out"))), Referee()
    recipe, sent = Recipe(settings, engine="onnxruntime", device="cpu"), rows(jobs, book)
    for _ in range(1 + 2):  # at one of several, then alone
        with pytest.raises(Gone):
            Worker(recipe, 1, referee, tries=2)(sent)
    made = Worker(recipe, 1, referee, tries=2)(sent)
    assert made["status"] == ["done", "failed", "done", "failed"]
    assert "1.png ended its worker's process 2 of 2 times; try it alone" in made["error"][1]
    assert began.count(poison) == 3
    assert outcomes(made, jobs, book) == made["status"]
    assert referee.begin([sent["output"][1]]) == []  # a later run begins anew


def test_what_was_promised_is_known_without_its_row(jobs, tmp_path, small_upscaler, monkeypatch):
    """The worker has made them, and whoever was to be told is gone."""
    monkeypatch.setattr("srdiff.batch.recipe.Upscaler.from_bundle", lambda *_: small_upscaler)
    ledger = ledger_in(tmp_path / "out")
    sent = rows(jobs, Book(RECIPE.settings, Ledger(ledger)))
    Worker(RECIPE, 1, Referee(ledger))(sent)
    book = Book(RECIPE.settings, Ledger(ledger))
    assert [book.begin(job).outcome is None for job in jobs] == [False, False, False, True]
    entries = Ledger(ledger).entries
    assert len(entries) == 3 and all(one.settings and not one.outputs[0].found for one in entries.values())
    assert set(Ledger(ledger).pins) == {one.settings for one in entries.values()}


def test_an_input_is_no_target(worker, jobs, tmp_path):
    before = jobs[0].source.path.read_bytes()
    problem = Job(jobs[0].source, jobs[0].source.path, "png", OutputError("it would replace the input"), "0.png")
    made = worker({name: [value] for name, value in Errand(problem, str(tmp_path), overwrite=True).to_row().items()})
    assert made["status"] == ["failed"] and "would replace the input" in made["error"][0]
    replacing = Worker(Recipe(JobSettings(overwrite=True), engine="onnxruntime", device="cpu"), 1, Referee())
    made = replacing({"input": [str(jobs[0].source.path)], "output": [str(tmp_path / "in" / "." / "0.png")]})
    assert made["status"] == ["failed"] and "would replace it" in made["error"][0]
    assert jobs[0].source.path.read_bytes() == before
