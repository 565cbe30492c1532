"""Engines and fork: a child may use what it inherits, but not free it: freeing waits for threads that are not there.

An inherited graph computes in the thread that calls it. So what a child inherits is kept in it for good; it dies with
the process.
"""

from __future__ import annotations

import ctypes
import os
from typing import Any, Callable, Iterable
from weakref import WeakKeyDictionary

Inherited = Callable[[Any], Iterable[object]]

_owners: WeakKeyDictionary[Any, Inherited] = WeakKeyDictionary()


def keep_in_children(owner: Any, inherited: Inherited) -> None:
    """In children forked from now on, keep for good what ``inherited(owner)`` gives there."""
    _owners[owner] = inherited


def _after_fork() -> None:
    for owner, inherited in list(_owners.items()):
        for thing in (owner, *inherited(owner)):
            ctypes.pythonapi.Py_IncRef(ctypes.py_object(thing))


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
