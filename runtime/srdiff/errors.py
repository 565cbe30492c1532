"""Every error that a caller can act on, under one root.

A message is one sentence: what was found, what was expected, what to do.
"""

from __future__ import annotations


class SRDiffError(Exception):
    """Root of this project's errors; ``exit_code`` is what the commands exit with."""

    exit_code = 2


class ImageError(SRDiffError):
    """An image cannot be read: damaged, too large, or not an image."""


class OutputError(SRDiffError):
    """A result cannot be written where it was asked for."""


class ExistsError(OutputError):
    """Another file got a result's name while that was made, and is kept."""


class BundleError(SRDiffError):
    """A bundle is damaged, incomplete, too new, or not a bundle."""


class CheckpointError(SRDiffError):
    """A checkpoint cannot be read or is not an SRDiff that this project knows."""


class DeviceError(SRDiffError):
    """The engine, device or precision that was asked for is not available here."""


class PackageError(SRDiffError):
    """A Python package that this needs is not installed."""


class OptionError(SRDiffError, ValueError):
    """An argument is outside what it may be."""


class FullLine(SRDiffError):
    """As many wait as may."""


class Stopped(SRDiffError):
    """Work that nobody waits for any more was given up."""


class ParityError(SRDiffError):
    """An exported graph does not agree with its source within the bound."""

    exit_code = 1


class TrainingError(SRDiffError):
    """Training has come to a state that going on does not mend."""

    exit_code = 1


def one_line(error: Exception) -> str:
    """A library's own message without its line breaks, to quote in a sentence."""
    return " ".join(str(error).split()) or type(error).__name__
