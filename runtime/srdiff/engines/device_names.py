"""Devices as people write them: ``cpu``, ``gpu:1``, ``ascend:0,1``."""

from __future__ import annotations

from typing import Mapping

from ..errors import OptionError

NUMBERED = ("ascend", "gpu")


def each_device(text: str) -> list[str]:
    """One name per device: ``ascend:0,1`` -> ``ascend:0`` and ``ascend:1``; what is no list stays as it is.

    Raises:
        OptionError: a number comes twice, or is none.
    """
    name, _, numbers = text.partition(":")
    names = [f"{name}:{number}" for number in numbers.split(",")] if "," in numbers else [text]
    if len(set(names)) < len(names):
        raise OptionError(f"device is {text!r}, with a number twice; name each device once")
    if len(names) > 1:
        for each in names:
            with_number(each, {})
    return names


def with_number(device: str, options: Mapping[str, str]) -> tuple[str, dict[str, str]]:
    """``ascend:1`` -> ``ascend`` and the options with ``device_id`` 1.

    Raises:
        OptionError: the device is no text or has no numbers, this is none, or the options say another.
    """
    if not isinstance(device, str):
        raise OptionError(f"device is {device!r}; it must be a name, like cpu or gpu:0")
    name, colon, number = device.partition(":")
    if not colon:
        return device, dict(options)
    if name not in NUMBERED or not number.isdecimal():
        raise OptionError(f"device is {device!r}; write it as {' or '.join(f'{each}:0' for each in NUMBERED)}")
    if options.get("device_id", number) != number:
        raise OptionError(
            f"device is {device!r} and device_id is {options['device_id']!r}; leave the option out, or the number"
        )
    return name, {**options, "device_id": number}
