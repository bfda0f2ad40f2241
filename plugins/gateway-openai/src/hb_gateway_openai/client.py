"""Clients of the openai SDK: built from a spec alone, over hb's connections, for the SDK's majors 2 and 3.

The SDK is imported by the first call. Its HTTP library is httpx2 (major 3) or httpx (major 2): whichever it has
imported itself.
"""

from __future__ import annotations

import inspect
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Protocol

from heavenbase.errors import MissingPackage
from heavenbase.http import UNTOLD, configured_url, http_client, http_library

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from heavenbase.call import Services
    from heavenbase.http import Connections
    from heavenbase.spec import LLMSpec


class SDK:
    """The installed openai package, as far as hb uses it."""

    def __init__(self) -> None:
        try:
            import openai
        except ImportError as error:
            raise MissingPackage("the openai gateway needs the package openai: pip install 'openai>=2'") from error
        self.module = openai
        self.http = http_library(openai)
        self.response_type: Any = self.http.Response
        self.request_options: Any = openai._models.FinalRequestOptions
        """What `client.request` takes: the door for what is no POST, where the answer is a stream."""
        self.untold: dict[str, Any] = dict.fromkeys(UNTOLD, openai.Omit())
        """The headers that the SDK is to leave out, in its own words."""
        self.takes_content = "content" in inspect.signature(openai.OpenAI.post).parameters


@lru_cache(maxsize=1)
def sdk() -> SDK:
    """The openai package, imported at the first call."""
    return SDK()


class Door(Protocol):
    """What a gateway on this wire says of its own about a client. Both follow from what the client key covers."""

    def credential(self, spec: LLMSpec) -> str:
        """The bearer token."""

    def headers(self, spec: LLMSpec) -> Mapping[str, str]:
        """The headers of every request."""


def client_of(spec: LLMSpec, services: Services, connections: Connections, door: Door, *, is_async: bool) -> Any:
    """The SDK client of a spec, one for all equal client keys."""

    def built() -> Any:
        place = {"api_key": door.credential(spec), "base_url": configured_url(spec)}  # before connections are lent

        def make(options: dict[str, Any]) -> Any:
            openai = sdk().module
            return (openai.AsyncOpenAI if is_async else openai.OpenAI)(**options, **place)

        return build(spec, services, connections, dict(door.headers(spec)), make, is_async=is_async)

    return services.client(f"hb_gateway_openai:{spec.client_key()}", built, is_async)


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
    http = http_client(sdk().http, configured_url(spec), spec, services, connections, is_async=is_async)
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
