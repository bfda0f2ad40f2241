"""The plain word about the demo model, said once per process."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from hb_provider_local.weights import is_demo

if TYPE_CHECKING:
    from pathlib import Path

NOTE = "SmolLM2-135M is a tiny demo model: it is often wrong. Do not rely on what it says."

NO_MODEL = (
    "there is no local model yet: run `hb local pull` (93 MB, once), or name a GGUF file: "
    'hb.LLM(provider="local", model="/path/to.gguf"), or HB_LOCAL_MODEL. `-p mock` needs none'
)

_said = False


def say_once(path: Path) -> None:
    """Print the note to standard error, if this is the demo model, a terminal reads it, and it was not said before."""
    global _said
    if not _said and is_demo(path) and sys.stderr is not None and sys.stderr.isatty():
        _said = True
        print(f"hb: {NOTE}", file=sys.stderr)
