"""The variables of vendors, as manifests name them: what a `.env` file may give unasked (see `config.dotenv`)."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from heavenbase.config.dotenv import Vendor, vendor
from heavenbase.config.files import has_home, user_folder
from heavenbase.discovery.inventory import Inventory, discover


def vendor_variables(environ: Mapping[str, str] = os.environ, inventory: Inventory | None = None) -> Iterator[Vendor]:
    """The variables of every provider that is installed or that this project knows.

    `Config.load(dotenv=vendor_variables)` reads the keys in the `.env` file of the working folder. A provider of
    another project names its own variables alone: none that is a key of somebody else.
    """
    if inventory is None:
        inventory = discover(Path(user_folder("cache", environ)) if has_home(environ) else None)
    for name, keys in inventory.known_keys.items():
        yield Vendor(name, frozenset(keys))
    packaged = {key: name for name, keys in inventory.known_keys.items() for key in keys}
    for plugin in inventory.plugins:
        if plugin.kind == "providers" and plugin.manifest:
            found = vendor(plugin.name, plugin.manifest.get("provider", {}))
            if not inventory.is_ours(plugin):
                others = frozenset(key for key, owner in packaged.items() if owner != plugin.name)
                found = found._replace(**{field: getattr(found, field) - others for field in found._fields[1:]})
            yield found
