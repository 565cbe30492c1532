"""The training loop: what it writes, when, and that stopping and going on change nothing."""

from __future__ import annotations

import csv
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import yaml
from click.testing import CliRunner

pytest.importorskip("mindspore")

import mindspore as ms

from srdiff.errors import CheckpointError, OptionError, OutputError, TrainingError
from srdiff_training.checkpoints.read import read_tensors
from srdiff_training.commands.train import main
from srdiff_training.data.crops import Crops, Photos
from srdiff_training.model.checkpoint import load_checkpoint
from srdiff_training.run.devices import Devices
from srdiff_training.run.log import COLUMNS, LOG_NAME, PLOT_NAME
from srdiff_training.run.own_folder import SETTINGS_NAME
from srdiff_training.run.settings import TrainSettings
from srdiff_training.run.settings_file import settings_from
from srdiff_training.run.snapshot import Position, Snapshots, numbered, read_state
from srdiff_training.run.train import TrainingLoop, build_network, build_step, train

from .training_runs import TINY, make_photos, tiny_settings, uncompiled


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_photos(tmp_path_factory.mktemp("train") / "photos")


def rows_of(folder: Path) -> list[dict[str, str]]:
    with (folder / LOG_NAME).open(newline="") as file:
        return list(csv.DictReader(file))


# Without a graph to compile: the loop around a step that counts.


class CountingStep:
    """In place of the compiled step: loss 1 / number of the call, and each weight grows by one."""

    def __init__(self, step, losses=None) -> None:
        self.step, self.losses, self.calls = step, losses, 0

    def __call__(self, rates, *batch):
        self.calls += 1
        for parameter in (*self.step.weights, *self.step.average):
            parameter.set_data(ms.Tensor(parameter.asnumpy() + 1))  # MindSpore's own sum has threads that spin
        loss = 1 / self.calls if self.losses is None else self.losses[self.calls - 1]
        return ms.Tensor(np.float32(loss)), ms.Tensor(np.float32(2.0))


def loop_of(settings: TrainSettings, validate=None, losses=None, first_step: int = 0) -> TrainingLoop:
    folder = Path(settings.output)
    folder.mkdir(exist_ok=True)
    network = build_network(settings)
    step = build_step(network, settings, Devices())
    snapshots = Snapshots(folder, network, step, settings)
    photos = Photos(settings.data, 4, settings.patch, 1, 1, lambda items, total: items)
    loop = TrainingLoop(settings, step, snapshots, Crops(photos, settings, first_step), Devices(), validate)
    loop.train_step = CountingStep(step, losses)
    return loop


def test_what_a_run_writes_and_when(photos: Path, tmp_path: Path) -> None:
    scores = iter([(20.0, 0.5), (22.0, 0.6), (21.0, 0.55)])
    settings = tiny_settings(
        photos, tmp_path / "run", steps_per_epoch=7, log_every=2, save_every=3, validate_every=3, keep=2
    )
    outcome = loop_of(settings, lambda: next(scores)).run(Position())
    assert (outcome.step, outcome.signal, outcome.checkpoint.name) == (7, None, "step_00000007.ckpt")
    assert [step for step, _ in numbered(tmp_path / "run")] == [6, 7]
    assert read_state(tmp_path / "run" / "best.ckpt")[0]["step"] == 6
    assert read_state(outcome.checkpoint)[0]["best"] == 22.0
    rows = rows_of(tmp_path / "run")
    assert tuple(rows[0]) == COLUMNS
    assert [(row["step"], row["psnr_y"], row["ssim_y"]) for row in rows] == [
        ("2", "", ""), ("3", "20", "0.5"), ("4", "", ""), ("6", "22", "0.6"), ("7", "21", "0.55"),
    ]  # fmt: skip
    assert float(rows[0]["loss"]) == pytest.approx((1 + 1 / 2) / 2)
    assert float(rows[3]["loss"]) == pytest.approx((1 / 5 + 1 / 6) / 2, rel=1e-5)
    assert float(rows[3]["images_per_second"]) > 0
    assert (tmp_path / "run" / PLOT_NAME).stat().st_size > 10_000


def test_a_loss_that_is_no_number(photos: Path, tmp_path: Path) -> None:
    settings = tiny_settings(photos, tmp_path / "run", save_every=1)
    with pytest.raises(TrainingError, match="the loss of step 3 is nan"):
        loop_of(settings, losses=[0.5, 0.4, float("nan")]).run(Position())
    assert [step for step, _ in numbered(tmp_path / "run")] == [1, 2]


def test_a_validation_that_fails_costs_no_steps(photos: Path, tmp_path: Path) -> None:
    def fails() -> tuple[float, float]:
        raise OutputError("no room")

    settings = tiny_settings(photos, tmp_path / "run", save_every=100, validate_every=3)
    with pytest.raises(OutputError, match="no room"):
        loop_of(settings, fails).run(Position())
    assert [step for step, _ in numbered(tmp_path / "run")] == [3]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_saves_after_the_step(photos: Path, tmp_path: Path, number: int) -> None:
    settings = tiny_settings(photos, tmp_path / "run", save_every=100)
    loop = loop_of(settings)
    step, before = loop.train_step, signal.getsignal(number)

    def interrupted(*arguments):
        if step.calls == 3:
            os.kill(os.getpid(), number)
        return step(*arguments)

    loop.train_step = interrupted
    outcome = loop.run(Position())
    assert (outcome.step, outcome.signal) == (4, number)
    assert [step for step, _ in numbered(tmp_path / "run")] == [4]
    assert signal.getsignal(number) == before


def test_the_log_goes_on_where_the_checkpoint_is(photos: Path, tmp_path: Path) -> None:
    """Rows of steps that were lost with a killed run are not there twice."""
    settings = tiny_settings(photos, tmp_path / "run")
    loop_of(settings).run(Position())
    loop_of(settings, first_step=4).run(Position(4))
    assert [row["step"] for row in rows_of(tmp_path / "run")] == ["1", "2", "3", "4", "5", "6"]


def test_a_run_without_a_whole_checkpoint_says_what_is_wrong_with_the_newest(photos: Path, tmp_path: Path) -> None:
    settings = tiny_settings(photos, tmp_path / "run")
    loop_of(settings).run(Position())
    for _, file in numbered(tmp_path / "run"):
        file.write_bytes(file.read_bytes()[:500])
    with pytest.raises(CheckpointError, match=r"step_00000006\.ckpt is cut short"):
        train(settings, resume=True)


def test_a_checkpoint_that_was_passed_over_costs_no_new_one(photos: Path, tmp_path: Path) -> None:
    """``keep`` counts the newest of this run, not a damaged file with a higher number."""
    settings = tiny_settings(photos, tmp_path / "run", keep=1)
    damaged = tmp_path / "run" / "step_00000099.ckpt"
    damaged.parent.mkdir()
    damaged.write_bytes(b"half")
    loop_of(settings).run(Position())
    assert [step for step, _ in numbered(tmp_path / "run")] == [6, 99]


def test_a_run_is_not_overwritten(photos: Path, tmp_path: Path) -> None:
    settings = tiny_settings(photos, tmp_path / "run")
    loop_of(settings).run(Position())
    with pytest.raises(OutputError, match=r"holds step_00000006\.ckpt already; go on with resume=True, or"):
        train(settings)


@pytest.mark.parametrize("place", ["photos", "photos/../photos/"])
@pytest.mark.parametrize("key", ["data", "val"])
def test_a_run_does_not_lie_among_its_photos(photos: Path, tmp_path: Path, place: str, key: str) -> None:
    changes = {"data": "x", "output": str(photos.parent / place), key: str(photos)}
    with pytest.raises(OptionError, match=r"a folder of photos, where log\.png would be one; choose another"):
        train(settings_from("srdiff", {**TINY, **changes}), resume=True)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--set", "bacth=2"], "unknown key bacth; did you mean batch?"),
        (["--set", "data=EMPTY"], "EMPTY holds no images"),
        (["--set", "patch=64"], "photo_0.png is 52x40 where a crop has 64 pixels a side and 2 more"),
        (["--set", "val=EMPTY"], "EMPTY holds no images"),
        (["--set", "output=photos/photo_0.png/run"], "cannot be written"),
        (["--set", "device=ascend"], "device ascend is not available"),
        (["--set", "init_from=none.ckpt"], "none.ckpt is not a file"),
    ],
)
def test_bad_input_is_one_sentence(photos: Path, tmp_path: Path, monkeypatch, arguments, message) -> None:
    monkeypatch.chdir(photos.parent)
    (photos.parent / "EMPTY").mkdir(exist_ok=True)
    config = tmp_path / "c.yaml"
    config.write_text(yaml.safe_dump({**TINY, "data": "photos", "output": str(tmp_path / "run")}))
    result = CliRunner().invoke(main, ["srdiff", "--config", str(config), *arguments])
    assert result.exit_code == 2
    error = result.output.strip().splitlines()[-1]
    assert error.startswith("Error: ") and message in error
    assert not numbered(tmp_path / "run")


# With real steps.

ONE_SIZE = {"validate_images": 1}  # for each size the networks are compiled again


@pytest.fixture(scope="module")
def whole(photos: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of an uninterrupted run of six steps that validates and keeps all its checkpoints."""
    folder = tmp_path_factory.mktemp("whole")
    validation = {"val": str(photos), "validate_every": 4, "validate_steps": 2, **ONE_SIZE}
    settings = tiny_settings(photos, folder, keep=9, **validation)
    with uncompiled():
        train(settings, echo=lambda line: None)
    assert yaml.safe_load((folder / SETTINGS_NAME).read_text()) == settings.plain()
    assert [row["step"] for row in rows_of(folder) if row["psnr_y"]] == ["4", "6"]
    return folder


@pytest.mark.slow
def test_resumed_equals_uninterrupted(photos: Path, whole: Path, tmp_path: Path) -> None:
    """To the last bit: weights, averages, moments. Validation in between changes nothing, nor do damaged files."""
    shutil.copytree(whole, tmp_path / "parts")
    (_, good), (_, cut), (_, flipped) = numbered(tmp_path / "parts")
    cut.write_bytes(cut.read_bytes()[:-1000])
    flipped.write_bytes(b"\xff" + flipped.read_bytes()[1:])
    lines: list[str] = []
    with uncompiled():
        outcome = train(tiny_settings(photos, tmp_path / "parts", keep=9), resume=True, echo=lines.append)
    assert outcome.step == 6
    assert lines[0].startswith(f"passed over: {flipped} ") and lines[1].startswith(f"passed over: {cut} is cut short")
    assert lines[2].startswith(f"going on from {good}") and "validate_every 4 -> 1000" in lines[2]
    expected, actual = (read_tensors(folder / "step_00000006.ckpt") for folder in (whole, tmp_path / "parts"))
    assert set(expected) == set(actual)
    for name, array in expected.items():
        np.testing.assert_array_equal(actual[name], array, err_msg=name)
    assert train(tiny_settings(photos, tmp_path / "parts", keep=9), resume=True, echo=lines.append) == outcome
    assert lines[-1].startswith("all 6 steps are done")
    start = read_tensors(tmp_path / "parts" / "step_00000002.ckpt")
    assert sum(not np.array_equal(start[name], actual[name]) for name in start) > 0.9 * len(start)


@pytest.mark.slow
def test_a_small_network_learns(photos: Path, tmp_path: Path) -> None:
    """Both stages, from photos to a checkpoint that the export's reader takes, on the command line."""
    config = tmp_path / "c.yaml"
    values = {**TINY, "data": str(photos), "batch": 8, "learning_rate": 3e-3, "save_every": 100, "log_every": 10}
    validation = {"validate_steps": 2, **ONE_SIZE}
    config.write_text(yaml.safe_dump({**values, "steps_per_epoch": 150, "ema_decay": 0.9, **validation}))

    def run(*arguments: str) -> list[float]:
        result = CliRunner().invoke(main, [arguments[0], "--config", str(config), *arguments[1:]])
        assert result.exit_code == 0, result.output
        return [float(row["loss"]) for row in rows_of(tmp_path / arguments[0])]

    rrdb = run("rrdb", "--set", f"output={tmp_path / 'rrdb'}", "--set", f"val={photos}")
    assert np.mean(rrdb[-3:]) < 0.6 * rrdb[0]
    encoder = tmp_path / "rrdb" / "best.ckpt"
    places = ["--set", f"output={tmp_path / 'srdiff'}", "--set", f"encoder_from={encoder}"]
    srdiff = run("srdiff", *places, "--set", "freeze_encoder=true", "--set", f"val={photos}")
    assert np.mean(srdiff[-3:]) < 0.78  # predicting nothing gets 0.798, the mean of |noise|
    assert float(rows_of(tmp_path / "srdiff")[-1]["psnr_y"]) > 0
    checkpoint = load_checkpoint(tmp_path / "srdiff" / "step_00000150.ckpt")
    stored = read_tensors(encoder)
    np.testing.assert_array_equal(checkpoint.tensors["encoder.conv_first.weight"], stored["conv_first.weight"])


@pytest.mark.slow
def test_ctrl_c_saves(photos: Path, tmp_path: Path) -> None:
    """MindSpore turns a Ctrl-C into one or two SIGTERMs, more of them with more workers; the run saves all the same.

    Of the stage that is compiled soonest.
    """
    config = tmp_path / "c.yaml"
    endless = {"steps_per_epoch": 10**6, "save_every": 10**6, "workers": 2, "output": str(tmp_path / "run")}
    config.write_text(yaml.safe_dump({**TINY, "data": str(photos), **endless}))
    command = [sys.executable, "-m", "srdiff_training.commands.train", "rrdb", "--config", str(config)]
    run = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    try:
        end = time.monotonic() + 240
        while time.monotonic() < end and run.poll() is None:
            if (tmp_path / "run" / LOG_NAME).is_file() and len(rows_of(tmp_path / "run")) >= 2:
                break
            time.sleep(0.2)
        run.send_signal(signal.SIGINT)
        _, errors = run.communicate(timeout=60)
    finally:
        run.kill()
    assert run.returncode in (128 + signal.SIGINT, 128 + signal.SIGTERM), errors
    ((step, file),) = numbered(tmp_path / "run")
    assert read_state(file)[0]["step"] == step >= 2
    assert f"Stopped by signal {run.returncode - 128}; saved {file}" in errors


@pytest.mark.slow
def test_two_processes_train_as_one(photos: Path, whole: Path, tmp_path: Path) -> None:
    """msrun with two CPU processes: same crops, same losses, same weights as a single process."""
    msrun = Path(sys.executable).with_name("msrun")
    if not msrun.is_file():
        pytest.skip("MindSpore's launcher is not installed")
    script = tmp_path / "srdiff_train.py"
    script.write_text("from srdiff_training.commands.train import main\n\nmain()\n")
    config = tmp_path / "c.yaml"
    config.write_text(yaml.safe_dump({**TINY, "data": str(photos)}))
    arguments = [str(script), "srdiff", "--config", str(config), "--set"]
    launch = [sys.executable, str(msrun), "--worker_num=2", "--local_worker_num=2", "--master_port=8497", "--join=True"]
    logs = f"--log_dir={tmp_path / 'logs'}"
    environment = {**os.environ, "PATH": f"{msrun.parent}{os.pathsep}{os.environ['PATH']}"}
    done = subprocess.run(
        [*launch, logs, *arguments, f"output={tmp_path / 'two'}"], env=environment, capture_output=True, timeout=500
    )
    logged = "".join(file.read_text()[-2000:] for file in (tmp_path / "logs").glob("worker_*.log"))
    assert done.returncode == 0, logged
    one, two = (read_tensors(folder / "step_00000006.ckpt") for folder in (whole, tmp_path / "two"))
    for name in one:
        np.testing.assert_allclose(two[name], one[name], atol=1e-6, err_msg=name)  # measured 1.5e-8
    losses = [[float(row["loss"]) for row in rows_of(folder)] for folder in (whole, tmp_path / "two")]
    np.testing.assert_allclose(losses[1], losses[0], rtol=1e-5)
