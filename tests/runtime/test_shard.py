"""Parts of a batch on machines that know nothing of one another: together they are the whole, once."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from srdiff import OptionError, OutputError
from srdiff.batch.ledger import Ledger
from srdiff.batch.shard import Shard, agree
from srdiff.commands.run import main

COMMAND = [sys.executable, "-m", "srdiff.commands.run", "in"]
QUICK = ["--model", "clean", "--engine", "onnxruntime", "--device", "cpu", "--precision", "fp32"]
COUNT = 12


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    (tmp_path / "in").mkdir()
    for number in range(COUNT - 1):
        Image.fromarray(rng.integers(0, 256, (8, 10, 3), np.uint8)).save(str(tmp_path / "in" / f"{number}.png"))
    (tmp_path / "in" / "bad.png").write_bytes(b"no image")
    return tmp_path


def results(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.glob("*.png")}


def test_three_at_once_are_the_whole(folder):
    subprocess.run([*COMMAND, "-o", "whole", *QUICK], cwd=folder, capture_output=True)
    parts = [
        subprocess.Popen([*COMMAND, "-o", "out", "--shard", f"{index}/3", *QUICK], cwd=folder, stderr=subprocess.PIPE)
        for index in range(3)
    ]
    said = [part.communicate(timeout=120)[1].decode() for part in parts]
    assert sorted(part.returncode for part in parts) == [0, 0, 2], said  # the bad one is in one part
    assert results(folder / "out") == results(folder / "whole") and len(results(folder / "out")) == COUNT - 1
    keys = []
    for index in range(3):
        (folder / "single").mkdir(exist_ok=True)
        own = folder / "single" / f"{index}.jsonl"
        own.write_bytes((folder / "out" / f"srdiff-ledger-{index}-of-3.jsonl").read_bytes())
        keys += Ledger(own).entries
    assert sorted(keys) == sorted(os.listdir(folder / "in"))  # each image in one ledger, and in one only
    again = CliRunner().invoke(main, [str(folder / "in"), "-o", str(folder / "out"), *QUICK])
    assert f"0 enlarged, {COUNT - 1} skipped, 1 failed" in again.output
    (folder / "in" / "bad.png").unlink()
    verified = CliRunner().invoke(main, [str(folder / "in"), "-o", str(folder / "out"), "--verify"])
    assert f"{COUNT - 1} verified, 0 failed" in verified.output


def test_a_worker_that_is_not_like_the_others_refuses(folder):
    arguments = [str(folder / "in"), "-o", str(folder / "out"), *QUICK]
    assert CliRunner().invoke(main, [*arguments, "--shard", "0/2"]).exit_code in (0, 2)
    before = sorted(os.listdir(folder / "out"))
    other = CliRunner().invoke(main, [*arguments, "--shard", "1/2", "--tile", "80"])
    assert other.exit_code == 2 and "for 80 of this worker" in other.output
    assert sorted(os.listdir(folder / "out")) == before


def test_every_key_is_in_one_part_whatever_else_there_is():
    keys = [f"sub/{number}.png" for number in range(3000)] + ["ä", "\udcff"]
    for count in (1, 2, 7):
        parts = [[key for key in keys if Shard(index, count).has(key)] for index in range(count)]
        assert sorted(key for part in parts for key in part) == sorted(keys)
        assert max(map(len, parts)) < 1.2 * len(keys) / count + 5


@pytest.mark.parametrize("part", ["3/3", "-1/3", "1", "a/b", "0/0"])
def test_parts_that_are_none(part):
    result = CliRunner().invoke(main, ["in", f"--shard={part}"])
    assert result.exit_code == 2 and "shard" in result.output


def test_a_shard_needs_a_folder(folder):
    result = CliRunner().invoke(main, [str(folder / "in" / "0.png"), "--shard", "0/2"])
    assert result.exit_code == 2 and "share a folder" in result.output


@pytest.mark.parametrize("links", [True, False])
def test_the_first_one_decides(tmp_path, monkeypatch, links):
    if not links:

        def refuse(*_: object) -> None:
            raise PermissionError(1, "Operation not permitted")

        monkeypatch.setattr(os, "link", refuse)
    agree(tmp_path / "out", {"seed": 1})
    agree(tmp_path / "out", {"seed": 1})
    with pytest.raises(OptionError, match="seed 1 for 2 of this worker"):
        agree(tmp_path / "out", {"seed": 2})
    assert os.listdir(tmp_path / "out") == ["srdiff-ledger-pins.jsonl"]
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="cannot be written"):
        agree(tmp_path / "file", {})


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere names are Unicode whatever the locale")
def test_an_image_has_one_key_in_every_locale(tmp_path: Path) -> None:
    for name in ("\u00fcn\u00ef\u6587.png", "a.png", os.fsdecode(b"\xff.png")):
        (tmp_path / name).write_bytes(b"")
    code = (
        "from srdiff.diversity import Wanted; from srdiff.jobs.sources import find_sources; "
        "from srdiff.jobs.targets import Destination; "
        "print([ascii(job.key) for job in Destination().jobs(find_sources(['.'], '_x4').sources, Wanted())])"
    )
    plain = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    keys = [
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, **locale},
            cwd=str(tmp_path),
            stdout=subprocess.PIPE,
            check=True,
            timeout=60,
        ).stdout
        for locale in ({"PYTHONUTF8": "1"}, plain)
    ]
    assert keys[0] == keys[1] and b"\\u6587" in keys[0] and b"\\udcff" in keys[0]
