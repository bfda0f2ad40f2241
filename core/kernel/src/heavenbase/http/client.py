"""What gateways need when they build an SDK's client from a spec, so that it sends over hb's connections."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from heavenbase.errors import ConfigError, ExportError, MissingCredential, MissingPackage
from heavenbase.options import PROXIES
from heavenbase.secrets import Secret

if TYPE_CHECKING:
    from heavenbase.call import Call, Services
    from heavenbase.http.transport.connections import Connections
    from heavenbase.http.transport.route import Route
    from heavenbase.spec import LLMSpec


def configured_url(spec: LLMSpec) -> str:
    """The base URL of a spec, without a slash at its end; ConfigError when nothing says it."""
    if not spec.base_url:
        raise ConfigError(f"provider {spec.provider!r} has no base_url; pass base_url= or set it in the configuration")
    return spec.base_url.rstrip("/")


def given_key(spec: LLMSpec) -> str | None:
    """The key of a spec, None without one; CredentialFormatError names what is wrong in it."""
    if spec.api_key is None or not spec.api_key:
        return None
    variables = spec.provider_record.get("api_key_env")
    return Secret.check(spec.api_key, variables[0] if variables else f"api_key of provider {spec.provider!r}").reveal()


def needed_key(spec: LLMSpec, keyless: str, otherwise: str = "") -> str:
    """The key to send; MissingCredential names where it could come from, and `otherwise` what helps without one.

    `keyless` goes out where an endpoint needs no key, for SDKs that want one.
    """
    key = given_key(spec)
    if key is not None:
        return key
    if spec.provider_record.get("api_key_optional"):
        return keyless
    where = " or ".join(spec.provider_record.get("api_key_env") or ()) or "a key"
    raise MissingCredential(
        f"provider {spec.provider!r} needs a key: set {where}, or pass api_key={otherwise and f'; {otherwise}'}",
        provider=spec.provider,
    )


def with_call_proxies(call: Call) -> LLMSpec:
    """The spec of a call, with the proxies that the call itself names."""
    spec, controls = call.spec, call.controls
    changed = {n: controls[n] for n in PROXIES if n in controls and controls[n] != spec.args.get(n)}
    return spec.with_args(**changed) if changed else spec


def route_to(url: str, spec: LLMSpec) -> Route:
    """The route to a URL: proxy by the arguments of the spec, authorities and most connections by the gateway."""
    from heavenbase.http.transport.route import MAX_CONNECTIONS, Route, choose_proxy

    record = spec.gateway_record
    proxies = {name: spec.args.get(name) for name in PROXIES}
    limit = int(record.get("max_connections") or MAX_CONNECTIONS)
    return Route(choose_proxy(url, **proxies), record.get("ca_file"), limit)


def sender_to(url: str, spec: LLMSpec, services: Services, connections: Connections, *, is_async: bool) -> Any:
    """What sends to a URL in one colour: the kernel's own transport where it was given one, else a lease."""
    if services.transport is not None:
        from heavenbase.http.transport.protocol import InjectedSender

        return InjectedSender(services.transport, is_async=is_async)
    route = route_to(url, spec)
    return connections.async_lease(route) if is_async else connections.lease(route)


def http_client(
    library: Any, url: str, spec: LLMSpec, services: Services, connections: Connections, *, is_async: bool
) -> Any:
    """The client of `library` (httpx2 or httpx) to give to an SDK, for one colour; closing it ends its lease."""
    from heavenbase.http.transport import transport

    sender = sender_to(url, spec, services, connections, is_async=is_async)
    build = transport.async_client if is_async else transport.sync_client
    return build(library, sender, spec.timeouts)


def http_library(package: Any) -> Any:
    """The HTTP library, httpx2 or httpx, that an SDK with a `DefaultHttpxClient` is built on and has imported."""
    for base in package.DefaultHttpxClient.__mro__:
        name = base.__module__.partition(".")[0]
        if name in ("httpx2", "httpx"):
            return sys.modules[name]
    raise MissingPackage(
        f"the {package.__name__} package {package.__version__} uses an HTTP library that hb does not know"
    )


class HeldClient:
    """An SDK client beside its HTTP client: what the pool of clients keeps where the SDK's own `close` does not end it.

    `http` is what `http_client` made; it is closed in its own colour.
    """

    def __init__(self, client: Any, http: Any, *, is_async: bool) -> None:
        self.client = client
        self._http = http
        self._is_async = is_async

    def close(self) -> Any:
        """End the lease; to be awaited for a client of async calls."""
        return self._http.aclose() if self._is_async else self._http.close()


class NoConnections:
    """In place of the connections that a client of one colour has no use for, where its SDK wants those of both."""

    def __init__(self, *, is_async: bool) -> None:
        self._other = "to_client" if is_async else "to_aclient"

    def send(self, exchange: Any, request: Any) -> Any:
        """ExportError, which names the client that has connections of this colour."""
        raise ExportError(f"this client has no connections for calls of this colour; take that of llm.{self._other}()")

    def close(self) -> None:
        """Nothing is held."""

    async def aclose(self) -> None:
        """Nothing is held."""


def content_of(response: Any) -> bytes:
    """The body that an SDK has read of an error status; b"" where it has read none."""
    try:
        return bytes(response.content)
    except Exception:  # the ResponseNotRead of whichever httpx this is, or an answer that never was
        return b""
