"""The rehearsal can fail: each of these ways to break the engines fails the test named beside it.

The runtime is copied, one piece of text in it is replaced, and the test runs against the copy in a process of its own.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LITE, LOOP, CANN = "mindspore_lite_engine.py", "lite_loop.py", "onnxruntime_engine.py"

# What is broken: the file in srdiff/engines, the text, what stands in its place, the test that must notice.
MUTATIONS = {
    "wrong dtype": (
        LITE,
        "if array is None or array.dtype != np.float32 or array.shape",
        "if array is None or array.shape",
        "test_lite.py::test_a_wrong_input_is_refused[dtype]",
    ),
    "wrong shape of the right size": (
        LITE,
        "array.dtype != np.float32 or array.shape != tuple(shape):",
        "array.dtype != np.float32:",
        "test_lite.py::test_a_wrong_input_is_refused[shape]",
    ),
    "kept NumPy view of a result": (
        LITE,
        "return [np.array(result.get_data_to_numpy()) for result in results]",
        "return [result.get_data_to_numpy() for result in results]",
        "test_lite.py::test_results_are_the_callers_own",
    ),
    "kept NumPy view in the loop": (
        LOOP,
        "return np.array(self._inputs[self._feedback[output]].get_data_to_numpy())",
        "return self._inputs[self._feedback[output]].get_data_to_numpy()",
        "test_lite.py::test_what_a_loop_gave_is_kept",
    ),
    "missing contiguity": (
        LITE,
        "    return np.ascontiguousarray(array)\n",
        "    return array\n",
        "test_lite.py::test_strided_inputs_are_read_as_they_are",
    ),
    "missing contiguity in the loop": (
        LOOP,
        "set_data_from_numpy(np.ascontiguousarray(array))",
        "set_data_from_numpy(array)",
        "test_lite.py::test_strided_inputs_are_read_as_they_are",
    ),
    "a new call on an old version": (
        LITE,
        "if as_dictionary:",
        "if True:",
        "test_lite.py::test_golden_steps[2.0.0]",
    ),
    "an old call where a new one is": (
        LITE,
        "features.config_dict)",
        "False)",
        "test_lite.py::test_no_file_where_a_dictionary_is_taken[2.7.0-0]",
    ),
    "host copy in the loop": (
        LITE,
        "if self._device is None or set(feedback)",
        "if True or set(feedback)",
        "test_lite.py::test_x_never_leaves_the_device[2.7.0]",
    ),
    "results not fed back": (
        LOOP,
        "self._inputs[name], self._outputs[output] = self._outputs[output], self._inputs[name]",
        "pass",
        "test_lite.py::test_golden_steps[2.7.0]",
    ),
    "no lock around a model": (
        LITE,
        "        with self._lock:\n            self.fit([array.shape for array in arrays])",
        "        if True:\n            self.fit([array.shape for array in arrays])",
        "test_lite.py::test_threads_share_a_graph",
    ),
    "always device 0": (
        LITE,
        "context.ascend.device_id = options.device_id",
        "context.ascend.device_id = 0",
        "test_lite.py::test_the_device_by_number",
    ),
    "the precision mode of old": (
        "ascend_precision.py",
        'Mode("must_keep_origin_dtype", "enforce_origin", "fp32", True)',
        'Mode("must_keep_origin_dtype", "enforce_fp32", "fp32", True)',
        "test_lite.py::test_precision_is_what_is_said[fp32-fp32-2.7.0]",
    ),
    "a rounded update that is trusted": (
        "ascend_precision.py",
        'Mode("force_fp16", "enforce_fp16", "fp16", False)',
        'Mode("force_fp16", "enforce_fp16", "fp16", True)',
        "test_lite.py::test_every_mode_keeps_the_update[enforce_fp16]",
    ),
    "the update's limit forgotten": (
        "host_update.py",
        "np.clip(C * inputs",
        "np.asarray(C * inputs",
        "test_lite.py::test_every_mode_keeps_the_update[preferred_optimal]",
    ),
    "a profile that is not fitted": (
        LITE,
        "            self.fit([array.shape for array in arrays])\n            tensors",
        "            tensors",
        "test_lite.py::test_one_graph_of_several_sizes[2.7.0]",
    ),
    "CANN's value updated in place": (
        CANN,
        'and self._place[0] != MEMORY["ascend"]',
        "",
        "test_cann.py::test_x_never_leaves_the_device",
    ),
    "CANN's default precision": (
        "onnxruntime_options.py",
        '"precision_mode": mode.cann,',
        '"op_select_impl_mode": "high_precision",',
        "test_cann.py::test_golden_steps[fp32-fp32]",
    ),
    "nodes left to the CPU": (
        CANN,
        "if not self._allow_cpu_nodes:",
        "if False:",
        "test_cann.py::test_nodes_left_to_the_cpu_are_an_error_unless_allowed",
    ),
    "visible devices not counted": (
        "ascend.py",
        "    if visible is None:",
        "    if True:",
        "test_host.py::test_visible_devices[1-expected1]",
    ),
}


@pytest.fixture
def copied(tmp_path):
    """A copy of the runtime without its models: its folder of engines.

    The rehearsal does without MindSpore, which would take most of the time of each process to load.
    """
    runtime = tmp_path / "runtime"
    shutil.copytree(str(ROOT / "runtime" / "srdiff"), str(runtime / "srdiff"), ignore=shutil.ignore_patterns("models"))
    (runtime / "mindspore.py").write_text("raise ImportError\n")
    return runtime / "srdiff" / "engines"


def test_an_unbroken_copy_passes(copied):
    assert run_tests(copied, *dict.fromkeys(test for *_, test in MUTATIONS.values())) == 0


@pytest.mark.slow
@pytest.mark.parametrize("name", MUTATIONS)
def test_a_broken_engine_fails(copied, name):
    file, old, new, test = MUTATIONS[name]
    text = (copied / file).read_text()
    assert text.count(old) == 1, f"{file} must hold the text once, to be broken"
    (copied / file).write_text(text.replace(old, new))
    assert run_tests(copied, test) == 1


def run_tests(engines: Path, *tests: str) -> int:
    """pytest's exit code: 0 where all pass, 1 where one fails, more where they cannot be run."""
    paths = [str(engines.parents[1]), *(str(ROOT / part) for part in ("export", "training", "benchmarks"))]
    return subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-p",
            "no:cacheprovider",
            *(f"tests/rehearsal/{test}" for test in tests),
        ],
        cwd=str(ROOT),
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths), "PYTHONDONTWRITEBYTECODE": "1"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ).returncode
