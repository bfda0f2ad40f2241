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

ROOMS = {
    "cache": (
        "cache_keys:keys cache_rows:rows cache_settings:settings cache_stores:stores cache_vectors:middleware "
        "caching:middleware"
    ),
    "colour": "drive:drive parallel:parallel threads:threads",
    "config": (
        "config_check:check config_dotenv:files config_field:schema config_files:files "
        "config_layers:layers config_load:config config_schema:schema config_section:section config_trust:trusted "
        "config_values:values"
    ),
    "discovery": "importing:importing lock:importing manifest:manifest manifest_rules:manifest",
    "errors": "_error_base:base",
    "fetch": "_address:address",
    "flow": (
        "answers:answers embedding:embedding encoding:encoding preparing:preparing resuming:tool_loop retry:retry "
        "structured_flow:structuring toolloop:tool_loop"
    ),
    "http": "http.extras:rules http.sse:events http_gateway:gateway",
    "http.transport": (
        "http.aiohttp_pools:aiohttp_pools http.anetwork:anetwork http.body:body http.connections:connections "
        "http.exchange:exchange http.injected:injected http.network:network http.pools:pools "
        "http.protocol:protocol http.route:route http.slots:slots http.transport:transport"
    ),
    "image": "_image_items:sources _image_pixels:pixels _image_probe:probe _image_sources:sources _png:pixels",
    "resolution": "catalog:catalog endpoint:endpoint resolver:resolver",
    "schemas": (
        "_json_repair:lenient _tool_docs:functions _tool_refs:strict _tool_schema:functions "
        "_typed_dicts:functions structured_check:check structured_schema:strict"
    ),
    "session": "session_files:files session_history:session session_turn:session",
    "structured": "structured_format:format structured_partial:text structured_plan:plan structured_text:text",
    "tools": "_tool:base _tool_runs:runs _tool_threads:runs tool_options:options tools_mcp:mcp",
}
"""By room: what its modules were called, and are called now."""

MOVED = {
    old: f"{room}.{now}" for room, names in ROOMS.items() for old, now in (name.split(":") for name in names.split())
}

PACKAGES = {
    "heavenbase.config_edit": "hb_cli.settings_edit",
    "heavenbase.cli": "hb_cli",
    "heavenbase.testing": "hb_testing",
}
"""What left the kernel for distributions of their own."""


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
    new = KEPT.get(name) or today(name)
    if new is None:
        return None
    if name not in KEPT:
        warn(f"{name} is now {new}; the old name goes with hb 1.0", DeprecationWarning, stacklevel=2)
    return ModuleSpec(name, _Alias(new))  # type: ignore[arg-type]  # the two methods are all that is needed


def today(name: str) -> str | None:
    """What the module of the first release is called now."""
    for old, new in PACKAGES.items():
        if name == old or name.startswith(f"{old}."):
            return new + name.removeprefix(old)
    moved = MOVED.get(name.removeprefix("heavenbase."))
    return None if moved is None else f"heavenbase.{moved}"
