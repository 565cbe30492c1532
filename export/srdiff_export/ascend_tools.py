"""The vendor's converters: their command lines and configuration files, and whether they are here.

From "Offline Conversion of Inference Models" and "Ascend Conversion Tool Description" (MindSpore Lite, cloud-side
documents 2.8 to 2.10) and ATC's pages (``--dynamic_dims``, ``--precision_mode``, CANN 8.0 to 9.1).
"""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any, Dict, List

from srdiff.engines.ascend_precision import Mode
from srdiff.engines.lite_options import Sections
from srdiff.errors import DeviceError, OptionError
from srdiff.graph_io import Shapes

ASCEND_ORIENTED, GENERAL = "ascend_oriented", "general"
# What converter.py of MindSpore Lite takes behind ascend_oriented, from 2.1 on.
CHIPS = ("default", "910b")
SOC = re.compile(r"Ascend[0-9A-Za-z_]+")
CONVERTER, ATC = "converter_lite", "atc"
LEFT = ("fusion_result.json", "kernel_meta")  # by ATC, where it runs

Dims = Dict[str, List[int]]


def check_optimize(optimize: str) -> None:
    """Raises OptionError unless it is ``general``, ``ascend_oriented`` or ``ascend_oriented:CHIP``."""
    target, colon, chip = optimize.partition(":")
    if target == GENERAL and not colon:
        return
    if target != ASCEND_ORIENTED or (colon and chip not in CHIPS):
        raise OptionError(
            f"optimize is {optimize!r}; write {ASCEND_ORIENTED}, {' or '.join(f'{ASCEND_ORIENTED}:{c}' for c in CHIPS)}"
            f" as MindSpore Lite's converter knows them, or {GENERAL} for its CPU"
        )


def check_soc(soc: str | None) -> str:
    """Raises OptionError unless it is a name as ``npu-smi info`` and ATC have it."""
    if soc is None or not SOC.fullmatch(soc):
        raise OptionError(
            f"soc is {soc!r}; give ATC's name of the chip, like Ascend310P3 or Ascend910B3: "
            "Ascend and the name that npu-smi info shows"
        )
    return soc


def lite_configuration(shapes: list[Shapes], mode: Mode, optimize: str) -> Sections:
    """For ``converter_lite --configFile``; several shapes are profiles of one graph."""
    if optimize == GENERAL:
        return {}
    sections: Sections = {"ascend_context": {"input_format": "NCHW", "precision_mode": mode.lite}}
    if len(shapes) == 1:  # "For static BatchSize, use converter_lite command to specify inputShape"
        return sections
    free = _free(shapes)
    if len(free) == 1:  # "Dynamic Resolution" speaks of one input
        sections["ascend_context"].update(
            input_shape=";".join(f"{name}:[{_joined(dims)}]" for name, dims in free.items()),
            dynamic_dims=",".join(f"[{_joined(profile)}]" for profile in _profiles(shapes)),
        )
        return sections
    sections["ascend_context"]["input_format"] = "ND"
    sections["acl_build_options"] = {
        "input_format": '"ND"',
        "input_shape": f'"{_input_shape(free)}"',
        "ge.dynamicDims": f'"{_dynamic_dims(shapes)}"',
    }
    return sections


def lite_command(model: str, stem: str, shapes: list[Shapes], optimize: str, configured: bool) -> list[str]:
    """``converter_lite`` for files of the folder that it runs in."""
    command = [CONVERTER, "--fmk=ONNX", f"--modelFile={model}", f"--outputFile={stem}", "--saveType=MINDIR"]
    command.append(f"--optimize={optimize}")
    if configured:
        command.append(f"--configFile={stem}.ini")
    if len(shapes) == 1:
        command.append(f"--inputShape={_input_shape(_free(shapes))}")
    return command


def atc_command(model: str, stem: str, shapes: list[Shapes], soc: str, mode: Mode) -> list[str]:
    """``atc`` for files of the folder that it runs in; framework 5 is ONNX."""
    command = [ATC, "--framework=5", f"--model={model}", f"--output={stem}", f"--soc_version={soc}"]
    command += [f"--precision_mode={mode.cann}", f"--input_shape={_input_shape(_free(shapes))}"]
    if len(shapes) == 1:
        return [*command, "--input_format=NCHW"]
    return [*command, "--input_format=ND", f"--dynamic_dims={_dynamic_dims(shapes)}"]


def has_tool(format: str) -> bool:
    """Whether ``converter_lite`` or MindSpore Lite's Python converter, or ``atc``, is installed."""
    if shutil.which(ATC if format == "om" else CONVERTER):
        return True
    return format == "mindir" and _lite() is not None


def run_tool(command: list[str], folder: Path, shapes: list[Shapes]) -> None:
    """Run a converter's command line in a folder, by MindSpore Lite's Python module where the program is missing.

    Raises:
        DeviceError: it fails.
    """
    if shutil.which(command[0]):
        done = subprocess.run(command, cwd=str(folder), stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        for left in (folder / name for name in LEFT):
            if left.is_dir():
                shutil.rmtree(str(left))
            elif left.exists():
                left.unlink()
        if done.returncode:
            lines = done.stdout.decode("utf-8", errors="replace").split("\n")
            last = next((line.strip() for line in reversed(lines) if line.strip()), "it says nothing")
            raise DeviceError(f"{command[0]} failed with {done.returncode}: {last[:300]}; see its log for the rest")
        return
    _convert_in_python(dict(part[2:].split("=", 1) for part in command[1:]), folder, shapes)


def _convert_in_python(options: dict[str, str], folder: Path, shapes: list[Shapes]) -> None:
    lite = _lite()
    assert lite is not None
    converter = lite.Converter()
    try:
        converter.optimize = options["optimize"]
    except ValueError as error:
        raise DeviceError(
            f"the converter of MindSpore Lite {lite.__version__} does not take {options['optimize']} "
            f"({str(error).rstrip('.')}); leave the chip out"
        ) from error
    converter.save_type = lite.ModelType.MINDIR
    if len(shapes) == 1:
        converter.input_shape = {name: list(shape) for name, shape in shapes[0].items()}
    config = str(folder / options["configFile"]) if "configFile" in options else ""
    files = [str(folder / options[name]) for name in ("modelFile", "outputFile")]
    try:
        converter.convert(lite.FmkType.ONNX, *files, config_file=config)
    except RuntimeError as error:
        raise DeviceError(
            f"the converter of MindSpore Lite {lite.__version__} could not convert {options['modelFile']} for "
            f"{options['optimize']}; {ASCEND_ORIENTED} needs CANN's libraries: source its set_env.sh, and see its log "
            "with GLOG_v=3 in the environment"
        ) from error


def _lite() -> Any:
    try:
        import mindspore_lite
    except ImportError:
        return None
    return mindspore_lite


def _free(shapes: list[Shapes]) -> Dims:
    """Of each input, its sizes where all shapes agree and -1 where they do not."""
    return {
        name: [axis[0] if len(set(axis)) == 1 else -1 for axis in zip(*(shape[name] for shape in shapes))]
        for name in shapes[0]
    }


def _profiles(shapes: list[Shapes]) -> list[list[int]]:
    """Of each shape, the sizes that stand where ``_free`` has -1, in its order."""
    free = _free(shapes)
    return [
        [size for name, dims in free.items() for size, fixed in zip(shape[name], dims) if fixed == -1]
        for shape in shapes
    ]


def _input_shape(dims: Dims) -> str:
    return ";".join(f"{name}:{_joined(sizes)}" for name, sizes in dims.items())


def _dynamic_dims(shapes: list[Shapes]) -> str:
    return ";".join(_joined(profile) for profile in _profiles(shapes))


def _joined(sizes: list[int]) -> str:
    return ",".join(map(str, sizes))
