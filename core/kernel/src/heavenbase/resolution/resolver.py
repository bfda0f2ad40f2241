"""The resolver: preset, model, provider and gateway names become one LLMSpec, with the origin of every value."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Any

from heavenbase.config.config import Config
from heavenbase.errors import (
    ConfigError,
    HBError,
    InputError,
    InputTypeError,
    PluginFallbackWarning,
    PluginLoadError,
    UnknownModelError,
    UnknownModelWarning,
    warn_caller,
)
from heavenbase.options import CONNECTION, CREDENTIALS, KNOWN, check_slips, conceal, unknown_options, with_effort
from heavenbase.registry import Registry
from heavenbase.resolution.arguments import (
    check_options,
    default_arguments,
    merged_headers,
    unconnected,
    unknown_arguments,
)
from heavenbase.resolution.bonds import check_bonds, check_names
from heavenbase.resolution.catalog import Catalog, fold, merge, native_id
from heavenbase.resolution.endpoint import (
    KEYS,
    ROOT,
    Endpoint,
    Sources,
    by_gateway,
    check_plain_headers,
    check_plain_http,
    given_connection,
    origin_of,
    owner_of,
    rows_of,
)
from heavenbase.resolution.naming import Naming
from heavenbase.resolution.routed import RoutedResolver
from heavenbase.resolution.slips import check_gateway, check_providers, meant_model
from heavenbase.resolution.tables import Tables
from heavenbase.spec import LLMSpec, Timeouts

FALLBACK = "openai"
OFFLINE = "mock"
MEMO_SIZE = 256


class Resolver:
    """Resolves names for one kernel; equal requests are answered from memory while the environment stays the same."""

    def __init__(self, config: Config, registry: Registry) -> None:
        self._config = config
        self._registry = registry
        self._catalog: Catalog | None = None
        self._routes = RoutedResolver(self, config, registry)
        self.tables = Tables(config, registry)
        self._memo: dict[Any, tuple[LLMSpec, tuple[tuple[str, str | None], ...], tuple[str, ...]]] = {}

    @property
    def catalog(self) -> Catalog:
        """The merged catalogue; made on first use."""
        if self._catalog is None:
            names = ("models", "presets", "providers")
            tables = {name: self._config.section(f"{ROOT}.{name}", raw=True) for name in names}
            registry = self._registry
            check_names(self._config, registry)
            self._catalog = Catalog(registry.inventory, registry.names("providers"), tables, registry.check_allowed)
        return self._catalog

    def resolve(
        self,
        preset: str | None = None,
        model: Any = None,
        provider: str | None = None,
        gateway: str | None = None,
        options: dict[str, Any] | None = None,
    ) -> LLMSpec:
        """The spec for these names and options, of a route its first; UnknownNameError names the nearest choice."""
        options = options or {}
        if options:
            conceal(options)
            options = dict(with_effort(options))
            if options.get("by_provider"):
                check_providers(options["by_provider"], self.catalog)
        several = "route" in options or not isinstance(model, str)
        routed = self._routes.resolve(preset, model, provider, gateway, options) if several else None
        return routed or self.resolve_one(preset, model, provider, gateway, options)

    def resolve_one(
        self, preset: str | None, model: str | None, provider: str | None, gateway: str | None, options: dict[str, Any]
    ) -> LLMSpec:
        """The spec of one target, whatever route its preset has."""
        try:
            # The types too: 1, 1.0 and True are equal, and not the same on the wire.
            kinds = tuple(map(type, options.values()))
            key: Any = (preset, model, provider, gateway, tuple(options.items()), kinds)
            found = self._memo.get(key)
        except TypeError:  # an option that cannot be hashed
            key = found = None
        environ = self._config.environ
        for variable, value in found[1] if found is not None else ():
            if environ.get(variable) != value:
                found = None
                break
        if found is not None:
            for text in found[2]:
                warn_caller(text, UnknownModelWarning)
            return found[0]
        for what, name in (("preset", preset), ("model", model), ("provider", provider), ("gateway", gateway)):
            if name is not None and not isinstance(name, str):
                raise InputTypeError(f"{what} must be a str, not {type(name).__name__}")
        check_options(options)
        resolution = _Resolution(self, options)
        try:
            spec = resolution.run(preset, model, provider, gateway)
        except HBError:
            unknown_options(options, None)  # a slip may be why
            raise
        if not KNOWN.issuperset(spec.args):
            spec = replace(spec, unknown=unknown_arguments(spec, self._config, self._registry))
        if key is not None and not resolution.fell_back:
            if len(self._memo) >= MEMO_SIZE:
                self._memo.clear()
            self._memo[key] = spec, tuple(resolution.sources.read.items()), tuple(resolution.warned)
        for text in resolution.warned:
            warn_caller(text, UnknownModelWarning)
        return spec

    def redirect(self, spec: LLMSpec, connection: Mapping[str, Any]) -> LLMSpec:
        """The same target reached with another base URL, key or headers (the connection options of one call)."""
        check_options(connection)
        record = {**spec.provider_record, "require_base_url": False}
        sources = Sources(self._config, self.catalog.claims.foreign)
        rows = rows_of(spec.preset, spec.model, spec.provider, spec.gateway)
        endpoint = Endpoint(sources, *given_connection(sources, rows, connection))
        found = endpoint.connection(spec.provider, record, spec.gateway, spec.gateway_record)
        given = {name: origin for name, origin in sources.origins.items() if origin == "argument"}
        changed = {field: getattr(found, field) for field in map(_field_of, given)}
        headers = {**spec.headers, **(connection.get("headers") or {})}
        replaced = KEYS if "api_key" in changed else ()
        kept = {name: origin for name, origin in spec.origins.items() if name not in replaced}
        origins = MappingProxyType({**kept, **given})
        changed |= {"headers": MappingProxyType(headers), "origins": origins, "untrusted": endpoint.untrusted}
        if spec.route is not None:
            changed["route"] = spec.route.connected(connection)
        moved = replace(spec, **changed)
        owner = owner_of(spec.provider, record, spec.gateway, spec.gateway_record)
        for key in (moved.api_key, moved.gateway_key):
            check_plain_http(moved.base_url, key, owner)
        check_plain_headers(moved.base_url, headers, owner)
        check_plain_http(moved.provider_url, moved.api_key, ("providers", spec.provider, record))
        return moved

    def offline(self, spec: LLMSpec) -> LLMSpec:
        """The same target answered by the mock gateway, which needs no network and no key."""
        if spec.gateway == OFFLINE:
            return spec
        self._registry.load("gateways", OFFLINE)
        # What the endpoint cannot do, the mock can.
        provider, model = (
            MappingProxyType({key: value for key, value in record.items() if key != "capabilities"})
            for record in (spec.provider_record, spec.model_record)
        )
        return replace(spec, gateway=OFFLINE, provider_record=provider, model_record=model)


class _Resolution:
    """One resolution in progress."""

    def __init__(self, resolver: Resolver, options: Mapping[str, Any]) -> None:
        self.config, self.registry = resolver._config, resolver._registry
        self.catalog, self.tables = resolver.catalog, resolver.tables
        self.options = options
        self.sources = Sources(self.config, self.catalog.claims.foreign)
        self.origins = self.sources.origins
        self.fell_back = False
        self.warned: list[str] = []

    def run(self, preset: str | None, model: str | None, provider: str | None, gateway: str | None) -> LLMSpec:
        naming = Naming(self.sources, self.catalog, self.options)
        preset, preset_record = naming.preset(preset, model)
        self.registry.inventory.check_slips(None, None, preset)
        provider, token, canonical = naming.target(model, provider, preset, preset_record)
        self.registry.inventory.check_slips(provider, canonical, preset)
        model_record = self.catalog.models.get(canonical, {})
        wanted = self._gateway_name(gateway, preset_record, provider)
        record = self._provider_record(provider, wanted, token)
        native = self._native_id(canonical, token, provider, record, model_record)
        chosen, gateway_record = self._gateway(wanted, provider, record)
        rows = rows_of(preset, canonical, provider, chosen)
        given, headers = given_connection(self.sources, rows, self.options)
        endpoint = Endpoint(self.sources, given, headers)
        connection = endpoint.connection(provider, record, chosen, gateway_record)
        if endpoint.untrusted is not None:
            check_bonds(self.config, endpoint.untrusted, rows, self.options)
        self._check_options(provider, chosen)
        record = self._read(record, f"providers.{provider}")
        gateway_record = self._read(gateway_record, f"gateways.{chosen}")
        model_record = self._read(model_record, f"models.{canonical}")
        configured = self.catalog.configured_providers.get(provider, {})
        record["capabilities"] = self.tables.abilities(provider, native, record, configured)
        entry = model_record.get("providers", {}).get(provider)
        entry = entry if isinstance(entry, dict) else {}
        if "capabilities" in entry:
            model_record["capabilities"] = {**model_record.get("capabilities", {}), **entry["capabilities"]}
        if "options" in entry:
            record["options"] = merge(record.get("options", {}), entry["options"])
        layers = (
            (f"{ROOT}.default_args", self.config.section(f"{ROOT}.default_args")),
            (f"gateway {chosen}", default_arguments(gateway_record)),
            (f"model {canonical}", {**default_arguments(model_record), **default_arguments(entry)}),
            (f"provider {provider}", default_arguments(record)),
            (f"preset {preset}", default_arguments(self._read(preset_record, f"presets.{preset}"))),
            ("argument", self.options),
        )
        args = self._args(layers)
        if around := preset_record.get("middleware"):
            args["middleware"] = [*around, *(args.get("middleware") or ())]
        tables = [record.get("headers", {}), gateway_record.get("headers", {}), *(found.value for found in headers)]
        merged = merged_headers(tables)
        check_plain_headers(connection.base_url, merged, owner_of(provider, record, chosen, gateway_record))
        limits = Timeouts(**self.config.section(f"{ROOT}.timeouts")).merged(args.get("timeout"))
        return LLMSpec(
            preset=preset,
            model=canonical,
            model_id=native,
            provider=provider,
            gateway=chosen,
            requested_gateway=wanted,
            **connection._asdict(),
            headers=MappingProxyType(merged),
            args=MappingProxyType(args),
            explicit=frozenset(self.options),
            timeouts=limits,
            provider_record=MappingProxyType(dict(record)),
            gateway_record=MappingProxyType(dict(gateway_record)),
            model_record=MappingProxyType(dict(model_record)),
            origins=MappingProxyType(self.origins),
            untrusted=endpoint.untrusted,
        )

    # Names

    def _native_id(
        self, canonical: str, token: str, provider: str, record: Mapping[str, Any], model_record: Mapping[str, Any]
    ) -> str:
        if record.get("require_model_override") and canonical == record.get("placeholder_model"):
            raise InputError(f"provider {provider!r} needs a concrete model; pass model=")
        entry = model_record.get("providers", {}).get(provider)
        if entry is not None:
            return native_id(entry)
        # What a provider does not list: an error where it lists all, or where only others are known to have it.
        policy = self.config.get(f"{ROOT}.model_mismatch")
        is_elsewhere = bool(model_record.get("providers")) and not self.catalog.is_own(provider, token)
        is_refused = is_elsewhere and not record.get("require_model_override")
        near = meant_model(token, self._names_of(provider)) if policy != "ignore" else None
        text = f"provider {provider!r} lists no model {token!r}"
        if is_refused:
            offered = ", ".join(model_record.get("providers", {})) or "none"
            text = f"provider {provider!r} does not offer model {canonical!r} (providers that do: {offered})"
        elif near is not None:
            text += f"; did you mean {near!r}?"
        if policy == "match" and near is not None:
            known = self.catalog.model(near, provider)
            entry = self.catalog.models.get(known or "", {}).get("providers", {}).get(provider)
            self.warned.append(f"{text} {near!r} is taken")
            return native_id(entry) if entry is not None else near
        if policy in ("raise", "match") and (is_refused or not record.get("allow_unknown_models")):
            hint = text if is_refused else ""
            raise UnknownModelError("model", token, self._names_of(provider), hint=hint, provider=provider)
        if policy == "warn" or (near is not None and not is_refused):
            self.warned.append(text)
        return canonical if is_refused else token

    def _names_of(self, provider: str) -> list[str]:
        """The names of the models that a provider lists, its own ids of them included."""
        names: dict[str, None] = {}
        for name, record in self.catalog.models.items():
            if entry := record.get("providers", {}).get(provider):
                names |= dict.fromkeys((name, native_id(entry), *record.get("aliases", ())))
        return list(names)

    # Records

    def _provider_record(self, provider: str, gateway: str, model: str) -> dict[str, Any]:
        configured = self.catalog.configured_providers.get(provider, {})
        base: Mapping[str, Any] = {"wire": FALLBACK, "allow_unknown_models": True}
        if self.registry.has("providers", provider):
            self.registry.load("providers", provider)
            base = self.registry.hook.resolve(provider=provider, gateway=gateway, model_id=model) or {}
            self.catalog.claims.check_variables(provider, base)
        elif not configured.get("base_url") and not self.options.get("base_url"):
            raise ConfigError(
                f"provider {provider!r} has no base_url; hb cfg set {ROOT}.providers.{provider}.base_url …"
            )
        return merge(base, configured)

    def _check_options(self, provider: str, gateway: str) -> None:
        """UnknownNameError for a setting under `options` that is nearly one which the provider or its gateway reads."""
        given = self.catalog.configured_providers.get(provider, {}).get("options")
        if given:
            known = set(self.registry.load("gateways", gateway).options)
            for claim in self.registry.inventory.claims("providers", provider):
                known |= ((claim.manifest or {}).get("provider", {}).get("options") or {}).keys()
            check_slips(f"option of provider {provider!r}", given, known)

    def _gateway_name(self, gateway: str | None, preset_record: Mapping[str, Any], provider: str) -> str:
        declared = self.catalog.records.get(provider, {}).get("gateway")
        default = str(self.config.get(f"{ROOT}.default_gateway"))
        for name, origin in (
            (gateway, "argument"),
            (preset_record.get("gateway"), "preset"),
            (declared, f"provider {provider}"),
            (default, f"{self.config.origin(f'{ROOT}.default_gateway')}: {ROOT}.default_gateway"),
        ):
            if name:
                self.origins["gateway"] = origin
                return next((known for known in self.registry.names("gateways") if fold(known) == fold(name)), name)
        raise ConfigError(f"{ROOT}.default_gateway is empty")

    def _gateway(self, wanted: str, provider: str, record: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
        configured = self.config.section((*ROOT.split("."), "gateways", wanted), raw=True)
        try:
            if not self.registry.has("gateways", wanted):
                check_gateway(wanted, self.registry, self.config)
                raise PluginLoadError(f"gateway {wanted!r} is not installed; pip install {self._distribution(wanted)}")
            plugin = self.registry.load("gateways", wanted)
            plugin.check()
        except Exception as error:
            if isinstance(error, HBError) and not isinstance(error, ImportError):
                raise  # a conflict or a blocked plugin is for the user to settle
            return self._fall_back(wanted, provider, record, error)
        return wanted, merge(plugin.defaults, configured)

    def _fall_back(
        self, wanted: str, provider: str, record: Mapping[str, Any], error: Exception
    ) -> tuple[str, dict[str, Any]]:
        reason = f"gateway {wanted!r} cannot be used: {error}"
        if "pip install" not in reason:
            reason += f" (pip install {self._distribution(wanted)})"
        asked = str(self.config.environ.get("HB_STRICT_PLUGINS") or "").lower() not in ("", "0", "false", "no")
        if wanted == FALLBACK or asked or self.config.get(f"{ROOT}.strict_plugins"):
            raise PluginLoadError(reason) from error
        here, there = (origin_of(by_gateway(record.get("base_url"), gateway)) for gateway in (wanted, FALLBACK))
        if record.get("wire") != FALLBACK or here != there or wanted in self.registry.inventory.places:
            raise PluginLoadError(
                f"{reason}; no fallback: provider {provider!r} does not serve the {FALLBACK} wire at the same address"
            ) from error
        if not self.registry.has("gateways", FALLBACK):
            missing = f"the {FALLBACK} gateway is not installed; pip install {self._distribution(FALLBACK)}"
            raise PluginLoadError(f"{reason}; no fallback: {missing}") from error
        plugin = self.registry.load("gateways", FALLBACK)
        self.fell_back = True
        self.origins["gateway"] = f"fallback from {wanted}"
        warn_caller(
            f"{reason}; the {FALLBACK} gateway takes its place, with the same provider, base URL and key",
            PluginFallbackWarning,
        )
        return FALLBACK, merge(plugin.defaults, self.config.section(f"{ROOT}.gateways.{FALLBACK}", raw=True))

    def _distribution(self, gateway: str) -> str:
        found = self.registry.inventory.gateway_distribution(gateway)
        return f"hb-core (or {found})" if gateway == FALLBACK else found

    # Values

    def _args(self, layers: Sequence[tuple[str, Mapping[str, Any]]]) -> dict[str, Any]:
        args: dict[str, Any] = {}
        for origin, layer in layers:
            for name, value in with_effort(layer).items():
                if name in CONNECTION:
                    continue
                args[name] = value
                self.origins[f"args.{name}"] = origin
        if self.options.get("reasoning_effort") is not None and "think" not in self.options:
            # Asking for effort is asking to think, whatever a preset says.
            args["think"] = True
            self.origins["args.think"] = "reasoning_effort"
        return args

    def _read(self, record: Mapping[str, Any], key: str) -> dict[str, Any]:
        """A record with its references resolved, without credentials and the connection, which travel on their own."""
        # The targets of a route are read one by one, when they are needed.
        apart = CREDENTIALS | {"route"}
        rest = {name: unconnected(name, value) for name, value in record.items() if name not in apart}
        return self.sources.value(rest, f"{ROOT}.{key}")  # type: ignore[no-any-return]


def _field_of(option: str) -> str:
    """The field of a spec that a connection option stands in."""
    return "api_key" if option in KEYS else option
