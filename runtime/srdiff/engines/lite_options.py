"""What ``--engine-option`` sets of MindSpore Lite."""

from __future__ import annotations

import configparser
from dataclasses import dataclass, field
from pathlib import Path
from typing import Dict, Mapping

from ..errors import OptionError
from .ascend_precision import Mode, choose_mode
from .base import option_number, require_known

PROVIDERS = ("", "ge")
OF_DEVICE = {"ascend": ("device_id", "precision_mode", "provider"), "gpu": ("device_id",), "cpu": ()}
# Sections of a configuration, as {section: {key: value}}.
Sections = Dict[str, Dict[str, str]]


@dataclass(frozen=True)
class LiteOptions:
    """Options, checked.

    Attributes:
        device_id: of the Ascend or GPU.
        mode: what the Ascend computes in; None on another device.
        provider: of the Ascend's graph executor: empty for ACL, or ``ge``.
        config_file: an ini file in MindSpore Lite's own format.
        config: sections of such a file; they win over the file's.
    """

    device_id: int = 0
    mode: Mode | None = None
    provider: str = ""
    config_file: Path | None = None
    config: Sections = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.provider not in PROVIDERS:
            raise OptionError(f"provider is {self.provider!r}; choose ge, or leave it out for ACL")
        if self.config_file is not None and not self.config_file.is_file():
            raise OptionError(f"config_file {self.config_file} is not a file; give MindSpore Lite's ini file")

    @classmethod
    def parse(cls, device: str, precision: str, options: Mapping[str, str]) -> LiteOptions:
        """From text; ``SECTION.KEY`` sets a key of Lite's configuration."""
        config: Sections = {}
        plain: dict[str, str] = {}
        for name, value in options.items():
            section, dot, key = name.partition(".")
            if dot and section and key:
                config.setdefault(section, {})[key] = value
            else:
                plain[name] = value
        require_known(f"MindSpore Lite on {device}", plain, (*OF_DEVICE[device], "config_file", "SECTION.KEY"))
        return cls(
            device_id=option_number("device_id", plain.get("device_id", "0")),
            mode=choose_mode(precision, plain.get("precision_mode")) if device == "ascend" else None,
            provider=plain.get("provider", ""),
            config_file=Path(plain["config_file"]) if "config_file" in plain else None,
            config=config,
        )

    def sections(self) -> Sections:
        """The configuration file's sections and the others over them; empty without either."""
        parser = _parser()
        if self.config_file is not None:
            try:
                parser.read_string(self.config_file.read_text(encoding="utf-8"))
            except (configparser.Error, OSError, ValueError) as error:
                cause = str(error).splitlines()[0]
                raise OptionError(f"config_file {self.config_file} is not an ini file: {cause}; correct it") from error
        parser.read_dict(self.config)
        return {name: dict(parser.items(name)) for name in parser.sections()}


def write_sections(sections: Mapping[str, Mapping[str, str]], file: Path) -> None:
    """In the format that MindSpore Lite and its converter read."""
    parser = _parser()
    parser.read_dict(sections)
    with file.open("w", encoding="utf-8") as stream:
        parser.write(stream, space_around_delimiters=False)


def _parser() -> configparser.RawConfigParser:
    parser = configparser.RawConfigParser(delimiters=("=",))
    parser.optionxform = str  # type: ignore[assignment, method-assign]  # keys keep their case
    return parser
