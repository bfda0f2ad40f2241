"""The catalogue: models, presets and routing prefixes, from packaged data, provider manifests and configuration."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from fnmatch import fnmatchcase
from typing import Any

from heavenbase.config.values import fold as fold
from heavenbase.config.values import merge as merge
from heavenbase.discovery.inventory import Inventory, PluginInfo
from heavenbase.resolution.claims import Claims
from heavenbase.resolution.claims import native_id as native_id


class Catalog:
    """Names and what they stand for. Later sources win: provider manifests, packaged data, configuration;
    so installing a package adds names and never redirects one.

    `providers` are the usable ones: installed, or given in code. A plugin that `allowed` raises for adds no names.
    """

    def __init__(
        self,
        inventory: Inventory,
        providers: Iterable[str],
        configured: Mapping[str, Any],
        allowed: Callable[[PluginInfo], None] | None = None,
    ) -> None:
        self.claims = claims = Claims(inventory, allowed)
        self.configured_providers: dict[str, Any] = dict(configured.get("providers", {}))
        chosen: Mapping[str, Any] = configured.get("models", {})
        self.models = merge(claims.models, inventory.models, chosen)
        for provider, record in self.configured_providers.items():
            for name, native in record.get("models", {}).items():
                row = self.models.get(name, {})
                self.models[name] = {**row, "providers": {**row.get("providers", {}), provider: native}}
        self.presets = merge(claims.presets, inventory.presets, configured.get("presets", {}))
        self.providers = sorted({*providers, *self.configured_providers})
        self.records = merge(claims.records, self.configured_providers)
        """What manifests and the configuration say of providers."""
        self.packages = dict(inventory.known_providers)
        """What to install for each provider of this project: a pip line must not lead to a stranger's distribution."""
        self.wanted = sorted(set(self.packages).difference(self.providers))
        """Providers of this project that are not installed."""
        self.wanted_keys = {key: self.packages[n] for n in self.wanted for key in inventory.known_keys.get(n, ())}
        """The distribution to install for each variable of theirs."""
        self.gateways = inventory.known_gateways
        self._providers = {fold(name): name for name in self.providers}
        prefixes: list[tuple[str, str]] = []
        for name, record in self.configured_providers.items():
            for alias in record.get("aliases", ()):
                self._providers.setdefault(fold(alias), name)
            prefixes.extend((prefix.lower(), name) for prefix in record.get("prefixes", ()))
        self._prefixes = sorted(prefixes, key=lambda pair: -len(pair[0]))
        self._own = {
            name: tuple(pattern.lower() for pattern in record["native_ids"])
            for name, record in self.records.items()
            if record.get("native_ids") and (name in self.configured_providers or not claims.is_stranger(name))
        }
        self._decided = {("provider", folded) for folded in self._providers}
        self._decided.update(("preset", fold(name)) for name in configured.get("presets", ()))
        aliases = (alias for row in chosen.values() for alias in row.get("aliases", ()))
        self._decided.update(("model", fold(name)) for name in (*chosen, *aliases))
        """Names that the user's own configuration speaks for, and those of installed providers."""
        for alias, name in claims.aliases.items():
            self._providers.setdefault(alias, name)
        self._presets = {fold(name): name for name in self.presets}
        self._models: dict[str, str] = {}
        self._native: dict[tuple[str, str], str] = {}
        # What the user says comes first, then the packaged names, then those of manifests.
        for name in dict.fromkeys((*chosen, *inventory.models, *self.models)):
            for provider, native in self.models[name].get("providers", {}).items():
                if native is None:
                    continue
                self._native.setdefault((provider, fold(native_id(native))), name)
            for alias in self.models[name].get("aliases", ()):
                self._models.setdefault(fold(alias), name)
        # A canonical name beats any alias of the same spelling.
        self._models.update((fold(name), name) for name in self.models)

    def preset(self, name: str) -> str | None:
        """The preset of this name, however it is spelt."""
        return self._found("preset", name, self._presets)

    def provider(self, name: str) -> str | None:
        """The installed or configured provider of this name or alias."""
        return self._found("provider", name, self._providers)

    def wanted_provider(self, name: str) -> str | None:
        """The provider of this project that has this name and is not installed."""
        return next((wanted for wanted in self.wanted if fold(wanted) == fold(name)), None)

    def model(self, name: str, provider: str | None = None) -> str | None:
        """The canonical model of this name, alias or native id (of the provider, or of any when None)."""
        folded = fold(name)
        if provider is not None and (provider, folded) in self._native:
            return self._native[provider, folded]
        if provider is not None and (provider, folded) in self.claims.own and ("model", folded) not in self._decided:
            return self.claims.own[provider, folded]
        if provider is not None:
            return self._models.get(folded)
        found = self._found("model", name, self._models)
        if found is None:
            found = next((model for (_, native), model in self._native.items() if native == folded), None)
        return found

    def native_provider(self, name: str, preferred: Iterable[str]) -> str | None:
        """The first of the preferred providers whose native id this is."""
        return next((p for p in preferred if (p, fold(name)) in self._native), None)

    def is_native(self, provider: str, name: str) -> bool:
        """Whether a name is the id of a listed model at the provider."""
        return (provider, fold(name)) in self._native

    def is_own(self, provider: str, name: str, mark: str = "@") -> bool:
        """Whether a name is an id of the provider's own, listed or not; no alias stands for it there.

        A pattern that begins with "@" is for where the provider is named; elsewhere, without `mark`, the alias counts.
        A pattern has the slashes of the ids that it is for.
        """
        if self.is_native(provider, name):
            return True
        lowered = name.lower()
        own = self._own.get(provider, ())
        return any(fnmatchcase(lowered, p.removeprefix(mark)) for p in own if p.count("/") == lowered.count("/"))

    def vendors(self, name: str) -> list[str]:
        """The usable providers whose family of names this is of: by the longest prefix, then by patterns."""
        found = [provider for provider in self._own if self.is_own(provider, name, "")]
        by_prefix = self.by_prefix(name)
        order = [*([by_prefix] if by_prefix is not None else []), *found]
        return [provider for provider in dict.fromkeys(order) if provider in self.providers]

    def in_order(self) -> list[str]:
        """The usable providers in the order in which they may stand in for one another: those of this project first."""
        return list(dict.fromkeys([name for name in self.packages if name in self.providers] + self.providers))

    def by_prefix(self, model: str) -> str | None:
        """The provider whose routing prefix the model name begins with; the longest wins."""
        lowered = model.lower()
        chosen = next((provider for prefix, provider in self._prefixes if lowered.startswith(prefix)), None)
        return chosen or self.claims.by_prefix(model)

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

    def _found(self, what: str, name: str, names: Mapping[str, str]) -> str | None:
        """What a name stands for; an error where manifests claim it that must not, and the user does not decide."""
        folded = fold(name)
        if (what, folded) not in self._decided:
            self.claims.check(what, folded, name, missing=folded not in names)
        return names.get(folded)
