"""What sends for a spec: an HTTP client over hb's connections, and who calls. And google-genai's client, for export."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from hb_provider_gemini.client import sdk
from hb_provider_vertex.credentials import source_of
from hb_provider_vertex.place import is_key, is_token, place_of, root_of
from heavenbase.errors import ConfigError
from heavenbase.http import HeldClient, given_key, http_client

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hb_provider_vertex.credentials import Source
    from heavenbase.call import Services
    from heavenbase.http import Connections
    from heavenbase.spec import LLMSpec

LOOPBACK = ("127.0.0.1", "localhost", "::1")


class Client:
    """An HTTP client, and the headers that show who calls."""

    def __init__(self, http: Any, key: dict[str, str], source: Source | None, headers: Mapping[str, str]) -> None:
        self.http = http
        self._key, self._source, self._headers = key, source, headers

    @property
    def may_wait(self) -> bool:
        """Whether `headers` may send a request of its own."""
        return self._source is not None and not self._source.is_fresh

    def headers(self) -> dict[str, str]:
        """The headers of a request, those of the spec over the credential's."""
        shown = self._source.headers() if self._source is not None else self._key
        return {**shown, **self._headers}


def client_of(
    spec: LLMSpec, args: Mapping[str, Any], services: Services, connections: Connections, *, is_async: bool
) -> Client:
    """The client of a spec and the arguments of a call, one for all equal client keys and places."""
    key = given_key(spec)
    url = root_of(spec, place_of(spec, args))
    source = source_of(spec, args, services) if key is None else None
    parts = urlsplit(url)
    if parts.scheme != "https" and parts.hostname not in LOOPBACK:
        told = "a credential of Google Cloud goes over https:// alone; give base_url so"
        raise ConfigError(told, provider=spec.provider)
    held: HeldClient = services.client(
        f"hb_provider_vertex:{spec.client_key()}:{url}",
        lambda: _build(spec, url, services, connections, is_async),
        is_async,
    )
    shown = {"Authorization": f"Bearer {key}"} if is_token(spec) else {"x-goog-api-key": key or ""}
    return Client(held.client, shown, source, spec.headers)


def _build(spec: LLMSpec, url: str, services: Services, connections: Connections, is_async: bool) -> HeldClient:
    http = http_client(sdk().http, url, spec, services, connections, is_async=is_async)
    return HeldClient(http, http, is_async=is_async)


def exported(spec: LLMSpec, services: Services, connections: Connections, *, is_async: bool) -> Any:
    """A `google.genai.Client` in Vertex mode that serves this spec over hb's connections, or the `.aio` of one."""
    from heavenbase.http import NoConnections, sender_to
    from heavenbase.http.transport import async_client, sync_client

    key = given_key(spec)
    place = place_of(spec, spec.args)
    source = source_of(spec, spec.args, services) if key is None else None
    url, package, missing = root_of(spec, place), sdk(), NoConnections(is_async=is_async)
    address, _, version = url.rpartition("/")
    lent = sender_to(url, spec, services, connections, is_async=is_async)
    sender, asender = (missing, lent) if is_async else (lent, missing)
    options: dict[str, Any] = {"base_url": address, "api_version": version, "headers": dict(spec.headers)}
    options["httpx_client"] = sync_client(package.http, sender, spec.timeouts)
    options["httpx_async_client"] = async_client(package.http, asender, spec.timeouts)
    given: dict[str, Any] = {"project": place.project, "location": place.location} if place.project else {}
    if is_key(spec):
        given = {"api_key": key}
    elif source is not None:
        given["credentials"] = source.credentials
    else:
        from google.oauth2.credentials import Credentials

        given["credentials"] = Credentials(key)  # type: ignore[no-untyped-call]
    client = package.module.Client(vertexai=True, http_options=options, **given)
    return client.aio if is_async else client
