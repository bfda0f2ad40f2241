"""Clients of the anthropic SDK: built from a spec alone, over hb's connections, for the SDK's majors 0, 1 and 2.

The SDK is imported by the first call. Its HTTP library is httpx2 or, in major 0, httpx: whichever it has imported
itself. The credential travels in `x-api-key`, whatever the SDK's release has made of that, or as a bearer token where
the provider's `auth_mode` says so.
"""

from __future__ import annotations

import inspect
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from heavenbase.errors import MissingPackage
from heavenbase.http import UNTOLD, configured_url, http_client, http_library, needed_key

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from heavenbase.call import Services
    from heavenbase.http import Connections
    from heavenbase.spec import LLMSpec

VERSION = "2023-06-01"
"""The version of the API that hb speaks: the one that every server of this wire knows, sampling included."""
VERSION_HEADER = "anthropic-version"
KEYLESS = "anthropic"
"""What goes out as a key where an endpoint needs none; the SDK wants one."""

_SDK_HEADERS = ("Accept", "Authorization", "Content-Type", "User-Agent", "X-Api-Key", VERSION_HEADER)


class SDK:
    """The installed anthropic package, as far as hb uses it."""

    def __init__(self) -> None:
        try:
            import anthropic
        except ImportError as error:
            raise MissingPackage(
                "the anthropic gateway needs the package anthropic: pip install 'anthropic>=0.120'"
            ) from error
        self.module = anthropic
        self.http = http_library(anthropic)
        self.response_type: Any = self.http.Response
        self.request_options: Any = anthropic._models.FinalRequestOptions
        """What `client.request` takes: the door for what is no POST, where the answer is a stream."""
        self.absent: Any = anthropic.Omit()
        """The SDK's word for a header that is to be left out."""
        self.untold: dict[str, Any] = dict.fromkeys(UNTOLD, self.absent)
        self.has_tracing = "open_telemetry" in inspect.signature(anthropic.Anthropic.__init__).parameters


@lru_cache(maxsize=1)
def sdk() -> SDK:
    """The anthropic package, imported at the first call."""
    return SDK()


def base_url(spec: LLMSpec) -> str:
    """Where this spec's requests go, without /v1, which is a part of the paths; ConfigError when nothing says it."""
    return configured_url(spec).removesuffix("/v1").rstrip("/")


def versioned(headers: Mapping[str, str]) -> dict[str, str]:
    """A provider's headers in the SDK's spelling, and the version of the API unless they name one."""
    return {VERSION_HEADER: VERSION, **spelled(headers)}


def spelled(headers: Mapping[str, str], others: Iterable[str] = ()) -> dict[str, str]:
    """Headers in the spelling of the SDK's own, or of these others.

    Releases of the SDK tell one header from another by its exact spelling, and would send both.
    """
    known = {name.lower(): name for name in (*_SDK_HEADERS, *others)}
    return {known.get(name.lower(), name): value for name, value in headers.items()}


def is_bearer(spec: LLMSpec) -> bool:
    """Whether the credential travels as a bearer token: where the provider wants it so, or it was given as one."""
    if spec.provider_value("auth_mode") == "bearer":
        return True
    return "auth_token" in spec.origins


def credential(spec: LLMSpec) -> str:
    """The key to send; MissingCredential names where it could come from, CredentialFormatError what is wrong in it."""
    return needed_key(spec, KEYLESS)


def client_of(spec: LLMSpec, services: Services, connections: Connections, *, is_async: bool) -> Any:
    """The SDK client of a spec, one for all equal client keys."""
    # The way the key travels is no part of the client key, for it belongs to the provider.
    key = f"hb_gateway_anthropic:{'bearer' if is_bearer(spec) else 'key'}:{spec.client_key()}"
    return services.client(key, lambda: _build(spec, services, connections, is_async), is_async)


def _build(spec: LLMSpec, services: Services, connections: Connections, is_async: bool) -> Any:
    package, key = sdk(), credential(spec)
    options: dict[str, Any] = {
        "auth_token" if is_bearer(spec) else "api_key": key,
        "base_url": base_url(spec),
        # Of no effect on hb's own calls, which ask for none: the retries and limits of an exported client.
        "max_retries": int(spec.args.get("max_retries") or 0),
    }
    if package.has_tracing:
        # hb's own tracing is a plugin that the user chooses; an installed package alone must not send anything.
        options["open_telemetry"] = False
    http = http_client(package.http, base_url(spec), spec, services, connections, is_async=is_async)
    build = package.module.AsyncAnthropic if is_async else package.module.Anthropic
    client: Any = build(http_client=http, timeout=http.timeout, **options)
    # The SDK fills these from ANTHROPIC_* variables, whichever endpoint the client is for.
    client.api_key, client.auth_token = (None, key) if is_bearer(spec) else (key, None)
    if hasattr(client, "webhook_key"):
        client.webhook_key = None
    client._custom_headers = {**_credential_headers(spec, key), **versioned(spec.headers)}
    return client


def _credential_headers(spec: LLMSpec, key: str) -> dict[str, Any]:
    """The header with the key, and the one without: releases of the SDK differ in which of them they fill."""
    absent = sdk().absent
    if is_bearer(spec):
        return {"Authorization": f"Bearer {key}", "X-Api-Key": absent}
    return {"X-Api-Key": key, "Authorization": absent}
