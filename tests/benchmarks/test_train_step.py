"""The comparison of training steps, from a shell."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

pytest.importorskip("mindspore")
pytest.importorskip("torch")

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "train_step.py"
SIZES = {"encoder_channels": 4, "encoder_blocks": 2, "encoder_growth": 2, "unet_channels": 4, "unet_mults": [1, 2]}


@pytest.mark.slow
def test_both_train_alike(tmp_path: Path) -> None:
    """The same losses, which after the first step are those of changed weights."""
    config = tmp_path / "c.yaml"
    config.write_text(yaml.safe_dump({"network": SIZES, "learning_rate": 0.01}))
    command = [sys.executable, str(SCRIPT), "--config", str(config), "--batch", "2", "--patch", "16", "--peer", "torch"]
    done = subprocess.run([*command, "--repeats", "3"], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    first, second, last = zip(*re.findall(r"losses (\S+) (\S+) … (\S+)", done.stdout))
    assert len(first) == 2 and first[0] == first[1] and first[0] != last[0]
    for ours, theirs in (second, last):
        assert float(ours) == pytest.approx(float(theirs), abs=2e-5)  # printed to 1e-5
    assert "mindspore / torch: median of ratios" in done.stdout
