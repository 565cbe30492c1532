"""A batch that is gone on with in another locale, which takes the bytes of names for other letters."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from .in_process import picture
from .test_ledger import QUICK


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere names are Unicode whatever the locale")
def test_a_ledger_serves_every_locale(tmp_path: Path) -> None:
    """Whatever the letters of files and folders: no line is damaged, and a picture that has changed is made anew."""
    place = tmp_path / "\u65e5"
    for number, name in enumerate(("p.png", "\u00e4\u00f6.png", os.fsdecode(b"\xff.png"))):
        picture(place / name, number)
    command = [sys.executable, "-m", "srdiff.commands.run", str(place), "-o", str(tmp_path / "out \u65e5"), *QUICK]
    said = []
    for number, utf8 in enumerate("0010"):
        picture(place / "\u00e4\u00f6.png", 3 + number)
        env = {**os.environ, "LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": utf8}
        for more in ([], ["--verify"]):
            run = subprocess.run([*command, *more], env=env, stderr=subprocess.PIPE, timeout=300)
            assert b"damaged" not in run.stderr
            said.append(run.stderr.decode("utf-8", "replace").splitlines()[-1])
    verified, again = "3 verified, 0 failed", "1 enlarged, 2 skipped, 0 failed"
    expected = ["3 enlarged, 0 skipped, 0 failed", verified, *[again, verified] * 3]
    assert [line[: len(start)] for line, start in zip(said, expected)] == expected
