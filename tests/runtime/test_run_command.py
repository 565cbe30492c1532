"""``srdiff-run`` from a shell, in a process of its own."""

from __future__ import annotations

import os
import shutil
import signal
import struct
import subprocess
import sys
import time
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from ..models import SMALL

COMMAND = [sys.executable, "-m", "srdiff.commands.run"]
QUICK = ["--engine", "onnxruntime", "--device", "cpu"]


def run(*arguments: object, cwd: Path, **kwargs: object) -> subprocess.CompletedProcess:
    return subprocess.run([*COMMAND, *map(str, arguments)], cwd=cwd, capture_output=True, timeout=120, **kwargs)


def error_of(result: subprocess.CompletedProcess, code: int = 2) -> str:
    """The one sentence that a failed run prints, and nothing else."""
    text = result.stderr.decode()
    assert result.returncode == code, text
    assert result.stdout == b""
    assert "Traceback" not in text
    lines = [line for line in text.splitlines() if line.startswith("Error: ")]
    assert len(lines) == 1, text
    return lines[0]


@pytest.fixture
def folder(tmp_path: Path, photo: np.ndarray) -> Path:
    Image.fromarray(photo).save(tmp_path / "in.png", dpi=(300, 300))
    return tmp_path


def test_a_photo(folder):
    result = run("in.png", *QUICK, "--seed", "3", cwd=folder)
    assert result.returncode == 0, result.stderr.decode()
    image = Image.open(folder / "in_x4.png")
    assert image.size == (80, 96)
    assert image.info["dpi"] == pytest.approx((300, 300), abs=0.01)
    last = result.stderr.decode().splitlines()[-1]
    for part in ("in_x4.png", "80x96", "onnxruntime cpu fp32", "1 step,", "seed 3", " s"):
        assert part in last
    assert "\r" not in result.stderr.decode(), "a progress bar in a pipe"


def test_what_the_format_cannot_hold_is_said(folder, photo):
    words = PngInfo()
    words.add_text("Author", "me")
    Image.fromarray(photo).save(folder / "said.png", pnginfo=words)
    result = run("said.png", "-o", "said.jpg", *QUICK, cwd=folder)
    assert result.stderr.decode().splitlines()[-1] == "not kept in jpg: text (Author)"
    assert "not kept" not in run("said.png", *QUICK, cwd=folder).stderr.decode()
    assert Image.open(folder / "said_x4.png").text == {"Author": "me"}


def test_stdin_to_stdout_and_the_same_bytes_again(folder):
    content = (folder / "in.png").read_bytes()
    piped = run("-", *QUICK, cwd=folder, input=content)
    assert piped.returncode == 0, piped.stderr.decode()
    assert run("in.png", "-o", "out.png", *QUICK, cwd=folder).returncode == 0
    assert piped.stdout == (folder / "out.png").read_bytes()
    assert sorted(os.listdir(folder)) == ["in.png", "out.png"]


@pytest.mark.parametrize(
    ("options", "name"),
    [(["--format", "webp"], "in_x4.webp"), (["-o", "o.jpg"], "o.jpg"), (["-o", "new/"], "new/in.png")],
)
def test_where_the_result_goes(folder, options, name):
    assert run("in.png", *options, *QUICK, cwd=folder).returncode == 0
    assert Image.open(folder / name).size == (80, 96)


def test_a_folder_with_a_bad_file_in_it(folder):
    source = folder / "photos"
    source.mkdir()
    shutil.copy(folder / "in.png", source / "a.png")
    (source / "b.png").write_bytes(b"not an image")
    Image.open(folder / "in.png").save(source / "c.jpg")
    (source / "notes.txt").write_text("not meant")
    result = run("photos", *QUICK, cwd=folder)
    assert result.returncode == 2
    assert sorted(os.listdir(folder / "photos_x4")) == ["a.png", "c.png", "srdiff-ledger.jsonl"]
    text = result.stderr.decode()
    assert "b.png" in text
    assert text.splitlines()[-1] == "2 enlarged, 0 skipped, 1 failed"

    before = (folder / "photos_x4" / "a.png").stat().st_mtime_ns
    (source / "b.png").unlink()
    again = run("photos", "-o", "photos_x4", *QUICK, cwd=folder)
    assert again.returncode == 0
    assert again.stderr.decode().splitlines()[-1] == "0 enlarged, 2 skipped, 0 failed"
    assert (folder / "photos_x4" / "a.png").stat().st_mtime_ns == before
    assert run("photos", "--overwrite", *QUICK, cwd=folder).returncode == 0
    assert (folder / "photos_x4" / "a.png").stat().st_mtime_ns > before


def bomb() -> bytes:
    """A valid PNG header that claims 60000 x 60000 pixels."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", 60000, 60000, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


@pytest.mark.parametrize("kind", ["text", "empty", "png cut", "jpeg cut", "bomb", "missing"])
def test_an_input_that_is_no_photo(folder, kind):
    image = Image.open(folder / "in.png")
    image.save(folder / "whole.jpg")
    contents = {
        "text": b"hello",
        "empty": b"",
        "png cut": (folder / "in.png").read_bytes()[:-40],
        "jpeg cut": (folder / "whole.jpg").read_bytes()[:-200],
        "bomb": bomb(),
    }
    if kind in contents:
        (folder / "bad").write_bytes(contents[kind])
    before = sorted(os.listdir(folder))
    sentence = error_of(run("bad", *QUICK, cwd=folder))
    assert "bad" in sentence
    assert ("--max-pixels" in sentence) == (kind == "bomb")
    assert sorted(os.listdir(folder)) == before


def test_the_pixel_limit_is_an_option(folder):
    assert "--max-pixels" in error_of(run("in.png", "--max-pixels", 479, *QUICK, cwd=folder))
    assert run("in.png", "--max-pixels", 480, *QUICK, cwd=folder).returncode == 0


def test_a_damaged_bundle(folder):
    shutil.copytree(SMALL, folder / "m.srdiff")
    with (folder / "m.srdiff" / "step.onnx").open("r+b") as file:
        file.seek(1000)
        byte = file.read(1)
        file.seek(1000)
        file.write(bytes([byte[0] ^ 255]))
    assert "step.onnx" in error_of(run("in.png", "--model", "m.srdiff", *QUICK, cwd=folder))
    assert not (folder / "in_x4.png").exists()


def test_an_output_that_cannot_be_written(folder):
    (folder / "file").write_text("in the way")
    sentence = error_of(run("in.png", "-o", "file/out.png", *QUICK, cwd=folder))
    assert "file/out.png" in sentence


@pytest.mark.parametrize(
    "options", [["--device", "tpu"], ["--engine", "tensorrt"], ["--steps", "0"], ["--seed", "-1"], ["--unknown"]]
)
def test_an_option_that_does_not_exist(folder, options):
    result = run("in.png", *options, cwd=folder)
    assert result.returncode == 2
    assert b"Traceback" not in result.stderr
    assert os.listdir(folder) == ["in.png"]


def test_more_steps_than_the_model_has(folder):
    assert "1 to 100" in error_of(run("in.png", *QUICK, "--model", SMALL, "--steps", 101, cwd=folder))


def test_a_suffix_that_cannot_be_written(folder):
    assert ".png" in error_of(run("in.png", "-o", "out.bmp", *QUICK, cwd=folder))


def test_transparency_that_jpeg_cannot_hold_is_refused_before_the_work(folder):
    image = Image.open(folder / "in.png").convert("RGBA")
    image.putalpha(7)
    image.save(folder / "clear.png")
    code = "import sys, srdiff, srdiff.commands.run as run; srdiff.Upscaler.enlarge = None; sys.exit(run.main())"
    words = ["clear.png", "-o", "clear.jpg", "--engine", "onnxruntime"]
    sentence = error_of(subprocess.run([sys.executable, "-c", code, *words], cwd=folder, capture_output=True))
    assert "png or webp" in sentence


def test_debug_shows_the_traceback(folder):
    result = run("missing.png", "--debug", *QUICK, cwd=folder)
    assert b"Traceback" in result.stderr


def test_two_inputs_for_one_result(folder):
    (folder / "other").mkdir()
    shutil.copy(folder / "in.png", folder / "other" / "in.png")
    shutil.copy(folder / "in.png", folder / "fine.png")
    result = run("in.png", "other/in.png", "fine.png", "-o", "out/", *QUICK, cwd=folder)
    errors = [line for line in result.stderr.decode().splitlines() if line.startswith("Error: ")]
    assert result.returncode == 2 and len(errors) == 2 and all("both become" in line for line in errors)
    assert sorted(os.listdir(folder / "out")) == ["fine.png", "srdiff-ledger.jsonl"]


def test_ctrl_c_leaves_nothing(folder):
    endless = ["--model", "small-v1", "--sampler", "ddpm", "--steps", "100", "--samples", "100", *QUICK]
    process = subprocess.Popen([*COMMAND, "in.png", *endless], cwd=folder, stderr=subprocess.PIPE)
    maps = Path(f"/proc/{process.pid}/maps")
    while maps.exists() and process.poll() is None and "onnxruntime" not in maps.read_text():
        time.sleep(0.01)  # where a process tells what it has loaded: until its engine is
    time.sleep(1)
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=30)
    assert process.returncode == 130, stderr.decode()
    assert b"Traceback" not in stderr
    assert os.listdir(folder) == ["in.png"]


def times_as_long_as_its_libraries(*command: str) -> float:
    """Seconds of a command over those of importing numpy and pillow: a busy machine slows both.

    Each is the fastest of seven runs in turn. The libraries take 0.1 s on an idle machine.
    """
    times = {("-c", "import numpy, PIL.Image"): [], command: []}
    for _ in range(7):
        for arguments, seconds in times.items():
            started = time.perf_counter()
            subprocess.run([sys.executable, *arguments], check=True, capture_output=True)
            seconds.append(time.perf_counter() - started)
    libraries, ours = map(min, times.values())
    return ours / libraries


def test_importing_is_quick_and_imports_no_engine():
    unwanted = ("openvino", "onnxruntime", "mindspore", "mindspore_lite", "torch", "asyncio")
    code = f"import srdiff, sys; sys.exit(any(name in sys.modules for name in {unwanted}))"
    assert times_as_long_as_its_libraries("-c", code) < 2.5  # measured 1.4


def test_help_is_quick():
    assert times_as_long_as_its_libraries("-m", "srdiff.commands.run", "--help") < 4  # measured 1.7
