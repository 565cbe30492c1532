"""Settings as they are written: a YAML file, changed by ``--set key=value``."""

from __future__ import annotations

import difflib
import reprlib
from dataclasses import fields
from pathlib import Path
from typing import Any, Callable, Iterable

import numpy as np
import yaml

from srdiff.errors import OptionError, one_line
from srdiff.looking import is_file

from ..model.config import NetworkConfig
from ..model.families import MINDEDITING
from .distil_settings import DistilSettings, of_teacher
from .settings import TrainSettings

GROUPS: dict[str, type] = {"network": NetworkConfig, "distil": DistilSettings}
CONFIGS = Path(__file__).parents[1] / "configs"
# YAML's aliases make values that are longer than any memory where they are written out.
_SHOWN = reprlib.Repr()
_SHOWN.maxlevel, _SHOWN.maxstring, _SHOWN.maxother = 2, 200, 200


def load_settings(stage: str, config: str, changes: Iterable[str] = ()) -> TrainSettings:
    """TrainSettings of a stage from a YAML file.

    Args:
        stage: one of :data:`srdiff_training.run.settings.STAGES`.
        config: a file, or the name of one that comes with this package, with its stage or without: ``card``, ``small``.
        changes: ``key=value``; what belongs to a group is ``network.key=value`` or ``distil.key=value``.

    Raises:
        OptionError: the file is not there or no YAML, a key is unknown, or a value does not fit.
    """
    names = (f"{stage}_{config}", config if config.startswith(f"{stage}_") else "")
    path = next((CONFIGS / f"{name}.yaml" for name in names if is_file(CONFIGS / f"{name}.yaml")), Path(config))
    if not is_file(path):
        known = ", ".join(sorted(file.stem[len(stage) + 1 :] for file in CONFIGS.glob(f"{stage}_*.yaml")))
        raise OptionError(f"{config} is not a file; give a YAML file or one of {known}")
    try:
        content = path.read_bytes()
    except OSError as error:
        raise OptionError(f"{path} cannot be read ({error.strerror}); see its permissions") from error
    values = _parse(str(path), content) or {}
    if not isinstance(values, dict):
        raise OptionError(f"{path} is no list of keys and values; write one 'key: value' a line")
    if stage == "distil" and isinstance(values.get("network"), dict):
        values["network"].pop("fidelity", None)  # a run's settings.yaml has it, where it follows from distil
    for change in changes:
        key, equals, text = change.partition("=")
        if not equals:
            raise OptionError(f"--set {change} has no value; write it as key=value")
        value = _typed(key, text)
        group, dot, name = key.partition(".")
        members = values.get(group) or {}
        if dot and group in GROUPS and isinstance(members, dict):
            values[group] = {**members, name: value}
        else:
            values[key] = value
    return settings_from(stage, values)


def _typed(key: str, text: str) -> Any:
    """A value as it was typed where a word is wanted, by YAML where something else is."""
    group, _, name = key.rpartition(".")
    kind = _types(GROUPS.get(group, TrainSettings)).get(name)
    is_list = text.lstrip().startswith("[")
    if kind == "str" or (kind == "tuple[str, ...]" and not is_list):
        return text
    return _parse(f"--set {key}={text}", text, words=kind == "tuple[str, ...]")


def _parse(source: str, text: str | bytes, words: bool = False) -> Any:
    """What YAML it is; with ``words``, none of them is taken for a number, a date or a truth."""
    try:
        return yaml.load(text, yaml.BaseLoader if words else yaml.SafeLoader)
    except (yaml.YAMLError, ValueError, RecursionError) as error:  # ValueError: a date that never was, no UTF-8
        raise OptionError(f"{source} is no YAML ({one_line(error)}); correct it") from error


def settings_from(stage: str, values: dict[str, Any]) -> TrainSettings:
    """TrainSettings from what a person wrote. A student's sizes and schedule are those of the file that it begins with.

    Raises:
        CheckpointError: that file cannot be read.
        OptionError: a key is unknown, or a value does not fit, or not that file.
    """
    source = values.get("teacher") or values.get("init_from")
    # A file that was moved since stops no run whose sizes are known: one that needs it says so when it loads it.
    if stage != "distil" or not isinstance(source, str) or (values.get("network") and not is_file(source)):
        return stored_settings(stage, values)
    stated = of_teacher(Path(source), values)
    network = {**stated.pop("network"), **_group(dict(values), "network")}
    settings = stored_settings(stage, {**stated, **values, "network": network})
    for name, value in stated.items():
        found = getattr(settings, name)
        if found != value and (isinstance(value, str) or np.float32(found) != np.float32(value)):
            raise OptionError(
                f"{name} is {found} where {source} was trained with {value}; leave it out, and it is that, too"
            )
    return settings


def stored_settings(stage: str, values: dict[str, Any]) -> TrainSettings:
    """TrainSettings from what a checkpoint holds; the reverse of :meth:`TrainSettings.plain`.

    Raises:
        OptionError: a key is unknown, or a value does not fit.
    """
    values = dict(values)
    if values.pop("stage", stage) != stage:
        raise OptionError(f"the configuration is for another stage than {stage}; run srdiff-train with its own")
    if isinstance(values.get("data"), str):
        values["data"] = [values["data"]] if values["data"] else []
    network, distil = (_group(values, name) for name in GROUPS)
    network = {"family": MINDEDITING.name, **network}
    fitting = _coerced(TrainSettings, {**values, "data": values.get("data") or []}, "")
    distils = DistilSettings(**_coerced(DistilSettings, distil, "distil."))
    if stage == "distil" and network.setdefault("fidelity", distils.has_dial) != distils.has_dial:
        raise OptionError(
            f"network.fidelity is {network['fidelity']} where distil.fidelity_batches and distil.steps make it "
            f"{distils.has_dial}; leave it out, or set it to that"
        )
    return TrainSettings(
        stage=stage,
        network=NetworkConfig(**_coerced(NetworkConfig, network, "network.")),
        distil=distils,
        **fitting,
    )


def _group(values: dict[str, Any], name: str) -> dict[str, Any]:
    """Takes a group of settings out of the others."""
    members = values.pop(name, None) or {}
    if not isinstance(members, dict):
        found = _SHOWN.repr(members)
        raise OptionError(f"{name} is {found}; write its values under it, as {name}.KEY=VALUE or as lines")
    return members


_KINDS: dict[str, tuple[str, Callable[[Any], Any]]] = {
    "int": ("a whole number", lambda value: _whole(value)),
    "float": ("a number", lambda value: _number(value)),
    "bool": ("true or false", lambda value: _exactly(bool, value)),
    "str": ("a word, so put it in quotes", lambda value: "" if value is None else _exactly(str, value)),
    "tuple[int, ...]": ("a list of whole numbers", lambda value: tuple(_whole(item) for item in _exactly(list, value))),
    "tuple[str, ...]": (
        "a list of words, so put each in quotes",
        lambda value: tuple(_exactly(str, item) for item in _exactly(list, value)),
    ),
}


def _types(kind: type) -> dict[str, str]:
    return {entry.name: str(entry.type) for entry in fields(kind) if entry.name not in ("stage", *GROUPS)}


def _coerced(kind: type, values: dict[str, Any], prefix: str) -> dict[str, Any]:
    """Every value as the data class's field wants it. OptionError names an unknown key or an unfitting value."""
    types = _types(kind)
    result = {}
    for key, value in values.items():
        if key not in types:
            near = difflib.get_close_matches(str(key), types, 1, 0.0)[0]
            raise OptionError(f"the configuration has an unknown key {prefix}{key}; did you mean {prefix}{near}?")
        description, convert = _KINDS[types[key]]
        try:
            result[key] = convert(value)
        except (TypeError, ValueError, OverflowError) as error:
            raise OptionError(f"{prefix}{key} is {_SHOWN.repr(value)}; it must be {description}") from error
    return result


def _whole(value: Any) -> int:
    if type(value) is int:
        return value
    if isinstance(value, bool) or float(value) != int(float(value)):
        raise ValueError(value)
    return int(float(value))


def _number(value: Any) -> float:
    if isinstance(value, bool):
        raise TypeError(value)
    return float(value)  # YAML reads 1e-4 as a word


def _exactly(kind: type, value: Any) -> Any:
    if not isinstance(value, kind):
        raise TypeError(value)
    return value
