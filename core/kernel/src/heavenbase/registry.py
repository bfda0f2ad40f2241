"""The registry: plugins found by metadata, checked, imported one by one when named, and kept apart when they fail."""

from __future__ import annotations

import copy
import threading
from collections.abc import Iterable, Mapping
from typing import Any

import pluggy

from heavenbase import hookspecs
from heavenbase.call import Services
from heavenbase.discovery.importing import check_allowed, import_entry_point, make_plugin
from heavenbase.discovery.inventory import KINDS, Inventory, PluginInfo
from heavenbase.errors import (
    PluginConflict,
    PluginContractError,
    PluginError,
    PluginLoadError,
    PluginVersionError,
    UnknownNameError,
)
from heavenbase.middleware import Configured, Middleware, place_of
from heavenbase.plugin import Loadable

SINGULAR = {kind: kind.removesuffix("s") for kind in KINDS}
SUPPORTED = range(1, hookspecs.CONTRACT_VERSION + 1)
"""Contract versions that this core speaks."""


class _Manager(pluggy.PluginManager):
    # pluggy looks closely at each name of a module or plugin, which costs more than the rest of a new kernel.

    def parse_hookspec_opts(self, module: Any, name: str) -> Any:
        marked = hasattr(getattr(module, name, None), f"{hookspecs.PROJECT}_spec")
        return super().parse_hookspec_opts(module, name) if marked else None

    def parse_hookimpl_opts(self, plugin: Any, name: str) -> Any:
        marked = name in vars(hookspecs) or hasattr(getattr(type(plugin), name, None), f"{hookspecs.PROJECT}_impl")
        return super().parse_hookimpl_opts(plugin, name) if marked else None


class Registry:
    """The plugins of one kernel.

    `inventory` is what is installed, `settings` the table `heavenbase.plugins` (allow, disabled, lock, import_timeout),
    `extra` plugins given in code, which need no entry point.
    """

    def __init__(
        self, inventory: Inventory, settings: Mapping[str, Any], services: Services, extra: Iterable[Loadable] = ()
    ) -> None:
        self.inventory = inventory
        self.quarantine: dict[str, PluginError] = {}
        self._settings = settings
        self._services = services
        self._loaded: dict[str, Any] = {}
        self._lock = threading.RLock()
        self._gates: dict[str, Any] = {}
        self._pm = _Manager(hookspecs.PROJECT)
        self._pm.add_hookspecs(hookspecs)
        self.hook = self._pm.hook
        for plugin in extra:
            self.add(plugin)

    def add(self, plugin: Loadable) -> None:
        """Register a plugin given in code under its own kind and name."""
        if not isinstance(plugin, Loadable) or plugin.kind not in KINDS or not plugin.name:
            raise PluginContractError(f"{plugin!r} needs a kind (one of {', '.join(KINDS)}) and a name")
        key = f"{plugin.kind}:{plugin.name}"
        with self._lock:
            if key in self._loaded:
                raise PluginConflict(f"two plugins given in code claim {key}")
            self._register(key, plugin)

    def names(self, kind: str) -> list[str]:
        """The names of a kind: installed and given in code."""
        given = {key.partition(":")[2] for key in list(self._loaded) if key.startswith(f"{kind}:")}
        return sorted(given.union(self.inventory.names(kind)))

    def has(self, kind: str, name: str) -> bool:
        """Whether a plugin of this name is installed or given in code; imports nothing."""
        return f"{kind}:{name}" in self._loaded or bool(self.inventory.claims(kind, name))

    def load(self, kind: str, name: str) -> Any:
        """The plugin object, imported and registered on first use; a PluginError with what to do otherwise."""
        key = f"{kind}:{name}"
        found = self._loaded.get(key)
        if found is not None:
            return found
        with self._lock:
            gate = self._gates.setdefault(key, threading.RLock())
        # A gate for each plugin: an import that hangs must not hold up the others.
        with gate:
            if key in self._loaded:
                return self._loaded[key]
            if key in self.quarantine:
                raise copy.copy(self.quarantine[key])
            try:
                return self._register(key, self._import(self.info(kind, name)))
            except PluginError as error:
                # A copy, as the raised one collects the frames of everybody who asks, with all their variables.
                self.quarantine[key] = copy.copy(error)
                raise

    def info(self, kind: str, name: str) -> PluginInfo:
        """The one installed plugin of this name; errors for none, several, or one that is blocked."""
        claims = self.inventory.claims(kind, name)
        if not claims:
            what = SINGULAR[kind]
            unknown = UnknownNameError(what, name, self.names(kind), package=f"hb-{what}-{name}")
            raise PluginLoadError(f"{unknown}") from unknown
        if len(claims) > 1:
            owners = " and ".join(f"{claim.distribution} {claim.version}" for claim in claims)
            raise PluginConflict(f"{owners} both claim {SINGULAR[kind]} {name!r}; uninstall one of them")
        check_allowed(self._settings, claims[0])
        return claims[0]

    def check_allowed(self, info: PluginInfo) -> None:
        """PluginBlocked for an installed plugin that may not load."""
        check_allowed(self._settings, info)

    def close(self) -> None:
        """Close every loaded plugin; the first failure is raised after all were closed."""
        failures = []
        for plugin in self._loaded.values():
            try:
                plugin.close()
            except Exception as error:
                failures.append(error)
        self._loaded.clear()
        if failures:
            raise failures[0]

    def _import(self, info: PluginInfo) -> Loadable:
        loaded = import_entry_point(info, self._settings.get("import_timeout"))
        plugin = make_plugin(info, loaded)
        if not isinstance(plugin, Loadable):
            raise PluginContractError(f"{info.key} of {info.distribution} is {type(plugin).__name__}, not a Plugin")
        plugin.name = plugin.name or info.name
        if plugin.name != info.name or plugin.kind != info.kind:
            raise PluginContractError(f"{info.key} of {info.distribution} calls itself {plugin.kind}:{plugin.name}")
        if plugin.contract not in SUPPORTED:
            raise PluginVersionError(
                f"{info.key} of {info.distribution} {info.version} was built for contract {plugin.contract}; "
                f"hb-kernel speaks {SUPPORTED[0]} to {SUPPORTED[-1]}; "
                f"try: pip install --upgrade hb-kernel {info.distribution}"
            )
        return plugin

    def _register(self, key: str, plugin: Loadable) -> Loadable:
        if plugin.__dict__.get("services") not in (None, self._services):
            raise PluginConflict(f"{key} belongs to another kernel already; give each kernel an object of its own")
        plugin.services = self._services
        with self._lock:
            try:
                if isinstance(plugin, Configured):
                    plugin.check_declared()
                if isinstance(plugin, Middleware):
                    place_of(plugin)
                self._pm.register(plugin, name=key)
                self._pm.check_pending()
            except Exception as error:
                # Half a registration would answer some hooks of a plugin that is not there.
                if self._pm.has_plugin(key):
                    self._pm.unregister(name=key)
                raise PluginContractError(f"{key} cannot be registered: {error}") from error
            self._loaded[key] = plugin
        return plugin
