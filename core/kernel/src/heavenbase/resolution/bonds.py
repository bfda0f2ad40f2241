"""What may hold a credential stays with the endpoint that it was given for, and known providers with their addresses.

A file that nobody has vouched for may bring an endpoint of its own. Nothing of the user's goes there.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from heavenbase.config.config import Config
from heavenbase.config.layers import Origin
from heavenbase.config.schema import look_up
from heavenbase.config.trusted import remedy
from heavenbase.errors import ConfigTrustError
from heavenbase.options import SECRETS, secret_options
from heavenbase.registry import Registry
from heavenbase.resolution.catalog import Catalog
from heavenbase.resolution.endpoint import ROOT, Row


def check_names(config: Config, registry: Registry) -> None:
    """ConfigTrustError where a file that nobody has vouched for brings an address for a provider that is known."""
    found = list(config.untrusted_endpoints())
    if not found:
        return
    installed = Catalog(registry.inventory, registry.names("providers"), {})
    for name, origin in found:
        taken = installed.provider(name) or installed.wanted_provider(name)
        if taken is not None:
            what = f"{ROOT}.providers.{name} would redefine provider {taken!r}"
            raise ConfigTrustError(f"{origin.file}:{origin.line}: {what}; {remedy(origin)}")


def check_bonds(config: Config, endpoint: Origin, rows: Iterable[Row], options: Mapping[str, Any]) -> None:
    """ConfigTrustError for what rows and the caller's options would take along to an endpoint of that origin."""
    tables = [(*row.path, name) for row in rows for name in ("default_args", "args")]
    given_there = {table: secret_options(config.section(table, raw=True)) for table in tables if look_up(table)}
    keys = [(*table, name) for table, names in given_there.items() for name in names]
    keys += [(*row.path, name) for row in rows for name in SECRETS if look_up((*row.path, name))]
    found = [config.origin(key) for key in keys]
    given = [Origin("constructor")] if secret_options(options) else []
    config.endpoint_trust(endpoint, *(origin for origin in found if origin and origin.layer != "default"), *given)
