"""The comparison of windows with the whole image, from a shell."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "tiles.py"


def run(*options):
    return subprocess.run([sys.executable, str(SCRIPT), *options], capture_output=True, text=True, timeout=300)


def test_a_larger_overlap_differs_less(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- tiles -->\n<!-- /tiles -->\nafter\n")
    done = run("--size", "40", "--tile", "32", "--overlap", "2,14", "--steps", "4", "--insert", str(page))
    assert done.returncode == 0, done.stderr
    rows = [line.split(" | ") for line in done.stdout.splitlines() if line.startswith(("| ast", "| che", "| cof"))]
    assert [row[1] for row in rows] == ["2", "14"] * 3
    narrow, wide = ([int(row[2]) for row in rows[first::2]] for first in (0, 1))
    assert sum(wide) < sum(narrow)
    assert done.stdout.strip() in page.read_text()


def test_bad_options():
    for options, sentence in ((["--overlap", "x"], "write numbers like 8,16,32"), (["--overlap", "80"], "more than")):
        done = run(*options)
        assert (done.returncode, "Traceback" in done.stderr) == (2, False)
        assert sentence in " ".join(done.stderr.split())
