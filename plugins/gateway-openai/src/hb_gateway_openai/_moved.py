"""Modules of the first release (0.1) that are now in hb_wire_openai; wheels built against it load until 1.0."""

from __future__ import annotations

import sys
from importlib import import_module
from importlib.machinery import ModuleSpec
from types import ModuleType
from warnings import warn

NAMES = {name: name for name in ("dialects", "embeddings", "images", "messages", "parameters", "streams", "usage")}
NAMES["responses"] = "answers"


class _Alias:
    """Loads the module of today under its old name."""

    def create_module(self, spec: ModuleSpec) -> None:
        """Let the import system make an empty module, which `exec_module` replaces."""

    def exec_module(self, module: ModuleType) -> None:
        """Put the module of today into its place."""
        name = NAMES[module.__name__.rpartition(".")[2]]
        sys.modules[module.__name__] = import_module(f"hb_wire_openai.{name}")


def find(name: str) -> ModuleSpec | None:
    """The spec of a module that is asked for by its old name; None for a name that never was."""
    new = NAMES.get(name.removeprefix("hb_gateway_openai."))
    if new is None:
        return None
    warn(f"{name} is now in hb_wire_openai; the old name goes with hb 1.0", DeprecationWarning, stacklevel=3)
    return ModuleSpec(name, _Alias())  # type: ignore[arg-type]  # the two methods are all that is needed
