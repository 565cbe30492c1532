"""Stand-ins for ``converter_lite`` and ``atc``, as programs on the path.

``converter_lite``: "Offline Conversion of Inference Models", "Description of Parameters", MindSpore Lite 2.8; its
configuration file: "Ascend Conversion Tool Description", 2.8. ``atc``: ``--dynamic_dims`` (CANN 8.0 to 9.1) and
``--precision_mode`` (CANN 8.5 and 9.0).
"""

from __future__ import annotations

import configparser
import sys
from pathlib import Path

from srdiff.engines.ascend_precision import CANN_MODES

from .arithmetic import graph_inputs
from .fake_lite_context import ACL_MODES
from .fake_mindir import fake_mindir

Shape = dict


def install(folder: Path, monkeypatch, *names: str) -> None:
    """Put programs on the path."""
    folder.mkdir()
    root = Path(__file__).parents[2]
    for name in names:
        program = folder / name
        paths = [str(root), *sys.path]
        lines = [f"#!{sys.executable}", "import sys", f"sys.path[:0] = {paths!r}"]
        lines += [f"from tests.rehearsal.fake_tools import {name}", f"sys.exit({name}(sys.argv[1:]))"]
        program.write_text("\n".join(lines) + "\n")
        program.chmod(0o755)
    monkeypatch.setenv("PATH", str(folder), prepend=":")


def converter_lite(arguments: list[str]) -> int:
    """ "The parameter name and the parameter value are connected by an equal sign without any space"."""
    known = ("fmk", "modelFile", "outputFile", "configFile", "inputShape", "saveType", "optimize")
    options = _options(arguments, known)
    if options["fmk"] != "ONNX" or options.get("saveType", "MINDIR") != "MINDIR":
        return _fail("INPUT ILLEGAL: fmk or saveType")
    target, _, chip = options.get("optimize", "general").partition(":")
    if target not in ("none", "general", "ascend_oriented") or chip not in ("", "default", "910b"):
        return _fail(f"INPUT ILLEGAL: optimize {options['optimize']}")
    shape = _shapes(options.get("inputShape", ""))
    output = options["outputFile"] + ".mindir"
    write_converted(Path(options["modelFile"]), output, shape, options.get("configFile", ""), target)
    print("CONVERT RESULT SUCCESS:0")
    return 0


def atc(arguments: list[str]) -> int:
    known = (
        "framework",
        "model",
        "output",
        "soc_version",
        "precision_mode",
        "input_shape",
        "input_format",
        "dynamic_dims",
    )
    options = _options(arguments, known)
    if options["framework"] != "5" or options["precision_mode"] not in CANN_MODES:
        return _fail("ATC run failed: framework or precision_mode")
    profiles = [list(map(int, each.split(","))) for each in options.get("dynamic_dims", "").split(";") if each]
    _require_profiles(_shapes(options["input_shape"]), profiles, options["input_format"])
    Path(options["output"] + ".om").write_bytes(Path(options["model"]).read_bytes())
    print("ATC run success")
    return 0


def write_converted(model: Path, output: str, shape: Shape, config_file: str, optimize: str) -> None:
    """A static graph of ``inputShape``, or one of the configuration file's profiles."""
    content = model.read_bytes()
    parser = configparser.RawConfigParser()
    if config_file:
        with Path(config_file).open(encoding="utf-8") as stream:
            parser.read_file(stream)
    context = dict(parser.items("ascend_context")) if parser.has_section("ascend_context") else {}
    build = dict(parser.items("acl_build_options")) if parser.has_section("acl_build_options") else {}
    if "input_shape" in build:
        free = _shapes(build["input_shape"].strip('"'))
        profiles = [list(map(int, each.split(","))) for each in build["ge.dynamicdims"].strip('"').split(";")]
        _require_profiles(free, profiles, build["input_format"].strip('"'))
    elif "input_shape" in context:
        free = _shapes(context["input_shape"].replace("[", "").replace("]", ""))
        profiles = [list(map(int, each.split(","))) for each in context["dynamic_dims"].strip("[]").split("],[")]
    else:
        free, profiles = shape, [[]]
    if list(free) != graph_inputs(content):
        raise ValueError(f"inputs are {graph_inputs(content)}, not {list(free)}")
    mode = ACL_MODES[context.get("precision_mode", "enforce_fp16")] if optimize == "ascend_oriented" else ""
    shapes = [_filled(free, profile) for profile in profiles]
    Path(output).write_bytes(fake_mindir(content, shapes, precision_mode=mode))


def _require_profiles(free: Shape, profiles: list[list[int]], input_format: str) -> None:
    """ "At least two profiles must be set, and a maximum of 100"; as many sizes as there are -1; format ND."""
    holes = sum(size == -1 for sizes in free.values() for size in sizes)
    if not profiles and not holes:
        return
    if input_format != "ND" or not 2 <= len(profiles) <= 100 or any(len(each) != holes for each in profiles):
        raise ValueError(f"{len(profiles)} profiles for {holes} free axes in format {input_format}")


def _filled(free: Shape, profile: list[int]) -> Shape:
    sizes = iter(profile)
    return {name: tuple(next(sizes) if size == -1 else size for size in each) for name, each in free.items()}


def _shapes(text: str) -> Shape:
    parts = [part.rpartition(":") for part in text.split(";") if part]
    return {name: tuple(map(int, sizes.split(","))) for name, _, sizes in parts}


def _options(arguments: list[str], known: tuple[str, ...]) -> dict[str, str]:
    options = {}
    for argument in arguments:
        name, equals, value = argument.partition("=")
        if not name.startswith("--") or not equals or name[2:] not in known:
            raise SystemExit(_fail(f"unknown parameter {argument}"))
        options[name[2:]] = value
    return options


def _fail(text: str) -> int:
    print(text)
    return 1
