"""Clients of the ollama SDK: built from a spec alone, over hb's connections. The first call imports the SDK.

What the SDK reads from the environment (OLLAMA_HOST, OLLAMA_API_KEY) is decided by the spec instead.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

from heavenbase.errors import ConfigError, MissingPackage
from heavenbase.secrets import Secret

if TYPE_CHECKING:
    from heavenbase.call import Call, Services
    from heavenbase.http.connections import Connections
    from heavenbase.http.route import Route
    from heavenbase.spec import LLMSpec

NEEDED = "the ollama gateway needs the package ollama: pip install 'ollama>=0.6'"
_PROXIES = ("http_proxy", "https_proxy", "no_proxy")


class SDK:
    """The installed ollama package, and the HTTP library that it is built on."""

    def __init__(self) -> None:
        try:
            import httpx
            import ollama
        except ImportError as error:
            raise MissingPackage(NEEDED) from error
        if not hasattr(ollama, "AsyncClient"):
            raise MissingPackage(f"{ollama.__file__} hides the package ollama; give it another name")
        self.module = ollama
        self.http: Any = httpx


@lru_cache(maxsize=1)
def sdk() -> SDK:
    """The ollama package, imported at the first call."""
    return SDK()


def with_call_proxies(call: Call) -> LLMSpec:
    """The spec of a call, with the proxies that the call itself names."""
    spec, controls = call.spec, call.controls
    changed = {n: controls[n] for n in _PROXIES if n in controls and controls[n] != spec.args.get(n)}
    return spec.with_args(**changed) if changed else spec


def base_url(spec: LLMSpec) -> str:
    """Where this spec's requests go, without /v1 or /api, which are parts of paths; ConfigError without any."""
    if not spec.base_url:
        raise ConfigError(f"provider {spec.provider!r} has no base_url; pass base_url= or set it in the configuration")
    return spec.base_url.rstrip("/").removesuffix("/v1").removesuffix("/api").rstrip("/")


def credential(spec: LLMSpec) -> str | None:
    """The key to send, None without one; CredentialFormatError names what is wrong in it."""
    if spec.api_key is None or not spec.api_key:
        return None
    variables = spec.provider_record.get("api_key_env") or ()
    return Secret.check(spec.api_key, variables[0] if variables else "api_key").reveal()


def client_of(spec: LLMSpec, services: Services, connections: Connections, *, is_async: bool) -> Any:
    """The SDK client of a spec, one for all equal client keys."""
    held: _Held = services.client(
        f"hb_provider_ollama:{spec.client_key()}", lambda: _build(spec, services, connections, is_async), is_async
    )
    return held.client


class _Held:
    """An SDK client, closed in its colour by its HTTP client: what the SDK calls close differs between releases."""

    def __init__(self, client: Any, http: Any, is_async: bool) -> None:
        self.client = client
        self._http = http
        self._is_async = is_async

    def close(self) -> Any:
        """Drop the connections; to be awaited for a client of async calls."""
        return self._http.aclose() if self._is_async else self._http.close()


def _build(spec: LLMSpec, services: Services, connections: Connections, is_async: bool) -> _Held:
    from heavenbase.http import transport

    key, package = credential(spec), sdk()
    if is_async:
        sender = _async_sender(spec, services, connections)
        http = transport.async_client(package.http, sender, spec.timeouts)
    else:
        http = transport.sync_client(package.http, _sender(spec, services, connections), spec.timeouts)
    headers = dict(spec.headers)
    if key is not None:
        headers = {"Authorization": f"Bearer {key}", **headers}
    build = package.module.AsyncClient if is_async else package.module.Client
    client = build(
        base_url(spec),
        headers=headers,
        timeout=http.timeout,
        follow_redirects=False,
        transport=http._transport,
        trust_env=False,
    )
    if key is None and not any(name.lower() == "authorization" for name in spec.headers):
        client._client.headers.pop("authorization", None)
    client._client.headers["accept-encoding"] = http.headers["accept-encoding"]
    return _Held(client, http, is_async)


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
