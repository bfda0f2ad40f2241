"""Names that modules had in the first release (0.1), and where they are now.

Some of them people type, and those stay. The others go with 1.0, and say so: wheels that were built against the first
release load until then.
"""

from __future__ import annotations

import sys
from importlib import import_module
from importlib.machinery import ModuleSpec
from types import ModuleType
from warnings import warn

KEPT = {"heavenbase.repair": "heavenbase.tools.repair"}
"""Names that stay."""

MOVED = {
    "_address": "fetch.address",
    "_error_base": "errors.base",
    "_image_items": "image.items",
    "_image_pixels": "image.pixels",
    "_image_probe": "image.probe",
    "_image_sources": "image.sources",
    "_json_repair": "schemas.lenient",
    "_png": "image.png",
    "_tool": "tools.base",
    "_tool_docs": "schemas.docstrings",
    "_tool_refs": "schemas.docstrings",
    "_tool_runs": "tools.runs",
    "_tool_schema": "schemas.functions",
    "_tool_threads": "tools.threads",
    "_typed_dicts": "schemas.docstrings",
    "answers": "flow.answers",
    "cache_keys": "cache.keys",
    "cache_rows": "cache.rows",
    "cache_settings": "cache.settings",
    "cache_stores": "cache.stores",
    "cache_vectors": "cache.vectors",
    "caching": "cache.middleware",
    "catalog": "resolution.catalog",
    "config_check": "config.check",
    "config_dotenv": "config.dotenv",
    "config_edit": "config.edit",
    "config_field": "config.field",
    "config_files": "config.files",
    "config_layers": "config.layers",
    "config_load": "config.load",
    "config_schema": "config.schema",
    "config_section": "config.section",
    "config_trust": "config.trusted",
    "config_values": "config.values",
    "drive": "colour.drive",
    "embedding": "flow.embedding",
    "encoding": "flow.encoding",
    "endpoint": "resolution.endpoint",
    "http_gateway": "http.gateway",
    "importing": "discovery.importing",
    "lock": "discovery.lock",
    "manifest": "discovery.manifest",
    "manifest_rules": "discovery.manifest_rules",
    "parallel": "colour.parallel",
    "preparing": "flow.preparing",
    "resolver": "resolution.resolver",
    "resuming": "flow.resuming",
    "retry": "flow.retry",
    "session_files": "session.files",
    "session_history": "session.history",
    "session_turn": "session.turn",
    "structured_check": "schemas.check",
    "structured_flow": "flow.structuring",
    "structured_format": "structured.format",
    "structured_partial": "structured.partial",
    "structured_plan": "structured.plan",
    "structured_schema": "schemas.strict",
    "structured_text": "structured.text",
    "threads": "colour.threads",
    "tool_options": "tools.options",
    "toolloop": "flow.tool_loop",
    "tools_mcp": "tools.mcp",
    **{
        f"http.{name}": f"http.transport.{name}"
        for name in (
            *("aiohttp_pools", "anetwork", "body", "connections", "exchange", "injected", "network", "pools"),
            *("protocol", "route", "slots", "transport"),
        )
    },
}

PACKAGES = {"heavenbase.cli": "hb_cli", "heavenbase.testing": "hb_testing"}
"""Packages that became distributions of their own, by what `pip install` calls them with a hyphen."""


class _Alias:
    """Loads the module of today under its old name."""

    def __init__(self, new: str) -> None:
        self.new = new

    def create_module(self, spec: ModuleSpec) -> None:
        """Let the import system make an empty module, which `exec_module` replaces."""

    def exec_module(self, module: ModuleType) -> None:
        """Put the module of today into its place."""
        sys.modules[module.__name__] = import_module(self.new)


def find(name: str) -> ModuleSpec | None:
    """The spec of a module that is asked for by its old name; None for a name that never was."""
    new = KEPT.get(name)
    if new is None:
        new = today(name)
        if new is None:
            return None
        warn(f"{name} is now {new}; the old name goes with hb 1.0", DeprecationWarning, stacklevel=2)
    return ModuleSpec(name, _Alias(new))  # type: ignore[arg-type]  # the two methods are all that is needed


def today(name: str) -> str | None:
    """What the module of the first release is called now."""
    for old, new in PACKAGES.items():
        if name == old or name.startswith(f"{old}."):
            return new + name.removeprefix(old)
    moved = MOVED.get(name.removeprefix("heavenbase."))
    return None if moved is None else f"heavenbase.{moved}"
