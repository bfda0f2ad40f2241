"""Claims: what provider manifests add to the catalogue, each speaking for its own provider alone.

A package that is only installed must not answer to a name that the packaged data or another provider has, nor take
along another provider's key. What a manifest says beyond that is left out and told; a name that two manifests claim
belongs to neither until the user's configuration decides.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from copy import copy
from typing import Any

from heavenbase.config.values import fold
from heavenbase.discovery.inventory import Inventory, PluginInfo
from heavenbase.errors import ConfigTrustError, HBError, PluginConflict
from heavenbase.secrets import is_secret_header

_PLACES = ("URL", "URI", "HOST", "BASE", "ENDPOINT", "ADDRESS", "SERVER")
"""Ends of names of variables that hold an address."""


class Claims:
    """What the manifests of an inventory may say; `allowed` raises for a plugin that may not load.

    `records`, `models` and `presets` are their tables, cut to the claims that stand; `aliases` and `prefixes` pair a
    folded name of a provider, or the lower-case head of a model's name, with its provider; `own` has the canonical name
    by (provider, folded alias). `refused` says what was left out, one line each.
    """

    def __init__(self, inventory: Inventory, allowed: Callable[[PluginInfo], None] | None = None) -> None:
        self.records: dict[str, Mapping[str, Any]] = {}
        self.models: dict[str, dict[str, Any]] = {}
        self.presets: dict[str, dict[str, Any]] = {}
        self.aliases: dict[str, str] = {}
        self.prefixes: list[tuple[str, str]] = []
        self.own: dict[tuple[str, str], str] = {}
        self.refused: list[str] = []
        self._owners: dict[tuple[str, str], set[str]] = {}
        """The providers that claim a name, by its kind and as names are compared."""
        self._variables: dict[str, set[str]] = {}
        self._strangers: dict[str, str] = {}
        """How providers of other projects are told: name and distribution."""
        for provider, variables in inventory.known_keys.items():
            for variable in variables:
                self._variables.setdefault(variable.upper(), set()).add(provider)
        self._packaged = set(map(fold, inventory.models))
        self._presets = set(map(fold, inventory.presets))
        self._canonical = {fold(name): name for name in inventory.models}
        for row in inventory.models.values():
            self._packaged.update(map(fold, row.get("aliases", ())))
            self._packaged.update(fold(native_id(entry)) for entry in row.get("providers", {}).values())
        self._blocked: dict[tuple[str, str], HBError] = {}
        plugins = [
            plugin
            for plugin in inventory.plugins
            if plugin.kind == "providers" and plugin.manifest and self._admits(plugin, plugin.manifest, allowed)
        ]
        self._providers = {*map(fold, inventory.known_providers), *(fold(plugin.name) for plugin in plugins)}
        # Those of this project first: what they claim is as good as packaged.
        for plugin in sorted(plugins, key=lambda plugin: (not inventory.is_ours(plugin), plugin.distribution)):
            if not inventory.is_ours(plugin):
                self._strangers[plugin.name] = f"{plugin.name!r} ({plugin.distribution})"
            self._add(plugin.name, plugin.manifest or {})
        for (what, name), owners in self._owners.items():
            if len(owners) > 1:
                self.refused.append(f"the {what} name {name!r} is claimed by the manifests of {self._told(owners)}")

    def check(self, what: str, folded: str, name: str, *, missing: bool) -> None:
        """PluginConflict for a name that several manifests claim, PluginBlocked for one of a plugin that may not load.

        `what` is "model", "preset" or "provider", `folded` the name as names are compared; `missing` says that nothing
        else has it.
        """
        owners = self._owners.get((what, folded), ())
        if len(owners) > 1:
            raise self._conflict(what, name, owners)
        if missing and (what, folded) in self._blocked:
            raise copy(self._blocked[what, folded])

    def by_prefix(self, model: str) -> str | None:
        """The provider with the longest prefix that the name begins with; PluginConflict where strangers differ."""
        lowered = model.lower()
        found = [(prefix, provider) for prefix, provider in self.prefixes if lowered.startswith(prefix)]
        ours = [pair for pair in found if pair[1] not in self._strangers]
        owners = {provider for _, provider in found}
        if not ours and len(owners) > 1:
            raise self._conflict("model", model, owners)
        return max(ours or found, key=lambda pair: len(pair[0]), default=(None, None))[1]

    def is_stranger(self, provider: str) -> bool:
        """Whether a provider comes from a package that is not of this project."""
        return provider in self._strangers

    def foreign(self, provider: str, variable: str) -> str | None:
        """Whose key an environment variable is that this provider's manifest reads, where it is not for it to read."""
        if provider not in self._strangers:
            return None
        others = sorted(self._variables.get(variable.upper(), set()) - {provider})  # one name to some systems
        return " and ".join(others) or None

    def check_variables(self, provider: str, record: Mapping[str, Any]) -> None:
        """ConfigTrustError for a record that reads another provider's key, but as its own (see `Endpoint`)."""
        urls = (record.get(name) for name in ("base_url_env", "host_env"))
        named = {each for url in urls for each in (url.values() if isinstance(url, Mapping) else (url,)) if each}
        for variable in (*record.get("env", ()), *named):
            if owner := self.foreign(provider, variable):
                raise ConfigTrustError(
                    f"the manifest of provider {provider!r} reads {variable}, which is the key of {owner}"
                )
            is_place = variable.upper().endswith(_PLACES) or not is_secret_header(variable)
            if variable in named and provider in self._strangers and not is_place:
                raise ConfigTrustError(
                    f"the manifest of provider {provider!r} takes its address from {variable}, by its name a credential"
                )

    def _admits(
        self, plugin: PluginInfo, manifest: Mapping[str, Any], allowed: Callable[[PluginInfo], None] | None
    ) -> bool:
        try:
            if allowed is not None:
                allowed(plugin)
        except HBError as error:
            names = [("provider", alias) for alias in manifest.get("provider", {}).get("aliases", ())]
            names += [("preset", name) for name in manifest.get("presets", ())]
            for name, row in manifest.get("models", {}).items():
                names += [("model", each) for each in (name, *row.get("aliases", ()))]
            self._blocked.update(((what, fold(name)), error) for what, name in names)
            return False
        return True

    def _add(self, provider: str, manifest: Mapping[str, Any]) -> None:
        record = manifest.get("provider", {})
        self.records[provider] = record
        for variable in record.get("api_key_env", ()):
            self._variables.setdefault(variable.upper(), set()).add(provider)
        for alias in record.get("aliases", ()):
            if fold(alias) in self._providers:
                self._refuse(provider, f"the alias {alias!r}, which is the name of another provider")
            elif self._claim("provider", alias, provider):
                self.aliases[fold(alias)] = provider
        for prefix in record.get("prefixes", ()):
            self.prefixes.append((prefix.lower(), provider))
        for name, row in manifest.get("models", {}).items():
            self._model(provider, name, row)
        for name, row in manifest.get("presets", {}).items():
            if fold(name) in self._presets or row.get("provider", provider) != provider:
                self._refuse(provider, f"the preset {name!r}, which is not its own")
            elif self._claim("preset", name, provider):
                self.presets[name] = {**row, "provider": provider}

    def _model(self, provider: str, name: str, row: Mapping[str, Any]) -> None:
        offered = row.get("providers", {})
        own = {provider: offered[provider]} if provider in offered else {}
        if others := offered.keys() - own.keys():
            self._refuse(provider, f"the model {name!r} of other providers ({', '.join(others)})")
        canonical = self._canonical.get(fold(name))
        if canonical is not None:
            if row.keys() - {"providers"}:
                self._refuse(provider, f"the model {name!r}, which is packaged; only its own id for it counts")
            self.models.setdefault(canonical, {"providers": {}})["providers"].update(own)
            return
        if self._is_taken(name, provider):
            self._refuse(provider, f"the model name {name!r}, which is not its own")
            # Where the provider is named, its own id for that name counts all the same.
            self.models[f"{provider}/{name}"] = {"providers": own, "default_provider": provider}
            self.own[provider, fold(name)] = f"{provider}/{name}"
            return
        self._claim("model", name, provider)
        if name in self.models:  # one model that both offer: each has an id for it, and neither speaks for it
            self.models[name] = {"providers": {**self.models[name]["providers"], **own}}
        else:
            self.models[name] = {**row, "providers": own, "default_provider": provider}
        aliases = row.get("aliases", ())
        taken = [alias for alias in aliases if self._is_taken(alias, provider)]
        if taken:
            self._refuse(provider, f"names for its model {name!r} that are not its own: {', '.join(taken)}")
        free = [alias for alias in aliases if alias not in taken]
        for alias in free:
            self._claim("model", alias, provider)
            self.own[provider, fold(alias)] = name
        self.models[name]["aliases"] = free

    def _is_taken(self, name: str, provider: str) -> bool:
        """Whether a model's name is packaged, or begins as the names of a provider of this project do."""
        if fold(name) in self._packaged:
            return True
        if provider not in self._strangers:
            return False
        return name.lower().startswith(tuple(head for head, owner in self.prefixes if owner not in self._strangers))

    def _claim(self, what: str, name: str, provider: str) -> bool:
        """Whether a name is this provider's; one that two of a kind claim is nobody's."""
        owners = self._owners.setdefault((what, fold(name)), set())
        if provider in self._strangers and (ours := owners - self._strangers.keys()):
            self._refuse(provider, f"the {what} name {name!r}, which is {self._told(ours)}'s")
            return False
        owners.add(provider)
        return len(owners) == 1

    def _refuse(self, provider: str, what: str) -> None:
        if provider in self._strangers:
            self.refused.append(f"the manifest of provider {self._strangers[provider]} claims {what}")

    def _told(self, providers: Iterable[str]) -> str:
        return " and ".join(self._strangers.get(name, repr(name)) for name in sorted(providers))

    def _conflict(self, what: str, name: str, owners: Iterable[str]) -> PluginConflict:
        return PluginConflict(
            f"the manifests of {self._told(owners)} both claim the {what} name {name!r}; name the provider, "
            f"or say in your configuration whose it is"
        )


def native_id(entry: Any) -> str:
    """The native id of a model's provider entry, which is the id or a table with `id`."""
    return str(entry.get("id", "")) if isinstance(entry, dict) else str(entry)
