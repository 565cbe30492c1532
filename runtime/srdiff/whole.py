"""Whole numbers as arguments."""

from __future__ import annotations

import operator
from typing import Any

from .errors import OptionError


def whole(name: str, value: Any, least: int | None = None, most: int | None = None) -> int:
    """An argument that is a whole number within its bounds, NumPy's integers included; no truth value, no rounding.

    Raises:
        OptionError: it is anything else.
    """
    try:
        number = None if isinstance(value, bool) else operator.index(value)
    except TypeError:
        number = None
    if number is None or (least is not None and number < least) or (most is not None and number > most):
        bounds = "" if least is None else f" from {least}" + ("" if most is None else f" to {_power(most)}")
        raise OptionError(f"{name} is {value!r}; it must be a whole number{bounds}")
    return number


def keep_whole(record: object, name: str, least: int | None = None, most: int | None = None, of: str = "") -> None:
    """Have a field of a frozen data class be the plain number that :func:`whole` makes of it, which JSON has, too.

    Args:
        of: what the error has before the field's name.

    Raises:
        OptionError: it is no whole number within its bounds.
    """
    object.__setattr__(record, name, whole(of + name, getattr(record, name), least, most))


def _power(number: int) -> str:
    """Readable where it is the largest of a word."""
    return "2**64 - 1" if number == 2**64 - 1 else str(number)
