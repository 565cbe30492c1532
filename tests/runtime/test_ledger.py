"""What a batch writes down: a rerun does what is missing, changed or failed, and a kill loses nothing."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image

import srdiff.commands.run as run_command
from srdiff.batch.ledger import Ledger, record_of
from srdiff.batch.pins import differences, fingerprint, pins_of
from srdiff.bundle import Bundle
from srdiff.engines import open_engine
from srdiff.jobs.work import JobSettings
from srdiff.model_names import DEFAULT_MODEL
from srdiff.upscaler import Upscaler

from ..models import ONE_STEP, SMALL

NAME = "srdiff-ledger.jsonl"
QUICK = ["--model", "clean", "--engine", "onnxruntime", "--device", "cpu"]


@pytest.fixture(scope="module")
def upscaler() -> Upscaler:
    return Upscaler.from_bundle(SMALL, engine="onnxruntime", device="cpu")


@pytest.fixture
def srdiff_run(upscaler: Upscaler, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """``srdiff-run`` on a folder of three pictures, with one step and an engine that is open already."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("srdiff.batch.recipe.Upscaler.from_bundle", lambda *_: upscaler)
    for number in range(3):
        picture(tmp_path / "in" / f"{number}.png", number)

    def run(*arguments: object, code: int = 0) -> Result:
        words = [*map(str, arguments), *ONE_STEP]
        result = CliRunner().invoke(run_command.main, ["in", "-o", "out", *words])
        assert result.exit_code == code, result.output
        return result

    return run


def picture(path: Path, value: int = 0) -> None:
    path.parent.mkdir(exist_ok=True)
    Image.fromarray(np.random.default_rng(value).integers(0, 256, (8, 10, 3), np.uint8)).save(str(path))


def sum_of(result: Result) -> str:
    return result.output.splitlines()[-1]


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_every_image_is_written_down(srdiff_run, tmp_path, upscaler):
    (tmp_path / "in" / "bad.png").write_bytes(b"no image")
    result = srdiff_run("--seed", 5, code=2)
    assert f"ledger: {Path('out', NAME)}" in result.output
    ledger = Ledger(tmp_path / "out" / NAME)
    assert set(ledger.entries) == {"0.png", "1.png", "2.png", "bad.png"} and ledger.torn == 0
    done = ledger.entries["1.png"]
    assert (done.status, done.seed, done.error) == ("done", 5, None) and 0 < done.seconds < 60
    assert done.input is not None and done.input.sha256 == sha256(tmp_path / "in" / "1.png")
    assert [(output.path, output.sha256) for output in done.outputs] == [("1.png", sha256(tmp_path / "out" / "1.png"))]
    failed = ledger.entries["bad.png"]
    assert failed.status == "failed" and "bad.png" in str(failed.error) and failed.outputs == ()
    pins = ledger.pins[str(done.settings)]
    assert pins["engine"] == "onnxruntime" and pins["precision"] == "fp32" and pins["seed"] == 5
    assert pins["bundle"] == sha256(SMALL / "manifest.json")
    assert {"tile", "overlap", "threads", "sampler", "versions"} <= set(pins)


def test_a_rerun_does_what_is_missing_changed_or_failed(srdiff_run, tmp_path):
    (tmp_path / "in" / "bad.png").write_bytes(b"no image")
    srdiff_run(code=2)
    first = {name: (tmp_path / "out" / name).read_bytes() for name in ("0.png", "1.png", "2.png")}
    assert sum_of(srdiff_run(code=2)) == "0 enlarged, 3 skipped, 1 failed"
    (tmp_path / "out" / "0.png").unlink()
    picture(tmp_path / "in" / "1.png", 7)
    picture(tmp_path / "in" / "bad.png", 8)
    os.utime(str(tmp_path / "in" / "2.png"), (0, 0))  # another time and the same content
    assert sum_of(srdiff_run()) == "3 enlarged, 1 skipped, 0 failed"
    now = {name: (tmp_path / "out" / name).read_bytes() for name in first}
    assert now["0.png"] == first["0.png"] and now["2.png"] == first["2.png"] and now["1.png"] != first["1.png"]
    assert sum_of(srdiff_run()) == "0 enlarged, 4 skipped, 0 failed"


def test_a_result_that_somebody_changed_is_kept(srdiff_run, tmp_path):
    srdiff_run()
    (tmp_path / "out" / "1.png").write_bytes(b"retouched")
    picture(tmp_path / "in" / "1.png", 7)
    for _ in range(2):
        result = srdiff_run(code=2)
        assert "was changed, too" in result.output and sum_of(result) == "0 enlarged, 2 skipped, 1 failed"
        assert (tmp_path / "out" / "1.png").read_bytes() == b"retouched"
    assert sum_of(srdiff_run("--overwrite")) == "3 enlarged, 0 skipped, 0 failed"


def test_results_without_a_ledger_are_entered_as_they_are(srdiff_run, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "1.png").write_bytes(b"of old")
    assert sum_of(srdiff_run()) == "2 enlarged, 1 skipped, 0 failed"
    entry = Ledger(tmp_path / "out" / NAME).entries["1.png"]
    assert entry.status == "done" and entry.settings is None
    assert entry.outputs[0].found and entry.outputs[0].sha256 == sha256(tmp_path / "out" / "1.png")
    picture(tmp_path / "in" / "1.png", 7)
    assert "was there before the ledger" in srdiff_run(code=2).output
    assert (tmp_path / "out" / "1.png").read_bytes() == b"of old"


def test_other_settings_are_told(srdiff_run, tmp_path):
    srdiff_run()
    before = sha256(tmp_path / "out" / "1.png")
    result = srdiff_run("--seed", 9)
    assert "1.png exists, made with seed 0 for 9; skipped" in result.output
    assert sha256(tmp_path / "out" / "1.png") == before


def test_another_model_is_told_by_its_name(srdiff_run, upscaler, tmp_path, monkeypatch):
    """As of a folder that was begun when small-v1 was the default."""
    srdiff_run()
    before = [path.read_bytes() for path in (tmp_path / "out").glob("*.png")]
    default = Upscaler(Bundle(DEFAULT_MODEL), open_engine("onnxruntime", "cpu"))
    monkeypatch.setattr("srdiff.batch.recipe.Upscaler.from_bundle", lambda *_: default)
    result = CliRunner().invoke(run_command.main, ["in", "-o", "out", "--engine", "onnxruntime", "--device", "cpu"])
    assert result.output.count("exists, made with bundle small-v1 for photo") == 3
    assert before == [path.read_bytes() for path in (tmp_path / "out").glob("*.png")]
    mine = {"bundle": "0" * 64}
    assert differences(mine, pins_of(upscaler, JobSettings())).startswith("bundle 000000000000 for small-v1, ")


@pytest.fixture
def meanwhile(upscaler: Upscaler, monkeypatch: pytest.MonkeyPatch):
    """Has a file appear, or change, while the last image of so many is computed."""

    def have(path: Path, content: bytes, count: int = 1) -> None:
        enlarge, begun = Upscaler.enlarge, []

        def enlarging(*arguments, **named):
            begun.append(path)
            if len(begun) == count:
                path.parent.mkdir(exist_ok=True)
                path.write_bytes(content)
            return enlarge(upscaler, *arguments, **named)

        monkeypatch.setattr(upscaler, "enlarge", enlarging)

    return have


def test_a_result_that_appears_meanwhile_is_kept(srdiff_run, tmp_path, meanwhile):
    result = tmp_path / "out" / "2.png"
    meanwhile(result, b"theirs", 3)
    said = srdiff_run(code=2)
    assert said.output.count("was made by another meanwhile and is kept") == 1
    assert sum_of(said) == "2 enlarged, 0 skipped, 1 failed" and result.read_bytes() == b"theirs"
    assert "2.png" not in Ledger(tmp_path / "out" / NAME).entries
    assert sum_of(srdiff_run()) == "0 enlarged, 3 skipped, 0 failed" and result.read_bytes() == b"theirs"
    assert Ledger(tmp_path / "out" / NAME).entries["2.png"].outputs[0].found
    meanwhile(result, b"of others", 3)
    assert sum_of(srdiff_run("--overwrite")) == "3 enlarged, 0 skipped, 0 failed"
    assert result.read_bytes().startswith(b"\x89PNG")


def test_a_result_that_is_retouched_while_its_changed_input_is_made(srdiff_run, tmp_path, meanwhile):
    srdiff_run()
    picture(tmp_path / "in" / "1.png", 7)
    meanwhile(tmp_path / "out" / "1.png", b"retouched")
    assert sum_of(srdiff_run(code=2)) == "0 enlarged, 2 skipped, 1 failed"
    assert (tmp_path / "out" / "1.png").read_bytes() == b"retouched"
    assert "was changed, too" in srdiff_run(code=2).output


def test_two_runs_at_once_of_one_folder_are_both_right(srdiff_run, tmp_path, meanwhile):
    """Who comes second makes the same, and the ledger has it as made."""
    srdiff_run()
    whole = (tmp_path / "out" / "1.png").read_bytes()
    (tmp_path / "out" / "1.png").unlink()
    meanwhile(tmp_path / "out" / "1.png", whole)
    assert sum_of(srdiff_run()) == "1 enlarged, 2 skipped, 0 failed"
    assert not Ledger(tmp_path / "out" / NAME).entries["1.png"].outputs[0].found


def test_only_what_failed(srdiff_run, tmp_path):
    (tmp_path / "in" / "bad.png").write_bytes(b"no image")
    srdiff_run(code=2)
    (tmp_path / "out" / "0.png").unlink()
    picture(tmp_path / "in" / "bad.png", 8)
    assert sum_of(srdiff_run("--retry-failed")) == "1 enlarged, 3 skipped, 0 failed"
    assert not (tmp_path / "out" / "0.png").exists()


def test_verify_reads_everything(srdiff_run, tmp_path):
    srdiff_run()
    assert sum_of(srdiff_run("--verify")) == "3 verified, 0 failed"
    flipped = bytearray((tmp_path / "out" / "0.png").read_bytes())
    flipped[40] ^= 1
    (tmp_path / "out" / "0.png").write_bytes(bytes(flipped))
    (tmp_path / "out" / "1.png").unlink()
    picture(tmp_path / "in" / "2.png", 7)
    picture(tmp_path / "in" / "new.png", 8)
    result = srdiff_run("--verify", code=2)
    assert sum_of(result) == "0 enlarged, 0 skipped, 4 failed"
    errors = "\n".join(line for line in result.output.splitlines() if line.startswith("Error"))
    for part in ("0.png is not what the ledger says", "1.png is missing", "2.png is not what", "new.png is not in the"):
        assert part in errors
    (tmp_path / "in" / "new.png").unlink()
    (tmp_path / "in" / "0.png").unlink()
    assert "0.png is not what the ledger says" in srdiff_run("--verify", code=2).output  # its input is gone, it is not


def test_a_ledger_of_ones_own_name(srdiff_run, tmp_path):
    srdiff_run("--ledger", "notes.jsonl")
    assert sorted(os.listdir(tmp_path / "out")) == ["0.png", "1.png", "2.png"]
    assert Ledger(tmp_path / "notes.jsonl").entries["0.png"].outputs[0].path == "out/0.png"
    (tmp_path / "mine.txt").write_text("my own words\n")
    assert "is no ledger" in srdiff_run("--ledger", "mine.txt", code=2).output
    assert (tmp_path / "mine.txt").read_text() == "my own words\n"


def test_the_whole_folder_may_move(srdiff_run, tmp_path):
    srdiff_run()
    (tmp_path / "elsewhere").mkdir()
    for name in ("in", "out"):
        (tmp_path / name).rename(tmp_path / "elsewhere" / name)
    os.chdir(str(tmp_path / "elsewhere"))
    assert sum_of(srdiff_run()) == "0 enlarged, 3 skipped, 0 failed"
    assert sum_of(srdiff_run("--verify")) == "3 verified, 0 failed"


def test_a_clock_that_was_ahead(srdiff_run, tmp_path):
    """An image that changes again and again is made each time, and verified, though the ledger is of tomorrow."""
    srdiff_run()
    ledger = tmp_path / "out" / NAME
    tomorrow = []
    for line in map(json.loads, ledger.read_bytes().splitlines()):
        of_it = line.get("promise", line)
        if "finished" in of_it:
            of_it["finished"] += 86400
        tomorrow.append(json.dumps(line).encode() + b"\n")
    ledger.write_bytes(b"".join(tomorrow))
    for value in (7, 8):
        picture(tmp_path / "in" / "1.png", value)
        assert sum_of(srdiff_run()) == "1 enlarged, 2 skipped, 0 failed"
        assert sum_of(srdiff_run("--verify")) == "3 verified, 0 failed"


def test_pins_say_what_differs(upscaler):
    pins = pins_of(upscaler, JobSettings(seed=1))
    assert fingerprint(pins) == fingerprint(pins_of(upscaler, JobSettings(seed=1, overwrite=True, max_pixels=5)))
    other = pins_of(upscaler, JobSettings(seed=2, scale=3))
    assert fingerprint(pins) != fingerprint(other)
    assert differences(pins, other) == "seed 1 for 2, scale none for 3"


def test_a_file_that_changes_while_it_is_read_has_no_hash(tmp_path, monkeypatch):
    (tmp_path / "a").write_bytes(b"first")

    def changing(path: Path) -> str:
        path.write_bytes(b"second, longer")
        return "0" * 64

    monkeypatch.setattr("srdiff.batch.ledger.sha256_of", changing)
    assert record_of(tmp_path / "a").sha256 is None
