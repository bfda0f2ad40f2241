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

from heavenbase.errors import MissingPackage
from heavenbase.http import HeldClient, NoConnections, authorities, configured_url, needed_key, sender_to

if TYPE_CHECKING:
    from collections.abc import Iterator

    from heavenbase.call import Services
    from heavenbase.http import Connections
    from heavenbase.spec import LLMSpec

VERSION = "v1beta"
"""The version of the API where a base URL names none."""
KEYLESS = "gemini"
"""What goes out as a key where an endpoint needs none; the SDK wants one."""
NEEDED = "the gemini gateway needs the package google-genai: pip install 'google-genai>=3'"
_VERSION = re.compile(r"/(v\d+[a-z0-9]*)$")
_DOOR = ("_build_request", "_request_once", "_async_request_once")


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


def place(spec: LLMSpec) -> tuple[str, str]:
    """(address, version of the API) of a spec; ConfigError when nothing says the address.

    The address of the OpenAI-compatible endpoint is taken for the one that it stands beside.
    """
    address = configured_url(spec).removesuffix("/openai")
    match = _VERSION.search(address)
    return (address[: match.start()], match[1]) if match is not None else (address, VERSION)


def base_url(spec: LLMSpec) -> str:
    """Where this spec's requests go, version included."""
    return "/".join(place(spec))


def credential(spec: LLMSpec) -> str:
    """The key to send; MissingCredential names where it could come from, CredentialFormatError what is wrong in it."""
    return needed_key(spec, KEYLESS)


def client_of(spec: LLMSpec, services: Services, connections: Connections, *, is_async: bool) -> Any:
    """The SDK client of a spec, one for all equal client keys: a `genai.Client`, or the `.aio` of one."""
    key = f"hb_provider_gemini:{spec.client_key()}"
    held: HeldClient = services.client(key, lambda: _build(spec, services, connections, is_async), is_async)
    return held.client


def _build(spec: LLMSpec, services: Services, connections: Connections, is_async: bool) -> HeldClient:
    from heavenbase.http.transport import async_client, sync_client, tls_context

    key, (address, version) = credential(spec), place(spec)
    package = sdk()
    missing = NoConnections(is_async=is_async)
    lent = sender_to(base_url(spec), spec, services, connections, is_async=is_async)
    sender, asender = (missing, lent) if is_async else (lent, missing)
    http = sync_client(package.http, sender, spec.timeouts)
    ahttp = async_client(package.http, asender, spec.timeouts)
    options = {
        "base_url": address,
        "api_version": version,
        "headers": dict(spec.headers),
        "httpx_client": http,
        "httpx_async_client": ahttp,
        # For the live sessions of exported clients; the SDK would make one for each client, in 40 ms.
        "async_client_args": {"ssl": tls_context(authorities(spec, services), not services.environ.is_embedded)},
    }
    with _quiet():
        client = package.module.Client(vertexai=False, api_key=key, http_options=options)
    inside = client._api_client
    if not all(hasattr(inside, name) for name in _DOOR):
        raise MissingPackage(
            f"this release of google-genai ({package.module.__version__}) sends its requests in another way than hb "
            "knows: pip install 'google-genai==3.4.0'"
        )
    return HeldClient(client.aio if is_async else client, ahttp if is_async else http, is_async=is_async)


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
