"""A result is known by its own name: of which file it was made, whatever that was called, and in which format last."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from srdiff.batch.book import Book
from srdiff.batch.ledger import Ledger, ledger_in
from srdiff.batch.verify import VERIFIED, verify
from srdiff.jobs.sources import find_sources
from srdiff.jobs.targets import Destination
from srdiff.jobs.work import DONE, FAILED, SKIPPED, JobSettings, Outcome

from .in_process import picture
from .test_promises import Doubling

FILES = ("a/p.bmp", "a/p.png", "b/p.png")
RUN = st.tuples(
    st.sampled_from(["run", "killed"]), st.sampled_from(["a", "b", *FILES]), st.sampled_from(["png", "tiff"])
)
CHANGE = st.tuples(st.sampled_from(["change", "remove"]), st.sampled_from(FILES), st.just(""))


def show(path: Path, value: int) -> None:
    """A picture of this value, and of that time."""
    path.parent.mkdir(exist_ok=True)
    Image.fromarray(np.full((4, 5, 3), value, np.uint8)).save(path)
    os.utime(path, (value, value))


def shown(path: Path) -> int:
    return int(np.asarray(Image.open(path))[0, 0, 0])


def run(place: Path, name: str, format: str) -> list[Outcome]:
    """Of a folder, or of a file by its own name."""
    ledger = Ledger(ledger_in(place / "large"))
    book, wanted = Book(JobSettings(), ledger, {"seed": 0}), JobSettings().wanted
    jobs = Destination(f"{place}/large/", format).jobs(find_sources([str(place / name)], "_x2").sources, wanted)
    outcomes = [book.attempt(Doubling(), job) for job in jobs]
    ledger.close()
    return outcomes


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(st.one_of(RUN, CHANGE), min_size=2, max_size=10))
def test_no_result_is_taken_for_another_images_nor_for_a_new_input(tmp_path_factory, steps):
    place = tmp_path_factory.mktemp("any")
    for value, name in enumerate(FILES):
        show(place / name, value)
    made_of, values = {}, len(FILES)
    for what, name, format in steps:
        path = place / name
        if what == "change":
            show(path, values)
            values += 1
        elif what == "remove":
            if path.exists():
                path.unlink()
        elif path.is_file() or (path.is_dir() and any(path.iterdir())):
            before = {result: result.read_bytes() for result in made_of}
            with pytest.MonkeyPatch.context() as patched:
                if what == "killed":  # once the results have their names, and before the ledger has their lines
                    patched.setattr("srdiff.batch.book.Book.end", lambda *_: None)
                outcomes = run(place, name, format)
            for outcome in outcomes:
                source, target = outcome.job.source.path, outcome.job.target
                if made_of.get(target, source) == source:
                    assert outcome.status in (DONE, SKIPPED) and shown(target) == shown(source)
                    made_of[target] = source
                else:
                    assert outcome.status == FAILED and f"made of {made_of[target]}" in str(outcome.error)
                    assert target.read_bytes() == before[target]
            failed = {outcome.job.key for outcome in outcomes if outcome.status == FAILED}
            ledger = Ledger(ledger_in(place / "large"))
            if what == "run":
                jobs, all_told = [outcome.job for outcome in outcomes], "killed" not in {one for one, _, _ in steps}
                checked = {one.job.key: one for one in verify(ledger, jobs, others=all_told)}
                assert all(one.status == VERIFIED for key, one in checked.items() if key not in failed), checked


def test_a_picture_in_place_of_another_of_its_name(srdiff_run, tmp_path):
    picture(tmp_path / "in" / "p.bmp")
    picture(tmp_path / "in" / "q.png")
    srdiff_run("in", "-o", "out")
    first = (tmp_path / "out" / "p.png").read_bytes()
    (tmp_path / "in" / "p.bmp").unlink()
    picture(tmp_path / "in" / "p.png", 1)
    refused = srdiff_run("in", "-o", "out", code=2).output
    assert f"would replace out/p.png, which was made of {tmp_path}/in/p.bmp and is kept" in refused
    assert (tmp_path / "out" / "p.png").read_bytes() == first
    srdiff_run("in", "-o", "out", "--overwrite")
    assert (tmp_path / "out" / "p.png").read_bytes() != first
    assert "2 verified, 0 failed" in srdiff_run("in", "-o", "out", "--verify").output
    assert "2 skipped" in srdiff_run("in", "-o", "out").output


def test_a_file_that_was_there_is_no_images_own(srdiff_run, tmp_path):
    picture(tmp_path / "in" / "p.bmp")
    picture(tmp_path / "in" / "q.png")
    own = picture(tmp_path / "out" / "p.png", 2)
    srdiff_run("in", "-o", "out")
    (tmp_path / "in" / "p.bmp").rename(tmp_path / "in" / "p.gif")
    assert "2 skipped" in srdiff_run("in", "-o", "out").output  # the same picture
    (tmp_path / "in" / "p.gif").unlink()
    picture(tmp_path / "in" / "p.png", 1)
    said = srdiff_run("in", "-o", "out", code=2).output
    assert "would replace out/p.png, which was there before the ledger and is kept" in said
    assert (tmp_path / "out" / "p.png").read_bytes() == own


def test_a_result_that_is_another_images_by_now_is_not_to_be_deleted(srdiff_run, tmp_path):
    for value, folder in enumerate(("d1", "d2")):
        for name in ("a.png", "b.png"):
            picture(tmp_path / folder / name, value)
    srdiff_run("d1/a.png", "d1/b.png", "-o", "out/")
    srdiff_run("d2/a.png", "d1/b.png", "-o", "out/", "--overwrite")
    said = srdiff_run("d1/a.png", "d1/b.png", "-o", "out/", "--verify", code=2).output
    assert "it was made of d2/a.png since, so choose another output folder" in said and "delete" not in said
    assert "2 verified, 0 failed" in srdiff_run("d2/a.png", "d1/b.png", "-o", "out/", "--verify").output
