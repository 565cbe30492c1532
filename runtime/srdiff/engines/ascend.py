"""Which Ascend devices this host has."""

from __future__ import annotations

import re
from pathlib import Path

from ..errors import DeviceError

DEVICE_NODES = Path("/dev")


def ascend_devices() -> list[int]:
    """Numbers of the driver's device nodes ``/dev/davinciN``, in order; none without Ascend or its driver."""
    matches = [re.fullmatch(r"davinci(\d+)", node.name) for node in DEVICE_NODES.glob("davinci*")]
    return sorted(int(match.group(1)) for match in matches if match)


def require_ascend(device_id: int) -> None:
    """Raises DeviceError unless the host has more than ``device_id`` devices: processes count those they see from 0."""
    found = ascend_devices()
    if not found:
        raise DeviceError(
            f"Ascend device {device_id} was asked for and this host has none: there is no {DEVICE_NODES}/davinci0; "
            "install the Ascend driver, or pass the device into the container"
        )
    if device_id >= len(found):
        raise DeviceError(
            f"Ascend device {device_id} was asked for and this host has {len(found)}; "
            f"choose device_id from 0 to {len(found) - 1}"
        )
