"""Reading, computing and writing at the same time: the same files, outcomes and ledger as one after the other."""

from __future__ import annotations

import hashlib
import threading
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

import srdiff.jobs.work as work
from srdiff import OutputError
from srdiff.batch.book import Book
from srdiff.batch.ledger import Ledger, ledger_in
from srdiff.batch.pins import pins_of
from srdiff.batch.pipeline import Budget, Pipeline, make_all
from srdiff.batch.workers import given, measured, typical
from srdiff.diversity import Wanted
from srdiff.jobs.sources import find_sources
from srdiff.jobs.targets import Destination, Job
from srdiff.jobs.work import DONE, JobSettings
from srdiff.samplers import Sampler
from srdiff.upscaler import Upscaler

from .in_process import picture

SETTINGS = JobSettings(sampler=Sampler("ddim", 1))
WAIT = 60  # seconds, for what happens at once


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Eight pictures, and four of which each is wrong in another way."""
    for number in range(8):
        picture(tmp_path / "in" / f"{number}.png", number)
    (tmp_path / "in" / "bad.png").write_bytes(b"no image")
    (tmp_path / "in" / "truncated.png").write_bytes((tmp_path / "in" / "0.png").read_bytes()[:90])
    (tmp_path / "in" / "unwritable.png").write_bytes((tmp_path / "in" / "1.png").read_bytes())
    return tmp_path


def jobs_of(folder: Path, output: str, wanted: Wanted = SETTINGS.wanted) -> list[Job]:
    sources = find_sources([str(folder / "in")], "_x4").sources
    jobs = Destination(str(folder / output)).jobs(sources, wanted)
    (folder / output / "unwritable.png").mkdir(parents=True)
    (folder / "in" / "3.png").rename(folder / "3.png")  # missing when its turn comes
    return jobs


@contextmanager
def unwatched(job: Job):
    yield lambda progress: None


def run(upscalers: list[Upscaler], jobs: list[Job], book: Book, pipelined: bool) -> list[tuple[str, str, str]]:
    """Name, status and error of each job, in the order in which they came."""
    if pipelined:
        outcomes = [outcome for outcome, _ in make_all(upscalers, jobs, book, unwatched)]
    else:
        outcomes = [book.attempt(upscalers[0], job) for job in jobs]
    folder = str(Path(jobs[0].target).parent)
    return [(one.job.key, one.status, str(one.error).replace(folder, "")) for one in outcomes]


def results(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.glob("*.png") if path.is_file()}


def lines(ledger: Ledger) -> dict[str, tuple[object, ...]]:
    """What does not depend on the moment."""
    return {
        key: (entry.status, entry.settings, entry.seed, [(one.path, one.sha256) for one in entry.outputs])
        for key, entry in Ledger(ledger.path).entries.items()
    }


@pytest.mark.parametrize("workers", [1, 3])
@pytest.mark.parametrize("wanted", [Wanted(), Wanted(samples=2, uncertainty=True)])
def test_the_same_as_one_after_the_other(folder, small_upscaler, workers, wanted):
    settings = JobSettings(sampler=SETTINGS.sampler, wanted=wanted)
    seen = []
    for output in ("serial", "overlapped"):
        jobs = jobs_of(folder, output, wanted)
        ledger = Ledger(ledger_in(folder / output))
        book = Book(settings, ledger, pins_of(small_upscaler, settings))
        told = run([small_upscaler] * workers, jobs, book, pipelined=output == "overlapped")
        assert run([small_upscaler] * workers, jobs, book, pipelined=True)[0][1] == "skipped"
        seen.append((told, results(folder / output), lines(ledger)))
        (folder / "3.png").rename(folder / "in" / "3.png")
    assert seen[0] == seen[1]
    assert [status for _, status, _ in seen[0][0]].count("done") == 7 + (wanted.samples > 1)
    assert len(seen[0][2]) == 11


def test_stages_overlap(folder, small_upscaler, monkeypatch):
    """The second image is computed, and the third one read, before the first one is written."""
    read, computed = threading.Semaphore(0), threading.Semaphore(0)
    read_photo, write_photo = work.read_photo, work.write_photo

    def reading(*arguments):
        read.release()
        return read_photo(*arguments)

    def writing(photo, target, *arguments):
        if target.name == "0.png":
            assert all(computed.acquire(timeout=WAIT) for _ in range(2))
            assert all(read.acquire(timeout=WAIT) for _ in range(3))
        write_photo(photo, target, *arguments)

    @contextmanager
    def counted(job):
        yield lambda progress: computed.release()

    monkeypatch.setattr(work, "read_photo", reading)
    monkeypatch.setattr(work, "write_photo", writing)
    jobs = jobs_of(folder, "out")[:3]
    assert [outcome.status for outcome, _ in make_all([small_upscaler], jobs, Book(SETTINGS), counted)] == ["done"] * 3


def test_what_is_raised_is_raised_in_its_turn(folder, small_upscaler, monkeypatch):
    book = Book(SETTINGS)

    def end(ticket, outcome):
        if ticket.job.key == "2.png":
            raise OutputError("the ledger is full")

    monkeypatch.setattr(book, "end", end)
    made = make_all([small_upscaler] * 2, jobs_of(folder, "out"), book, unwatched)
    assert [next(made)[0].job.key, next(made)[0].job.key] == ["0.png", "1.png"]
    with pytest.raises(OutputError, match="the ledger is full"):
        next(made)
    assert len(results(folder / "out")) < 7


def test_whoever_leaves_stops_it_at_the_next_step_and_nothing_is_said_to_have_failed(
    folder, small_upscaler, monkeypatch
):
    steps, ended, second = [], [], threading.Event()
    monkeypatch.setattr(Book, "end", lambda self, ticket, outcome: ended.append((outcome.job.key, outcome.status)))

    @contextmanager
    def watching(job):
        def watch(progress):
            steps.append((job.key, progress.done))
            if job.key == "1.png":
                second.set()
                pipeline._stop.wait(WAIT)

        yield watch

    pipeline = Pipeline([small_upscaler], Book(JobSettings(sampler=Sampler("ddpm", 10))), watching)
    with closing(pipeline.run(jobs_of(folder, "out"))) as made:
        next(made)
        assert second.wait(WAIT)
    assert steps == [("0.png", step + 1) for step in range(10)] + [("1.png", 1)]
    assert dict(ended).get("0.png") == DONE and "1.png" not in dict(ended)
    assert set(results(folder / "out")) == {"0.png"} and not list((folder / "out").glob(".srdiff*"))


def test_a_room_holds_so_much_or_one_larger_piece():
    budget = Budget(10)
    budget.take(25)
    came = threading.Event()
    thread = threading.Thread(target=lambda: (budget.take(0), came.set()))
    thread.start()
    assert not came.wait(0.05)
    budget.give(25)
    assert came.wait(WAIT)
    budget.take(6)
    budget.take(4)
    thread.join()


def test_a_result_larger_than_the_room_goes_alone(folder, small_upscaler, monkeypatch):
    held = []
    take = Budget.take

    def taking(budget, size):
        take(budget, size)
        held.append(budget._held)

    monkeypatch.setattr("srdiff.batch.pipeline.BUDGET", 1)
    monkeypatch.setattr(Budget, "take", taking)
    assert len(list(make_all([small_upscaler] * 3, jobs_of(folder, "out"), Book(SETTINGS), unwatched))) == 11
    assert max(held) == 32 * 40 * 3


def test_workers_are_measured_and_said(small_upscaler, monkeypatch):
    """Two that are twice as fast are taken, and not four that are as fast as two."""
    for module in ("batch.workers", "machine"):
        monkeypatch.setattr(f"srdiff.{module}.usable_cpus", lambda: 8)
    monkeypatch.setattr("srdiff.batch.workers.rate", lambda team, *_: {1: 5.0, 2: 10.0, 4: 10.1}[len(team)])
    asked = []
    pixels = typical([], 1)

    def opener(threads):
        asked.append(threads)
        return small_upscaler

    team, said = measured(opener, None, pixels, SETTINGS.sampler, 100)
    assert len(team) == 2 and asked == [None, 4, 4, 2, 2, 2, 2]
    assert said.endswith("of steps per second 1 x 8 5, 2 x 4 10, 4 x 2 10.1")
    assert len(measured(opener, 5, pixels, None, 100)[0]) == 1  # 8 CPUs hold one with five threads
    assert len(given(opener, 3, None)) == 3 and asked[-1] == 2


def test_workers_auto_for_true(srdiff_run, folder):
    said = srdiff_run("in", "-o", "out", "--workers", "auto", code=2).output
    assert "workers: " in said and "of steps per second 1 x" in said
    assert "9 enlarged, 0 skipped, 2 failed" in said
    ledger = Ledger(ledger_in(folder / "out"))
    assert ledger.threads is not None
    assert "9 skipped" in srdiff_run("in", "-o", "out", "--workers", 2, code=2).output
    assert "no number of workers" in srdiff_run("in", "--workers", "many", code=2).output
