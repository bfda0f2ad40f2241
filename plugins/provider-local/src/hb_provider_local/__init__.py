"""A small real language model inside the process, as a provider of hb.

The gateway that runs it is `hb_provider_local.gateway`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from heavenbase.plugin import Provider

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["LocalProvider", "plugin"]


class LocalProvider(Provider):
    """The manifest, and the model file as the address: answers in the cache belong to one file."""

    def record(self, gateway: str, model_id: str) -> Mapping[str, Any]:
        """The provider's record; base_url is `local://` with the path of the file where one is found now."""
        from hb_provider_local.weights import locate
        from heavenbase.errors import InputError

        record = super().record(gateway, model_id)
        services = getattr(self, "services", None)
        known = () if services is None else (services.setting("heavenbase.local.model", None), services.environ)
        try:
            found = locate(model_id, *known)
        except InputError:
            # Resolving must work without the file; the call says what is wrong with it.
            found = None
        return record if found is None else {**record, "base_url": found.url}


plugin = LocalProvider(__name__, "local")
