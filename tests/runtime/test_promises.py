"""A batch killed between any two of the things it does to the disk: the next run takes it up where it was.

What a kill leaves is what is on the disk at that moment. So a run is copied before and after each of its steps, in the
middle of each line, too, and every copy is what a killed run has left.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Callable, Iterator

import numpy as np
import pytest
from PIL import Image

from srdiff.batch.book import Book
from srdiff.batch.ledger import Ledger, ledger_in
from srdiff.batch.lines import Pen
from srdiff.batch.verify import VERIFIED, verify
from srdiff.diversity import Wanted
from srdiff.jobs.sources import find_sources
from srdiff.jobs.targets import Destination, Job
from srdiff.jobs.work import DONE, FAILED, SKIPPED, JobSettings, Outcome

ONE, TWO = JobSettings(), JobSettings(wanted=Wanted(samples=2))
COUNT = 2
RETOUCHED = b"retouched"


class Doubling:
    """An upscaler of no model, whose results depend on input and seed."""

    scale = 2
    threads = 1

    def __init__(self) -> None:
        self.made = 0

    def enlarge(self, photo, seed=0, sampler=None, watch=None, noise=None):
        self.made += 1
        return photo.enlarged(photo.pixels.repeat(2, 0).repeat(2, 1) ^ np.uint8(seed), None)


def pictures(folder: Path, version: int) -> None:
    (folder / "in").mkdir(parents=True, exist_ok=True)
    for number in range(COUNT):
        pixels = np.random.default_rng([number, version]).integers(0, 256, (4, 5 + version, 3), np.uint8)
        Image.fromarray(pixels).save(folder / "in" / f"{number}.png")


def jobs_in(folder: Path, settings: JobSettings) -> list[Job]:
    sources = find_sources([str(folder / "in")], "_x2").sources
    return Destination(str(folder / "out")).jobs(sources, settings.wanted)


def run(folder: Path, settings: JobSettings, only_failed: bool = False) -> tuple[list[Outcome], int]:
    """The outcomes, and how many pictures were made for them."""
    upscaler, ledger = Doubling(), Ledger(ledger_in(folder / "out"))
    book = Book(settings, ledger, {"seed": settings.seed}, only_failed)
    outcomes = [book.attempt(upscaler, job) for job in jobs_in(folder, settings)]
    ledger.close()
    return outcomes, upscaler.made


def results(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted((folder / "out").glob("[!.]*.png"))}


def expected(folder: Path, settings: JobSettings, empty: Path) -> dict[str, bytes]:
    shutil.copytree(folder / "in", empty / "in")
    run(empty, settings)
    return results(empty)


@pytest.fixture(autouse=True)
def quick_disk(monkeypatch):
    """A kill leaves what was written, whether the disk has it yet or not."""
    monkeypatch.setattr("os.fsync", lambda file: None)


@pytest.fixture
def left_by_kills(tmp_path: Path) -> Callable[[Path, JobSettings], Iterator[Path]]:
    """What a run of a folder leaves when it is killed: the folder as it is at each point in between, one by one."""

    def copies(folder: Path, settings: JobSettings) -> Iterator[Path]:
        left: list[Path] = []

        def here(torn: bytes = b"") -> None:
            left.append(tmp_path / "left" / str(len(left)))
            shutil.copytree(folder, left[-1])
            if torn and ledger_in(left[-1] / "out").exists():
                with ledger_in(left[-1] / "out").open("ab") as file:
                    file.write(torn)

        def around(step: Callable) -> Callable:
            def stepped(self, argument=b""):
                here()
                if step is write and len(argument) > 1:
                    here(argument[: len(argument) // 2])
                    here(argument[:-1])
                made = step(self, argument)
                here()
                return made

            return stepped

        write = Pen.write
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(Pen, "write", around(write))
            patched.setattr(Path, "replace", around(Path.replace))
            patched.setattr("os.link", around(os.link))
            run(folder, settings)
        assert len(left) > 12
        for copy in left:  # in the same place: a ledger knows where its inputs are
            shutil.rmtree(folder)
            shutil.copytree(copy, folder)
            yield folder

    return copies


@pytest.mark.parametrize("settings", [ONE, TWO], ids=["one result", "two results"])
@pytest.mark.parametrize("before", ["nothing", "changed inputs", "failures", "changed inputs that failed"])
def test_the_next_run_completes_it(tmp_path, left_by_kills, settings, before):
    folder = tmp_path / "whole"
    if before.startswith("changed"):
        pictures(folder, 0)
        run(folder, settings)
    if before.endswith(("failures", "failed")):
        for number in range(COUNT):
            (folder / "in").mkdir(parents=True, exist_ok=True)
            (folder / "in" / f"{number}.png").write_bytes(b"no image")
        assert {outcome.status for outcome in run(folder, settings)[0]} == {FAILED}
    pictures(folder, 1)
    whole = expected(folder, settings, tmp_path / "expected")
    pictures(tmp_path / "later", 2)
    changed = expected(tmp_path / "later", settings, tmp_path / "later expected")
    for left in left_by_kills(folder, settings):
        there = results(left)
        missing = {name.partition("_")[0].partition(".")[0] for name in whole if there.get(name) != whole[name]}
        outcomes, made = run(left, settings)
        assert FAILED not in {outcome.status for outcome in outcomes}, outcomes
        assert results(left) == whole
        assert made == len(missing) * settings.wanted.samples  # what has its name is not made again
        again, made = run(left, settings)
        assert {outcome.status for outcome in again} == {SKIPPED} and not made
        ledger = Ledger(ledger_in(left / "out"))
        assert {one.status for one in verify(ledger, jobs_in(left, settings))} == {VERIFIED}
        assert not ledger.promises and all(one.settings for one in ledger.entries.values())
        assert not any(output.found for one in ledger.entries.values() for output in one.outputs)
        pictures(left, 2)
        assert {outcome.status for outcome in run(left, settings)[0]} == {DONE} and results(left) == changed


def test_results_that_were_to_be_replaced_are_in_the_ledger_as_they_are(tmp_path, left_by_kills):
    folder, other = tmp_path / "whole", JobSettings(seed=1, overwrite=True)
    pictures(folder, 0)
    run(folder, ONE)
    first = results(folder)
    for left in left_by_kills(folder, other):
        there = results(left)
        assert run(left, ONE)[1] == 0 and results(left) == there
        ledger = Ledger(ledger_in(left / "out"))
        assert {one.status for one in verify(ledger, jobs_in(left, ONE))} == {VERIFIED}
        for name, entry in ledger.entries.items():
            seed = 0 if there[name] == first[name] else 1
            assert entry.seed == seed and ledger.pins[str(entry.settings)] == {"seed": seed}


@pytest.mark.parametrize("changed", [False, True], ids=["new", "changed"])
def test_what_somebody_made_of_a_result_meanwhile_is_kept(tmp_path, left_by_kills, changed):
    folder = tmp_path / "whole"
    if changed:
        pictures(folder, 0)
        run(folder, ONE)
    pictures(folder, 1)
    for left in left_by_kills(folder, ONE):
        (left / "out").mkdir(exist_ok=True)
        (left / "out" / "0.png").write_bytes(RETOUCHED)
        for _ in range(2):
            run(left, ONE)
            assert (left / "out" / "0.png").read_bytes() == RETOUCHED
        pictures(left, 2)
        run(left, ONE)
        assert (left / "out" / "0.png").read_bytes() == RETOUCHED


def test_what_failed_is_taken_up_where_it_was(tmp_path, left_by_kills):
    folder = tmp_path / "whole"
    (folder / "in").mkdir(parents=True)
    (folder / "in" / "0.png").write_bytes(b"no image")
    run(folder, ONE)
    pictures(folder, 0)
    whole = expected(folder, ONE, tmp_path / "expected")
    for left in left_by_kills(folder, ONE):
        run(left, ONE, only_failed=True)
        assert results(left)["0.png"] == whole["0.png"]
        assert Ledger(ledger_in(left / "out")).entries["0.png"].status == DONE
