"""Several samples, their mean and spread, and the command that writes them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from PIL import Image
from skimage import data

from srdiff.commands.run import main
from srdiff.diversity import Moments, Wanted, draw, uncertainty_map
from srdiff.errors import OptionError
from srdiff.photo.photo import Photo
from srdiff.resize import bicubic
from srdiff.samplers import Sampler
from srdiff.upscaler import Upscaler

from ..models import SMALL

STEPS = 3  # few enough that samples still differ much
SAMPLER = Sampler(steps=STEPS)


@pytest.fixture(scope="module")
def upscaler() -> Upscaler:
    return Upscaler.from_bundle(SMALL, threads=2)


@pytest.fixture(scope="module")
def small() -> Photo:
    return Photo(bicubic(np.ascontiguousarray(data.astronaut()[64:128, 176:256]), 16, 20))


@settings(max_examples=30, deadline=None)
@given(
    arrays.arrays(
        st.sampled_from([np.uint8, np.uint16]),
        st.tuples(st.integers(2, 6), st.just(3), st.just(2), st.just(3)),
    )
)
def test_moments_are_numpys(samples: np.ndarray) -> None:
    moments = Moments()
    for sample in samples:
        moments.add(sample)
    white = np.iinfo(samples.dtype).max
    exact = samples.astype(np.float64)
    assert np.abs(moments.mean() - exact.mean(axis=0)).max() <= 0.5 + 1e-6
    expected = np.sqrt(exact.var(axis=0, ddof=1).mean(axis=2)) / white
    np.testing.assert_allclose(moments.deviation(), expected, atol=1e-9)


def test_moments_of_too_few_or_unlike_samples_are_refused() -> None:
    moments = Moments()
    with pytest.raises(OptionError, match="at least 1"):
        moments.mean()
    moments.add(np.zeros((2, 2, 3), np.uint8))
    with pytest.raises(OptionError, match="at least 2"):
        moments.deviation()
    with pytest.raises(OptionError, match="one photo"):
        moments.add(np.zeros((2, 2, 3), np.uint16))


def test_samples_are_repeatable_and_the_first_is_the_seeds_own(upscaler: Upscaler, small: Photo) -> None:
    calls: list[tuple[int, int]] = []
    first = [
        sample.pixels
        for sample in draw(
            upscaler, small, 3, 7, SAMPLER, lambda progress: calls.append((progress.done, progress.total))
        )
    ]
    again = [sample.pixels for sample in draw(upscaler, small, 2, 7, SAMPLER)]
    np.testing.assert_array_equal(first[0], upscaler.enlarge(small, 7, SAMPLER).pixels)
    for one, other in zip(first, again):
        np.testing.assert_array_equal(one, other)
    assert not np.array_equal(first[0], first[1]) and not np.array_equal(first[1], first[2])
    assert calls == [(done, 3 * STEPS) for done in range(1, 3 * STEPS + 1)]


def test_uncertainty_is_black_for_certainty_and_white_from_8_levels() -> None:
    deviation = np.array([[0, 4 / 255, 8 / 255, 1.0]])
    grey = uncertainty_map(deviation)
    assert grey.grey and grey.pixels[0, :, 0].tolist() == [0, 128, 255, 255]


@pytest.mark.parametrize("arguments", [{"average": True}, {"uncertainty": True}, {"samples": 0}])
def test_wanted_refuses_what_makes_no_sense(arguments: dict[str, int]) -> None:
    with pytest.raises(OptionError):
        Wanted(**arguments)


@pytest.mark.parametrize(
    ("wanted", "names"),
    [
        (Wanted(), ["o.png"]),
        (Wanted(consistency=True), ["o.png"]),
        (Wanted(samples=2), ["o_1.png", "o_2.png"]),
        (Wanted(samples=2, average=True), ["o.png"]),
        (Wanted(samples=2, uncertainty=True), ["o_1.png", "o_2.png", "o_uncertainty.png"]),
        (Wanted(samples=2, average=True, uncertainty=True), ["o.png", "o_uncertainty.png"]),
    ],
)
def test_targets_are_what_is_made(wanted: Wanted, names: list[str], upscaler: Upscaler, small: Photo) -> None:
    targets = wanted.targets(Path("folder/o.png"))
    assert targets == [Path("folder") / name for name in names]
    made = list(wanted.make(upscaler, small, sampler=Sampler(steps=1)))
    assert len(made) == len(targets)
    assert all(photo.pixels.shape == (64, 80, 3) for photo in made)
    assert [photo.grey for photo in made] == ["uncertainty" in name for name in names]


def test_consistency_brings_every_result_back_to_the_input(upscaler: Upscaler, small: Photo) -> None:
    def error(photo: Photo) -> float:
        return float(np.abs(bicubic(photo.pixels, 16, 20).astype(np.float64) - small.pixels).mean())

    plain = [error(photo) for photo in Wanted(samples=2).make(upscaler, small, 0, SAMPLER)]
    mean, *_ = Wanted(samples=2, average=True, consistency=True).make(upscaler, small, 0, SAMPLER)
    kept = [error(photo) for photo in Wanted(samples=2, consistency=True).make(upscaler, small, 0, SAMPLER)]
    assert max([*kept, error(mean)]) < 0.2 < 1 < min(plain)


def test_command_writes_samples_mean_and_map(tmp_path: Path, small: Photo) -> None:
    source = tmp_path / "in.png"
    Image.fromarray(small.pixels).save(source)

    def run(*arguments: str) -> str:
        result = CliRunner().invoke(
            main, [str(source), "--model", str(SMALL), "--steps", "1", "--threads", "2", *arguments]
        )
        assert result.exit_code == 0, result.output
        return result.output

    run("--samples", "2", "--uncertainty")
    written = {"in_x4_1.png", "in_x4_2.png", "in_x4_uncertainty.png"}
    assert {path.name for path in tmp_path.iterdir()} == {"in.png", *written}
    assert "skipped" in run("--samples", "2", "--uncertainty")
    (tmp_path / "in_x4_2.png").unlink()
    again = run("--samples", "2", "--uncertainty")
    assert "skipped" not in again and "in_x4_1.png exists; kept" in again
    run("--samples", "2", "--average")
    samples = [np.asarray(Image.open(tmp_path / f"in_x4_{index}.png"), np.float64) for index in (1, 2)]
    mean = np.asarray(Image.open(tmp_path / "in_x4.png"), np.float64)
    assert np.abs(mean - sum(samples) / 2).max() <= 0.5


def test_standard_output_takes_a_mean_but_not_several(tmp_path: Path, small: Photo) -> None:
    source = tmp_path / "in.png"
    Image.fromarray(small.pixels).save(source)
    fixed = [str(source), "-o", "-", "--model", str(SMALL), "--steps", "1", "--threads", "2", "--samples", "2"]
    result = CliRunner().invoke(main, fixed)
    assert result.exit_code == 2 and "standard output takes one image" in result.output
    assert CliRunner().invoke(main, [*fixed, "--average"]).exit_code == 0
