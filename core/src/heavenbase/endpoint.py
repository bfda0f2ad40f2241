"""Where a provider's requests go and with which credential, and the rules that bind the two."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from heavenbase.config import Origin
from heavenbase.config_values import interpolate, references
from heavenbase.errors import ConfigError, InputError, InputTypeError
from heavenbase.secrets import Secret

if TYPE_CHECKING:
    from collections.abc import Mapping

    from heavenbase.config import Config

ROOT = "heavenbase.llm"
CONNECTION = frozenset({"api_key", "auth_token", "base_url", "headers"})
"""Options that say how to connect; they are never default arguments of a request."""
_SCHEMES = ("http", "https", "mock", "local")


class Sources:
    """The configuration as one resolution reads it: notes the origin of values and the variables looked at."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self.origins: dict[str, str] = {}
        self.read: dict[str, str | None] = {}

    def variable(self, name: str) -> str | None:
        """An environment variable; None when it is unset or empty."""
        value = self.config.environ.get(name)
        self.read[name] = value
        return value or None

    def value(self, raw: Any, key: str) -> Any:
        """A raw configuration value with its `${env:...}` references resolved, tables and lists included."""
        if isinstance(raw, str):
            for name, _ in references(raw, key):
                self.variable(name)
            return interpolate(raw, key, self.config.environ)
        if isinstance(raw, dict):
            return {name: self.value(item, f"{key}.{name}") for name, item in raw.items()}
        if isinstance(raw, list):
            return [self.value(item, key) for item in raw]
        return raw


class Endpoint:
    """Base URL and credential of one resolution. `options` are the caller's, and beat everything else."""

    def __init__(self, sources: Sources, options: Mapping[str, Any]) -> None:
        self._sources = sources
        self._options = options

    def connection(
        self, provider: str, record: Mapping[str, Any], gateway: str, gateway_record: Mapping[str, Any]
    ) -> tuple[str | None, Secret | None]:
        """(base URL, key) of raw records; an error for a malformed one, or for a key that must not go to that URL."""
        url, url_origin = self._base_url(provider, record, gateway, gateway_record)
        key, key_origin = self._api_key(provider, record, gateway, gateway_record)
        if url_origin is not None:
            headers = self._sources.config.origin(_key("providers", provider, "headers"))
            self._sources.config.endpoint_trust(url_origin, key_origin, headers)
        check_plain_http(url, key, provider, record)
        return url, key

    def _base_url(
        self, provider: str, record: Mapping[str, Any], gateway: str, gateway_record: Mapping[str, Any]
    ) -> tuple[str | None, Origin | None]:
        given = self._options.get("base_url")
        if given is not None:
            self._sources.origins["base_url"] = "argument"
            return _url(given), None
        if record.get("require_base_url"):
            raise InputError(f"provider {provider!r} needs a base_url; pass base_url=")
        # A gateway that is a place of its own stands between caller and provider.
        for kind, name, table in (("gateways", gateway, gateway_record), ("providers", provider, record)):
            path = _key(kind, name, "base_url")
            configured = self._sources.config.origin(path)
            raw = _by_gateway(table.get("base_url"), gateway)
            variable = _by_gateway(table.get("base_url_env"), gateway)
            if configured is None and variable and (found := self._sources.variable(variable)):
                self._sources.origins["base_url"] = f"environment {variable}"
                return _url(found), self._sources.config.variable_origin(variable)
            host = table.get("host_env")
            if configured is None and raw and host and (found := self._sources.variable(host)):
                self._sources.origins["base_url"] = f"environment {host}"
                return _url(at_host(raw, found)), self._sources.config.variable_origin(host)
            if raw:
                self._sources.origins["base_url"] = str(configured or f"{kind.removesuffix('s')} {name}")
                origin = self._sources.config.trace(raw, configured) if configured is not None else None
                return _url(self._sources.value(raw, ".".join(path))), origin
        return None, None

    def _api_key(
        self, provider: str, record: Mapping[str, Any], gateway: str, gateway_record: Mapping[str, Any]
    ) -> tuple[Secret | None, Origin | None]:
        given = next((g for n in ("api_key", "auth_token") if (g := self._options.get(n)) is not None), None)
        if given is not None:
            self._sources.origins["api_key"] = "argument"
            # Code is the most trusted source, so what it gives must not go where an untrusted file points.
            return _secret(given, "api_key"), Origin("constructor")
        for kind, name, table in (("gateways", gateway, gateway_record), ("providers", provider, record)):
            path = _key(kind, name, "api_key")
            configured = self._sources.config.origin(path)
            raw = table.get("api_key")
            if raw and configured is not None:
                self._sources.origins["api_key"] = str(configured)
                value = self._sources.value(raw, ".".join(path))
                return _secret(value, ".".join(path)), self._sources.config.trace(raw, configured)
            for variable in table.get("api_key_env", ()):
                if found := self._sources.variable(variable):
                    self._sources.origins["api_key"] = f"environment {variable}"
                    return _secret(found, variable), self._sources.config.variable_origin(variable)
        placeholder = record.get("placeholder_key")
        return (_secret(placeholder, "placeholder_key"), None) if placeholder else (None, None)


def _key(kind: str, name: str, field: str) -> tuple[str, ...]:
    return (*ROOT.split("."), kind, name, field)


def _by_gateway(value: Any, gateway: str) -> Any:
    return value.get(gateway, value.get("default")) if isinstance(value, dict) else value


def _secret(value: object, name: str) -> Secret:
    if not isinstance(value, str | Secret):
        raise InputTypeError(f"{name} must be a str, not {type(value).__name__}")
    return Secret.check(value, name)


def _url(value: object) -> str:
    if not isinstance(value, str):
        raise InputTypeError(f"base_url must be a str, not {type(value).__name__}")
    scheme, found, rest = value.partition("://")
    if not found or scheme.lower() not in _SCHEMES or not rest or any(c.isspace() or c < " " for c in value):
        raise InputError("base_url is no http(s) URL" + ("" if "@" in value else f": {value!r}"))
    if "@" in rest.partition("/")[0]:
        raise InputError("base_url holds a user name or password; pass the credential as api_key")
    return value.rstrip("/")


def at_host(base_url: str, host: str) -> str:
    """The base URL at another host, given as servers are told where to listen: `[scheme://]host[:port][/path]`.

    What is left out stays as in `base_url`; "all addresses" become this machine's own.
    """
    from urllib.parse import urlsplit

    base = urlsplit(base_url)
    scheme, has_scheme, rest = host.strip().rpartition("://")
    place, _, path = rest.rstrip("/").partition("/")
    if place.count(":") > 1 and "[" not in place:
        place = f"[{place}]"
    name, _, port = place.rpartition(":") if ":" in place.rpartition("]")[2] else (place, "", "")
    name = {"0.0.0.0": "127.0.0.1", "[::]": "[::1]", "": base.hostname or ""}.get(name, name)
    if not port and not has_scheme and base.port is not None:
        port = str(base.port)
    return f"{scheme or base.scheme}://{name}{port and ':'}{port}{path and '/'}{path}{base.path}"


def check_plain_http(url: str | None, key: Secret | None, provider: str, record: Mapping[str, Any]) -> None:
    """ConfigError for a key that would travel in clear text to another machine."""
    if url is None or key is None or not url.lower().startswith("http://") or record.get("allow_http"):
        return
    if not _is_loopback(url) and key.reveal() != record.get("placeholder_key"):
        raise ConfigError(
            f"provider {provider!r} would send its key in clear text over http; use https, or allow it with "
            f"hb cfg set {ROOT}.providers.{provider}.allow_http true"
        )


def origin_of(url: object) -> str:
    """Scheme, host and port of a URL: where a credential goes, whatever the path."""
    scheme, _, rest = str(url or "").partition("://")
    return f"{scheme}://{rest.partition('/')[0]}".lower()


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
