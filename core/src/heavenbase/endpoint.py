"""Where a provider's requests go and with which credential, and the rules that bind the two."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from heavenbase.errors import ConfigError, InputError, InputTypeError
from heavenbase.secrets import Secret

if TYPE_CHECKING:
    from collections.abc import Mapping

    from heavenbase.config import Config

ROOT = "heavenbase.llm"
CONNECTION = frozenset({"api_key", "auth_token", "base_url", "headers"})
"""Options that say how to connect; they are never default arguments of a request."""


class Endpoint:
    """Base URL and credential of one resolution; notes the origin of each and the environment variables it read."""

    def __init__(
        self,
        config: Config,
        options: Mapping[str, Any],
        origins: dict[str, str],
        read: dict[str, str | None],
    ) -> None:
        self.config = config
        self.options = options
        self.origins = origins
        self.read = read

    def connection(
        self, provider: str, record: Mapping[str, Any], gateway: str, gateway_record: Mapping[str, Any]
    ) -> tuple[str | None, Secret | None]:
        """(base URL, key); an error for a malformed one, or for a key that would travel in clear text."""
        url = self._base_url(provider, record, gateway, gateway_record)
        key = self._api_key(provider, record, gateway_record)
        _check_plain_http(url, key, provider, record)
        return url, key

    def _base_url(
        self, provider: str, record: Mapping[str, Any], gateway: str, gateway_record: Mapping[str, Any]
    ) -> str | None:
        given = self.options.get("base_url")
        if given is not None:
            self.origins["base_url"] = "argument"
            return _url(given)
        if record.get("require_base_url"):
            raise InputError(f"provider {provider!r} needs a base_url; pass base_url=")
        for owner, table in (("gateway", gateway_record), ("provider", record)):
            variable = _by_gateway(table.get("base_url_env"), gateway)
            value = _by_gateway(table.get("base_url"), gateway)
            configured = self.config.origin(f"{ROOT}.providers.{provider}.base_url") if owner == "provider" else None
            if configured is not None:
                self.origins["base_url"] = str(configured)
                return _url(value)
            if variable and (found := self._env(variable)):
                self.origins["base_url"] = f"environment {variable}"
                return _url(found)
            if value:
                self.origins["base_url"] = f"{owner} {gateway if owner == 'gateway' else provider}"
                return _url(value)
        return None

    def _api_key(self, provider: str, record: Mapping[str, Any], gateway_record: Mapping[str, Any]) -> Secret | None:
        given = self.options.get("api_key")
        if given is not None:
            self.origins["api_key"] = "argument"
            return _secret(given, "api_key")
        for table in (gateway_record, record):
            configured = table.get("api_key")
            if configured:
                self.origins["api_key"] = f"configuration of provider {provider}"
                return _secret(configured, f"api_key of provider {provider}")
            for variable in table.get("api_key_env", ()):
                if found := self._env(variable):
                    self.origins["api_key"] = f"environment {variable}"
                    return _secret(found, variable)
        placeholder = record.get("placeholder_key")
        return _secret(placeholder, "placeholder_key") if placeholder else None

    def _env(self, name: str) -> str | None:
        value = self.config.environ.get(name)
        self.read[name] = value
        return value


def _by_gateway(value: Any, gateway: str) -> Any:
    return value.get(gateway, value.get("default")) if isinstance(value, dict) else value


def _secret(value: object, name: str) -> Secret:
    if isinstance(value, Secret):
        return value
    if not isinstance(value, str):
        raise InputTypeError(f"{name} must be a str, not {type(value).__name__}")
    return Secret.check(value, name)


def _url(value: object) -> str:
    if not isinstance(value, str):
        raise InputTypeError(f"base_url must be a str, not {type(value).__name__}")
    scheme, found, rest = value.partition("://")
    if not found or scheme.lower() not in ("http", "https", "mock", "local") or any(c.isspace() for c in value):
        raise InputError(f"base_url {value!r} is no http(s) URL")
    if "@" in rest.partition("/")[0]:
        raise InputError("base_url holds a user name or password; pass the credential as api_key")
    return value.rstrip("/")


def _check_plain_http(url: str | None, key: Secret | None, provider: str, record: Mapping[str, Any]) -> None:
    if url is None or key is None or not url.lower().startswith("http://") or record.get("allow_http"):
        return
    if not _is_loopback(url) and key.reveal() != record.get("placeholder_key"):
        raise ConfigError(
            f"provider {provider!r} would send its key in clear text over http; use https, or allow it with "
            f"hb cfg set {ROOT}.providers.{provider}.allow_http true"
        )


def _is_loopback(url: str) -> bool:
    from ipaddress import ip_address
    from urllib.parse import urlsplit

    host = urlsplit(url).hostname or ""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
