"""Compiled models in a folder, so that the next process need not compile them."""

from __future__ import annotations

import hashlib
import os
from contextlib import suppress
from pathlib import Path
from typing import Any, Callable

from ..atomic_files import atomic_file, make_folder, require_writable
from ..errors import OptionError, OutputError

# Those used last; each shape that is met adds one per graph, of about the size of the graph.
FILES_KEPT = 64
# Changes with what is done to a graph here before it is compiled.
FORM = 1
_DIGEST = hashlib.sha256().digest_size


class CompiledModels:
    """``*.openvino`` files: a checksum, and what OpenVINO exports.

    Files appear whole and are never changed, so processes may share the folder; a damaged one is compiled anew.

    Args:
        folder: made if need be. What lies in it is trusted, so no other user may be able to write there.
        core: an ``openvino.Core``.
        config: that models are compiled with.

    Raises:
        OptionError: another user can write to the folder.
        OutputError: nothing can be written there.
    """

    def __init__(self, folder: Path, core: Any, config: dict[str, str]) -> None:
        make_folder(folder / "any", 0o700)  # whatever the umask, nobody else can write there
        require_writable(folder / "any")
        if hasattr(os, "getuid"):
            found = folder.stat()
            if found.st_uid not in (0, os.getuid()) or found.st_mode & 0o022:
                raise OptionError(
                    f"cache_dir is {folder}, where others can write, and what lies there is run; "
                    "name a folder of your own, of mode 755 or 700"
                )
        self._folder = folder
        self._core = core
        self._config = config
        machine = [core.get_property("CPU", name) for name in ("FULL_DEVICE_NAME", "OPTIMIZATION_CAPABILITIES")]
        self._built_for = (FORM, core.get_versions("CPU")["CPU"].build_number, *machine, sorted(config.items()))

    def get(self, made_of: tuple[Any, ...], compile: Callable[[], Any]) -> Any:
        """The ``openvino.CompiledModel`` for what ``made_of`` says: hashes of graphs, shapes, how they are joined."""
        key = hashlib.sha256(repr((*self._built_for, *made_of)).encode()).hexdigest()
        file = self._folder / f"{key[:32]}.openvino"
        compiled = self._read(file)
        if compiled is None:
            compiled = compile()
            self._keep(file, compiled)
        return compiled

    def _read(self, file: Path) -> Any:
        """None where it is not there, or not whole."""
        with suppress(OSError, RuntimeError):
            with file.open("rb") as stream:
                digest, content = stream.read(_DIGEST), stream.read()
            if hashlib.sha256(content).digest() == digest:
                compiled = self._core.import_model(content, "CPU", self._config)
                os.utime(str(file))
                return compiled
        return None

    def _keep(self, file: Path, compiled: Any) -> None:
        exported = compiled.export_model()
        content = exported if isinstance(exported, bytes) else exported.getvalue()
        # A full disk costs the next start its time, and this one nothing.
        with suppress(OutputError), atomic_file(file) as temporary:
            temporary.write_bytes(hashlib.sha256(content).digest() + content)
        with suppress(OSError):  # another process removes the same ones
            files = sorted(self._folder.glob("*.openvino"), key=lambda other: other.stat().st_mtime)
            for old in files[:-FILES_KEPT]:
                old.unlink()
