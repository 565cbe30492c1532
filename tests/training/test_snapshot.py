"""Checkpoints of a run: complete, readable by the export, whole or not there."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("mindspore")

import mindspore as ms

from srdiff.errors import CheckpointError, OptionError, OutputError, TrainingError
from srdiff.unfinished_files import remove_leftovers
from srdiff_training.checkpoints.read import read_tensors
from srdiff_training.model.checkpoint import load_checkpoint
from srdiff_training.model.config import NetworkConfig
from srdiff_training.model.network import SRDiff
from srdiff_training.model.parameter_names import to_own_layout, to_public_layout
from srdiff_training.model.recipe_options import RecipeOptions
from srdiff_training.run import snapshot
from srdiff_training.run.devices import Devices
from srdiff_training.run.settings import TrainSettings
from srdiff_training.run.snapshot import Position, Snapshots, numbered, read_state
from srdiff_training.run.train import _resumed, build_network, build_step

from .training_runs import SIZES, tiny_settings

LEIALI = {"family": "leiali", **SIZES, "encoder_bias": True, "use_attn": True, "up_input": True}


def snapshots_of(settings: TrainSettings, seed: int | None = None) -> Snapshots:
    """Of a run not begun; with ``seed``, weights, averages and moments are all random and differ."""
    network = build_network(settings)
    step = build_step(network, settings, Devices())
    if seed is not None:
        rng = np.random.default_rng(seed)
        for parameter in (*network.get_parameters(), *step.average, *step.moment1, *step.moment2):
            parameter.set_data(ms.Tensor(rng.standard_normal(parameter.shape).astype(np.float32)))
    return Snapshots(Path(settings.output), network, step, settings)


def everything(snapshots: Snapshots) -> dict[str, np.ndarray]:
    groups = {"": {p.name: p for p in snapshots.parameters}, "average.": snapshots.average, **snapshots.trained}
    return {prefix + own: parameter.asnumpy() for prefix, group in groups.items() for own, parameter in group.items()}


@pytest.mark.parametrize(
    ("stage", "network", "frozen"),
    [("srdiff", SIZES, False), ("srdiff", SIZES, True), ("srdiff", LEIALI, False), ("rrdb", SIZES, False)],
    ids=["mindediting", "frozen encoder", "leiali", "rrdb"],
)
def test_round_trip(tmp_path: Path, stage: str, network: dict, frozen: bool) -> None:
    """Weights, averages, moments and progress come back to the last bit."""
    if frozen:
        snapshots_of(tiny_settings(tmp_path, tmp_path, "rrdb")).save(Position(1))
    changes = {"network": network, "freeze_encoder": frozen}
    if frozen:
        changes["encoder_from"] = str(tmp_path / "step_00000001.ckpt")
    settings = tiny_settings(tmp_path, tmp_path / "run", stage, **changes)
    (tmp_path / "run").mkdir()
    saved = snapshots_of(settings, seed=1)
    path = saved.save(Position(12, 27.5))
    loaded = snapshots_of(settings)
    assert loaded.load(path) == Position(12, 27.5)
    expected, actual = everything(saved), everything(loaded)
    assert set(expected) == set(actual)
    for name, array in expected.items():
        np.testing.assert_array_equal(actual[name], array, err_msg=name)
    assert read_state(path)[1] == settings
    assert [file.name for file in (tmp_path / "run").iterdir()] == ["step_00000012.ckpt"]


@pytest.mark.parametrize("network", [SIZES, LEIALI], ids=["mindediting", "leiali"])
def test_the_export_finds_the_averaged_weights(tmp_path: Path, network: dict) -> None:
    settings = tiny_settings(tmp_path, tmp_path, network=network, schedule="linear", res_rescale=3)
    saved = snapshots_of(settings, seed=2)
    checkpoint = load_checkpoint(saved.save(Position(3)))
    assert checkpoint.config == settings.network
    assert checkpoint.stored.schedule == settings.noise_schedule  # linear, not the default
    assert (checkpoint.stored.res_rescale, checkpoint.stored.clip_denoised) == (3.0, True)
    recipe = RecipeOptions().recipe(checkpoint)
    assert (recipe.schedule.name, recipe.res_rescale, recipe.clip_denoised) == ("linear", 3.0, True)
    assert RecipeOptions(clip_denoised=False).recipe(checkpoint).clip_denoised is False
    for parameter in checkpoint.build().get_parameters():
        np.testing.assert_array_equal(parameter.asnumpy(), saved.average[parameter.name].asnumpy())


@pytest.mark.parametrize(
    "config",
    [NetworkConfig("mindediting", unet_channels=4, encoder_channels=2, encoder_growth=2, encoder_blocks=2),
     NetworkConfig("leiali", unet_channels=4, encoder_channels=2, encoder_growth=2, encoder_blocks=2, use_attn=True)],
    ids=["mindediting", "leiali"],
)  # fmt: skip
def test_layouts_are_inverse(config: NetworkConfig) -> None:
    changed = 0
    for parameter in SRDiff(config).get_parameters():
        own = np.arange(int(np.prod(parameter.shape)), dtype=np.float32).reshape(parameter.shape)
        public = to_public_layout(parameter.name, own, config)
        np.testing.assert_array_equal(to_own_layout(parameter.name, public, config), own)
        changed += public.shape != own.shape or not np.array_equal(public, own)
    assert changed == {"mindediting": 6, "leiali": 2}[config.family]  # three shuffles, weight and bias; two dense


def test_rrdb_names_are_mindeditings(tmp_path: Path) -> None:
    settings = tiny_settings(tmp_path, tmp_path, "rrdb")
    names = set(read_tensors(snapshots_of(settings).save(Position(1))))
    assert {"conv_first.weight", "RRDB_trunk.1.RDB3.conv5.weight", "trunk_conv.bias", "upconv1.conv4.weight"} < names
    assert {"upconv2.conv1.weight", "HRconv.weight", "conv_last.bias", "raw.HRconv.bias"} < names


def test_encoder_from_rrdb(tmp_path: Path) -> None:
    rrdb = snapshots_of(tiny_settings(tmp_path, tmp_path, "rrdb"), seed=3)
    path = rrdb.save(Position(1))
    settings = tiny_settings(tmp_path, tmp_path, encoder_from=str(path), freeze_encoder=True)
    network = build_network(settings)
    for parameter in network.encoder.get_parameters():
        np.testing.assert_array_equal(parameter.asnumpy(), rrdb.average[parameter.name].asnumpy())
    assert {weight.name.split(".")[0] for weight in build_step(network, settings, Devices()).weights} == {"denoise_fn"}


@pytest.mark.parametrize("group", ["weights", "average", "moment1", "moment2"])
@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_what_is_no_number_is_not_saved(tmp_path: Path, group: str, value: float) -> None:
    settings = tiny_settings(tmp_path, tmp_path)
    network = build_network(settings)
    step = build_step(network, settings, Devices())
    snapshots = Snapshots(tmp_path, network, step, settings)
    snapshots.save(Position(1))
    bad = getattr(step, group)[-1]
    bad.set_data(ms.Tensor(np.full(bad.shape, value, np.float32)))
    for save in (snapshots.save, snapshots.save_best):
        with pytest.raises(TrainingError, match=r"step 2 has left NaN or infinity in .*; lower learning_rate"):
            save(Position(2))
    assert os.listdir(tmp_path) == ["step_00000001.ckpt"]


def test_a_file_of_what_is_no_number_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever has written it."""
    settings = tiny_settings(tmp_path, tmp_path)
    saved = snapshots_of(settings, seed=1)
    saved.save(Position(1))
    bad = saved.parameters[0]
    saved.average[bad.name].set_data(ms.Tensor(np.full(bad.shape, np.nan, np.float32)))
    with monkeypatch.context() as patch:
        patch.setattr(snapshot.np, "isfinite", lambda array: np.ones(1, bool))
        saved.save(Position(2))
    lines: list[str] = []
    newest_first = [path for _, path in reversed(numbered(tmp_path))]
    assert _resumed(snapshots_of(settings), newest_first, lines.append) == Position(1)
    assert "step_00000002.ckpt has NaN or infinity in parameter" in lines[0]


@pytest.mark.parametrize(
    ("stage", "changes"),
    [
        ("rrdb", {"init_from": "moved.ckpt"}),
        ("srdiff", {"init_from": "moved.ckpt"}),
        ("srdiff", {"encoder_from": "moved.ckpt", "freeze_encoder": True}),
        ("distil", {"teacher": "moved.ckpt"}),
    ],
)
def test_what_a_run_began_with_is_not_needed_to_go_on(tmp_path: Path, stage: str, changes: dict) -> None:
    settings = tiny_settings(tmp_path, tmp_path, stage, **changes)
    with pytest.raises(CheckpointError, match=r"moved\.ckpt is not a file"):
        build_network(settings)
    assert build_network(settings, resumes=True)


def test_only_the_newest_are_kept_beside_the_best(tmp_path: Path) -> None:
    snapshots = snapshots_of(tiny_settings(tmp_path, tmp_path, keep=2))
    snapshots.save_best(Position(1, 20.0))
    for step in (2, 10, 9, 11):
        snapshots.save(Position(step))
    assert [step for step, _ in numbered(tmp_path)] == [10, 11]
    assert read_state(tmp_path / "best.ckpt")[0]["step"] == 1


def other_sizes(tmp_path: Path, stage: str, **sizes: int) -> str:
    settings = tiny_settings(tmp_path, tmp_path, stage, network={**SIZES, **sizes})
    return str(snapshots_of(settings).save(Position(1)))


@pytest.mark.parametrize(
    ("stage", "key", "of", "sizes", "message"),
    [
        ("srdiff", "init_from", "srdiff", {"unet_channels": 8}, "has unet_channels 8 where the configuration has 4"),
        ("srdiff", "init_from", "rrdb", {}, "is not an SRDiff checkpoint"),
        ("srdiff", "encoder_from", "rrdb", {"encoder_channels": 6}, "conv_first.weight of shape [6, 3, 3, 3] where"),
        ("srdiff", "encoder_from", "rrdb", {"encoder_blocks": 3}, "has 3 RRDBs where the configuration has 2"),
        ("srdiff", "encoder_from", "srdiff", {}, "is no RRDB checkpoint"),
        ("rrdb", "init_from", "rrdb", {"encoder_growth": 3}, "where the configuration's sizes ask for"),
        ("rrdb", "init_from", "rrdb", {"encoder_blocks": 3}, "has 3 RRDBs"),
    ],
)
def test_checkpoint_of_other_sizes(tmp_path: Path, stage: str, key: str, of: str, sizes: dict, message: str) -> None:
    changes = {key: other_sizes(tmp_path, of, **sizes)}
    with pytest.raises(CheckpointError) as caught:
        build_network(tiny_settings(tmp_path, tmp_path, stage, **changes))
    assert message in str(caught.value) and "\n" not in str(caught.value)


def test_no_weights_for_a_frozen_encoder(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="the encoder is frozen and has no weights"):
        build_network(tiny_settings(tmp_path, tmp_path, freeze_encoder=True))


def test_a_run_of_other_sizes_is_not_continued(tmp_path: Path) -> None:
    path = Path(other_sizes(tmp_path, "srdiff", unet_channels=8))
    with pytest.raises(OptionError, match="with other sizes"):
        snapshots_of(tiny_settings(tmp_path, tmp_path)).load(path)


def test_weights_alone_are_not_continued(tmp_path: Path) -> None:
    path = tmp_path / "weights.ckpt"
    ms.save_checkpoint([{"name": "encoder.conv_first.weight", "data": ms.Tensor(np.zeros(3, np.float32))}], str(path))
    with pytest.raises(CheckpointError, match="holds no state of a training run"):
        read_state(path)


def test_full_disk(tmp_path: Path) -> None:
    """A real one where the test may mount; the older checkpoint stays, nothing half-written does."""
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=600k", "tmpfs", str(disk)], capture_output=True).returncode:
        pytest.skip("mounting is not permitted")
    try:
        snapshots = snapshots_of(tiny_settings(tmp_path, disk), seed=4)
        first = snapshots.save(Position(1))
        with pytest.raises(OutputError, match=r"step_00000009.ckpt cannot be written \(No space left.*free some space"):
            for step in range(2, 10):
                (disk / f"filler{step}").write_bytes(bytes(min(60_000, _free(disk))))
                snapshots.save(Position(9))
        assert read_state(first)[0]["step"] == 1
        assert [name for name in os.listdir(disk) if not name.startswith("filler")] in (
            ["step_00000001.ckpt"],
            ["step_00000009.ckpt", "step_00000001.ckpt"],
            ["step_00000001.ckpt", "step_00000009.ckpt"],
        )
        for _, path in numbered(disk):
            read_state(path)
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def _free(folder: Path) -> int:
    status = os.statvfs(folder)
    return status.f_bavail * status.f_frsize


def test_disk_refuses_in_the_middle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same without a mount: the writer fails after half a file."""
    snapshots = snapshots_of(tiny_settings(tmp_path, tmp_path), seed=4)
    snapshots.save(Position(1))

    def fail(content, path, append_dict):
        Path(path).with_suffix(".tmp").write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(snapshot.ms, "save_checkpoint", fail)
    with pytest.raises(OutputError, match=r"step_00000002.ckpt cannot be written \(No space left on device\)"):
        snapshots.save(Position(2))
    assert os.listdir(tmp_path) == ["step_00000001.ckpt"]


WRITER = """
import sys
from pathlib import Path
from srdiff_training.run.snapshot import Position
from tests.training.test_snapshot import snapshots_of
from tests.training.training_runs import SIZES, tiny_settings
folder = Path(sys.argv[1])
snapshots = snapshots_of(tiny_settings(folder, folder, network={**SIZES, "unet_channels": 64}), seed=5)
for step in range(1, 10**6):
    snapshots.save(Position(step))
"""


@pytest.mark.slow
def test_killed_in_the_middle_of_a_checkpoint(tmp_path: Path) -> None:
    """SIGKILL while a file is half-written, several times: all files under their final names stay whole."""
    for _ in range(3):
        writer = subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path)])
        try:
            half_written = _wait_for_half_written(writer, tmp_path)
        finally:
            writer.send_signal(signal.SIGKILL)
            writer.wait()
        assert half_written
        files = numbered(tmp_path)
        assert files  # of the writes before
        for step, path in files:
            assert read_state(path)[0]["step"] == step
    assert any(name.startswith(".") for name in os.listdir(tmp_path))
    remove_leftovers(tmp_path)
    assert all(name.startswith("step_") for name in os.listdir(tmp_path))


def _wait_for_half_written(writer: subprocess.Popen, folder: Path) -> bool:
    """Whether a second checkpoint is under way: one is whole, and a temporary file has some of its bytes."""
    end = time.monotonic() + 120
    before = {path for _, path in numbered(folder)}
    while time.monotonic() < end and writer.poll() is None:
        whole = [path for _, path in numbered(folder) if path not in before]
        for name in os.listdir(folder):
            try:
                size = (folder / name).stat().st_size
            except FileNotFoundError:
                continue
            if whole and name.startswith(".") and name.endswith(".tmp") and 0 < size < whole[0].stat().st_size:
                return True
    return False
