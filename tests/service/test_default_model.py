"""The model that a request gets which names none."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from srdiff import OptionError
from srdiff.commands.serve import open_bundles
from srdiff.model_names import DEFAULT_MODEL, built_in, bundle_folder
from srdiff.samplers import Sampler
from srdiff.service.fields import wish_of
from srdiff.service.limits import Limits


def test_it_is_served_first_and_says_who_takes_steps() -> None:
    served = open_bundles(())
    assert list(served) == [DEFAULT_MODEL.stem, *sorted(set(built_in()) - {DEFAULT_MODEL.stem})]
    assert wish_of({}, served, None, Limits()).model == DEFAULT_MODEL.stem
    with pytest.raises(OptionError, match=r"photo, the default model, .* like model=small-v1, or leave out"):
        wish_of({"steps": "20"}, served, None, Limits())
    assert wish_of({"steps": "20", "model": "small-v1"}, served, None, Limits()).settings.sampler == Sampler(steps=20)


def test_a_folder_whose_name_is_no_text_is_refused(tmp_path: Path) -> None:
    folder = os.fsencode(tmp_path) + b"/\xff.srdiff"
    try:
        shutil.copytree(os.fsencode(bundle_folder("clean")), folder)
    except OSError:
        pytest.skip("this file system takes no such name")
    with pytest.raises(OptionError, match="not UTF-8; rename it"):
        open_bundles((os.fsdecode(folder),))
