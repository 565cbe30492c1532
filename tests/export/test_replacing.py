"""What ``--overwrite`` may delete: a bundle's own files, and nothing else."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from srdiff.bundle import MANIFEST_NAME, Bundle, write_bundle
from srdiff.doctor.golden import golden_bundle
from srdiff.errors import OutputError
from srdiff_export.convert import SCRIPT, ConvertOptions, convert_bundle
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
    made = ["encoder_64x64.mindir", "step_profiles.om", "step_profiles_linux_x86_64.om", "encoder_8x8_graph.mindir"]
    for name in (*made, "encoder_8x8_variables/data_0", "fusion_result.json", "kernel_meta/a.json", ".DS_Store"):
        (bundle / name).parent.mkdir(exist_ok=True)
        (bundle / name).write_bytes(b"made by convert.sh")
    require_replaceable(bundle, overwrite=True)
    require_replaceable(bundle.with_name("new.srdiff"), overwrite=False)
    with pytest.raises(OutputError, match=r"model\.srdiff exists already; choose another name, or --overwrite"):
        require_replaceable(bundle, overwrite=False)


@pytest.mark.parametrize("name", ["notes.txt", "step.mindir.bak", "step.mindir/photo.png", ".git/HEAD", "a.ini",
                                  "my_variables/x", "step_8x8_linux.txt"])  # fmt: skip
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


ATC = """#!/bin/sh
for word in "$@"; do case "$word" in --output=*) touch "${word#--output=}.om";; esac; done
echo '[]' > fusion_result.json
mkdir -p kernel_meta && touch kernel_meta/te.json
"""


@pytest.mark.parametrize("installed", [True, False])
def test_what_atc_leaves_is_no_part_of_a_bundle(
    bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, installed: bool
) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "atc").write_text(ATC)
    (tmp_path / "bin" / "atc").chmod(0o755)
    path = f"{tmp_path / 'bin'}:/usr/bin:/bin"
    monkeypatch.setenv("PATH", path if installed else "/usr/bin:/bin")
    target, options = tmp_path / "om.srdiff", ConvertOptions("om", soc="Ascend910B3")
    convert_bundle(Bundle(bundle), target, options)
    if not installed:
        subprocess.run(["sh", str(target / SCRIPT)], check=True, env={"PATH": path})
    assert (target / "step_64x64.om").is_file()
    assert not {"fusion_result.json", "kernel_meta"} & set(os.listdir(target))
