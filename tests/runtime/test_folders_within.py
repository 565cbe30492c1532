"""Folders in the folder that is enlarged: which are looked into, and which hold results."""

from __future__ import annotations

from pathlib import Path

import pytest

from .in_process import names, picture


def test_recursive_keeps_the_tree(srdiff_run, tmp_path):
    picture(tmp_path / "in" / "a.png")
    picture(tmp_path / "in" / "sub" / "a.png")
    (tmp_path / "in" / "sub" / "round").symlink_to(tmp_path / "in")
    srdiff_run("in", "-o", "out", "--recursive")
    assert names(tmp_path / "out") == {"a.png", "sub/a.png"}


@pytest.mark.parametrize("where", ["photos/large", "photos/sub/large", "link"])
def test_results_among_the_inputs_are_not_enlarged_again(srdiff_run, tmp_path, where):
    """However often it is typed, and however the folder is called."""
    picture(tmp_path / "photos" / "a.png")
    picture(tmp_path / "photos" / "sub" / "b.png")
    (tmp_path / "link").symlink_to(tmp_path / "photos" / "large")
    (tmp_path / "photos" / "large").mkdir()
    said = srdiff_run("photos/", "--recursive", "-o", where)
    assert "2 enlarged" in said.output and "left out" not in said.output
    whole = names(tmp_path)
    for _ in range(2):
        again = srdiff_run(tmp_path / "photos", "--recursive", "-o", where).output
        assert "0 enlarged, 2 skipped, 0 failed" in again and names(tmp_path) == whole
        assert "left out, as results of other inputs: " in again and "large/a.png and 1 more" in again
    (tmp_path / "photos" / "a.png").unlink()
    (tmp_path / "photos" / "sub" / "b.png").unlink()
    nothing = srdiff_run("photos", "--recursive", "-o", where, code=2).output
    assert "photos holds no image that is read here, but 2 result of earlier runs; give a folder" in nothing


def test_a_folders_results_beside_it_are_no_inputs(srdiff_run, tmp_path):
    for folder in ("one", "two", "two_x4"):
        picture(tmp_path / "photos" / folder / "a.png")
    srdiff_run("photos/one")
    said = srdiff_run("photos", "--recursive", "-o", "large").output
    assert "3 enlarged" in said and "photos/one_x4/a.png\n" in said  # two_x4 has no ledger: it is somebody's own
    assert names(tmp_path / "large") == {"one/a.png", "two/a.png", "two_x4/a.png"}


@pytest.mark.parametrize("refusal", [PermissionError(13, "Permission denied"), FileNotFoundError(2, "It is gone")])
def test_a_folder_that_is_closed_costs_no_other(srdiff_run, tmp_path, monkeypatch, refusal):
    for folder in ("in", "in/open", "in/locked", "in/locked/within"):
        picture(tmp_path / folder / "a.png")
    iterdir, closed = Path.iterdir, ["locked"]

    def refusing(self):
        if self.name in closed:
            raise refusal
        return iterdir(self)

    monkeypatch.setattr(Path, "iterdir", refusing)
    said = srdiff_run("in", "-o", "out", "--recursive").output
    assert "2 enlarged" in said and "left out, as they cannot be looked into: in/locked\n" in said
    assert names(tmp_path / "out") == {"a.png", "open/a.png"}
    said = srdiff_run("in/locked", "-o", "out", "--recursive", code=2).output
    assert f"in/locked cannot be looked into ({refusal.strerror})" in said
    (tmp_path / "in" / "a.png").unlink()
    closed.append("open")
    said = srdiff_run("in", "-o", "out", "--recursive", code=2).output
    assert "holds no image that is read here, but 2 folder that cannot be looked into; give" in said


@pytest.mark.parametrize("tree", [[], ["--recursive"]])
def test_results_of_an_earlier_output_are_no_inputs(srdiff_run, tmp_path, tree):
    """Whatever their folder is called: its ledger says that what they were made of is looked through, too."""
    picture(tmp_path / "e" / "sub" / "a.png")
    for folder in ("e", "e/own", "elsewhere"):
        picture(tmp_path / folder / "b.png")
    srdiff_run(*(["e", "--recursive"] if tree else ["e/sub", "e/b.png"]), "-o", "e/large/")
    srdiff_run("e/own/b.png", "e/sub/a.png", "-o", "e/own/")  # inputs lie there, too
    srdiff_run("elsewhere", "-o", "e/others")  # whose inputs are not looked through
    said = srdiff_run("e", "--recursive", "-o", "e/large2", "--dry-run").output
    assert {line.split(" -> ")[0] for line in said.splitlines() if " -> " in line} == {
        *("e/b.png", "e/sub/a.png", "e/own/b.png", "e/others/b.png")
    }
    assert "left out, as results of other inputs: e/large/" in said
    (tmp_path / "e" / "large" / "srdiff-ledger.jsonl").write_bytes(b'{"folder": [3]}\n[' + b"[" * 100000)
    assert "e/large/b.png" in srdiff_run("e", "--recursive", "-o", "e/large2", "--dry-run").output


def test_photos_beside_results_are_inputs(srdiff_run, tmp_path, monkeypatch):
    """Also one that was there and is kept as a result; not what a killed run has promised."""
    for name in ("new/sub/n.png", "new/k.png", "new/p.png", "album/k.png", "album/own.png", "new_x4/own.png"):
        picture(tmp_path / "ph" / name)
    srdiff_run("ph/new", "-o", "ph/album", "--recursive")
    with monkeypatch.context() as patched:
        patched.setattr("srdiff.batch.book.Book.end", lambda *_: None)
        srdiff_run("ph/new")
    said = srdiff_run("ph", "-o", "big", "--recursive").output
    assert names(tmp_path / "big") == {
        *("new/sub/n.png", "new/k.png", "new/p.png", "album/k.png", "album/own.png", "new_x4/own.png")
    }
    assert "left out, as results of other inputs: ph/album/p.png and 3 more" in said
    (tmp_path / "ph").rename(tmp_path / "moved")
    said = srdiff_run("moved", "-o", "big", "--recursive", "--dry-run").output
    assert "moved/new_x4/own.png" in said and "left out, as results of other inputs: moved/new_x4/" in said
