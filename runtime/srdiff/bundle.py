"""The bundle: a folder with a manifest, two graphs and the time-bias table. Reading it executes nothing."""

from __future__ import annotations

import hashlib
import json
from abc import ABC, abstractmethod
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Iterator

import numpy as np

from .errors import BundleError
from .graph_files import GraphFiles
from .graph_io import COND, ENCODER, OUTPUTS, STEP, X0, X_NEXT
from .manifest import FORMAT, FORMAT_VERSION, Manifest
from .onnx_check import check_onnx

MANIFEST_NAME = "manifest.json"
MAX_MANIFEST = 16 << 20  # bytes; those that were exported have 20 kB
MAX_GRAPH = 2 << 30  # bytes, as a protocol buffer's
MAX_BUNDLE = 4 << 30  # bytes, of one that is fetched or unpacked; those of the largest networks have 60 MB
_NPY_HEADER = 10  # bytes before the header's text: magic, version, length
TIME_BIAS_NAME = "time_bias.npy"


class GraphSource(ABC):
    """A model as :class:`srdiff.upscaler.Upscaler` takes it: what it is, and the bytes of its graphs.

    Attributes:
        path: where it is, or its name; for messages.
        manifest: what it is.
        digest: SHA-256 of a bundle's manifest, which holds those of all its files; empty for a network in memory.
    """

    path: Path
    manifest: Manifest
    digest: str = ""

    @abstractmethod
    def read(self, name: str) -> bytes:
        """The bytes of a graph's file."""

    @abstractmethod
    def time_bias(self) -> np.ndarray:
        """The time bias of every t: [timesteps, time_bias_channels] float32."""

    @property
    def formats(self) -> tuple[str, ...]:
        """Of its graphs: ``onnx``, ``mindir`` or both."""
        return tuple(dict.fromkeys(graph.format for graph in self.manifest.graphs))

    def graph_files(self, format: str) -> tuple[GraphFiles, ...]:
        """The pairs of graphs in ``onnx`` or ``mindir`` format; may be empty."""
        return tuple(graph for graph in self.manifest.graphs if graph.format == format)


class Bundle(GraphSource):
    """A bundle on disk whose manifest has been read and whose files are there.

    Args:
        path: the bundle's folder.

    Raises:
        BundleError: not a bundle, a newer format version, a missing file or one of another size, or a file name
            that leads out of the folder.
    """

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        with _reading(self.path):
            content = _manifest_bytes(self.path)
        self.digest = hashlib.sha256(content).hexdigest()
        data = _parsed(self.path, content)
        try:
            self.manifest = Manifest.from_json(data)
            self._files = {name: (str(entry["sha256"]), int(entry["size"])) for name, entry in data["files"].items()}
        except (KeyError, TypeError, ValueError, AttributeError, IndexError, OverflowError) as error:
            detail = f"lacks {error}" if isinstance(error, KeyError) else f"is invalid: {error}"
            raise BundleError(f"{self.path / MANIFEST_NAME} {detail}; export the model anew") from error
        for graph in self.manifest.graphs:
            for name in (graph.encoder, graph.step, TIME_BIAS_NAME):
                if name not in self._files:
                    raise BundleError(f"{self.path / MANIFEST_NAME} does not list {name}; export the model anew")
        if self.manifest.checkpoint and self.manifest.checkpoint not in self._files:
            raise BundleError(f"{self.path / MANIFEST_NAME} does not list {self.manifest.checkpoint}; copy it again")
        with _reading(self.path):
            for name, (_, size) in self._files.items():
                self._check_file(name, size)
        self._onnx = {
            name: kind
            for graph in self.graph_files("onnx")
            for name, kind in ((graph.encoder, ENCODER), (graph.step, STEP))
        }

    def _check_file(self, name: str, size: int) -> None:
        # A bundle may come from a stranger: nothing outside its folder is opened on its behalf.
        if not is_plain(name):
            raise BundleError(f"{self.path} lists the file {name!r}, which leads out of its folder; do not use it")
        file = self.path / name
        if file.is_symlink():
            raise BundleError(f"{file} is a link, which a bundle may not hold; copy the file itself")
        if not file.is_file():
            raise BundleError(f"{self.path} lacks {name}, which its manifest lists; copy the bundle again")
        if size > MAX_GRAPH:
            raise BundleError(f"{file} has {size} bytes, more than {MAX_GRAPH >> 30} GiB; do not use it")
        if file.stat().st_size != size:
            raise BundleError(
                f"{file} has {file.stat().st_size} bytes where the manifest says {size}; copy the bundle again"
            )

    @property
    def file_names(self) -> tuple[str, ...]:
        return tuple(self._files)

    def read(self, name: str) -> bytes:
        """The bytes of a file that the manifest lists, checked against its hash.

        Raises:
            BundleError: the bytes are not those that were exported.
        """
        with _reading(self.path / name):
            content = (self.path / name).read_bytes()
        if hashlib.sha256(content).hexdigest() != self._files[name][0]:
            raise BundleError(
                f"{self.path / name} was changed since its export: its SHA-256 is not the manifest's; "
                "copy the bundle again"
            )
        if name in self._onnx:
            self._check_graph(name, content)
        return content

    def _check_graph(self, name: str, content: bytes) -> None:
        inputs = self.manifest.input_shapes(self._onnx[name], 1, 1)
        channels = {COND: self.manifest.cond_channels, X_NEXT: 3, X0: 3}
        channels.update({name: shape[1] for name, shape in inputs.items()})
        try:
            check_onnx(content, tuple(inputs), OUTPUTS[self._onnx[name]], channels)
        except ValueError as error:
            raise BundleError(f"{self.path / name} is no graph of an SRDiff: {error}; do not use it") from error

    def time_bias(self) -> np.ndarray:
        file = self.path / TIME_BIAS_NAME
        expected = (self.manifest.schedule.timesteps, self.manifest.time_bias_channels)
        table = _plain_array(file, self.read(TIME_BIAS_NAME), expected)
        if not np.isfinite(table).all():
            raise BundleError(f"{file} holds values that are not finite; export the model anew")
        return table


def is_plain(name: str) -> bool:
    """Whether a file of this name lies in the folder that it is joined to, on any system."""
    return name not in ("", ".", "..") and not set(name) & set("/\\:\0")


def _plain_array(file: Path, content: bytes, shape: tuple[int, int]) -> np.ndarray:
    """A float32 array of this shape from an npy file of version 1, as np.save writes it.

    Its header is a Python literal of unlimited claims, so it is compared and not evaluated.
    """
    literal = f"{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}, }}".encode()
    begin = _NPY_HEADER + int.from_bytes(content[8:_NPY_HEADER], "little")
    header = content[_NPY_HEADER:begin].rstrip()
    if content[:8] != b"\x93NUMPY\x01\x00" or header != literal or len(content) - begin != 4 * shape[0] * shape[1]:
        raise BundleError(f"{file} is no plain array of {shape[0]} x {shape[1]} float32 numbers; export the model anew")
    return np.frombuffer(content, np.float32, offset=begin).reshape(shape)


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    """Raises BundleError where the system refuses."""
    try:
        yield
    except OSError as error:
        raise BundleError(
            f"{path} cannot be read ({error.strerror or error}); give a bundle that you may read"
        ) from error


def _manifest_bytes(path: Path) -> bytes:
    file = path / MANIFEST_NAME
    if not file.is_file():
        raise BundleError(f"{path} is not a bundle: it holds no {MANIFEST_NAME}; give a folder made by srdiff-export")
    if file.is_symlink():
        raise BundleError(f"{file} is a link, which a bundle may not hold; copy the file itself")
    if file.stat().st_size > MAX_MANIFEST:
        raise BundleError(f"{file} is damaged: it is larger than {MAX_MANIFEST >> 20} MiB; copy the bundle again")
    return file.read_bytes()


def _parsed(path: Path, content: bytes) -> dict[str, Any]:
    file = path / MANIFEST_NAME
    try:
        data = json.loads(content.decode())
    except (ValueError, RecursionError) as error:
        raise BundleError(f"{file} is damaged: {error}; copy the bundle again") from error
    if not isinstance(data, dict) or data.get("format") != FORMAT:
        raise BundleError(f"{file} does not describe a bundle of this project; give a folder made by srdiff-export")
    version = data.get("format_version")
    if type(version) is not int or version < 1:
        raise BundleError(f"{file} has format version {version!r}, which never existed; export the model anew")
    if version > FORMAT_VERSION:
        raise BundleError(
            f"{path} has format version {version} and this srdiff reads up to {FORMAT_VERSION}; "
            "run: pip install -U srdiff"
        )
    return data


def write_bundle(path: Path, manifest: Manifest) -> None:
    """Hash the files of an otherwise complete bundle folder and write its manifest."""
    files = {}
    for file in sorted(path.iterdir()):
        content = file.read_bytes()
        files[file.name] = {"sha256": hashlib.sha256(content).hexdigest(), "size": len(content)}
    (path / MANIFEST_NAME).write_text(manifest.to_json(files), encoding="utf-8")
