"""What MindSpore and MindSpore Lite log."""

from __future__ import annotations

import os


def keep_quiet() -> None:
    """Leave out all but fatal errors, unless GLOG_v is set: each refusal has a sentence of this project's, and the rest
    is warnings about the machine and MindSpore's own internals. To be called before they are imported.
    """
    os.environ.setdefault("GLOG_v", "4")
    os.environ.setdefault("MS_OM_PATH", os.devnull)  # its reports of failed compilations, else in the working folder
