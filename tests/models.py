"""The model that is taken where steps, samplers or presets matter; the default has one step."""

from __future__ import annotations

from srdiff.model_names import MANY_STEPS, built_in

SMALL = built_in()[MANY_STEPS]
# Of srdiff-run: the quickest picture of it.
ONE_STEP = ("--model", str(SMALL), "--steps", "1", "--engine", "onnxruntime", "--device", "cpu")
