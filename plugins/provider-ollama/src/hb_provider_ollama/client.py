"""Clients of the ollama SDK: built from a spec alone, over hb's connections. The first call imports the SDK.

What the SDK reads from the environment (OLLAMA_HOST, OLLAMA_API_KEY) is decided by the spec instead.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

from heavenbase.errors import MissingPackage
from heavenbase.http import HeldClient, configured_url, given_key, http_client

if TYPE_CHECKING:
    from heavenbase.call import Services
    from heavenbase.http import Connections
    from heavenbase.spec import LLMSpec

NEEDED = "the ollama gateway needs the package ollama: pip install 'ollama>=0.6'"


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


def base_url(spec: LLMSpec) -> str:
    """Where this spec's requests go, without /v1 or /api, which are parts of paths; ConfigError without any."""
    return configured_url(spec).removesuffix("/v1").removesuffix("/api").rstrip("/")


def client_of(spec: LLMSpec, services: Services, connections: Connections, *, is_async: bool) -> Any:
    """The SDK client of a spec, one for all equal client keys."""
    held: HeldClient = services.client(
        f"hb_provider_ollama:{spec.client_key()}", lambda: _build(spec, services, connections, is_async), is_async
    )
    return held.client


def _build(spec: LLMSpec, services: Services, connections: Connections, is_async: bool) -> HeldClient:
    key, package = given_key(spec), sdk()
    http = http_client(package.http, base_url(spec), spec, services, connections, is_async=is_async)
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
        cookies=http.cookies.jar,
        trust_env=False,
    )
    if key is None and not any(name.lower() == "authorization" for name in spec.headers):
        client._client.headers.pop("authorization", None)
    client._client.headers["accept-encoding"] = http.headers["accept-encoding"]
    return HeldClient(client, http, is_async=is_async)
