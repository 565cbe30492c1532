"""Images at URLs: in memory and on this machine's disk, both as fsspec reaches them."""

from __future__ import annotations

import errno
import json
import tempfile
from pathlib import Path

import pytest

pytest.importorskip("fsspec", reason="pip install 'srdiff[cloud]'")

import fsspec
from fsspec.implementations.local import LocalFileSystem

from srdiff import ImageError, OptionError, OutputError, PackageError
from srdiff.batch.actor import Row, Worker
from srdiff.batch.cloud import Place, here
from srdiff.batch.cloud_rows import rows_of
from srdiff.batch.recipe import Recipe
from srdiff.batch.referee import Referee
from srdiff.diversity import Wanted
from srdiff.jobs.sources import is_url
from srdiff.jobs.work import JobSettings
from srdiff.samplers import Sampler

from .in_process import picture

ONE_STEP = Sampler("ddim", 1)


@pytest.fixture
def memory(tmp_path):
    """fsspec's, with three images and what is none of them."""
    files = fsspec.filesystem("memory")
    for number in range(3):
        files.pipe_file(f"/in/{number}.png", picture(tmp_path / f"{number}.png", number))
    files.pipe_file("/in/bad.png", b"no image")
    files.pipe_file("/in/notes.txt", b"no image, and not called one")
    yield files
    files.store.clear()
    files.pseudo_dirs[:] = [""]


@pytest.fixture
def make(small_upscaler, monkeypatch, tmp_path):
    """Rows by name of input, as a worker makes them; nothing of theirs is left on this machine."""
    monkeypatch.setattr("srdiff.batch.recipe.Upscaler.from_bundle", lambda *_: small_upscaler)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()

    referee = Referee()

    def made(rows: list[Row], **settings) -> dict[str, Row]:
        recipe = Recipe(JobSettings(sampler=ONE_STEP, **settings), engine="onnxruntime", device="cpu")
        worker = Worker(recipe, 1, Referee() if settings else referee)
        columns = worker({name: [row[name] for row in rows] for name in rows[0]})
        assert not list((tmp_path / "temporary").iterdir())
        told = [dict(zip(columns, values)) for values in zip(*columns.values())]
        return {row["input"].rpartition("/")[2]: row for row in told}

    return made


def statuses(made: dict[str, Row]) -> dict[str, str]:
    return {name: row["status"] for name, row in made.items()}


def test_a_folder_in_memory(memory, make, tmp_path):
    planned = rows_of(["memory://in"], "memory://out", JobSettings(), "_x4")
    made = make(planned)
    assert statuses(made) == {"0.png": "done", "1.png": "done", "2.png": "done", "bad.png": "failed"}
    assert made["bad.png"]["error"].startswith("memory://in/bad.png is no image")
    assert made["1.png"]["key"] == "1.png" and made["1.png"]["output"] == "memory://out/1.png"
    assert json.loads(made["1.png"]["detail"])["written"] == ["memory://out/1.png"]
    assert sorted(memory.ls("/out", detail=False)) == ["/out/0.png", "/out/1.png", "/out/2.png"]
    here = make([{"input": str(tmp_path / "1.png"), "output": str(tmp_path / "large.png")}])
    assert statuses(here) == {"1.png": "done"}
    assert memory.cat_file("/out/1.png") == (tmp_path / "large.png").read_bytes()
    again = make(rows_of(["memory://in"], "memory://out", JobSettings(), "_x4"))
    assert statuses(again) == {"0.png": "skipped", "1.png": "skipped", "2.png": "skipped", "bad.png": "failed"}
    assert json.loads(again["1.png"]["detail"])["kept"] == ["memory://out/1.png"]
    assert set(statuses(make(planned)).values()) == {"done", "failed"}  # as left by a worker that died


def test_what_somebody_puts_there_meanwhile_is_theirs(memory, make):
    planned = rows_of(["memory://in"], "memory://out", JobSettings(), "_x4")
    memory.pipe_file("/out/1.png", b"somebody's own")
    for _ in range(2):
        assert statuses(make(planned)) == {"0.png": "done", "1.png": "skipped", "2.png": "done", "bad.png": "failed"}
        assert memory.cat_file("/out/1.png") == b"somebody's own"


def test_what_is_there_is_replaced_only_where_that_is_wanted(memory, make):
    memory.pipe_file("/out/1.png", b"somebody's own")
    for overwrite, expected in ((False, "skipped"), (True, "done")):
        planned = rows_of(["memory://in/1.png"], "memory://out/1.png", JobSettings(overwrite=overwrite), "_x4")
        assert statuses(make(planned)) == {"1.png": expected}
        assert (memory.cat_file("/out/1.png") == b"somebody's own") == (not overwrite)


def test_of_several_results_those_that_are_there_stay(memory, make):
    memory.pipe_file("/out/1_2.png", b"somebody's own")
    row = {"input": "memory://in/1.png", "output": "memory://out/1.png"}
    made = json.loads(make([row], wanted=Wanted(samples=2))["1.png"]["detail"])
    assert (made["written"], made["kept"]) == (["memory://out/1_1.png"], ["memory://out/1_2.png"])
    assert memory.cat_file("/out/1_2.png") == b"somebody's own" and memory.cat_file("/out/1_1.png")[:4] == b"\x89PNG"


def test_one_that_appears_meanwhile_stays(memory, tmp_path):
    with pytest.raises(OutputError, match="was made by another meanwhile"):
        Place.of("memory://in/1.png").put(tmp_path / "0.png", overwrite=False)
    assert memory.cat_file("/in/1.png") == (tmp_path / "1.png").read_bytes()


def test_what_may_be_there_is_not_replaced(memory, make, monkeypatch):
    def refused(*_, **__):
        raise PermissionError("access denied")

    monkeypatch.setattr(type(memory), "info", refused)
    made = make([{"input": "memory://in/1.png", "output": "memory://out/1.png"}])["1.png"]
    assert made["status"] == "failed" and "out/1.png cannot be written (access denied)" in made["error"]
    assert "/out/1.png" not in memory.store


def test_this_machines_files_as_urls(make, tmp_path, monkeypatch):
    picture(tmp_path / "in" / "1.png")
    rows = [{"input": f"file://{tmp_path}/in/{name}.png", "output": f"file://{tmp_path}/out/{name}.png"}
            for name in ("1", "none")]  # fmt: skip
    put_file = LocalFileSystem.put_file

    def half(self, source, target, **_):
        Path(target).write_bytes(Path(source).read_bytes()[:50])
        raise OSError("the wire was cut")

    monkeypatch.setattr(LocalFileSystem, "put_file", half)
    made = make(rows)
    assert statuses(made) == {"1.png": "failed", "none.png": "failed"}
    assert "out/1.png cannot be written (the wire was cut)" in made["1.png"]["error"]
    assert "none.png cannot be opened (there is none)" in made["none.png"]["error"]
    assert list((tmp_path / "out").iterdir()) == []
    monkeypatch.setattr(LocalFileSystem, "put_file", put_file)
    assert statuses(make(rows)) == {"1.png": "done", "none.png": "failed"}
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["1.png"]


def test_a_full_disk_of_this_machine_is_each_rows_error(memory, make, monkeypatch, tmp_path):
    planned = rows_of(["memory://in"], "memory://out", JobSettings(), "_x4")

    def full(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(type(memory), "get_file", full)
        made = list(make(planned).values())
        patch.setattr(Path, "mkdir", full)
        made += make(planned).values()
        patch.setattr(tempfile, "tempdir", None)  # where none takes a file, it is an error to ask for one
        patch.setattr(tempfile._os, "open", full)
        made += make(planned).values()
    assert [row["status"] for row in made] == ["failed"] * 12
    assert all("cannot be written (No space left on device); free some space" in row["error"] for row in made)
    assert not any("memory://" in row["error"] for row in made) and statuses(make(planned))["0.png"] == "done"


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (PermissionError("access denied"), "(access denied); "),
        (FileNotFoundError("no such bucket"), "(no such bucket); "),
        (OSError("slow down"), "(slow down); run once more, or "),
        (TimeoutError(), "(TimeoutError); run once more, or "),
        (KeyError("y"), "(KeyError: 'y'); run once more, or "),
    ],
)
def test_what_may_pass_by_itself_is_to_be_tried_again(memory, make, monkeypatch, error, said):
    def refused(*_, **__):
        raise error

    row = {"input": "memory://in/1.png", "output": "memory://out/1.png"}
    with monkeypatch.context() as patch:
        patch.setattr(type(memory), "put_file", refused)
        assert f"out/1.png cannot be written {said}" in make([row])["1.png"]["error"]
    with monkeypatch.context() as patch, pytest.raises(ImageError) as raised:
        patch.setattr(type(memory), "isdir", refused)
        patch.setattr(type(memory), "get_file", refused)
        opened = make([row])["1.png"]["error"].partition("in/1.png cannot be opened ")[2]
        assert opened.startswith("(there is none); " if isinstance(error, FileNotFoundError) else said)
        rows_of(["memory://in"], "memory://out", JobSettings(), "_x4")
    assert f"memory://in cannot be looked into {said}" in str(raised.value)


def test_an_input_is_no_target(memory, make):
    before = memory.cat_file("/in/1.png")
    for target in ("memory://in/1.png", "memory:///in/1.png"):
        made = make([{"input": "memory://in/1.png", "output": target}], overwrite=True)["1.png"]
        assert made["status"] == "failed" and "would replace it" in made["error"]
    with pytest.raises(OptionError, match="is the folder of the inputs"):
        rows_of(["memory://in"], "memory:///in/", JobSettings(), "_x4")
    memory.pipe_file("/other/1.jpg", before)
    planned = rows_of(["memory://in/1.png", "memory://other/1.jpg"], "memory://", JobSettings(overwrite=True), "_x4")
    assert [row["output"] for row in planned] == ["memory:///1.png.png", "memory:///1.jpg.png"]
    memory.pipe_file("/a/b/1.png", before)
    memory.pipe_file("/c/1.png", before)
    planned = rows_of(["memory://in/1.png", "memory://a/b/1.png"], "memory://out", JobSettings(overwrite=True), "_x4")
    made = [make([row])["1.png"] for row in planned]
    assert {row["status"] for row in made} == {"failed"} and "would both become" in made[0]["error"]
    assert memory.cat_file("/in/1.png") == before and not memory.exists("/out")


def test_what_is_wrong_is_one_sentence(memory, monkeypatch, tmp_path):
    with pytest.raises(OptionError, match="name one as output"):
        rows_of(["memory://in"], None, JobSettings(), "_x4")
    with pytest.raises(ImageError, match="nowhere://in cannot be reached"):
        rows_of(["nowhere://in"], "memory://out", JobSettings(), "_x4")
    memory.pipe_file("/empty/notes.txt", b"")
    with pytest.raises(ImageError, match="memory://empty holds no image"):
        rows_of(["memory://empty"], "memory://out", JobSettings(), "_x4")

    def lacking(url):
        raise ImportError("Install s3fs to access S3")

    monkeypatch.setattr("fsspec.core.url_to_fs", lacking)
    with pytest.raises(PackageError, match="Install s3fs"):
        rows_of(["s3://bucket/in"], "s3://bucket/out", JobSettings(), "_x4")


def test_what_a_url_is(tmp_path):
    assert all(map(is_url, ("s3://bucket/a.png", "simplecache::s3://bucket", "file:///a")))
    assert not any(map(is_url, ("a.png", "/a/b", "C:\\photos", "C:/photos", tmp_path, "-", "a:b")))
    assert here(f"file://{tmp_path}") == tmp_path and here("memory://in") == "memory://in" and here("in") == "in"
