"""Clients of the openai SDK: built from a spec alone, over hb's connections, for the SDK's majors 2 and 3.

The SDK is imported by the first call. Its HTTP library is httpx2 (major 3) or httpx (major 2): whichever it has
imported itself.
"""

from __future__ import annotations

import inspect
import sys
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Protocol

from heavenbase.errors import ConfigError, MissingCredential, MissingPackage
from heavenbase.secrets import Secret

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from heavenbase.call import Call, Services
    from heavenbase.http.connections import Connections
    from heavenbase.http.route import Route
    from heavenbase.spec import LLMSpec

KEYLESS = "openai"
"""What goes out as a key where an endpoint needs none; the SDK wants one."""

_PROXIES = ("http_proxy", "https_proxy", "no_proxy")


class SDK:
    """The installed openai package, as far as hb uses it."""

    def __init__(self) -> None:
        try:
            import openai
        except ImportError as error:
            raise MissingPackage("the openai gateway needs the package openai: pip install 'openai>=2'") from error
        self.module = openai
        self.http = _http_module(openai)
        self.response_type: Any = self.http.Response
        self.takes_content = "content" in inspect.signature(openai.OpenAI.post).parameters


@lru_cache(maxsize=1)
def sdk() -> SDK:
    """The openai package, imported at the first call."""
    return SDK()


def _http_module(openai: Any) -> Any:
    for base in openai.DefaultHttpxClient.__mro__:
        name = base.__module__.partition(".")[0]
        if name in ("httpx2", "httpx"):
            return sys.modules[name]
    raise MissingPackage(f"the openai package {openai.__version__} uses an HTTP library that hb does not know")


def with_call_proxies(call: Call) -> LLMSpec:
    """The spec of a call, with the proxies that the call itself names."""
    spec, controls = call.spec, call.controls
    changed = {n: controls[n] for n in _PROXIES if n in controls and controls[n] != spec.args.get(n)}
    return spec.with_args(**changed) if changed else spec


def base_url(spec: LLMSpec) -> str:
    """Where this spec's requests go; ConfigError when nothing says it."""
    if not spec.base_url:
        raise ConfigError(f"provider {spec.provider!r} has no base_url; pass base_url= or set it in the configuration")
    return spec.base_url.rstrip("/")


def credential(spec: LLMSpec) -> str:
    """The key to send. MissingCredential names where it could come from, CredentialFormatError what is wrong."""
    variables = spec.provider_record.get("api_key_env") or ()
    if spec.api_key is not None and spec.api_key:
        name = variables[0] if variables else f"api_key of provider {spec.provider!r}"
        return Secret.check(spec.api_key, name).reveal()
    if spec.provider_record.get("api_key_optional"):
        return KEYLESS
    where = " or ".join(variables) or "a key"
    raise MissingCredential(
        f"provider {spec.provider!r} needs a key: set {where}, or pass api_key=; "
        'a model in this process needs none: hb chat -p local, or preset="local"',
        provider=spec.provider,
    )


class Door(Protocol):
    """What a gateway on this wire says of its own about a client. Both follow from what the client key covers."""

    def credential(self, spec: LLMSpec) -> str:
        """The bearer token."""

    def headers(self, spec: LLMSpec) -> Mapping[str, str]:
        """The headers of every request."""


def client_of(spec: LLMSpec, services: Services, connections: Connections, door: Door, *, is_async: bool) -> Any:
    """The SDK client of a spec, one for all equal client keys."""

    def make(options: dict[str, Any]) -> Any:
        openai = sdk().module
        options |= {"api_key": door.credential(spec), "base_url": base_url(spec)}
        return openai.AsyncOpenAI(**options) if is_async else openai.OpenAI(**options)

    return services.client(
        f"hb_gateway_openai:{spec.client_key()}",
        lambda: build(spec, services, connections, dict(door.headers(spec)), make, is_async=is_async),
        is_async,
    )


def build(
    spec: LLMSpec,
    services: Services,
    connections: Connections,
    headers: dict[str, str],
    make: Callable[[dict[str, Any]], Any],
    *,
    is_async: bool,
) -> Any:
    """A client of the SDK over hb's connections; `make` adds place and credential to the options of its class."""
    from heavenbase.http import transport

    if is_async:
        http = transport.async_client(sdk().http, _async_sender(spec, services, connections), spec.timeouts)
    else:
        http = transport.sync_client(sdk().http, _sender(spec, services, connections), spec.timeouts)
    client = make(
        {
            "default_headers": headers or None,
            # Of no effect on hb's own calls, which ask for none: the retries and limits of an exported client.
            "max_retries": int(spec.args.get("max_retries") or 0),
            "timeout": http.timeout,
            "http_client": http,
        }
    )
    # The SDK fills these from OPENAI_* variables, whichever endpoint the client is for.
    client.organization = spec.gateway_record.get("organization")
    client.project = spec.gateway_record.get("project")
    for name in ("admin_api_key", "webhook_secret"):
        if hasattr(client, name):
            setattr(client, name, None)
    client._custom_headers = headers
    return client


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
