"""Several folders into one output: a name in another folder is another image, and its result stays what it was."""

from __future__ import annotations

import os
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from srdiff.batch.actor import Errand, errand_of
from srdiff.batch.book import Book
from srdiff.batch.entry import Entry
from srdiff.batch.ledger import Ledger, ledger_in
from srdiff.jobs.sources import find_sources
from srdiff.jobs.targets import Destination, Job
from srdiff.jobs.work import DONE, FAILED, SKIPPED, JobSettings, Outcome

from .in_process import names, picture
from .test_promises import Doubling

FOLDERS = ("cam1", "cam2", "cam3")


def job_of(folder: Path, output: Path) -> Job:
    return Destination(f"{output}/").jobs(find_sources([str(folder)], "_x2").sources, JobSettings().wanted)[0]


def run(folder: Path, output: Path, **asked: bool) -> Outcome:
    settings = JobSettings(**asked)
    ledger = Ledger(ledger_in(output))
    outcome = Book(settings, ledger, {"seed": 0}).attempt(Doubling(), job_of(folder, output))
    ledger.close()
    return outcome


def alike(path: Path, value: int) -> None:
    """A picture of this value, of one size and one time whatever it shows."""
    path.parent.mkdir(exist_ok=True)
    Image.fromarray(np.full((4, 5, 3), value, np.uint8)).save(path, compress_level=0)
    os.utime(path, (5, 5))


@pytest.mark.parametrize("words", [[], ["--shard", "0/1"]])
def test_the_second_folders_image_does_not_replace_the_firsts(srdiff_run, tmp_path, words):
    for number, folder in enumerate(("cam1", "cam2")):
        picture(tmp_path / folder / "IMG_0001.png", number)
        picture(tmp_path / folder / f"only {folder}.png")
    srdiff_run("cam1/", "-o", "large/", *words)
    first = (tmp_path / "large" / "IMG_0001.png").read_bytes()
    for _ in range(2):
        refused = srdiff_run("cam2/", "-o", "large/", *words, code=2).output
        assert f"which was made of {tmp_path}/cam1/IMG_0001.png and is kept; choose another output folder" in refused
        assert (tmp_path / "large" / "IMG_0001.png").read_bytes() == first
    assert (tmp_path / "large" / "only cam2.png").exists()  # the others are made
    srdiff_run("cam2/", "-o", "second/")
    srdiff_run("cam2/", "-o", "large/", "--overwrite", *words)
    second = (tmp_path / "large" / "IMG_0001.png").read_bytes()
    assert second == (tmp_path / "second" / "IMG_0001.png").read_bytes() != first
    assert "was made of" in srdiff_run("cam1/", "-o", "large/", *words, code=2).output  # now it is the other's


def test_files_that_are_called_the_same_from_where_they_lie(srdiff_run, tmp_path, monkeypatch):
    for number, folder in enumerate("ab"):
        for name in ("x.png", "y.png"):
            picture(tmp_path / folder / name, number)
    monkeypatch.chdir(tmp_path / "a")
    srdiff_run("x.png", "y.png", "-o", "../large/")
    first = (tmp_path / "large" / "x.png").read_bytes()
    monkeypatch.chdir(tmp_path / "b")
    assert f"made of {tmp_path}/a/x.png" in srdiff_run("x.png", "y.png", "-o", "../large/", code=2).output
    assert (tmp_path / "large" / "x.png").read_bytes() == first


def test_one_folder_by_several_names(srdiff_run, tmp_path):
    """Its changed inputs are made anew, however it is named."""
    picture(tmp_path / "in" / "a.png")
    (tmp_path / "link").symlink_to(tmp_path / "in")
    srdiff_run("in", "-o", "large/")
    for number, name in enumerate(("./in/", tmp_path / "in", "link", "in/../in"), 1):
        picture(tmp_path / "in" / "a.png", number)
        assert "1 skipped" not in srdiff_run(name, "-o", "large/").output


def test_what_is_alike_in_size_and_time_is_read(tmp_path):
    for folder in FOLDERS:
        alike(tmp_path / folder / "a.png", int(folder == "cam2"))
    assert run(tmp_path / "cam1", tmp_path / "large").status == DONE
    assert run(tmp_path / "cam2", tmp_path / "large").status == FAILED  # another picture
    assert run(tmp_path / "cam3", tmp_path / "large").status == SKIPPED  # the same


def test_a_folder_that_was_moved_says_where_it_was(tmp_path):
    alike(tmp_path / "cam1" / "a.png", 0)
    run(tmp_path / "cam1", tmp_path / "large")
    (tmp_path / "cam1").rename(tmp_path / "moved")
    picture(tmp_path / "moved" / "a.png", 1)
    assert f"made of {tmp_path}/cam1/a.png" in str(run(tmp_path / "moved", tmp_path / "large").error)
    assert run(tmp_path / "moved", tmp_path / "large", overwrite=True).status == DONE
    picture(tmp_path / "moved" / "a.png", 2)
    assert run(tmp_path / "moved", tmp_path / "large").status == DONE
    (tmp_path / "moved").rename(tmp_path / "again")
    assert run(tmp_path / "again", tmp_path / "large").status == SKIPPED  # and where it is by now is noted
    picture(tmp_path / "again" / "a.png", 3)
    assert run(tmp_path / "again", tmp_path / "large").status == DONE


def test_entries_that_name_no_folder(tmp_path):
    alike(tmp_path / "cam1" / "a.png", 0)
    run(tmp_path / "cam1", tmp_path / "large")
    ledger = Ledger(ledger_in(tmp_path / "large"))
    ledger.append(replace(ledger.entries["a.png"], folder=None))
    ledger.close()
    picture(tmp_path / "cam1" / "a.png", 1)
    assert run(tmp_path / "cam1", tmp_path / "large").status == DONE


def test_a_worker_elsewhere_notes_the_folder_that_it_was_told(tmp_path):
    """Links may lead elsewhere on its machine."""
    alike(tmp_path / "cam1" / "a.png", 0)
    book = Book(JobSettings(), Ledger(ledger_in(tmp_path / "large")))
    ticket = book.begin(job_of(tmp_path / "cam1", tmp_path / "large"))
    row = errand_of(replace(ticket, folder="/elsewhere"), tmp_path / "large").to_row()
    assert ticket.folder == str(tmp_path / "cam1")
    assert Errand.from_row(row, JobSettings()).source_folder == "/elsewhere"


RUN = st.tuples(
    st.sampled_from(["run", "run", "run", "killed", "overwrite", "change", "forget"]), st.sampled_from(FOLDERS)
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(RUN, min_size=2, max_size=8))
def test_no_run_replaces_what_another_folder_gave(tmp_path_factory, steps):
    """Whatever is run, killed, changed and deleted in turn."""
    place = tmp_path_factory.mktemp("any")
    shown = dict.fromkeys(FOLDERS, 0)  # the number that each folder's picture has
    for number, folder in enumerate(FOLDERS):
        shown[folder] = number
        alike(place / folder / "a.png", number)
    result, made_of, values = place / "large" / "a.png", None, len(FOLDERS)
    for step, folder in steps:
        if step == "change":
            shown[folder], values = values, values + 1
            picture(place / folder / "a.png", shown[folder])
        elif step == "forget":
            shutil.rmtree(place / "large", ignore_errors=True)
            made_of = None
        else:
            before = result.read_bytes() if result.exists() else None
            with pytest.MonkeyPatch.context() as patched:
                if step == "killed":  # once the result has its name, and before the ledger has its line
                    patched.setattr("srdiff.batch.book.Book.end", lambda *_: None)
                run(place / folder, place / "large", overwrite=step == "overwrite")
            if before is not None and made_of != folder and step != "overwrite":
                assert result.read_bytes() == before
            else:
                made_of = folder
                assert result.exists()
    assert names(place / "large") <= {"a.png"} if result.exists() else True


def test_an_entry_without_a_folder_has_the_line_of_old():
    assert b"folder" not in Entry("a", DONE).to_line()
