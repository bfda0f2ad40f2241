"""Roles as settings of hb: a preset for each role, and what the file says of each provider."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import Any

from hb_roles.config_loader import parse_runtime_config
from hb_roles.errors import ConfigError, EnvVarMissingError, Problem
from hb_roles.models import ProviderConfig, RoleConfig, RuntimeConfig
from hb_roles.resolver import filled, unset
from heavenbase import Config, Kernel
from heavenbase.errors import ConfigError as SettingsError
from heavenbase.errors import PluginLoadError

ROOT = "heavenbase.llm"
ALONE: Mapping[str, Any] = {
    f"{ROOT}.cache.enabled": False,
    # A role sends what its parameters say, and nothing that hb would send on its own.
    f"{ROOT}.default_args": {"temperature": None, "seed": None},
}
"""What a hub sets besides: answers are asked for each time, and no parameter is added."""


def role_settings(
    config: RuntimeConfig | Mapping[str, Any], *, environ: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """The settings that make presets of roles, for a kernel of one's own.

    `hb.set_default_kernel(hb.Kernel(hb.Config.load(overrides=role_settings(config))))` lays them over the user's
    settings, and `hb.LLM("llm.inference")` is that role everywhere.

    Args:
        config: The roles, as `load_runtime_config` gives them or as plain data.
        environ: The variables that names of providers refer to; those of the process by default.

    Raises:
        ConfigError: The roles are wrong, or two providers of them are one to hb.
        PluginLoadError: A provider is not installed; the message has the pip line.
    """
    return Settings(parse_runtime_config(config, environ=environ), environ).table


class Settings:
    """The settings of a configuration: `table` is for a Config, `presets` the preset of each role.

    Attributes:
        providers: The name that hb has for each provider of the file.
        broken: Why a provider of the file cannot be used, by name.
    """

    def __init__(
        self, config: RuntimeConfig, environ: Mapping[str, str] | None = None, *, strict: bool = True, **plugins: Any
    ) -> None:
        variables = os.environ if environ is None else environ
        # It sends nothing and holds nothing; closing it would close the plugins, which another kernel will use.
        catalog = Kernel({}, environ=variables, **plugins).resolver.catalog
        self.providers = _hb_names(config, catalog)
        self.broken = dict(_unusable(config, self.providers, catalog))
        taken = set(catalog.presets)
        if strict and self.broken:
            raise next(iter(self.broken.values()))
        # A role that has the name of a preset of hb's takes its place whole: in another spelling, it is laid over none.
        self.presets = {name: _respelled(name) if name in taken else name for name in config.roles}
        rows = {self.presets[name]: self._preset(config, role, variables) for name, role in config.roles.items()}
        self.table: dict[str, Any] = {f"{ROOT}.presets": rows, f"{ROOT}.providers": self._providers(config, variables)}

    def name(self, provider: str) -> str:
        """The name that hb has for a provider of the file."""
        return self.providers.get(provider, provider)

    def check(self, provider: str) -> None:
        """Raise why a provider of the file cannot be used."""
        if (error := self.broken.get(provider)) is not None:
            raise type(error).of(error)

    def _preset(self, config: RuntimeConfig, role: RoleConfig, environ: Mapping[str, str]) -> dict[str, Any]:
        params = {name: value for name, value in role.params.items() if name != "stream"}  # how to call, not what
        preset: dict[str, Any] = {
            "model": _now(role.model, environ),
            "provider": self.name(_now(role.provider, environ)),
        }
        preset |= {"default_args": params}
        return preset | {"description": f"role of {config.project} ({config.env})"}

    def _providers(self, config: RuntimeConfig, environ: Mapping[str, str]) -> dict[str, Any]:
        rows = {name: _provider(provider) for name, provider in config.providers.items()}
        for role in filter(None, (*config.roles.values(), config.defaults)):
            row = rows.get(role.provider, {})
            if "base_url" in row and "${" not in role.model:
                # Somebody's own endpoint has the names that the file says, whatever hb knows by them elsewhere.
                row.setdefault("models", {})[role.model] = role.model
        return {self.name(name): row for name, row in rows.items() if row}


def _now(name: str, environ: Mapping[str, str]) -> str:
    """A name with its references filled in, which hb does not do in those of models and providers."""
    try:
        return str(filled(name, "name", environ))
    except EnvVarMissingError:  # told by the call
        return name


def _provider(provider: ProviderConfig) -> dict[str, Any]:
    row: dict[str, Any] = {}
    if provider.env_key is not None:
        row["api_key_env"] = [provider.env_key]
    if provider.api_key is not None:
        row["api_key"] = provider.api_key.get_secret_value()
    if provider.base_url is not None:
        row["base_url"] = provider.base_url
    return row


def _hb_names(config: RuntimeConfig, catalog: Any) -> dict[str, str]:
    found: dict[str, str] = {}
    for name in config.providers:
        known = catalog.provider(name) or name
        twin = next((other for other, meant in found.items() if meant == known), None)
        if twin is not None:
            problem = Problem(f"providers.{name}", f"is the same provider as {twin!r}: {known}")
            raise ConfigError(f"{problem.path}: {problem.message}", problems=[problem])
        found[name] = known
    return found


def _unusable(
    config: RuntimeConfig, names: Mapping[str, str], catalog: Any
) -> Iterator[tuple[str, ConfigError | PluginLoadError]]:
    for name, provider in config.providers.items():
        if provider.base_url is not None or names[name] in catalog.providers:
            continue
        path = f"providers.{name}"
        wanted = catalog.wanted_provider(name)
        if wanted is not None:
            needed = f"pip install {catalog.packages[wanted]}"
            yield name, PluginLoadError(f"{path}: provider {wanted!r} is not installed; {needed}")
            continue
        from hb_roles.config_loader import nearest

        hint = nearest(name, catalog.providers)
        message = f"hb has no provider {name!r}{hint}; give its endpoint as base_url if it has the API of OpenAI"
        yield name, ConfigError(f"{path}: {message}", problems=[Problem(path, message)])


def _respelled(name: str) -> str:
    """The name written otherwise, and the same to hb."""
    return f"{name}."


def made(settings: Settings, more: Mapping[str, Any] | None, environ: Mapping[str, str] | None) -> Config:
    """The configuration of a hub's kernel; a problem with a role is told by its path in the file of roles."""
    variables = os.environ if environ is None else environ
    base = Config.from_dict(ALONE, layer="hb-roles", environ=variables)
    try:
        config = base.with_layer("roles", settings.table)
    except SettingsError as error:
        raise ConfigError(_as_roles(str(error), settings)) from None
    return config.with_layer("settings", more) if more else config


def _as_roles(text: str, settings: Settings) -> str:
    for role, preset in settings.presets.items():
        for spelt in (f'"{preset}"', preset):
            text = text.replace(f"{ROOT}.presets.{spelt}.default_args", f"roles.{role}.params")
            text = text.replace(f"{ROOT}.presets.{spelt}", f"roles.{role}")
    for name, known in settings.providers.items():
        for spelt in (f'"{known}"', known):
            text = text.replace(f"{ROOT}.providers.{spelt}.api_key_env", f"providers.{name}.env_key")
            text = text.replace(f"{ROOT}.providers.{spelt}", f"providers.{name}")
    return text.replace("roles: ", "")


def missing(config: RuntimeConfig, environ: Mapping[str, str] | None = None) -> list[tuple[str, str]]:
    """The variables of providers that are not set, or are empty: (provider, variable), in the order of the file."""
    variables = os.environ if environ is None else environ
    return [(name, variable) for name, variable, state in variables_of(config, variables) if state != "set"]


def variables_of(config: RuntimeConfig, environ: Mapping[str, str]) -> list[tuple[str, str, str]]:
    """Each provider with the variables of its key, and what they are: set, empty or missing."""
    rows = []
    for name, provider in config.providers.items():
        named = [provider.env_key] if provider.env_key is not None else []
        if provider.api_key is not None:
            named += unset(provider.api_key.get_secret_value(), {})
        for variable in named:
            value = environ.get(variable)
            rows.append((name, variable, "missing" if value is None else "set" if value.strip() else "empty"))
    return rows
