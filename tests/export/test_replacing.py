"""What ``--overwrite`` may delete: a bundle's own files, and nothing else."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from srdiff.bundle import MANIFEST_NAME, Bundle, write_bundle
from srdiff.doctor.golden import golden_bundle
from srdiff.errors import OutputError
from srdiff_export.convert import ConvertOptions, convert_bundle
from srdiff_export.replacing import require_replaceable


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    golden, folder = golden_bundle(), tmp_path / "model.srdiff"
    folder.mkdir()
    for name in golden.file_names:
        (folder / name).write_bytes(golden.read(name))
    for name in ("convert.sh", "step_8x12.ini"):  # a converter that was missing leaves them, and they are listed
        (folder / name).write_text("listed")
    write_bundle(folder, replace(golden.manifest, name="mine"))
    return folder


def refusal(target: Path) -> str:
    with pytest.raises(OutputError) as info:
        require_replaceable(target, overwrite=True)
    return str(info.value)


def test_a_bundle_is_replaced_when_that_is_asked_for(bundle: Path) -> None:
    for name in ("encoder_64x64.mindir", "step_profiles.om"):
        (bundle / name).write_bytes(b"made by convert.sh")
    require_replaceable(bundle, overwrite=True)
    require_replaceable(bundle.with_name("new.srdiff"), overwrite=False)
    with pytest.raises(OutputError, match=r"model\.srdiff exists already; choose another name, or --overwrite"):
        require_replaceable(bundle, overwrite=False)


@pytest.mark.parametrize("name", ["notes.txt", "step.mindir.bak", "step.mindir/photo.png", ".git/HEAD", "a.ini"])
def test_a_bundle_that_holds_a_persons_file_is_not(bundle: Path, name: str) -> None:
    (bundle / name).parent.mkdir(exist_ok=True)
    (bundle / name).write_text("precious")
    said = refusal(bundle)
    assert said.startswith(f"{bundle / name.split('/')[0]} is no file of the bundle") and "move it away" in said


@pytest.mark.parametrize("content", ['{"manifest_version": 3, "name": "an extension"}', "theirs", "[]", ""])
def test_another_programs_manifest_makes_no_bundle(tmp_path: Path, content: str) -> None:
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / MANIFEST_NAME).write_text(content)
    assert "app exists already and is no whole bundle" in refusal(tmp_path / "app")


def test_neither_is_a_bundle_that_is_not_whole(bundle: Path) -> None:
    manifest = json.loads((bundle / MANIFEST_NAME).read_text())
    (bundle / next(iter(manifest["files"]))).unlink()
    assert "is no whole bundle" in refusal(bundle)


def test_nor_a_file(tmp_path: Path) -> None:
    (tmp_path / "photo.png").write_bytes(b"x")
    assert "is no whole bundle" in refusal(tmp_path / "photo.png")


def test_the_converter_asks_too(bundle: Path, tmp_path: Path) -> None:
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / MANIFEST_NAME).write_text("{}")
    with pytest.raises(OutputError, match="is no whole bundle"):
        convert_bundle(Bundle(bundle), tmp_path / "app", ConvertOptions("om", soc="Ascend910B3"), overwrite=True)
    assert (tmp_path / "app" / MANIFEST_NAME).read_text() == "{}"
