"""What ``srdiff-video`` is typed with in these tests: a model of a few kilobytes, in one step."""

from __future__ import annotations

from srdiff.doctor.golden import GOLDEN

BUNDLE = GOLDEN / "golden.srdiff"
STEPS = ("--model", BUNDLE, "--steps", 1, "--engine", "onnxruntime", "--device", "cpu")
