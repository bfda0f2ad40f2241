"""Clients of the cohere SDK: built from a spec alone, over hb's connections. The first call imports the SDK.

The SDK gives credential, headers and its HTTP client, which is hb's. What it reads from the environment (CO_API_URL,
CO_API_KEY) is decided by the spec instead.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from heavenbase.errors import MissingPackage
from heavenbase.http import HeldClient, configured_url, http_client, needed_key

if TYPE_CHECKING:
    from heavenbase.call import Services
    from heavenbase.http import Connections
    from heavenbase.spec import LLMSpec

VERSION = "v2"
"""The version of the API where a base URL names none."""
KEYLESS = "cohere"
"""What goes out as a key where an endpoint needs none; the SDK wants one."""
NEEDED = "the cohere gateway needs the package cohere: pip install 'cohere>=7'"
_COMPATIBLE = "/compatibility/v1"
_VERSION = re.compile(r"/(v\d+)$")
_DOOR = ("get_headers", "httpx_client")


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


def place(spec: LLMSpec) -> tuple[str, str]:
    """(address, version of the API) of a spec; ConfigError when nothing says the address.

    The address of the OpenAI-compatible endpoint is taken for the one that it stands beside.
    """
    address = configured_url(spec)
    if address.endswith(_COMPATIBLE):
        return address.removesuffix(_COMPATIBLE), VERSION
    match = _VERSION.search(address)
    return (address[: match.start()], match[1]) if match is not None else (address, VERSION)


def base_url(spec: LLMSpec) -> str:
    """Where this spec's requests go, version included."""
    return "/".join(place(spec))


def client_of(spec: LLMSpec, services: Services, connections: Connections, *, is_async: bool) -> Any:
    """The SDK client of a spec, one for all equal client keys: a `ClientV2` or `AsyncClientV2`."""
    held: HeldClient = services.client(
        f"hb_provider_cohere:{spec.client_key()}", lambda: _build(spec, services, connections, is_async), is_async
    )
    return held.client


def _build(spec: LLMSpec, services: Services, connections: Connections, is_async: bool) -> HeldClient:
    key, (address, _), package = needed_key(spec, KEYLESS), place(spec), sdk()
    http = http_client(package.http, base_url(spec), spec, services, connections, is_async=is_async)
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
    return HeldClient(client, http, is_async=is_async)
