"""Clients of the mistralai SDK: built from a spec alone, over hb's connections. The first call imports the SDK.

The SDK gives credential, user agent and its HTTP client, which is hb's. Requests go past its methods, whose models
cost more than the call, and past its hooks, which take a thread each in async calls.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

from heavenbase.errors import MissingPackage
from heavenbase.http import HeldClient, NoConnections, configured_url, http_client

if TYPE_CHECKING:
    from hb_wire_openai import WireGateway
    from heavenbase.call import Services
    from heavenbase.http import Connections
    from heavenbase.spec import LLMSpec

NEEDED = "the mistral gateway needs the package mistralai: pip install 'mistralai>=3'"
_DOOR = ("client", "async_client", "user_agent")


class SDK:
    """The installed mistralai package, and the HTTP library that it is built on."""

    def __init__(self) -> None:
        try:
            import httpx2
            from mistralai.client import Mistral
            from mistralai.client.utils import RetryConfig
            from mistralai.client.utils.retries import BackoffStrategy
        except ImportError as error:
            raise MissingPackage(NEEDED) from error
        self.client_type: Any = Mistral
        self.retries: Any = RetryConfig
        self.backoff: Any = BackoffStrategy
        self.http: Any = httpx2


@lru_cache(maxsize=1)
def sdk() -> SDK:
    """The mistralai package, imported at the first call."""
    return SDK()


def server_url(spec: LLMSpec) -> str:
    """The address that the SDK takes: without /v1, which is a part of its paths."""
    return configured_url(spec).removesuffix("/v1").rstrip("/")


def client_of(
    spec: LLMSpec,
    services: Services,
    connections: Connections,
    gateway: WireGateway,
    *,
    is_async: bool,
) -> Any:
    """The `Mistral` of a spec, one for all equal client keys; it has connections for calls of this colour alone."""
    held: HeldClient = services.client(
        f"hb_provider_mistral:{spec.client_key()}",
        lambda: _build(spec, services, connections, gateway, is_async),
        is_async,
    )
    return held.client


def _build(
    spec: LLMSpec,
    services: Services,
    connections: Connections,
    gateway: WireGateway,
    is_async: bool,
) -> HeldClient:
    from heavenbase.http.transport import async_client, sync_client

    key, package, missing = gateway.credential(spec), sdk(), NoConnections(is_async=is_async)
    http = http_client(package.http, configured_url(spec), spec, services, connections, is_async=is_async)
    http.headers.update(gateway.headers(spec))
    # The SDK wants a client of each colour, and makes one of its own where it gets none.
    if is_async:
        clients = {"client": sync_client(package.http, missing, spec.timeouts), "async_client": http}
    else:
        clients = {"client": http, "async_client": async_client(package.http, missing, spec.timeouts)}
    # Of no effect on hb's own calls, which go past them: the retries of an exported client.
    wanted = bool(spec.args.get("max_retries"))
    retries = package.retries("backoff", package.backoff(500, 60_000, 1.5, 300_000), True) if wanted else None
    client = package.client_type(api_key=key, server_url=server_url(spec), retry_config=retries, **clients)
    if not all(hasattr(client.sdk_configuration, name) for name in _DOOR):
        raise MissingPackage(
            "this release of mistralai sends its requests in another way than hb knows: pip install 'mistralai==3.7.0'"
        )
    return HeldClient(client, http, is_async=is_async)
