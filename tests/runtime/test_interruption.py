"""Termination as an interruption: once, in order, and never against who ignores or handles it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading

import pytest

from srdiff.commands.interruption import ECHOES, Terminated, interrupted_by_termination

pytestmark = pytest.mark.skipif(os.name != "posix", reason="these signals are POSIX's")

WORK = """
import os, signal, sys, time
import click
from srdiff.commands.command import Command

@click.command(cls=Command)
def main():
    try:
        os.kill(os.getpid(), getattr(signal, sys.argv[1]))
        time.sleep(30)
    finally:
        os.kill(os.getpid(), signal.SIGTERM)  # an echo, which must not cut this short
        print("tidied", flush=True)
        if sys.argv[2:]:
            time.sleep(float(sys.argv[2]))
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(30)

main(args=[])
"""


def ended(*arguments: object) -> subprocess.CompletedProcess:
    command = [sys.executable, "-c", WORK, *map(str, arguments)]
    # Under nohup this process ignores SIGHUP, which its children would inherit.
    return subprocess.run(command, capture_output=True, timeout=60, preexec_fn=_hear)


def _hear():
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP"])
def test_a_command_ends_in_order(name):
    done = ended(name)
    assert (done.returncode, done.stderr) == (128 + getattr(signal, name), b"Interrupted.\n")
    assert done.stdout == b"tidied\n"


def test_a_later_signal_ends_it_on_the_spot():
    done = ended("SIGTERM", ECHOES + 0.2)
    assert (done.returncode, done.stderr) == (-signal.SIGTERM, b"")


def test_ignored_and_handled_signals_stay_as_they_are():
    kept = {signal.SIGHUP: signal.SIG_IGN, signal.SIGTERM: lambda number, frame: None}
    before = {number: signal.signal(number, handler) for number, handler in kept.items()}
    try:
        with interrupted_by_termination():
            assert {number: signal.getsignal(number) for number in kept} == kept
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def test_one_that_is_handled_within_the_block_stays_so():
    def handler(number, frame):
        pass

    try:
        with interrupted_by_termination():
            signal.signal(signal.SIGTERM, handler)
        assert signal.getsignal(signal.SIGTERM) is handler
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


def test_afterwards_and_in_other_threads_nothing_is_changed():
    with pytest.raises(Terminated), interrupted_by_termination():
        os.kill(os.getpid(), signal.SIGTERM)
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    seen = []

    def elsewhere():
        with interrupted_by_termination():
            seen.append(signal.getsignal(signal.SIGTERM))

    thread = threading.Thread(target=elsewhere)
    thread.start()
    thread.join()
    assert seen == [signal.SIG_DFL]
