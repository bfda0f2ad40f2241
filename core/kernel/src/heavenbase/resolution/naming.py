"""Which provider and model a name means: the one that is named, the vendor of its own id, or a default with a key."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from heavenbase.config.check import meant
from heavenbase.config.values import references
from heavenbase.errors import InputError, PluginLoadError, UnknownModelError, UnknownNameError
from heavenbase.options import CONNECTION
from heavenbase.resolution.catalog import Catalog, fold
from heavenbase.resolution.endpoint import KEYS, ROOT, Sources

VERBS = {"chat": "chat", "embed": "embed", "image": "imagen"}
"""The verb, in Python and on the command line, for each kind of default model."""


class Named(NamedTuple):
    """What a name means: the provider, the model as asked for without a provider head, and its canonical name."""

    provider: str
    token: str
    model: str


class Naming:
    """The names of one resolution. `options` are the caller's; `sources` notes the variables that were looked at."""

    def __init__(self, sources: Sources, catalog: Catalog, options: Mapping[str, Any]) -> None:
        self.config = sources.config
        self.sources = sources
        self.origins = sources.origins
        self.catalog = catalog
        self.options = options
        self.gateways = self.config.section(f"{ROOT}.gateways", raw=True)
        """What the settings say of gateways."""

    def preset(self, preset: str | None, model: str | None) -> tuple[str | None, Mapping[str, Any]]:
        """The name and record of the preset that counts; no preset where only a model is named."""
        if preset is None and model is not None:
            return None, {}
        name = preset if preset is not None else str(self.config.get(f"{ROOT}.default_preset"))
        self.origins["preset"] = "argument" if preset is not None else self.where(f"{ROOT}.default_preset")
        found = self.catalog.preset(name)
        if found is None:
            if (wanted := self.catalog.wanted_provider(name)) is not None:
                needed = f"pip install {self.catalog.packages[wanted]}"
                raise PluginLoadError(
                    f"there is no preset {name!r}, and provider {wanted!r} is not installed; {needed}"
                )
            is_model = self.catalog.model(name) is not None or bool(self.catalog.vendors(name))
            what = "provider" if self.catalog.provider(name) is not None else "model" if is_model else None
            hint = _kind(what, name) if what else f"add one: hb cfg set {ROOT}.presets.NAME.model …"
            raise UnknownNameError("preset", name, self.catalog.presets, hint=hint)
        return found, self.catalog.presets[found]

    def target(
        self, model: str | None, provider: str | None, preset: str | None, preset_record: Mapping[str, Any]
    ) -> Named:
        """The target of these names; where nothing names a model, that of the preset, or one that may stand in."""
        token = model if model is not None else preset_record.get("model")
        if not token:
            what = "model is empty" if model == "" else f"preset {preset!r} names no model"
            raise InputError(f"{what}; pass model=")
        self.origins["model"] = "argument" if model is not None else f"preset {preset}"
        kind = preset_record.get("stand_in") if model is None else None
        has_connection = self._has_connection(preset_record)
        for given, origin in ((provider, "argument"), (preset_record.get("provider") or None, f"preset {preset}")):
            if given is not None:
                named = self.provider(given)
                self.origins["provider"] = origin
                if kind is not None and not self._offers(named, token):
                    if found := self._stand_in(named, kind, token):
                        return found if has_connection else self._told(found)
                    if has := sorted(self._models_of(named)):
                        raise InputError(
                            f"provider {named!r} has no default model to {VERBS.get(kind, kind)} with, only to "
                            f"{' and '.join(VERBS.get(each, each) for each in has)}; pass model=, or hb … -m MODEL"
                        )
                head, rest = self.catalog.split(token)
                if (
                    head == named
                    and self.catalog.model(token, named) is None
                    and not self._is_whole(named, token, rest)
                ):
                    token = rest
                meant = Named(named, token, self._canonical(token, named))
                return meant if has_connection else self._told(meant)
        return self._infer(token, kind, has_connection, explicit=model is not None)

    def provider(self, name: str) -> str:
        """The provider of this name or alias; an error for one that is unknown, or not installed."""
        found = self.catalog.provider(name)
        if found is not None:
            return found
        wanted = self.catalog.wanted_provider(name)
        if wanted is not None:
            raise PluginLoadError(f"provider {wanted!r} is not installed; pip install {self.catalog.packages[wanted]}")
        hint = _kind("gateway", name) if name in self.catalog.gateways else ""
        raise UnknownNameError("provider", name, sorted({*self.catalog.providers, *self.catalog.wanted}), hint=hint)

    def key_of(self, provider: str, *, is_asked: bool = True) -> str | None:
        """What says that a provider can be used: the name of a variable or key; None where nothing does.

        Reads settings and variables alone. A server of the user's own needs no key: there its address says it. Where
        neither it nor its model `is_asked` for, the variables of another project's manifest count if they bear its
        name: a package that is only installed must not answer with what any variable holds.
        """
        record = self.catalog.records.get(provider)
        if record is None:
            return f"provider {provider}, given in code"
        gateway = record.get("gateway", provider)
        own = f"providers.{provider}"
        tables = {own: record, f"{own}.default_args": record.get("default_args", {})}
        for path, table in (tables | {f"gateways.{gateway}": self.gateways.get(gateway, {})}).items():
            for field in KEYS:
                if table.get(field) and self._is_set(table[field]):
                    return f"{ROOT}.{path}.{field}"
        variables = [*record.get("api_key_env", ()), *record.get("account_env", ())]
        variables = [name for name in variables if self.sources.foreign(provider, name) is None]
        if record.get("api_key_optional"):
            if self.config.origin((*ROOT.split("."), "providers", provider, "base_url")) is not None:
                return f"{ROOT}.providers.{provider}.base_url"
            addresses = record.get("base_url_env")
            variables += addresses.values() if isinstance(addresses, dict) else [addresses]
            variables.append(record.get("host_env"))
        is_stranger = self.catalog.claims.is_stranger(provider) and provider not in self.catalog.configured_providers
        if is_stranger and not is_asked:
            variables = [name for name in variables if name and fold(name).startswith(fold(provider))]
        return next((name for name in variables if name and self.sources.variable(name)), None)

    def where(self, key: str) -> str:
        """Where a setting comes from."""
        return f"{self.config.origin(key)}: {key}"

    # A name without a provider

    def _infer(self, token: str, kind: str | None, has_connection: bool, *, explicit: bool) -> Named:
        catalog = self.catalog
        default = catalog.provider(str(self.config.get(f"{ROOT}.default_provider")))
        head, rest = catalog.split(token)
        if head is not None:
            others = [name for name in (default, *catalog.vendors(token)) if name not in (None, head)]
            if others and not has_connection and self.key_of(head) is None:
                for name in others:
                    if catalog.is_own(name, token, "") and (found := self.key_of(name)):
                        self.origins["provider"] = f"{found} is set, and {head} has no key"
                        return Named(name, token, self._canonical(token, name))
            self.origins["provider"] = "head of the model name"
            token = token if self._is_whole(head, token, rest) else rest
            meant = Named(head, token, self._canonical(token, head))
            return meant if has_connection else self._told(meant)
        canonical = catalog.model(token)
        vendors = [name for name in catalog.vendors(token) if canonical is None or catalog.is_own(name, token, "")]
        if canonical is None:
            meant = self._unlisted(token, sorted(vendors, key=lambda name: name != default))
            return meant if has_connection else self._told(meant)
        chosen = self.config.origin(f"{ROOT}.default_provider")
        is_chosen = kind is not None and chosen is not None and chosen.layer != "default"
        lacks = is_chosen and default is not None and not self._offers(default, token)
        if lacks and (stand_in := self._stand_in(str(default), str(kind), token)):
            self.origins["provider"] = self.where(f"{ROOT}.default_provider")
            return stand_in
        choices = list(self._defaults(canonical, token, default, explicit=explicit))
        if not has_connection:
            for name in vendors:
                if found := self.key_of(name):
                    self.origins["provider"] = f"{token!r} is its own id, and {found} is set"
                    return Named(name, token, self._canonical(token, name))
        name, origin = choices[0]
        if not has_connection and self.key_of(name) is None:
            if instead := self._with_key(canonical, token, name, kind):
                return instead
            if vendors:
                self.origins["provider"] = f"{token!r} is its own id, and neither it nor {name} has a key"
                return self._keyless(Named(vendors[0], token, self._canonical(token, vendors[0])), kind)
            self._keyless(Named(name, token, canonical), kind)
        self.origins["provider"] = origin
        return Named(self.provider(name), token, canonical)

    def _defaults(
        self, canonical: str, token: str, default: str | None, *, explicit: bool
    ) -> Iterator[tuple[str, str]]:
        """The providers of a model in order, with what says so; PluginLoadError where none is installed."""
        catalog = self.catalog
        record = catalog.models[canonical]
        offered = record.get("providers", {})
        own = record.get("default_provider")
        own = catalog.provider(own) or own if own else None
        native = catalog.native_provider(token, [p for p in (default, own) if p])
        if native is not None and catalog.model(token) == canonical and fold(token) != fold(canonical):
            yield native, "native id of the model"
        choices = [(own, f"model {canonical}"), (default, self.where(f"{ROOT}.default_provider"))]
        if not explicit:
            choices.reverse()
        fitting = [(n, origin) for n, origin in choices if n is not None and (n in offered or not offered or n == own)]
        yield from fitting
        if fitting:
            return
        installed = [name for name in offered if catalog.provider(name)]
        if not installed:
            names = ", ".join(catalog.packages[name] for name in offered if name in catalog.wanted)
            if names:
                raise PluginLoadError(f"no installed provider has model {canonical!r}; pip install one of: {names}")
            installed = [next(iter(offered))]
        yield installed[0], f"model {canonical}"

    def _unlisted(self, token: str, vendors: list[str]) -> Named:
        if vendors:
            name = next(filter(self.key_of, vendors), vendors[0]) if len(vendors) > 1 else vendors[0]
            self.origins["provider"] = "routing prefix of the provider"
            return Named(name, token, token)
        for mark in ("/", ":"):
            wanted = self.catalog.wanted_provider(token.partition(mark)[0]) if mark in token else None
            if wanted is not None:
                needed = f"pip install {self.catalog.packages[wanted]}"
                raise PluginLoadError(f"model {token!r} needs provider {wanted!r}; {needed}")
        head, slash, _ = token.partition("/")
        if slash and (near := meant(head, [*self.catalog.providers, *self.catalog.wanted], 0.8)):
            raise UnknownModelError("model", token, hint=f"{head!r} is no provider{near}")
        hint = "; ".join([*self._idle(), "or name the provider: provider/model, or provider="])
        is_provider = self.catalog.provider(token) is not None
        if is_provider or self.catalog.preset(token) is not None:
            hint = _kind("provider" if is_provider else "preset", token)
        raise UnknownModelError("model", token, self.catalog.model_names(), hint=hint)

    # What may take the place of a default without a key

    def _with_key(self, canonical: str, token: str, default: str, kind: str | None) -> Named | None:
        offered = self.catalog.models[canonical].get("providers", {})
        for name in filter(offered.__contains__, self.catalog.in_order()):
            if name != default and (found := self.key_of(name, is_asked=False)):
                self.origins["provider"] = f"{found} is set, and {default} has no key"
                return Named(name, token, self._canonical(token, name))
        if kind is None:
            return None
        for name in self.catalog.in_order():
            if name != default and kind in self._models_of(name) and (found := self.key_of(name, is_asked=False)):
                self.origins["provider"] = f"{found} is set, and no provider of {canonical} has a key"
                return self._stand_in(name, kind, token)
        return None

    def _told(self, named: Named) -> Named:
        """What is named, with a note of the ways to a key where its provider has none."""
        return named if self.key_of(named.provider) is not None else self._keyless(named, None)

    def _keyless(self, named: Named, kind: str | None) -> Named:
        """Note for the error of a call, and for `hb explain`, what the shortest ways to a key are.

        A default model of this `kind` may stand in; without one, only another provider of the same model helps.
        """
        records = {name: self.catalog.records.get(name, {}) for name in [named.provider, *self.catalog.in_order()]}
        vendors = {n: r["api_key_env"][0] for n, r in records.items() if r.get("api_key_env") and not _is_free(r)}
        if vendors.pop(named.provider, None) is None:
            return named
        own = " or ".join(records[named.provider]["api_key_env"])
        page = records[named.provider].get("keys_url")
        ways = [*(self._idle() if kind == "chat" else ()), f"set {own}{f' (from {page})' if page else ''}"]
        offered = self.catalog.models.get(named.model, {}).get("providers", {})
        unset = {name: variable for name, variable in vendors.items() if self.key_of(name) is None}
        others = [v for n, v in unset.items() if (kind in self._models_of(n) if kind is not None else n in offered)]
        if others and kind is not None:
            named_ones = " or ".join(others[:2])
            ways.append(f"set the key of another provider, such as {named_ones}, whose default model then answers")
        elif others:
            ways.append(f"set that of another provider of the model: {' or '.join(others[:2])}")
        ready = next((n for n in vendors if kind is None and "chat" in self._models_of(n) and self.key_of(n)), None)
        if ready is not None:
            ways.append(
                f"ask the default model of {ready}, whose key is set: hb chat -b {ready}, or provider={ready!r}"
            )
        ways.append(self._free_way(kind or "chat"))
        self.origins["no key"] = "; or ".join(ways)
        return named

    def _idle(self) -> list[str]:
        """What to install for a key that is set."""
        found = next(filter(self.sources.variable, self.catalog.wanted_keys), None)
        return [f"{found} is set: pip install {self.catalog.wanted_keys[found]}"] if found is not None else []

    def _free_way(self, kind: str) -> str:
        """How to get an answer of this kind without a key."""
        records = {name: self.catalog.records.get(name, {}) for name in self.catalog.in_order()}
        free = next((n for n, r in records.items() if _is_free(r) and kind in r.get("default_models", {})), None)
        if free is None and kind == "chat" and "local" in self.catalog.wanted:
            return f"ask a model on this machine: pip install {self.catalog.packages['local']}, and hb chat -p local"
        if free is None:
            return "pass base_url= of a server of yours"
        preset = next(
            (n for n, r in self.catalog.presets.items() if kind == "chat" and r.get("provider") == free), None
        )
        name = f"-p {preset}, or preset={preset!r}" if preset is not None else f"-b {free}, or provider={free!r}"
        return f"ask a model on this machine: hb {VERBS.get(kind, kind)} {name}"

    def _stand_in(self, provider: str, kind: str, token: str) -> Named | None:
        """The provider's own default model of a kind; None where it has none, or has the model that was asked for."""
        if not (raw := self._models_of(provider).get(kind)):
            return None
        found = str(self.sources.value(raw, f"{ROOT}.providers.{provider}.default_models.{kind}"))
        self.origins["model"] = f"default of provider {provider}, which has no {token}"
        return Named(provider, found, self._canonical(found, provider))

    def _models_of(self, provider: str) -> Mapping[str, Any]:
        found: Mapping[str, Any] = self.catalog.records.get(provider, {}).get("default_models", {})
        return found

    def _offers(self, provider: str, token: str) -> bool:
        canonical = self.catalog.model(token, provider)
        if canonical is not None:
            return provider in self.catalog.models[canonical].get("providers", {})
        return self.catalog.split(token)[0] == provider or provider in self.catalog.vendors(token)

    def _is_whole(self, provider: str, token: str, rest: str) -> bool:
        """Whether a name is an id of the provider's own that begins with the provider's name, as openrouter/auto."""
        return self.catalog.is_own(provider, token) and self.catalog.model(rest, provider) is None

    def _canonical(self, token: str, provider: str) -> str:
        """The model of a name at a provider: none of the catalogue's for an id of the provider's own."""
        known = self.catalog.model(token, provider)
        if known is None or self.catalog.is_native(provider, token) or fold(known) == fold(token):
            return known or token
        return token if self.catalog.is_own(provider, token) else known

    # Readiness

    def _has_connection(self, preset_record: Mapping[str, Any]) -> bool:
        """Whether somebody says how to connect, so that keys of variables are not what counts."""
        tables = [self.options, self.config.section(f"{ROOT}.default_args", raw=True)]
        tables += [preset_record.get(name, {}) for name in ("default_args", "args")]
        names = CONNECTION - {"headers"}
        return any(table.get(name) is not None for table in tables for name in names.intersection(table))

    def _is_set(self, raw: object) -> bool:
        named = references(raw) if isinstance(raw, str) else ()
        return all(self.sources.variable(name) is not None or default is not None for name, default in named)


def _is_free(record: Mapping[str, Any]) -> bool:
    """Whether a provider is a server or process of the user's own, which needs no account."""
    if "account_env" in record or str(record.get("base_url", "")).startswith("mock:"):
        return False
    return bool(record.get("api_key_optional") or not record.get("api_key_env"))


def _kind(what: str, name: str) -> str:
    """The hint for a name that stands where another kind of name belongs."""
    flag = {"provider": "-b", "model": "-m", "gateway": "-g", "preset": "-p"}[what]
    return f"{name!r} is a {what}: {what}={name!r}, or hb … {flag} {name}"
