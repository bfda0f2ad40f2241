"""Kernels that see only what a test gives them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hb_testing.conformance.rig import environment
from heavenbase.config.config import Config
from heavenbase.kernel import Kernel

GATE_KEY = "pk-canary-0123456789abcdef"
DEEPSEEK_KEY = "sk-canary-0123456789abcdef"
KEYS = {"PORTKEY_API_KEY": GATE_KEY, "DEEPSEEK_API_KEY": DEEPSEEK_KEY}


def make_kernel(settings: Mapping[str, Any] | None = None, **environ: str) -> Kernel:
    """A kernel without a cache that sees these variables and settings only."""
    return Kernel(
        Config.from_dict({"heavenbase.llm.cache.enabled": False, **(settings or {})}, environ=environment(**environ))
    )
