"""``srdiff-models``: what is added is checked, nothing leads out of the folder, and nothing of one's own is lost."""

from __future__ import annotations

import json
import os
import shutil
import zipfile
from pathlib import Path
from unittest import mock

import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from srdiff.commands.models import main
from srdiff.errors import BundleError
from srdiff.model_names import built_in, bundle_folder

from .adding import GOLDEN, Models, zipped


def test_a_folder_and_zips_are_added_found_listed_and_removed(models: Models, store: Path, tmp_path: Path) -> None:
    assert models("list").count("\n") == 1 + len(built_in()) and "clean" in models("list")  # without the folder, too
    models("add", GOLDEN)
    models("add", zipped(tmp_path / "deep.srdiff.zip"))
    models("add", zipped(tmp_path / "flat.zip", inside=""), "--name", "flat")
    for name in ("golden", "deep", "flat"):
        assert bundle_folder(name) == store / f"{name}.srdiff"
        assert {file.name for file in bundle_folder(name).iterdir()} == {file.name for file in GOLDEN.iterdir()}
    assert {line.split()[0] for line in models("list").splitlines()[1:]} > {"golden", "deep", "flat", "small-v1"}
    assert models("verify").count("as it was exported") == 3 + len(built_in())
    models("remove", "deep")
    (store / "flat.srdiff" / "notes.txt").write_text("mine")
    assert "notes.txt" in models("remove", "flat")
    assert [file.name for file in store.rglob("*") if file.is_file() and "golden" not in str(file)] == ["notes.txt"]
    with pytest.raises(BundleError, match="golden"):
        bundle_folder("deep")


def contents(folder: Path) -> dict[str, bytes]:
    return {str(file.relative_to(folder)): file.read_bytes() for file in sorted(folder.rglob("*")) if file.is_file()}


def test_what_a_model_leaves_in_its_folder_is_no_dead_end(models: Models, store: Path) -> None:
    models("add", GOLDEN, "--name", "mine")
    folder = store / "mine.srdiff"
    (folder / "notes.txt").write_text("mine")
    assert "notes.txt" in models("remove", "mine")
    assert "is taken" in models("add", GOLDEN, "--name", "mine", code=2)
    assert f"move {folder} away" in models("remove", "mine", code=2)
    assert contents(store) == {"mine.srdiff/notes.txt": b"mine"}
    folder.rename(store / "notes")
    models("add", GOLDEN, "--name", "mine")
    models("remove", "mine")
    assert contents(store) == {"notes/notes.txt": b"mine"}


def test_an_empty_folder_takes_no_name(models: Models, store: Path) -> None:
    (store / "mine.srdiff").mkdir(parents=True)
    models("add", GOLDEN, "--name", "mine")
    assert "mine: every file" in models("verify", "mine")
    models("remove", "mine")
    (store / "mine.srdiff").mkdir()
    models("remove", "mine")
    assert list(store.iterdir()) == []


@pytest.mark.parametrize("damage", ["file", "size", "link", "version", "schedule", "again"])
def test_a_damaged_model_is_removed_too(models: Models, store: Path, damage: str) -> None:
    models("add", GOLDEN, "--name", "mine")
    folder = store / "mine.srdiff"
    manifest = json.loads((folder / "manifest.json").read_text())
    if damage in ("file", "link", "again"):  # the last as of a removal that was cut off
        (folder / "step.onnx").unlink()
    if damage == "link":
        (folder / "step.onnx").symlink_to(GOLDEN / "step.onnx")
    if damage == "size":
        (folder / "step.onnx").write_bytes(b"")
    if damage == "version":
        manifest["format_version"] = 99
    if damage == "schedule":
        manifest.pop("schedule", None)
    (folder / "manifest.json").write_text(json.dumps(manifest))
    models("remove", "mine")
    assert list(store.iterdir()) == [] and (GOLDEN / "step.onnx").exists()


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"files": [[1, 2]]}', b"[" * 100000, b"\xff"])
def test_where_no_manifest_tells_the_folder_is_offered(models: Models, store: Path, content: bytes) -> None:
    models("add", GOLDEN, "--name", "mine")
    folder = store / "mine.srdiff"
    (folder / "manifest.json").write_bytes(content)
    before = contents(store)
    assert f"move {folder} away" in models("remove", "mine", code=2)
    assert contents(store) == before


def test_a_manifest_takes_nothing_outside_its_folder(models: Models, store: Path) -> None:
    folder = store / "bad.srdiff"
    (folder / "inner").mkdir(parents=True)
    (store / "victim").write_text("mine")
    files = ["../victim", str(store / "victim"), "inner", "..", "", "inner/../../victim"]
    (folder / "manifest.json").write_text(json.dumps({"files": {file: {} for file in files}}))
    assert "keeps what is no part of it: inner" in models("remove", "bad")
    assert contents(store) == {"victim": b"mine"} and (folder / "inner").is_dir()


@pytest.mark.parametrize("target", ["bundle", "nothing", "file"])
def test_of_a_link_the_link_goes(models: Models, store: Path, tmp_path: Path, target: str) -> None:
    mine = tmp_path / "mine.srdiff"
    if target == "bundle":
        shutil.copytree(str(GOLDEN), str(mine))
    if target == "file":
        mine.write_text("mine")
    before = contents(tmp_path)
    store.mkdir()
    (store / "linked.srdiff").symlink_to(mine)
    assert "is taken" in models("add", GOLDEN, "--name", "linked", code=2)
    models("remove", "linked")
    assert list(store.iterdir()) == [] and contents(tmp_path) == before


def test_a_file_in_the_place_of_a_model(models: Models, store: Path) -> None:
    store.mkdir()
    (store / "mine.srdiff").write_text("mine")
    assert "move it away" in models("remove", "mine", code=2)
    assert "is taken" in models("add", GOLDEN, "--name", "mine", code=2)
    assert contents(store) == {"mine.srdiff": b"mine"}


def test_verify_goes_on_after_a_damaged_model(store: Path, models: Models, tmp_path: Path, monkeypatch) -> None:
    (tmp_path / "photo").mkdir()  # which --model photo would name, and verify does not
    monkeypatch.chdir(tmp_path)
    for name in ("a", "b", "c"):
        models("add", GOLDEN, "--name", name)
    (store / "a.srdiff" / "step.onnx").unlink()
    (store / "b.srdiff" / "manifest.json").write_text("{")
    result = CliRunner().invoke(main, ["verify"])
    assert result.exit_code == 2 and result.output.count("as it was exported") == 1 + len(built_in())
    errors = [line for line in result.output.splitlines() if line.startswith("Error: ")]
    assert len(errors) == 2 and "a.srdiff lacks step.onnx" in errors[0] and "b.srdiff" in errors[1]
    named = CliRunner().invoke(main, ["verify", "a", "none", "c"])
    assert named.exit_code == 2 and "none is none of the models" in named.output and "c: every file" in named.output


METHODS = [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA]


@pytest.fixture(scope="module")
def zips(tmp_path_factory: pytest.TempPathFactory) -> dict[int, bytes]:
    """Of a few bytes, so that damage hits every part of them."""
    file = tmp_path_factory.mktemp("zips") / "small.zip"
    made = {}
    for method in METHODS:
        with zipfile.ZipFile(file, "w", method) as archive:
            archive.writestr("small/manifest.json", b'{"files": {}}' * 9)
            archive.writestr("small/step.onnx", bytes(range(256)) * 3)
        made[method] = file.read_bytes()
    return made


@settings(max_examples=300, deadline=None)
@given(
    method=st.sampled_from(METHODS),
    damage=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), min_size=1, max_size=4),
    cut=st.sampled_from([1.0, 1.0, 0.5, 0.99]),
)
def test_a_damaged_zip_is_a_sentence(zips, tmp_path_factory, method, damage, cut) -> None:
    folder = tmp_path_factory.mktemp("any")
    content = bytearray(zips[method])
    for where, value in damage:
        content[int(where * len(content))] = value
    file = folder / "some.zip"
    file.write_bytes(bytes(content)[: int(cut * len(content))])
    with mock.patch.dict(os.environ, SRDIFF_MODELS=str(folder / "store")):
        result = CliRunner().invoke(main, ["add", str(file)])
    assert result.exit_code == 2 and result.output.count("\n") == 1, result.output
    assert result.output.startswith(f"Error: {file}") and "cannot be written" not in result.output, result.output
    assert [path.name for path in folder.iterdir()] == ["some.zip"]


def test_what_cannot_be_read_is_not_called_unwritable(models: Models, store: Path, tmp_path: Path, monkeypatch) -> None:
    file = zipped(tmp_path / "some.zip")

    def fails(*_: object) -> bytes:
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patched:
        patched.setattr(zipfile.ZipExtFile, "read", fails)
        assert f"{file} is no zip that can be read" in models("add", file, code=2)
    with monkeypatch.context() as patched:
        patched.setattr("srdiff.model_store._write", fails)  # as of a full disk
        assert "golden.srdiff cannot be written" in models("add", GOLDEN, code=2)
    assert not store.exists()


def test_damage_is_said_of_what_was_given(models: Models, tmp_path: Path) -> None:
    """And not of the folder in which it was looked at, which is gone."""
    broken = tmp_path / "broken.srdiff"
    shutil.copytree(str(GOLDEN), str(broken))
    (broken / "time_bias.npy").write_bytes(b"x" * (GOLDEN / "time_bias.npy").stat().st_size)
    assert f"Error: {broken / 'time_bias.npy'} was changed" in models("add", broken, code=2)


def test_zips_that_are_larger_than_bundles(models: Models, store: Path, tmp_path: Path, monkeypatch) -> None:
    file = zipped(tmp_path / "some.zip")
    sizes = [entry.stat().st_size for entry in GOLDEN.iterdir()]
    for name, most in (("MAX_BUNDLE", sum(sizes) - 1), ("MAX_FILES", len(sizes) - 1)):
        with monkeypatch.context() as patched:
            patched.setattr(f"srdiff.model_store.{name}", most)
            assert "which no bundle is" in models("add", file, code=2)
    assert not store.exists()
    models("add", file)


def test_names_that_cannot_be(models: Models, store: Path) -> None:
    for name in ("../out", "a/b", ".hidden", "", "x" * 65, "small-v1"):
        assert "name is" in models("add", GOLDEN, "--name", name, code=2)
    models("add", GOLDEN)
    assert "is taken" in models("add", GOLDEN, code=2)
    assert "comes with the package" in models("remove", "small-v1", code=2)
    assert "was not added" in models("remove", "../store", code=2)
    assert bundle_folder("small-v1") == built_in()["small-v1"]


def test_damage_is_found_and_leaves_nothing(models: Models, store: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken.srdiff"
    shutil.copytree(str(GOLDEN), str(broken))
    content = bytearray((broken / "step.onnx").read_bytes())
    content[100] ^= 1
    (broken / "step.onnx").write_bytes(bytes(content))
    bad = {
        broken: "was changed",
        tmp_path / "nowhere": "is not there",
        zipped(tmp_path / "two.zip", more__file=b"x"): "no zip of one bundle",
        zipped(tmp_path / "up.zip", inside="../"): "no zip of one bundle",
        zipped(tmp_path / "deeper.zip", inside="a/b/"): "no zip of one bundle",
        tmp_path / "none.zip": "no zip that can be read",
    }
    (tmp_path / "none.zip").write_bytes(b"PK\3\4 nothing")
    for source, words in bad.items():
        assert words in models("add", source, code=2)
    with pytest.warns(UserWarning, match="Duplicate name"):
        double = zipped(tmp_path / "double.zip", inside="", **{"manifest.json": b"{}"})
    assert "two files of one name" in models("add", double, code=2)
    assert not store.exists()
    assert not (tmp_path / "manifest.json").exists()
