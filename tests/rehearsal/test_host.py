"""What is told of an Ascend host: devices, CANN's place, versions."""

from __future__ import annotations

import pytest

from srdiff.engines import ascend, open_engine
from srdiff.engines.device_names import each_device
from srdiff.errors import DeviceError, OptionError

OLDER = "ascend-toolkit/set_env.sh"
# As "npu-smi info" prints it ("npu-smi info", Atlas command reference), shortened.
NPU_SMI = """#!/bin/sh
cat <<'END'
+------------------------------------------------------------------------------------------------+
| npu-smi 24.1.0                   Version: 24.1.0                                               |
+---------------------------+---------------+----------------------------------------------------+
| NPU   Name                | Health        | Power(W)    Temp(C)           Hugepages-Usage(page)|
| Chip                      | Bus-Id        | AICore(%)   Memory-Usage(MB)  HBM-Usage(MB)        |
+===========================+===============+====================================================+
| 0     910B3               | OK            | 93.6        34                0    / 0             |
| 0                         | 0000:C1:00.0  | 0           0    / 0          3351 / 65536         |
+===========================+===============+====================================================+
END
"""


@pytest.mark.parametrize(
    ("visible", "expected"),
    [
        (None, [0, 1, 2, 3]),
        ("1", [1]),
        ("1,3", [1, 3]),
        ("1, 2,3", [1]),  # what follows another character is not read
        ("1,3,8", [1, 3]),  # nor what follows a number too high
        ("", []),
        ("x", []),
    ],
)
def test_visible_devices(devices, monkeypatch, visible, expected):
    devices(4)
    if visible is not None:
        monkeypatch.setenv(ascend.VISIBLE, visible)
    assert ascend.ascend_devices() == expected
    if expected:
        ascend.require_ascend(len(expected) - 1)
    with pytest.raises(DeviceError, match=f"Ascend device {len(expected)} was asked for"):
        ascend.require_ascend(len(expected))


@pytest.mark.parametrize(
    ("places", "home", "script"),
    [
        (["cann/set_env.sh"], "cann", "cann/set_env.sh"),
        (
            ["ascend-toolkit/set_env.sh", "ascend-toolkit/latest/x"],
            "ascend-toolkit/latest",
            "ascend-toolkit/set_env.sh",
        ),
        (["nnrt/set_env.sh", "nnrt/latest/x"], "nnrt/latest", "nnrt/set_env.sh"),
        (["cann/set_env.sh", "ascend-toolkit/set_env.sh"], "cann", "cann/set_env.sh"),
    ],
)
def test_canns_place(tmp_path, monkeypatch, places, home, script):
    monkeypatch.delenv("ASCEND_HOME_PATH", raising=False)
    monkeypatch.setattr(ascend, "CANN_PARENTS", (tmp_path / "nowhere", tmp_path))
    for place in places:
        (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / place).touch()
    assert ascend.cann_home() == tmp_path / home
    assert ascend.cann_advice() == f"run: source {tmp_path / script}"


def test_the_named_place_comes_first(tmp_path, monkeypatch):
    (tmp_path / "cann").mkdir()
    monkeypatch.setattr(ascend, "CANN_PARENTS", (tmp_path,))
    monkeypatch.setenv("ASCEND_HOME_PATH", str(tmp_path / "elsewhere"))
    assert ascend.cann_home() == tmp_path / "elsewhere"


def test_no_cann(tmp_path, monkeypatch):
    monkeypatch.delenv("ASCEND_HOME_PATH", raising=False)
    monkeypatch.setattr(ascend, "CANN_PARENTS", (tmp_path,))
    assert ascend.cann_home() is None
    assert "install CANN" in ascend.cann_advice()


def test_facts(devices, tmp_path, monkeypatch):
    devices(2)
    home = tmp_path / "cann"
    home.mkdir()
    (home / "version.cfg").write_text("# version: 1.0\nruntime_running_version=[8.5.0:8.5.0]\n")
    driver = tmp_path / "version.info"
    driver.write_text("Version=25.2.0\nascendhal_version=7.35.23\n")
    program = tmp_path / "npu-smi"
    program.write_text(NPU_SMI)
    program.chmod(0o755)
    monkeypatch.setenv("ASCEND_HOME_PATH", str(home))
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    monkeypatch.setattr(ascend, "DRIVER_VERSION", driver)
    assert ascend.ascend_facts() == {
        "devices": "davinci0, davinci1",
        "driver": "25.2.0",
        "CANN": f"8.5.0, {home}",
        "npu-smi": "24.1.0: 910B3",
    }


@pytest.mark.parametrize(
    ("text", "names"),
    [("cpu", ["cpu"]), ("ascend:0,1", ["ascend:0", "ascend:1"]), ("gpu:2", ["gpu:2"]), ("auto", ["auto"])],
)
def test_lists_of_devices(text, names):
    assert each_device(text) == names


def test_a_device_twice():
    with pytest.raises(OptionError, match="a number twice"):
        each_device("ascend:1,1")


@pytest.mark.parametrize(
    ("device", "options"), [("cpu:0", {}), ("ascend:x", {}), ("auto:1", {}), ("ascend:1", {"device_id": "0"})]
)
def test_numbers_that_are_none(device, options):
    with pytest.raises(OptionError, match="device is"):
        open_engine("auto", device, options=options)
