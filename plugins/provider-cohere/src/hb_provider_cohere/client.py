"""Clients of the cohere SDK: built from a spec alone, over hb's connections. The first call imports the SDK.

The SDK gives credential, headers and its HTTP client, which is hb's. What it reads from the environment (CO_API_URL,
CO_API_KEY) is decided by the spec instead.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from heavenbase.errors import ConfigError, MissingCredential, MissingPackage
from heavenbase.secrets import Secret

if TYPE_CHECKING:
    from heavenbase.call import Call, Services
    from heavenbase.http.connections import Connections
    from heavenbase.http.route import Route
    from heavenbase.spec import LLMSpec

VERSION = "v2"
"""The version of the API where a base URL names none."""
KEYLESS = "cohere"
"""What goes out as a key where an endpoint needs none; the SDK wants one."""
NEEDED = "the cohere gateway needs the package cohere: pip install 'cohere>=7'"
_COMPATIBLE = "/compatibility/v1"
_VERSION = re.compile(r"/(v\d+)$")
_DOOR = ("get_headers", "httpx_client")
_PROXIES = ("http_proxy", "https_proxy", "no_proxy")


class SDK:
    """The installed cohere package, and the HTTP library that it is built on."""

    def __init__(self) -> None:
        try:
            import cohere
            import httpx
        except ImportError as error:
            raise MissingPackage(NEEDED) from error
        self.module = cohere
        self.http: Any = httpx


@lru_cache(maxsize=1)
def sdk() -> SDK:
    """The cohere package, imported at the first call."""
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
    address = spec.base_url.rstrip("/")
    if address.endswith(_COMPATIBLE):
        return address.removesuffix(_COMPATIBLE), VERSION
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
        return KEYLESS
    where = " or ".join(variables) or "a key"
    raise MissingCredential(
        f"provider {spec.provider!r} needs a key: set {where}, or pass api_key=", provider=spec.provider
    )


def client_of(spec: LLMSpec, services: Services, connections: Connections, *, is_async: bool) -> Any:
    """The SDK client of a spec, one for all equal client keys: a `ClientV2` or `AsyncClientV2`."""
    held: _Held = services.client(
        f"hb_provider_cohere:{spec.client_key()}", lambda: _build(spec, services, connections, is_async), is_async
    )
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

    key, (address, _), package = credential(spec), place(spec), sdk()
    if is_async:
        http = transport.async_client(package.http, _async_sender(spec, services, connections), spec.timeouts)
    else:
        http = transport.sync_client(package.http, _sender(spec, services, connections), spec.timeouts)
    build = package.module.AsyncClientV2 if is_async else package.module.ClientV2
    client = build(
        key,
        base_url=address,
        httpx_client=http,
        # Of no effect on hb's own calls, which go past them: the retries of an exported client.
        max_retries=int(spec.args.get("max_retries") or 0),
        log_warning_experimental_features=False,
    )
    wrapper: Any = getattr(client, "_client_wrapper", None)
    if not all(hasattr(wrapper, name) for name in _DOOR):
        raise MissingPackage(
            f"this release of cohere ({package.module.__version__}) sends its requests in another way than hb knows: "
            "pip install 'cohere==7.3.1'"
        )
    wrapper._headers = dict(spec.headers)
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
