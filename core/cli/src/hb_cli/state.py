"""What the commands of one run share, each thing made on first use."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from heavenbase.config.config import Config
    from heavenbase.config.dotenv import Vendor
    from heavenbase.discovery.inventory import Inventory
    from heavenbase.kernel import Kernel
    from heavenbase.resolution.catalog import Catalog


class State:
    """Settings file, configuration, what is installed, and the kernel.

    A `kernel` given in code takes the place of the installed plugins and the user's files; it is not closed here.
    """

    def __init__(self, kernel: Kernel | None = None) -> None:
        self.config_file: str | None = None
        self.debug = os.environ.get("HB_DEBUG", "").strip().lower() in ("1", "true", "yes", "on")
        self._given = kernel
        self._kernel: Kernel | None = None
        self._config: Config | None = None
        self._inventory: Inventory | None = None

    @property
    def user_file(self) -> str:
        """The settings file that `hb cfg set` edits; found without reading any, so that a broken one can be mended."""
        if self.config_file is not None:
            return os.path.abspath(self.config_file)
        from heavenbase.config.files import USER_FILE, user_folder

        return os.path.join(user_folder("config", os.environ), USER_FILE)

    @property
    def loaded_config(self) -> Config | None:
        """The configuration if it was read already."""
        return self._given.config if self._given is not None else self._config

    @property
    def config(self) -> Config:
        """The configuration, with vendors' keys in the `.env` of this folder; ConfigError for what cannot be used."""
        if self._given is not None:
            return self._given.config
        if self._config is None:
            from heavenbase.config.config import Config

            self._config = Config.load(user_file=self.config_file, dotenv=self._vendors)
        return self._config

    def _vendors(self, environ: Mapping[str, str]) -> Iterable[Vendor]:
        from heavenbase.discovery.vendors import vendor_variables

        return vendor_variables(environ, self.inventory)

    @property
    def inventory(self) -> Inventory:
        """What is installed, from metadata; imports no plugin and reads no settings."""
        if self._given is not None:
            return self._given.registry.inventory
        if self._inventory is None:
            from pathlib import Path

            from heavenbase.config.files import user_folder
            from heavenbase.discovery.inventory import discover

            self._inventory = discover(Path(user_folder("cache", os.environ)))
        return self._inventory

    @property
    def plugin_settings(self) -> Mapping[str, Any]:
        """The table heavenbase.plugins."""
        return self.config.plugins()

    def declared(self, kind: str, name: str) -> Mapping[str, Any]:
        """The settings that a plugin declares, if it was imported already; imports nothing."""
        import sys

        plugin = None
        for info in self.inventory.claims(kind, name):  # of no kernel, which may have failed over these settings
            plugin = getattr(sys.modules.get(info.package), info.value.partition(":")[2].strip(), None)
        found = getattr(plugin, "settings", None)
        return found if isinstance(found, dict) else {}

    @property
    def catalog(self) -> Catalog:
        """Models, presets and providers, from metadata and settings; imports no plugin."""
        if self._given is not None:
            return self._given.resolver.catalog
        from functools import partial

        from heavenbase.discovery.importing import check_allowed
        from heavenbase.resolution.catalog import Catalog

        # Raw, because a listing must not fail over a variable that is not set.
        tables = {
            name: self.config.section(f"heavenbase.llm.{name}", raw=True) for name in ("models", "presets", "providers")
        }
        allowed = partial(check_allowed, self.plugin_settings)
        return Catalog(self.inventory, self.inventory.names("providers"), tables, allowed)

    def names(self, what: str) -> list[str]:
        """The names of presets, models, providers, gateways, tables of models, or routes."""
        if what == "tables" and self._given is not None:
            return self._given.registry.names("tables")
        if what in ("gateways", "tables"):
            return self.inventory.names(what)
        if what == "routes":
            return list(self.config.section("heavenbase.llm.routes", raw=True))
        return self.catalog.model_names() if what == "models" else list(getattr(self.catalog, what))

    @property
    def kernel(self) -> Kernel:
        """The kernel that runs calls."""
        if self._given is not None:
            return self._given
        if self._kernel is None:
            from heavenbase.kernel import Kernel

            self._kernel = Kernel(self.config)
        return self._kernel

    def use(self, kernel: Kernel) -> None:
        """Go on with this kernel, in the place of one that cannot be made; it is closed here."""
        self._kernel = kernel

    def close(self) -> None:
        """Close the kernel made here."""
        if self._kernel is not None:
            self._kernel.close()
            self._kernel = None


pass_state = click.make_pass_decorator(State, ensure=True)
