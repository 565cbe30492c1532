"""Which Ascend devices this host has, where its CANN lies, and what both say of themselves."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

from ..errors import DeviceError

DEVICE_NODES = Path("/dev")
DRIVER_VERSION = Path("/usr/local/Ascend/driver/version.info")
VISIBLE = "ASCEND_RT_VISIBLE_DEVICES"
# Where set_env.sh lies by default: CANN 9's place, then the older ones of toolkit, run time and engine ("Preparing the
# asys Tool Environment", CANN 9.0; "envref_07_0002", CANN 8.0).
CANN_PLACES = ("cann", "ascend-toolkit", "nnrt", "nnae")
CANN_PARENTS = (Path("/usr/local/Ascend"), Path.home() / "Ascend")
_VERSION_FILES = ("version.cfg", "compiler/version.info", "runtime/version.info", "opp/version.info")


def ascend_devices() -> list[int]:
    """Numbers of the driver's device nodes ``/dev/davinciN`` that this process may use, in the order it counts them.

    ``ASCEND_RT_VISIBLE_DEVICES`` names some of them by their place among all, ascending; what follows another
    character or a number too high is not read ("envref_07_0028", CANN 8.0 to 9.1).
    """
    matches = [re.fullmatch(r"davinci(\d+)", node.name) for node in DEVICE_NODES.glob("davinci*")]
    nodes = sorted(int(match.group(1)) for match in matches if match)
    visible = os.environ.get(VISIBLE)
    if visible is None:
        return nodes
    chosen: list[int] = []
    for text in visible.split(","):
        number = re.match(r"\d+", text)
        if number is None or int(number.group()) >= len(nodes):
            break
        chosen.append(nodes[int(number.group())])
        if number.group() != text:
            break
    return chosen


def require_ascend(device_id: int) -> None:
    """Raises DeviceError unless there are more than ``device_id`` devices: processes count those they see from 0."""
    found = ascend_devices()
    hidden = f" ({VISIBLE} is {os.environ[VISIBLE]!r})" if VISIBLE in os.environ else ""
    if not found:
        raise DeviceError(
            f"Ascend device {device_id} was asked for and this host has none{hidden}: there is no "
            f"{DEVICE_NODES}/davinci0 to use; install the Ascend driver, or pass the device into the container"
        )
    if device_id >= len(found):
        raise DeviceError(
            f"Ascend device {device_id} was asked for and this host has {len(found)}{hidden}; "
            f"choose device_id from 0 to {len(found) - 1}"
        )


def cann_home() -> Path | None:
    """CANN's folder: ``ASCEND_HOME_PATH``, which its set_env.sh sets, else the first default place that exists."""
    named = os.environ.get("ASCEND_HOME_PATH")
    if named:
        return Path(named)
    for parent in CANN_PARENTS:
        for place in CANN_PLACES:
            for folder in (parent / place / "latest", parent / place):
                if (folder / "set_env.sh").is_file() or (folder.name == "latest" and folder.is_dir()):
                    return folder
    return None


def cann_advice() -> str:
    """What to type so that CANN's libraries are found."""
    home = cann_home()
    for folder in (home, home.parent) if home else ():
        if (folder / "set_env.sh").is_file():
            return f"run: source {folder / 'set_env.sh'}"
    return (
        "install CANN and run: source /usr/local/Ascend/cann/set_env.sh "
        "(before CANN 9: /usr/local/Ascend/ascend-toolkit/set_env.sh)"
    )


def ascend_facts() -> dict[str, str]:
    """What there is of an Ascend here, for a reader: devices, driver, CANN, ``npu-smi info``; may be empty."""
    facts: dict[str, str] = {}
    devices = ascend_devices()
    if devices or VISIBLE in os.environ:
        facts["devices"] = ", ".join(f"davinci{number}" for number in devices) or "none"
    if VISIBLE in os.environ:
        facts[VISIBLE] = os.environ[VISIBLE]
    driver = _version_in(DRIVER_VERSION)
    if driver:
        facts["driver"] = driver
    home = cann_home()
    if home is not None:
        version = next(filter(None, (_version_in(home / name) for name in _VERSION_FILES)), "of unknown version")
        facts["CANN"] = f"{version}, {home}" + ("" if home.is_dir() else " (no such folder)")
    chips = _npu_smi()
    if chips:
        facts["npu-smi"] = chips
    return facts


def _version_in(file: Path) -> str:
    """The value of the first ``version=`` line of a CANN version file; empty without one."""
    try:
        text = file.read_text(encoding="utf-8", errors="replace")[:65536]
    except OSError:
        return ""
    match = re.search(r"^\s*(?:[a-z_]*version)\s*=\s*\[?([^\s\]:]+)", text, re.IGNORECASE | re.MULTILINE)
    return match.group(1) if match else ""


def _npu_smi() -> str:
    """Version and chips by ``npu-smi info``, as ``24.1.0: 910B3, 910B3``; empty where it is missing or fails."""
    program = shutil.which("npu-smi")
    if program is None:
        return ""
    try:
        done = subprocess.run([program, "info"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=20)
    except (OSError, subprocess.TimeoutExpired):
        return "does not answer"
    text = done.stdout.decode("utf-8", errors="replace")
    version = re.search(r"npu-smi\s+(\S+)", text)
    chips = re.findall(r"^\|\s*\d+\s+([0-9]{3}\w*)\s*\|", text, re.MULTILINE)
    return f"{version.group(1) if version else 'unknown'}: {', '.join(chips) or 'no chip listed'}"
