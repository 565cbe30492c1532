"""Settings of jobs refuse what is none where they are made, and are plain values, which JSON has, from there on."""

from __future__ import annotations

import json
from dataclasses import asdict

import numpy as np
import pytest

from srdiff import OptionError
from srdiff.batch.actor import Worker
from srdiff.batch.pins import pins_of
from srdiff.batch.recipe import Recipe
from srdiff.batch.referee import Referee
from srdiff.diversity import Wanted
from srdiff.jobs.work import Crop, JobSettings
from srdiff.samplers import Sampler

CROP = {"left": 1, "top": 2, "width": 3, "height": 4}
# A way to give one number, and what it is called in an error.
NUMBERS = [
    (lambda value: JobSettings(seed=value), "seed"),
    (lambda value: JobSettings(scale=value), "scale"),
    (lambda value: JobSettings(quality=value), "quality"),
    (lambda value: JobSettings(max_pixels=value), "max_pixels"),
    (lambda value: JobSettings(size=(value, 4)), "size's width"),
    (lambda value: JobSettings(size=(4, value)), "size's height"),
    (lambda value: JobSettings(wanted=Wanted(value)), "samples"),
    (lambda value: JobSettings(sampler=Sampler("ddim", value)), "steps"),
    *((lambda value, name=name: JobSettings(crop=Crop(**{**CROP, name: value})), f"crop's {name}") for name in CROP),
]


@pytest.mark.parametrize(("given", "name"), NUMBERS, ids=[name for _, name in NUMBERS])
def test_a_whole_number_is_one_and_plain(given, name, small_upscaler):
    for wrong in ("x", "3", 3.0, True, -1, [3]):
        if name != "steps" or wrong != -1:  # which depend on the model
            with pytest.raises(OptionError, match=f"{name} is"):
                given(wrong)
    for kind in (np.int64, np.uint8):
        assert pins_of(small_upscaler, given(kind(3))) == pins_of(small_upscaler, given(3))
        assert json.dumps(asdict(given(kind(3)))) == json.dumps(asdict(given(3)))


def test_shares_and_choices_are_plain():
    share, yes = np.float32(0.5), np.bool_(True)
    settings = JobSettings(
        sampler=Sampler("ddim", 1, share, fidelity=share), wanted=Wanted(2, yes, yes, yes), overwrite=yes
    )
    plain = JobSettings(
        sampler=Sampler("ddim", 1, 0.5, fidelity=0.5), wanted=Wanted(2, True, True, True), overwrite=True
    )
    assert json.dumps(asdict(settings)) == json.dumps(asdict(plain))


@pytest.mark.parametrize("size", [(), (5,), (5, 5, 5), 5, "ab", None])
def test_a_size_has_two_sides(size):
    if size is None:
        assert JobSettings(size=None).size is None
    else:
        with pytest.raises(OptionError, match="size"):
            JobSettings(size=size)
    assert JobSettings(size=np.array([4, 5])).size == (4, 5) == JobSettings(size=[4, 5]).size


def test_a_worker_with_a_fault_refuses_its_first_rows(monkeypatch):
    def faulty(*_):
        raise ZeroDivisionError("a fault")

    monkeypatch.setattr("srdiff.batch.recipe.Upscaler.from_bundle", faulty)
    referee = Referee()
    worker = Worker(Recipe(), 1, referee)
    with pytest.raises(
        Exception, match=r"cannot start \(ZeroDivisionError: a fault\); see what srdiff-doctor"
    ) as raised:
        worker({})
    assert str(referee.refusal()) == str(raised.value)
