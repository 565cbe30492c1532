"""A batch of ``srdiff-run`` under real kills."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time

import pytest

from srdiff.batch.ledger import Ledger

from .test_ledger import NAME, QUICK, picture, sha256

KILLS = 8  # twenty have been seen to do no harm


@pytest.mark.slow
def test_killed_again_and_again(tmp_path):
    """SIGKILL at any moment: at the end every result is there once, whole and the same as without kills."""
    count = 2 * KILLS
    for number in range(count):
        picture(tmp_path / "in" / f"{number:02}.png", number)
    command = [sys.executable, "-m", "srdiff.commands.run", "in", "--quiet", *QUICK]
    subprocess.run([*command, "-o", "plain"], cwd=tmp_path, check=True)
    names = sorted(os.listdir(tmp_path / "plain"))
    rng, kills = random.Random(0), 0
    for _ in range(4 * KILLS):  # one that comes too late does not count
        if kills == KILLS:
            break
        process = subprocess.Popen([*command, "-o", "out"], cwd=tmp_path)
        before = len(list((tmp_path / "out").glob("*.png")))
        while process.poll() is None and len(list((tmp_path / "out").glob("*.png"))) <= before:
            time.sleep(0.005)
        time.sleep(rng.random() * 0.02)
        process.send_signal(signal.SIGKILL)
        kills += process.wait() == -signal.SIGKILL
        done = sorted((tmp_path / "out").glob("*.png"))
        if kills % 3 == 0 or len(done) == count:  # results vanish, too, so there is work again
            for path in done[::4]:
                path.unlink()
    assert kills == KILLS
    subprocess.run([*command, "-o", "out"], cwd=tmp_path, check=True)
    assert sorted(os.listdir(tmp_path / "out")) == names
    for name in names:
        if name != NAME:
            assert sha256(tmp_path / "out" / name) == sha256(tmp_path / "plain" / name)
    entries = Ledger(tmp_path / "out" / NAME).entries
    assert len(entries) == count and all(one.status == "done" for one in entries.values())
    command.remove("--quiet")
    verified = subprocess.run([*command, "-o", "out", "--verify"], cwd=tmp_path, capture_output=True)
    assert f"{count} verified, 0 failed" in verified.stderr.decode()
