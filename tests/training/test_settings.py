"""What a run is told, and the sentences for what does not fit."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import yaml

from srdiff.errors import CheckpointError, OptionError
from srdiff.schedule import BETAS, MAX_TIMESTEPS
from srdiff_training.checkpoints.read import read_tensors
from srdiff_training.model.stored_recipe import MAX_RES_RESCALE, RES_RESCALE, StoredRecipe
from srdiff_training.run.settings_file import CONFIGS, load_settings, settings_from

PLACES = ["data=photos", "output=run"]


@pytest.mark.parametrize("stage", ["rrdb", "srdiff"])
@pytest.mark.parametrize("name", ["card", "small"])
def test_configurations_that_come_along(stage: str, name: str) -> None:
    settings = load_settings(stage, name, PLACES)
    assert settings_from(stage, settings.plain()) == settings  # as a checkpoint keeps them
    assert settings.data == ("photos",)


def test_the_card() -> None:
    srdiff, rrdb = load_settings("srdiff", "card", PLACES), load_settings("rrdb", "card", PLACES)
    assert (srdiff.batch, srdiff.epochs, srdiff.patch, srdiff.timesteps) == (64, 60, 160, 100)
    assert (srdiff.learning_rate, srdiff.final_learning_rate, rrdb.learning_rate) == (1.6e-4, 1e-5, 2.2e-4)
    assert (srdiff.beta1, srdiff.beta2, srdiff.schedule) == (0.9, 0.99, "cosine")
    assert srdiff.network == rrdb.network


def test_changes_have_the_last_word(tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text("batch: 2\nlearning_rate: 1e-4\ndata: [a, b]\nnetwork: {unet_channels: 8}\n")
    changes = ["batch=6", "output=x", "network.unet_mults=[1, 3]", "final_learning_rate=1e-6", "freeze_encoder=no"]
    settings = load_settings("srdiff", str(tmp_path / "c.yaml"), changes)
    assert (settings.batch, settings.data, settings.output) == (6, ("a", "b"), "x")
    assert (settings.learning_rate, settings.final_learning_rate) == (1e-4, 1e-6)  # YAML reads 1e-6 as a word
    assert (settings.network.unet_channels, settings.network.unet_mults) == (8, (1, 3))
    assert settings.freeze_encoder is False


@pytest.mark.parametrize("schedule", BETAS)
@pytest.mark.parametrize("timesteps", [100, 10_001, MAX_TIMESTEPS])
def test_what_is_trained_on_can_be_read(schedule: str, timesteps: int) -> None:
    """The longest schedule and the largest factor of settings are those of the checkpoint that comes of them."""
    changes = [f"schedule={schedule}", f"timesteps={timesteps}", f"res_rescale={MAX_RES_RESCALE}"]
    settings = load_settings("srdiff", "small", [*PLACES, *changes])
    betas = np.asarray(settings.noise_schedule.betas, np.float32)
    stored = StoredRecipe(Path("x"), {"betas": betas, RES_RESCALE: np.float32([settings.res_rescale])})
    assert (stored.schedule, stored.res_rescale) == (settings.noise_schedule, settings.res_rescale)


def test_more_betas_than_any_schedule_has_cost_no_memory() -> None:
    stored = StoredRecipe(Path("x.ckpt"), {"betas": np.full(3_000_000, 0.01, np.float32)})
    tracemalloc.start()
    try:
        with pytest.raises(CheckpointError, match=r"x\.ckpt has 3000000 betas that are no noise schedule"):
            _ = stored.schedule
        assert tracemalloc.get_traced_memory()[1] < 20e6
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("change", ["distil.fidelity_batches=0", "distil.steps=2"])
def test_the_dial_follows_when_a_run_is_repeated(tmp_path: Path, change: str) -> None:
    """The trainer has written network.fidelity into settings.yaml, no person."""
    with_dial = ["teacher=moved.ckpt", "network.unet_mults=[1, 2]", "distil.fidelity_batches=1"]
    settings = load_settings("distil", "small", [*PLACES, *with_dial])
    (tmp_path / "settings.yaml").write_text(yaml.safe_dump(settings.plain(), sort_keys=False))
    assert load_settings("distil", str(tmp_path / "settings.yaml")) == settings and settings.network.fidelity
    assert load_settings("distil", str(tmp_path / "settings.yaml"), [change]).network.fidelity is False
    with pytest.raises(OptionError, match=r"network\.fidelity is True where .* make it False; leave it out"):
        load_settings("distil", str(tmp_path / "settings.yaml"), [change, "network.fidelity=true"])


@pytest.mark.parametrize(
    "word", ["2024_11_29", "0123", "1:30", "no", "null", "1e3", "2024-02-30", "a: b", "#1", "'x'", " y"]
)
def test_words_are_taken_as_they_were_typed(word: str) -> None:
    changes = [f"{name}={word}" for name in ("data", "output", "val", "init_from")]
    settings = load_settings("srdiff", "small", changes)
    assert (settings.data, settings.output, settings.val, settings.init_from) == ((word,), word, word, word)


def test_so_are_those_of_a_list() -> None:
    assert load_settings("srdiff", "small", [*PLACES, "data=[2024_01, no, '1', 0123]"]).data == (
        "2024_01", "no", "1", "0123",
    )  # fmt: skip


@pytest.mark.parametrize("line", ["output: 2024_11_29", "output: no", "val: 1:30", "data: [a, 2024_01]", "data: [no]"])
def test_a_file_has_its_words_in_quotes(tmp_path: Path, line: str) -> None:
    (tmp_path / "c.yaml").write_text(line)
    with pytest.raises(OptionError, match=rf"^{line.partition(':')[0]} is .* so put (it|each) in quotes$"):
        load_settings("srdiff", str(tmp_path / "c.yaml"))


def test_validation_takes_no_more_steps_than_there_are() -> None:
    with pytest.raises(OptionError, match="validate_steps is 10 of 8 timesteps; set validate_steps to at most 8"):
        load_settings("srdiff", "small", [*PLACES, "timesteps=8", "val=set5"])
    assert load_settings("srdiff", "small", [*PLACES, "timesteps=8"]).timesteps == 8


def test_whole_numbers_stay_whole() -> None:
    assert load_settings("srdiff", "small", [*PLACES, f"seed={2**53 + 1}"]).seed == 2**53 + 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("bacth=3", "unknown key bacth; did you mean batch?"),
        ("network.unet_chanels=3", "unknown key network.unet_chanels; did you mean network.unet_channels?"),
        ("learningrate=1", "did you mean learning_rate?"),
        ("batch=many", "batch is 'many'; it must be a whole number"),
        ("batch=1.5", "batch is 1.5; it must be a whole number"),
        ("batch=true", "must be a whole number"),
        ("batch=0", "batch is 0; it must be at least 1"),
        ("freeze_encoder=1", "freeze_encoder is 1; it must be true or false"),
        ("learning_rate=-1", "learning_rate is -1.0; it must be positive"),
        ("learning_rate=1e39", "learning_rate is 1e+39; it must be positive, and at most 3.4e+38"),
        ("clip_norm=1e39", "clip_norm is 1e+39; it must be positive, and at most 3.4e+38"),
        ("res_rescale=5000", "res_rescale is 5000.0; it must be at most 1000"),
        ("timesteps=100001", "timesteps is 100001; it must be at most 100000"),
        ("seed=1e40", "it must be at most 18446744073709551615"),
        ("epochs=1e18", "crops; take 1000000000 at most"),
        ("ema_decay=1", "ema_decay is 1.0; it must be at least 0 and below 1"),
        ("patch=100", "patch is 100"),
        ("device=npu", "device is 'npu'; choose one of cpu, ascend, gpu"),
        ("precision=fp16", "precision fp16 is not available on a CPU"),
        ("schedule=sigmoid", "schedule is 'sigmoid'"),
        ("batch=.inf", "batch is inf; it must be a whole number"),
        ("memory_gib=.nan", "memory_gib"),
        ("network.unet_mults=7", "network.unet_mults is 7; it must be a list of whole numbers"),
        ("data=", "no photos to train on"),
        ("output=", "no folder for the run"),
        ("batch", "--set batch has no value"),
        ("batch={", "is no YAML"),
        ("batch=2024-02-30", "is no YAML"),
        (f"network.unet_mults={'[' * 3000}", "is no YAML"),
        ("network=3", "network is 3"),
        ("network=[1]", "network is [1]"),
    ],
)
def test_what_does_not_fit_is_named(change: str, message: str) -> None:
    with pytest.raises(OptionError) as caught:
        load_settings("srdiff", "small", [*PLACES, change])
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"), [("a: [", "is no YAML"), ("- 1\n- 2", "no list of keys"), ("stage: rrdb", "another stage")]
)
def test_bad_files(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "c.yaml").write_text(text)
    with pytest.raises(OptionError, match=message):
        load_settings("srdiff", str(tmp_path / "c.yaml"), PLACES)


@pytest.mark.parametrize("key", ["batch", "network", "network.unet_mults", "data"])
def test_aliases_make_no_endless_sentence(tmp_path: Path, key: str) -> None:
    lists = ["&a0 [1]", *(f"&a{level} [{', '.join([f'*a{level - 1}'] * 10)}]" for level in range(1, 6))]
    text = f"{key.replace('.', ': {', 1)}: [{', '.join(lists)}]"
    (tmp_path / "c.yaml").write_text(text + "}" * ("." in key))
    with pytest.raises(OptionError) as caught:
        load_settings("srdiff", str(tmp_path / "c.yaml"), ["output=run"])
    assert len(str(caught.value)) < 5000


def test_no_such_configuration() -> None:
    with pytest.raises(OptionError, match="large is not a file; give a YAML file or one of card, small"):
        load_settings("srdiff", "large", PLACES)


@pytest.mark.parametrize("name", ["x" * 300, "a\0b"])
def test_a_name_that_no_file_has(name: str) -> None:
    with pytest.raises(OptionError, match="is not a file"):
        load_settings("srdiff", name, PLACES)
    with pytest.raises(CheckpointError, match="is not a file"):
        read_tensors(Path(name))


def test_only_one_source_of_weights() -> None:
    with pytest.raises(OptionError, match="init_from and encoder_from are both given"):
        load_settings("srdiff", "small", [*PLACES, "init_from=a", "encoder_from=b"])
    with pytest.raises(OptionError, match="encoder_from is for the stage srdiff"):
        load_settings("rrdb", "small", [*PLACES, "encoder_from=b"])


def test_every_key_of_the_files_is_plain() -> None:
    """A reader of the files finds no key twice and no tag."""
    for file in CONFIGS.glob("*.yaml"):
        keys = [line.split(":")[0] for line in file.read_text().splitlines() if line and line[0] not in " #"]
        assert keys == list(yaml.safe_load(file.read_text()))
