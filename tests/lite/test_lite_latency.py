"""The latency benchmark on the oldest Python, where MindIR is all that there is."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "latency.py"


def test_mindspore_lite_from_a_shell(export_mindir, tmp_path):
    bundle, file = export_mindir("mindediting", True), tmp_path / "l.json"
    command = ["--bundle", bundle, "--lr", "12x16", "--steps", "2", "--runs", "2", "--threads", "1", "--json", file]
    result = subprocess.run(
        [sys.executable, str(SCRIPT), *map(str, command)],
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert result.returncode == 0, result.stderr
    report = json.loads(file.read_text())
    (row,) = report["tables"][0]["rows"]
    assert (row["engine"], row["precision"], row["device"]) == ("mindspore_lite", "fp32", "cpu")
    assert row["flops"] is None and "has no ONNX graphs to count" in report["uncounted"]
    assert [image["step_calls"] for image in row["images"]] == [2, 2] and 0 < row["outside"] < 1
    assert "TFLOP/s" not in result.stdout.split("**12x16")[1]
