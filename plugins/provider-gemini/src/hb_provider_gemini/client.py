"""Clients of the google-genai SDK: built from a spec alone, over hb's connections. The first call imports the SDK.

A request goes through the door that every method of the SDK uses itself: it adds credential and headers and hands the
bytes to its HTTP client, which is hb's. What the SDK reads from the environment (endpoint, Vertex, keys) is decided by
the spec instead.
"""

from __future__ import annotations

import re
from contextlib import contextmanager
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from heavenbase.errors import ConfigError, ExportError, MissingCredential, MissingPackage
from heavenbase.secrets import Secret

if TYPE_CHECKING:
    from collections.abc import Iterator

    from heavenbase.call import Call, Services
    from heavenbase.http.connections import Connections
    from heavenbase.http.route import Route
    from heavenbase.spec import LLMSpec

VERSION = "v1beta"
"""The version of the API where a base URL names none."""
NEEDED = "the gemini gateway needs the package google-genai: pip install 'google-genai>=3'"
_VERSION = re.compile(r"/(v\d+[a-z0-9]*)$")
_DOOR = ("_build_request", "_request_once", "_async_request_once")
_PROXIES = ("http_proxy", "https_proxy", "no_proxy")


class SDK:
    """The installed google-genai package, as far as hb uses it."""

    def __init__(self) -> None:
        try:
            import httpx2
            from google import genai
            from google.genai import errors
        except ImportError as error:
            raise MissingPackage(NEEDED) from error
        self.module = genai
        self.http = httpx2
        self.api_error: type[Exception] = errors.APIError


@lru_cache(maxsize=1)
def sdk() -> SDK:
    """The google-genai package, imported at the first call."""
    return SDK()


def with_call_proxies(call: Call) -> LLMSpec:
    """The spec of a call, with the proxies that the call itself names."""
    spec, controls = call.spec, call.controls
    changed = {n: controls[n] for n in _PROXIES if n in controls and controls[n] != spec.args.get(n)}
    return spec.with_args(**changed) if changed else spec


def place(spec: LLMSpec) -> tuple[str, str]:
    """(address, version of the API) of a spec; ConfigError when nothing says the address.

    The address of the OpenAI-compatible endpoint is taken for the one that it stands beside.
    """
    if not spec.base_url:
        raise ConfigError(f"provider {spec.provider!r} has no base_url; pass base_url= or set it in the configuration")
    address = spec.base_url.rstrip("/").removesuffix("/openai")
    match = _VERSION.search(address)
    return (address[: match.start()], match[1]) if match is not None else (address, VERSION)


def base_url(spec: LLMSpec) -> str:
    """Where this spec's requests go, version included."""
    return "/".join(place(spec))


def credential(spec: LLMSpec) -> str:
    """The key to send; MissingCredential names where it could come from, CredentialFormatError what is wrong in it."""
    variables = spec.provider_record.get("api_key_env") or ()
    if spec.api_key is not None and spec.api_key:
        name = variables[0] if variables else f"api_key of provider {spec.provider!r}"
        return Secret.check(spec.api_key, name).reveal()
    if spec.provider_record.get("api_key_optional"):
        return "gemini"  # the SDK wants one
    where = " or ".join(variables) or "a key"
    raise MissingCredential(
        f"provider {spec.provider!r} needs a key: set {where}, or pass api_key=", provider=spec.provider
    )


def client_of(spec: LLMSpec, services: Services, connections: Connections, *, is_async: bool) -> Any:
    """The SDK client of a spec, one for all equal client keys: a `genai.Client`, or the `.aio` of one."""
    key = f"hb_provider_gemini:{spec.client_key()}"
    held: _Held = services.client(key, lambda: _build(spec, services, connections, is_async), is_async)
    return held.client


class _Held:
    """An SDK client with its HTTP client, which the SDK leaves open as it was given it."""

    def __init__(self, client: Any, http: Any, is_async: bool) -> None:
        self.client = client
        self._http = http
        self._is_async = is_async

    def close(self) -> Any:
        """Drop the connections; to be awaited for a client of async calls."""
        return self._http.aclose() if self._is_async else self._http.close()


def _build(spec: LLMSpec, services: Services, connections: Connections, is_async: bool) -> _Held:
    from heavenbase.http import transport

    key, (address, version) = credential(spec), place(spec)
    package = sdk()
    missing = _Missing(is_async)
    sender = missing if is_async else _sender(spec, services, connections)
    asender = _async_sender(spec, services, connections) if is_async else missing
    http = transport.sync_client(package.http, sender, spec.timeouts)
    ahttp = transport.async_client(package.http, asender, spec.timeouts)
    options = {
        "base_url": address,
        "api_version": version,
        "headers": dict(spec.headers),
        "httpx_client": http,
        "httpx_async_client": ahttp,
    }
    with _quiet():
        client = package.module.Client(vertexai=False, api_key=key, http_options=options)
    inside = client._api_client
    if not all(hasattr(inside, name) for name in _DOOR):
        raise MissingPackage(
            f"this release of google-genai ({package.module.__version__}) sends its requests in another way than hb "
            "knows: pip install 'google-genai==3.4.0'"
        )
    return _Held(client.aio, ahttp, True) if is_async else _Held(client, http, False)


@contextmanager
def _quiet() -> Iterator[None]:
    """Within this the SDK does not tell which key of the environment it takes: the spec has decided that."""
    import logging

    def is_other(record: logging.LogRecord) -> bool:
        return "API_KEY" not in str(record.msg)

    logger = logging.getLogger("google_genai._api_client")
    logger.addFilter(is_other)
    try:
        yield
    finally:
        logger.removeFilter(is_other)


class _Missing:
    """In place of connections that a client of the other colour would need."""

    def __init__(self, is_async: bool) -> None:
        self._other = "to_client" if is_async else "to_aclient"

    def send(self, exchange: Any, request: Any) -> Any:
        raise ExportError(f"this client has no connections for calls of this colour; take that of llm.{self._other}()")

    def close(self) -> None:
        """Nothing is held."""

    async def aclose(self) -> None:
        """Nothing is held."""


def _sender(spec: LLMSpec, services: Services, connections: Connections) -> Any:
    if services.transport is not None:
        from heavenbase.http.injected import InjectedSender

        return InjectedSender(services.transport)
    return connections.lease(route_of(spec))


def _async_sender(spec: LLMSpec, services: Services, connections: Connections) -> Any:
    if services.transport is not None:
        from heavenbase.http.injected import AsyncInjectedSender

        return AsyncInjectedSender(services.transport)
    return connections.async_lease(route_of(spec))


def route_of(spec: LLMSpec) -> Route:
    """The route of a spec: proxies from its arguments, authorities and the bound on connections from its gateway."""
    from heavenbase.http.route import MAX_CONNECTIONS, Route, choose_proxy

    record = spec.gateway_record
    proxies = {name: spec.args.get(name) for name in _PROXIES}
    limit = int(record.get("max_connections") or MAX_CONNECTIONS)
    return Route(choose_proxy(base_url(spec), **proxies), record.get("ca_file"), limit)
