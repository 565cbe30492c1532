"""``srdiff-models``: what is added is checked, nothing leads out of the folder, and nothing of one's own is lost."""

from __future__ import annotations

import hashlib
import shutil
import threading
import zipfile
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Callable, Iterator

import pytest
from click.testing import CliRunner

from srdiff.commands.models import main
from srdiff.doctor.golden import GOLDEN as GOLDEN_FOLDER
from srdiff.errors import BundleError
from srdiff.model_names import built_in, bundle_folder

GOLDEN = GOLDEN_FOLDER / "golden.srdiff"
Models = Callable[..., str]


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "store"
    monkeypatch.setenv("SRDIFF_MODELS", str(folder))
    return folder


@pytest.fixture
def models(store: Path) -> Models:
    def run(*words: object, code: int = 0) -> str:
        result = CliRunner().invoke(main, [str(word) for word in words])
        assert result.exit_code == code, result.output
        assert code == 0 or result.output.count("\n") == 1, result.output
        return result.output

    return run


def zipped(target: Path, inside: str = "golden.srdiff/", **more: bytes) -> Path:
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in GOLDEN.iterdir():
            archive.write(file, inside + file.name)
        for name, content in more.items():
            archive.writestr(name.replace("__", "/"), content)
    return target


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


@pytest.fixture
def site(tmp_path: Path) -> Iterator[str]:
    """An address of ``tmp_path/site`` whose server knows ranges and breaks off once where a file ``cut`` says so."""
    folder = tmp_path / "site"
    folder.mkdir()

    class Handler(SimpleHTTPRequestHandler):
        def do_GET(self) -> None:
            content = (folder / self.path.strip("/")).read_bytes()
            asked = int((self.headers["Range"] or "bytes=0-")[len("bytes=") : -1])
            self.send_response(206 if asked else 200)
            self.send_header("Content-Length", str(len(content) - asked))
            self.end_headers()
            cut = folder / "cut"
            end = len(content) // 2 if cut.exists() else len(content)
            if cut.exists():
                cut.unlink()
            self.wfile.write(content[asked:end])

        def log_message(self, *_: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_what_is_refused_of_an_address_leaves_nothing(models: Models, store: Path, site: str, tmp_path: Path) -> None:
    content = zipped(tmp_path / "site" / "up.zip", inside="../").read_bytes()
    sha256 = hashlib.sha256(content).hexdigest()
    for url, stated, words in (
        ("http://127.0.0.1:1/up.zip", sha256, "was not fetched"),
        (f"{site}/up.zip", "0" * 64, "do not use it"),
        (f"{site}/up.zip", sha256, "no zip of one bundle"),
    ):
        assert words in models("add", url, "--sha256", stated, code=2)
        assert not store.exists()


def test_an_address_is_checked_resumed_and_never_taken_unasked(
    models: Models, store: Path, site: str, tmp_path: Path
) -> None:
    file = zipped(tmp_path / "site" / "far.srdiff.zip")
    sha256 = hashlib.sha256(file.read_bytes()).hexdigest()
    url = f"{site}/far.srdiff.zip"
    assert "--sha256" in models("add", url, code=2)
    assert "64 hexadecimal" in models("add", url, "--sha256", "abc", code=2)
    assert "must begin with https" in models("add", f"file://{file}", "--sha256", sha256, code=2)
    assert not store.exists()
    (tmp_path / "site" / "cut").touch()
    assert "goes on where it stopped" in models("add", url, "--sha256", sha256, code=2)
    (part,) = store.iterdir()
    assert 0 < part.stat().st_size < file.stat().st_size
    half = part.read_bytes()
    models("add", url, "--sha256", sha256)
    assert bundle_folder("far") == store / "far.srdiff" and list(store.iterdir()) == [store / "far.srdiff"]
    part.write_bytes(half[:-1] + b"?")  # what lies here is not what was sent
    assert "do not use it" in models("add", url, "--name", "again", "--sha256", sha256, code=2)
    models("add", url, "--name", "again", "--sha256", sha256)
    assert "was not fetched" in models("add", "http://127.0.0.1:1/x.zip", "--sha256", sha256, code=2)
