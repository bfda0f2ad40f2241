"""The openai gateway of hb: the official openai SDK over the OpenAI wire; and `custom`, any endpoint that speaks it."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from hb_gateway_openai.gateway import OpenAIGateway
from heavenbase.plugin import Provider

if TYPE_CHECKING:
    from collections.abc import Sequence
    from importlib.machinery import ModuleSpec

__all__ = ["OpenAIGateway", "custom"]

custom = Provider(__name__, "custom")


class _Moved:
    """Finds the modules of the first release under their old names; asked last, when nothing else has the name."""

    @staticmethod
    def find_spec(name: str, path: Sequence[str] | None = None, target: object = None) -> ModuleSpec | None:
        if not name.startswith("hb_gateway_openai."):
            return None
        from hb_gateway_openai._moved import find

        return find(name)


sys.meta_path.append(_Moved)
