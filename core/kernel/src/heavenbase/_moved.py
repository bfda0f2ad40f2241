"""Names that modules had in the first release (0.1), and where they are now.

Some of them people type, and those stay. The others go with 1.0, and say so: wheels that were built against the first
release load until then.
"""

from __future__ import annotations

import sys
from importlib import import_module
from importlib.abc import Loader
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from types import CodeType, ModuleType
from warnings import warn

from heavenbase import _Moved

KEPT = {"heavenbase.repair": "heavenbase.tools.repair"}
"""Names that stay."""

ROOMS = {
    "cache": "cache_keys cache_rows cache_settings cache_stores cache_vectors:middleware caching:middleware",
    "colour": "drive parallel threads:parallel",
    "config": (
        "config_check config_dotenv:files config_field:schema config_files config_layers config_load:config "
        "config_schema config_section config_trust:trusted config_values"
    ),
    "discovery": "importing lock:importing manifest manifest_rules:manifest",
    "errors": "_error_base:base",
    "fetch": "_address:address",
    "flow": (
        "answers embedding encoding:preparing preparing resuming:tool_loop retry structured_flow:structuring "
        "toolloop:tool_loop"
    ),
    "http": "http.client:gateway http.extras:rules http.shapes:payload http.sse:events http_gateway",
    "http.transport": (
        "http.aiohttp_pools:aiohttp_pools http.anetwork http.body http.connections http.exchange "
        "http.injected:protocol http.network http.pools http.protocol http.route:connections http.slots:sender"
    ),
    "image": "_image_items:sources _image_pixels:pixels _image_probe:probe _image_sources:sources _png:pixels",
    "resolution": "catalog endpoint resolver",
    "schemas": (
        "_json_repair:lenient _tool_docs:functions _tool_refs:strict _tool_schema:functions _typed_dicts:functions "
        "structured_check structured_schema:strict structured_text:lenient"
    ),
    "session": "session_files session_history:session session_turn:session",
    "structured": "structured_format structured_partial:format structured_plan",
    "tools": "_tool:base _tool_runs:runs _tool_threads:runs tool_options tools_mcp:mcp",
}
"""By room: what its modules were called, and are called now where that is not the last word of the old name."""

MOVED = KEPT | {
    f"heavenbase.{old}": f"heavenbase.{room}.{now or old.replace('_', '.').rpartition('.')[2]}"
    for room, names in ROOMS.items()
    for old, _, now in (name.partition(":") for name in names.split())
}

PACKAGES = {
    "heavenbase.config_edit": "hb_cli.settings_edit",
    "heavenbase.cli": "hb_cli",
    "heavenbase.testing": "hb_testing",
}
"""What left the kernel for distributions of their own."""


class _Alias(Loader):
    """Loads the module of today under its old name."""

    def __init__(self, new: ModuleSpec) -> None:
        self.new = new

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        """The module of today, so that no thread ever gets an empty one; the warning is of the line that imports it."""
        if spec.name not in KEPT:
            warn(f"{spec.name} is now {self.new.name}; the old name goes with hb 1.0", DeprecationWarning, stacklevel=2)
        if spec.name in PACKAGES:  # asked first from now on: the package's folder would give its modules a second time
            sys.meta_path.sort(key=lambda finder: finder is not _Moved)
        module = import_module(self.new.name)
        self.new = module.__spec__ or self.new
        return module

    def exec_module(self, module: ModuleType) -> None:
        """Give the module its own spec back, for which the import system has put in that of the old name."""
        module.__spec__ = self.new

    def get_code(self, name: str) -> CodeType | None:  # for `python -m`
        return self.new.loader.get_code(self.new.name)  # type: ignore[union-attr,no-any-return]


def find(name: str) -> ModuleSpec | None:
    """The spec of a module that is asked for by its old name; None for a name that never was."""
    package = ".".join(name.split(".")[:2])
    new = PACKAGES[package] + name.removeprefix(package) if package in PACKAGES else MOVED.get(name)
    if new is None:
        return None
    home = new.partition(".")[0]
    if find_spec(home) is None:
        install = f"pip install {home.replace('_', '-')}"
        raise ModuleNotFoundError(f"{name} is now {new}, which is not installed here: {install}", name=home)
    found = find_spec(new)
    if found is None:
        return None
    is_package = found.submodule_search_locations is not None
    return ModuleSpec(name, _Alias(found), origin=found.origin, is_package=is_package)
