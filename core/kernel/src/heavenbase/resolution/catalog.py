"""The catalogue: models, presets and routing prefixes, from packaged data, provider manifests and configuration."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from heavenbase.config.values import fold as fold
from heavenbase.config.values import merge as merge
from heavenbase.discovery.inventory import Inventory


class Catalog:
    """Names and what they stand for. Later sources win: provider manifests, packaged data, configuration;
    so installing a package adds names and never redirects one.

    `providers` are the usable ones: installed, or given in code.
    """

    def __init__(self, inventory: Inventory, providers: Iterable[str], configured: Mapping[str, Any]) -> None:
        manifests = [(p.name, p.manifest) for p in inventory.plugins if p.kind == "providers" and p.manifest]
        self.configured_providers: dict[str, Any] = dict(configured.get("providers", {}))
        self.models = merge(
            *(m.get("models", {}) for _, m in manifests), inventory.models, configured.get("models", {})
        )
        self.presets = merge(
            *(m.get("presets", {}) for _, m in manifests), inventory.presets, configured.get("presets", {})
        )
        records = {name: manifest.get("provider", {}) for name, manifest in manifests}
        self.providers = sorted({*providers, *self.configured_providers})
        self.records = merge(records, self.configured_providers)
        """What manifests and the configuration say of providers."""
        self.packages = dict(inventory.known_providers)
        """What to install for each provider of this project: a pip line must not lead to a stranger's distribution."""
        self.wanted = sorted(set(self.packages).difference(self.providers))
        """Providers of this project that are not installed."""
        self._providers = {fold(name): name for name in self.providers}
        prefixes: list[tuple[str, str]] = []
        for name, record in self.records.items():
            for alias in record.get("aliases", ()):
                self._providers.setdefault(fold(alias), name)
            prefixes.extend((prefix.lower(), name) for prefix in record.get("prefixes", ()))
        self._prefixes = sorted(prefixes, key=lambda pair: -len(pair[0]))
        self._presets = {fold(name): name for name in self.presets}
        self._models: dict[str, str] = {}
        self._native: dict[tuple[str, str], str] = {}
        for name, record in self.models.items():
            for provider, native in record.get("providers", {}).items():
                self._native.setdefault((provider, fold(native_id(native))), name)
        for name, record in self.models.items():
            for alias in record.get("aliases", ()):
                self._models.setdefault(fold(alias), name)
        # A canonical name beats any alias of the same spelling.
        self._models.update((fold(name), name) for name in self.models)

    def preset(self, name: str) -> str | None:
        """The preset of this name, however it is spelt."""
        return self._presets.get(fold(name))

    def provider(self, name: str) -> str | None:
        """The installed or configured provider of this name or alias."""
        return self._providers.get(fold(name))

    def wanted_provider(self, name: str) -> str | None:
        """The provider of this project that has this name and is not installed."""
        return next((wanted for wanted in self.wanted if fold(wanted) == fold(name)), None)

    def model(self, name: str, provider: str | None = None) -> str | None:
        """The canonical model of this name, alias or native id (of the provider, or of any when None)."""
        folded = fold(name)
        if provider is not None and (provider, folded) in self._native:
            return self._native[provider, folded]
        found = self._models.get(folded)
        if found is None and provider is None:
            found = next((model for (_, native), model in self._native.items() if native == folded), None)
        return found

    def native_provider(self, name: str, preferred: Iterable[str]) -> str | None:
        """The first of the preferred providers whose native id this is."""
        return next((p for p in preferred if (p, fold(name)) in self._native), None)

    def by_prefix(self, model: str) -> str | None:
        """The provider whose routing prefix the model name begins with; the longest wins."""
        lowered = model.lower()
        return next((provider for prefix, provider in self._prefixes if lowered.startswith(prefix)), None)

    def split(self, model: str) -> tuple[str | None, str]:
        """(provider, model) of `provider/model` or `provider:model` when the head is a provider; else (None, model)."""
        at = min((place for mark in "/:" if (place := model.find(mark)) > 0), default=0)
        if at and model[at + 1 :] and (provider := self.provider(model[:at])) is not None:
            return provider, model[at + 1 :]
        return None, model

    def model_names(self) -> list[str]:
        """Canonical names and aliases, for suggestions."""
        aliases = (alias for record in self.models.values() for alias in record.get("aliases", ()))
        return sorted({*self.models, *aliases})


def native_id(entry: Any) -> str:
    """The native id of a model's provider entry, which is the id or a table with `id`."""
    return str(entry.get("id", "")) if isinstance(entry, dict) else str(entry)
