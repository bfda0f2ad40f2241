"""The front of a room: its public names, each loaded from its module on first use (PEP 562)."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from typing import Any


def front(room: str, table: Mapping[str, str]) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """`__getattr__` and `__dir__` of a package whose public names are loaded on first use.

    Args:
        room: The package's `__name__`.
        table: For each module of the package, or full name of a module elsewhere in the kernel, the public names that
            are loaded from it, in one text; under "" the names of modules that are public as such.
    """
    homes = {name: module for module, names in table.items() for name in names.split()}

    def get(name: str) -> Any:
        home = homes.get(name)
        if home is None:
            raise AttributeError(f"module {room!r} has no attribute {name!r}")
        from importlib import import_module

        found = import_module(home if home.startswith("heavenbase.") else f"{room}.{home or name}")
        value = getattr(found, name) if home else found
        setattr(sys.modules[room], name, value)
        return value

    return get, lambda: sorted(homes)
