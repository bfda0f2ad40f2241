"""What may hold a credential stays with the endpoint that it was given for, and known providers with their addresses.

A file that nobody has vouched for may bring an endpoint of its own. Nothing of the user's goes there.
"""

from __future__ import annotations

from collections.abc import Iterable

from heavenbase.config.config import Config
from heavenbase.config.layers import Origin
from heavenbase.config.schema import look_up
from heavenbase.config.trusted import remedy
from heavenbase.errors import ConfigTrustError
from heavenbase.options import SECRETS
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


def check_bonds(config: Config, endpoint: Origin, rows: Iterable[Row], options: Iterable[str]) -> None:
    """ConfigTrustError for what rows and the caller's options would take along to an endpoint of that origin."""
    tables = [(*row.path, name) for row in rows for name in ("default_args", "args", "")]
    keys = [(*filter(None, table), name) for table in tables for name in SECRETS]
    found = [origin for key in keys if look_up(key) is not None and (origin := config.origin(key)) is not None]
    given = [] if SECRETS.isdisjoint(options) else [Origin("constructor")]
    config.endpoint_trust(endpoint, *(origin for origin in found if origin.layer != "default"), *given)
