"""Compiled graphs in a folder: the same numbers, damaged ones compiled anew, no folder that others can write to."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from srdiff import Upscaler, condition_cache
from srdiff.doctor.golden import GOLDEN
from srdiff.engines import open_engine, openvino_cache
from srdiff.errors import OptionError

pytest.importorskip("openvino")
PIXELS = np.random.default_rng(0).integers(0, 256, (24, 40, 3)).astype(np.uint8)


def enlarged(folder: Path | None, steps: int = 2, tile: int | None = None) -> tuple[bytes, int]:
    """The result, and how many graphs were compiled for it."""
    options = {} if folder is None else {"cache_dir": str(folder)}
    overlap = None if tile is None else 4
    upscaler = Upscaler.from_bundle(
        GOLDEN / "golden.srdiff", "cpu", "openvino", "fp32", tile=tile, overlap=overlap, engine_options=options
    )
    real, compiled = upscaler.engine._core, []

    class Core:
        def __getattr__(self, name):
            return getattr(real, name)

        def compile_model(self, *args):
            compiled.append(args)
            return real.compile_model(*args)

    upscaler.engine._core = Core()
    return upscaler.upscale(PIXELS, steps=steps).tobytes(), len(compiled)


def test_the_second_process_compiles_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(condition_cache, "MEMORY_BYTES", 0)
    folder = tmp_path / "kept"
    for count, settings in ((2, {}), (1, {"steps": 1}), (2, {"tile": 16})):  # two graphs, joined, parted elsewhere
        plain, _ = enlarged(None, **settings)
        assert enlarged(folder, **settings) == (plain, count)
        assert enlarged(folder, **settings) == (plain, 0)
    assert len(list(folder.iterdir())) == 5


def test_the_engine_that_has_the_option_is_taken(tmp_path):
    assert open_engine(options={"cache_dir": str(tmp_path)}).name == "openvino"
    with pytest.raises(OptionError, match="OpenVINO has no option 'nonsense'"):
        open_engine(options={"nonsense": "1"})


def test_a_damaged_file_is_compiled_anew(tmp_path):
    plain, _ = enlarged(tmp_path)
    for file in tmp_path.iterdir():
        content = bytearray(file.read_bytes())
        content[len(content) // 2] ^= 1
        file.write_bytes(content)
    assert enlarged(tmp_path) == (plain, 2)
    assert enlarged(tmp_path) == (plain, 0)


def test_the_folder_does_not_grow_for_ever(tmp_path, monkeypatch):
    monkeypatch.setattr(openvino_cache, "FILES_KEPT", 2)
    enlarged(tmp_path)
    enlarged(tmp_path, steps=1)
    assert len(list(tmp_path.iterdir())) == 2
    assert enlarged(tmp_path, steps=1)[1] == 0


@pytest.mark.skipif(not hasattr(os, "getuid"), reason="modes are POSIX's")
@pytest.mark.parametrize("mask", [0o000, 0o002, 0o022])
def test_a_folder_that_is_made_is_taken_again_whatever_the_umask(tmp_path, mask):
    before = os.umask(mask)
    try:
        for _ in range(2):
            open_engine("openvino", options={"cache_dir": str(tmp_path / "deep" / "kept")})
    finally:
        os.umask(before)


@pytest.mark.skipif(not hasattr(os, "getuid"), reason="modes are POSIX's")
def test_a_folder_that_others_can_write_to_is_refused(tmp_path):
    tmp_path.chmod(0o777)
    with pytest.raises(OptionError, match="others can write"):
        enlarged(tmp_path)
    assert not list(tmp_path.iterdir())
