"""What a new bundle may take the place of: an older one, and nothing that a person has put there."""

from __future__ import annotations

import os
import re
from pathlib import Path

from srdiff.bundle import MANIFEST_NAME, Bundle
from srdiff.errors import BundleError, OutputError
from srdiff.looking import is_there

from .ascend_tools import LEFT

# What convert.sh makes in a bundle's folder, beside the files that its manifest lists: ATC adds the system to a dynamic
# graph's name, MindSpore Lite parts a large one.
_CONVERTED = re.compile(r"(encoder|step)_(\d+x\d+|profiles)((_linux_\w+)?\.om|(_graph)?\.mindir|_variables)")
_NO_PERSONS = (*LEFT, ".DS_Store")


def require_replaceable(target: Path, overwrite: bool) -> None:
    """Raises OutputError unless nothing is there, or a whole bundle that is to be replaced and holds nothing else."""
    if not is_there(target):
        return
    if not overwrite:
        raise OutputError(f"{target} exists already; choose another name, or --overwrite to replace a bundle")
    try:
        own = {*Bundle(target).file_names, MANIFEST_NAME}
    except BundleError as error:
        raise OutputError(
            f"{target} exists already and is no whole bundle; choose another name, or move it away"
        ) from error
    for name in sorted(os.listdir(str(target))):
        if name not in own and name not in _NO_PERSONS and not _CONVERTED.fullmatch(name):
            raise OutputError(
                f"{target / name} is no file of the bundle that was to be replaced; move it away, or choose another "
                "name for the new one"
            )
