"""Where a provider's requests go and with which credential, and the rules that bind the two."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple, TypeAlias
from urllib.parse import urlsplit

from heavenbase.config.config import Config
from heavenbase.config.layers import Origin
from heavenbase.config.trusted import remedy
from heavenbase.config.values import interpolate, references
from heavenbase.errors import ConfigError, ConfigTrustError, InputError, InputTypeError
from heavenbase.options import CONNECTION
from heavenbase.secrets import Hidden, Secret, hide, is_secret_header

_Table: TypeAlias = tuple[str, str, Mapping[str, Any]]
_Credential: TypeAlias = tuple[Secret | None, Origin | None]

ROOT = "heavenbase.llm"
_HEADER = re.compile(r"[\w!#$%&'*+.^`|~-]+", re.ASCII)
KEYS = ("api_key", "auth_token")
"""Options that hold the provider's credential, as it is or as a bearer token."""
_ADDED = (
    "/chat/completions",
    "/completions",
    "/embeddings",
    "/responses",
    "/v1/messages",
    "/api/chat",
    "/api/generate",
)
"""Ends of addresses that hb adds to a base URL by itself."""
_SCHEMES = ("http", "https", "mock", "local")


class Sources:
    """The configuration as one resolution reads it: notes the origin of values and the variables looked at."""

    def __init__(self, config: Config, foreign: Callable[[str, str], str | None]) -> None:
        self.config = config
        self._foreign = foreign
        self.origins: dict[str, str] = {}
        self.read: dict[str, str | None] = {}

    def variable(self, name: str) -> str | None:
        """An environment variable; None when it is unset or empty."""
        value = self.read[name] = hide(self.config.environ.get(name))
        return value or None

    def foreign(self, provider: str, variable: str) -> str | None:
        """Whose key a variable is that is not this provider's to read; None where the configuration names it."""
        if self.config.origin(_key("providers", provider, "api_key_env")) is not None:
            return None
        return self._foreign(provider, variable)

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


class Given(NamedTuple):
    """A connection option that a caller or a row of arguments gives: its value, who says so, how trusted that is."""

    value: Any
    where: str
    origin: Origin


class Row(NamedTuple):
    """A table of the configuration whose default arguments count for a target."""

    kind: str = ""
    name: str | None = None
    provider: str = ""

    @property
    def path(self) -> tuple[str, ...]:
        """Its key."""
        return tuple(
            filter(None, (*ROOT.split("."), self.kind, self.name, self.provider and "providers", self.provider))
        )


def rows_of(preset: str | None, model: str, provider: str, gateway: str) -> list[Row]:
    """The tables of the configuration that hold arguments of a target, later ones winning."""
    rows = [Row(), Row("gateways", gateway), Row("models", model), Row("models", model, provider)]
    return [*rows, Row("providers", provider), *([Row("presets", preset)] if preset is not None else [])]


def given_connection(
    sources: Sources, rows: Iterable[Row], options: Mapping[str, Any]
) -> tuple[dict[str, Given], list[Given]]:
    """What is given of a connection by name, the caller's `options` over the arguments of rows; and all headers.

    A bearer token takes the place of a key that is given further off, and the other way round.
    """
    found: dict[str, Given] = {}
    headers: list[Given] = []

    def put(name: str, given: Given) -> None:
        if name == "headers":
            headers.append(given)
            return
        if name in KEYS:
            for other in KEYS:
                found.pop(other, None)
        found[name] = given

    config = sources.config
    for row in rows:
        for table in ("default_args", "args") if row.kind == "presets" else ("default_args",):
            path = (*row.path, table)
            values = config.section(path, raw=True)
            for name in sorted(CONNECTION.intersection(values)):
                value, origin = values[name], config.origin((*path, name)) or Origin("constructor")
                if value is not None:
                    key = ".".join((*path, name))
                    trusted = config.trace(value, origin) if isinstance(value, str) else origin
                    put(name, Given(sources.value(value, key), str(origin), trusted))
        for name in config.get((*row.path, "unset"), None) or () if row.kind else ():
            found.pop(name, None)
    for name in sorted(CONNECTION.intersection(options)):
        if options[name] is not None:
            # Code is the most trusted source, so what it gives must not go where an untrusted file points.
            put(name, Given(options[name], "argument", Origin("constructor")))
    return found, headers


class Connection(NamedTuple):
    """Where requests go and with which credential of the provider's.

    Behind a gateway that routes, also the gateway's own credential and the provider's own address.
    """

    base_url: str | None
    api_key: Secret | None
    gateway_key: Secret | None = None
    provider_url: str | None = None


class Endpoint:
    """Base URL and credentials of one resolution. What is `given` beats everything else; `headers` go along."""

    def __init__(self, sources: Sources, given: Mapping[str, Given], headers: Iterable[Given] = ()) -> None:
        self._sources = sources
        self._given = given
        self._headers = [found.origin for found in headers]
        self.untrusted: Origin | None = None
        """Where the address comes from, when that is a file that nobody has vouched for."""

    def connection(
        self, provider: str, record: Mapping[str, Any], gateway: str, gateway_record: Mapping[str, Any]
    ) -> Connection:
        """The connection of raw records; an error for a malformed part, or for a key that must not go to that URL."""
        # A gateway that is a place of its own stands between caller and provider.
        tables = [("gateways", gateway, gateway_record), ("providers", provider, record)]
        routes = bool(gateway_record.get("routes"))
        for name, instead in (("gateway_key", "api_key"), ("provider_url", "base_url")):
            if not routes and name in self._given and self._given[name].where == "argument":
                raise InputError(f"{name} is for gateways that route, and {gateway!r} does not; pass {instead}=")
        url, chosen_by = self._base_url(tables, gateway)
        owner = owner_of(provider, record, gateway, gateway_record)
        if not routes:
            _needed(provider, record, "base_url", url)
            key = self._credential("api_key", KEYS, tables, record.get("placeholder_key"))
            self._bind(owner, url, chosen_by, key)
            return Connection(url, key[0])
        # The gateway is told to take the key there.
        beyond, beyond_by = self._base_url(tables[1:], gateway, "provider_url")
        _needed(provider, record, "provider_url", beyond)
        key = self._credential("api_key", KEYS, tables[1:], record.get("placeholder_key"))
        own = self._credential("gateway_key", ("gateway_key",), tables[:1])
        self._bind(owner, url, chosen_by, key, own)
        self._bind(("providers", provider, record), beyond, beyond_by, key)
        return Connection(url, key[0], own[0], beyond)

    def _bind(self, owner: _Table, url: str | None, chosen_by: Origin | None, *keys: _Credential) -> None:
        """Refuse a URL that a less trusted source chose than the credentials come from, or that shows them to all."""
        if chosen_by is not None:
            headers = [self._sources.config.origin(_key(*owner[:2], "headers")), *self._headers]
            self._sources.config.endpoint_trust(chosen_by, *(origin for _, origin in keys), *headers)
            if self._sources.config.is_untrusted(chosen_by):
                self.untrusted = chosen_by
                if chosen_by.layer == "dotenv" and all(origin is None for _, origin in keys):
                    # Who calls without a key may be told otherwise, say by the machine; and the prompt goes there.
                    raise ConfigTrustError(
                        f"the endpoint comes from the {chosen_by}, without a key; {remedy(chosen_by)}"
                    )
        for key, _ in keys:
            check_plain_http(url, key, owner)

    def _base_url(
        self, tables: Iterable[_Table], gateway: str, what: str = "base_url"
    ) -> tuple[str | None, Origin | None]:
        given = self._given.get(what)
        if given is not None:
            self._sources.origins[what] = given.where
            return _url(given.value), given.origin
        for kind, name, table in tables:
            path = _key(kind, name, "base_url")
            configured = self._sources.config.origin(path)
            raw = by_gateway(table.get("base_url"), gateway)
            variable = by_gateway(table.get("base_url_env"), gateway)
            if configured is None and variable and (found := self._sources.variable(variable)):
                self._sources.origins[what] = self._sources.config.environ.told(variable)
                return _url(found), self._sources.config.variable_origin(variable)
            host = table.get("host_env")
            if configured is None and raw and host and (found := self._sources.variable(host)):
                self._sources.origins[what] = self._sources.config.environ.told(host)
                return _url(at_host(raw, found)), self._sources.config.variable_origin(host)
            if raw:
                self._sources.origins[what] = str(configured or f"{kind.removesuffix('s')} {name}")
                origin = self._sources.config.trace(raw, configured) if configured is not None else None
                return _url(self._sources.value(raw, ".".join(path))), origin
        return None, None

    def _credential(
        self, what: str, options: Iterable[str], tables: Iterable[_Table], placeholder: object = None
    ) -> _Credential:
        for name in options:
            if (given := self._given.get(name)) is not None:
                self._sources.origins[name] = given.where
                return _secret(given.value, name), given.origin
        withheld: tuple[str, str, str] | None = None
        for kind, name, table in tables:
            for field in KEYS:
                path = _key(kind, name, field)
                configured = self._sources.config.origin(path)
                raw = table.get(field)
                if raw and configured is not None:
                    self._sources.origins[field if what == "api_key" else what] = str(configured)
                    value = self._sources.value(raw, ".".join(path))
                    return _secret(value, ".".join(path)), self._sources.config.trace(raw, configured)
            for variable in table.get("api_key_env", ()):
                if found := self._sources.variable(variable):
                    if kind == "providers" and (owner := self._sources.foreign(name, variable)) is not None:
                        withheld = withheld or (name, variable, owner)
                        continue
                    self._sources.origins[what] = self._sources.config.environ.told(variable)
                    return _secret(found, variable), self._sources.config.variable_origin(variable)
        if withheld is not None and not placeholder:
            name, variable, owner = withheld
            raise ConfigTrustError(
                f"the manifest of provider {name!r} asks for {variable}, the key of {owner}, which is not sent there; "
                f"where you want that: hb cfg set {ROOT}.providers.{name}.api_key_env '[\"{variable}\"]'"
            )
        return (_secret(placeholder, "placeholder_key"), None) if placeholder else (None, None)


def _needed(provider: str, record: Mapping[str, Any], what: str, url: str | None) -> None:
    if url is None and record.get("require_base_url"):
        key = f"{ROOT}.providers.{provider}.base_url"
        raise InputError(f"provider {provider!r} needs a {what}; pass {what}=, or hb cfg set {key} URL")


def _key(kind: str, name: str, field: str) -> tuple[str, ...]:
    return (*ROOT.split("."), kind, name, field)


def by_gateway(value: Any, gateway: str) -> Any:
    """A value, or from a table keyed by gateway the entry of this one or `default`."""
    return value.get(gateway, value.get("default")) if isinstance(value, dict) else value


def _secret(value: object, name: str) -> Secret:
    if not isinstance(value, str | Secret):
        raise InputTypeError(f"{name} must be a str, not {type(value).__name__}")
    return Secret.check(value, name)


def _url(value: object) -> str:
    if not isinstance(value, str):
        raise InputTypeError(f"base_url must be a str, not {type(value).__name__}")
    if problem := _problem(value):
        value = hide(value)  # it may hold a password, and tracebacks may show locals
        raise InputError(problem)
    return value.rstrip("/")


def _problem(url: str) -> str | None:
    """What is wrong with a base URL."""
    scheme, found, rest = url.partition("://")
    shown = url.partition("?")[0]
    if not found or scheme.lower() not in _SCHEMES or not rest or any(c.isspace() or c < " " for c in url):
        is_address = "@" not in url and any(c in url for c in ".:/")  # and no key in its place
        what = "has no http:// or https:// in front" if is_address and not found else "is no http(s) URL"
        return f"base_url {what}" + (f": {shown!r}" if is_address else "")
    if "@" in rest.partition("/")[0]:
        return "base_url holds a user name or password; pass the credential as api_key"
    if not scheme.lower().startswith("http"):  # a gateway's own, such as the path of a model file
        return None
    try:
        parts = urlsplit(url)
        has_place = bool(parts.hostname) and parts.port != 0
    except ValueError:  # brackets that do not match, or a port out of range
        has_place = False
    if not has_place:
        return f"base_url has a host or port that cannot be: {shown!r}"
    if "?" in url or "#" in url:
        return "base_url ends with its path, which hb extends; pass a query as extra_query"
    if whole := next((end for end in _ADDED if parts.path.rstrip("/").endswith(end)), None):
        return f"base_url ends where hb begins: leave out {whole}, which hb adds: {shown!r}"
    return None


def at_host(base_url: str, host: str) -> str:
    """The base URL at another host, given as servers are told where to listen: `[scheme://]host[:port][/path]`.

    What is left out stays as in `base_url`; "all addresses" become this machine's own.
    """
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


def owner_of(provider: str, record: Mapping[str, Any], gateway: str, gateway_record: Mapping[str, Any]) -> _Table:
    """Whose address the base URL is: (kind, name, record). The provider's, or that of a gateway which routes."""
    if not gateway_record.get("routes"):
        return "providers", provider, record
    # A provider's placeholder is no secret anywhere.
    return "gateways", gateway, {**gateway_record, "placeholder_key": record.get("placeholder_key")}


def check_plain_http(url: str | None, key: Secret | None, owner: _Table) -> None:
    """ConfigError for a key that would travel in clear text to another machine."""
    if key is not None and key.reveal() != owner[2].get("placeholder_key"):
        _refuse_plain_http(url, owner, "its key")


def header_text(name: str, value: object) -> str:
    """The value of a header as it is sent; InputTypeError or InputError for what HTTP does not carry unchanged.

    Transports differ in what they do with such, and some send it. No message repeats a value.
    """
    text = Hidden(value.reveal()) if isinstance(value, Secret) else value
    if not isinstance(text, str | int | float):
        raise InputTypeError(f"header {name!r} must be text, not {type(value).__name__}")
    text = text if isinstance(text, str) else str(text)
    if not _HEADER.fullmatch(name):
        raise InputError(f"{name!r} is no name that a header may have")
    if text.strip(" \t") != text or not text.replace("\t", "").isprintable() or not text.isascii():
        raise InputError(f"header {name!r} holds a line break, a blank at an end, or what is not ASCII; no header may")
    return text


def check_plain_headers(url: str | None, headers: Mapping[str, Any], owner: _Table) -> None:
    """ConfigError for a header that may hold a credential and would travel in clear text to another machine."""
    secret = next((name for name, value in headers.items() if value and is_secret_header(name)), None)
    if secret is not None:
        _refuse_plain_http(url, owner, f"the header {secret!r}")


def _refuse_plain_http(url: str | None, owner: _Table, what: str) -> None:
    kind, name, record = owner
    if url is None or not url.lower().startswith("http://") or record.get("allow_http") or is_loopback(url):
        return
    raise ConfigError(
        f"{kind.removesuffix('s')} {name!r} would send {what} in clear text over http; use https, "
        f"or allow it with hb cfg set {ROOT}.{kind}.{name}.allow_http true"
    )


def origin_of(url: object) -> str:
    """Scheme, host and port of a URL: where a credential goes, whatever the path."""
    scheme, _, rest = str(url or "").partition("://")
    return f"{scheme}://{rest.partition('/')[0]}".lower()


def is_loopback(url: str) -> bool:
    """Whether a URL is of this machine."""
    from ipaddress import ip_address

    host = urlsplit(url).hostname or ""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
