"""HTTPGateway: a gateway whose every call is one `HTTPAttempt`, so that its verbs are written once for both colours.

Below it what gateways need when they build an SDK's client from a spec, so that it sends over hb's connections.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar
from urllib.parse import urlencode

from heavenbase.errors import (
    ConfigError,
    EmbeddingsNotSupported,
    ExportError,
    ImageGenerationNotSupported,
    MissingCredential,
    MissingPackage,
)
from heavenbase.http.rules import added_parts
from heavenbase.http.status import is_secret_header
from heavenbase.options import PROXIES
from heavenbase.plugin import Gateway
from heavenbase.secrets import Secret, Unshown
from heavenbase.spec import WireRequest

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator, Mapping

    from heavenbase.call import Call, Services
    from heavenbase.http.attempt import HTTPAttempt
    from heavenbase.http.transport.connections import Connections
    from heavenbase.spec import LLMSpec
    from heavenbase.types import Chunk, Completion, Embedding, ImageResult

FILE_ROOM = 512 * 1024 * 1024
"""Bytes that a file may have above what any answer may."""

UNTOLD = (
    *("X-Stainless-Lang", "X-Stainless-Package-Version", "X-Stainless-OS", "X-Stainless-Arch", "X-Stainless-Runtime"),
    *("X-Stainless-Runtime-Version", "X-Stainless-Async", "X-Stainless-Retry-Count", "X-Stainless-Read-Timeout"),
    "x-stainless-timeout",  # each as the SDKs spell it: older releases leave out no other spelling
)
"""What SDKs tell of this machine and of themselves with each request; nobody asked for it, so hb leaves it out."""

A = TypeVar("A", bound="HTTPAttempt")
T = TypeVar("T")


class HTTPGateway(Gateway, Generic[A]):
    """A gateway over an SDK's HTTP client, with hb's connections below it.

    Implement `prepare`, `client` and `attempt`; `embedding` and `images` where the wire has them. All readers are pure:
    they get a decoded answer that holds no error, and complain with a ResponseError.
    """

    bytes_per_input: ClassVar[int] = 0
    """Room for one vector in an answer, in bytes, above what any answer may have."""
    _connections: Connections | None = None

    # What a gateway brings

    def client(self, spec: LLMSpec, args: Mapping[str, Any], *, is_async: bool) -> Any:
        """The SDK client for a spec and the arguments of a call, the same for equal client keys."""
        raise NotImplementedError

    def attempt(self, call: Call, extra_bytes: int = 0) -> A:
        """A fresh attempt of a call; its answer may be larger than others by so many bytes."""
        raise NotImplementedError

    def embedding(self, attempt: A, decoded: Any) -> Embedding:
        """The vectors in a decoded answer."""
        raise EmbeddingsNotSupported(f"gateway {self.name!r} has no embeddings", provider=attempt.call.spec.provider)

    def images(self, attempt: A, decoded: Any) -> ImageResult:
        """The images in a decoded answer."""
        provider = attempt.call.spec.provider
        raise ImageGenerationNotSupported(f"gateway {self.name!r} generates no images", provider=provider)

    # Verbs

    def chat(self, call: Call, request: WireRequest) -> Completion:
        """One non-streamed answer."""
        return self.ask(self.attempt(call), request, _completion)

    async def achat(self, call: Call, request: WireRequest) -> Completion:
        """Async form of `chat`."""
        return await self.aask(self.attempt(call), request, _completion)

    def stream(self, call: Call, request: WireRequest) -> Iterator[Chunk]:
        """The chunks of one streamed answer."""
        return self.attempt(call).stream(self._client(call), request)

    def astream(self, call: Call, request: WireRequest) -> AsyncIterator[Chunk]:
        """Async form of `stream`."""
        return self.attempt(call).astream(self._client(call), request)

    def embed_batch(self, call: Call, request: WireRequest) -> Embedding:
        """One vector per input."""
        return self.ask(self.attempt(call, self.bytes_per_input * len(call.inputs)), request, self.embedding)

    async def aembed_batch(self, call: Call, request: WireRequest) -> Embedding:
        """Async form of `embed_batch`."""
        return await self.aask(self.attempt(call, self.bytes_per_input * len(call.inputs)), request, self.embedding)

    def generate_images(self, call: Call, request: WireRequest) -> ImageResult:
        """The images for the prompt."""
        return self.ask(self.attempt(call), request, self.images)

    async def agenerate_images(self, call: Call, request: WireRequest) -> ImageResult:
        """Async form of `generate_images`."""
        return await self.aask(self.attempt(call), request, self.images)

    # Shared

    def shown_headers(self, spec: LLMSpec) -> Mapping[str, str]:
        """Those of the headers of each request that hold no secret."""
        found = spec.headers
        return {name: value for name, value in found.items() if not is_secret_header(name)} if found else {}

    def request_to(
        self,
        call: Call,
        url: str,
        body: Mapping[str, Any],
        auth: str | None,
        *,
        method: str = "POST",
        asked: Mapping[str, Any] | None = None,
        added: tuple[Mapping[str, str], Mapping[str, Any]] | None = None,
        file: Any = None,
        is_form: bool = False,
    ) -> WireRequest:
        """A request of a call as it will travel, with what its caller adds to headers and query.

        Args:
            call: The call.
            url: Where it goes.
            body: The body, or the fields of a form.
            auth: How the credential travels, such as "Authorization: Bearer"; None without one.
            method: The method; what is no POST has no body.
            asked: The query of the wire's own.
            added: Headers and query of the caller, where they are not what `added_parts` finds.
            file: The file of a form.
            is_form: Whether the body travels as a form also without a file.
        """
        headers, query = added if added is not None else added_parts(call)
        if asked:
            query = {**asked, **query}
        if query:
            url += f"{'&' if '?' in url else '?'}{urlencode(query, doseq=True)}"
        kind = "multipart/form-data" if is_form or file is not None else "application/json"
        sent = {"content-type": kind} if method == "POST" else {}
        request: Any = _Draft()  # frozen at the end, as in `new_call`, at a third of the cost
        request.method, request.url, request.body, request.auth, request.content = method, url, body, auth, file
        request.headers = {**sent, **self.shown_headers(call.spec), **headers}
        request.__class__ = WireRequest
        return request  # type: ignore[no-any-return]

    def ask(self, attempt: A, request: WireRequest, read: Callable[[A, Any], T]) -> T:
        """Send a request, of a verb or of the gateway's own, and read the whole answer."""
        decoded = Unshown((attempt.post(self._client(attempt.call), request),))
        return attempt.read(lambda: attempt.unechoed(read(attempt, decoded[0])))

    async def aask(self, attempt: A, request: WireRequest, read: Callable[[A, Any], T]) -> T:
        """Async form of `ask`."""
        decoded = Unshown((await attempt.apost(self._client(attempt.call), request),))
        return attempt.read(lambda: attempt.unechoed(read(attempt, decoded[0])))

    async def exchange(
        self, call: Call, request: WireRequest, read: Callable[[A, Any], T], *, is_json: bool = True, sink: Any = None
    ) -> T:
        """What `read` makes of the answer to one request of an operation, sent in the colour of the call.

        With `is_json=False` it gets the bytes as they came; a `sink` takes each piece of them, up to a TiB.
        """
        attempt = self.attempt(call, 2**40 if sink else 0 if is_json else FILE_ROOM)
        found = await attempt.exchanged(self._client(call), request, is_json=is_json and sink is None, sink=sink)
        return attempt.read(lambda: read(attempt, found))

    def connections(self) -> Connections:
        """The connections that all clients of this gateway share."""
        if self._connections is None:
            from heavenbase.http.transport.connections import Connections

            self._connections = Connections()
        return self._connections

    def close(self) -> None:
        """Close the connections that the clients left."""
        if self._connections is not None:
            self._connections.close()

    def _client(self, call: Call) -> Any:
        return self.client(with_call_proxies(call), call.args, is_async=call.is_async)


class _Draft:
    __slots__ = WireRequest.__slots__


def _completion(attempt: HTTPAttempt, decoded: Any) -> Completion:
    answer = attempt.completion(decoded)
    answer.request_id = attempt.request_id
    return answer


# For `client`


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


def needed_key(spec: LLMSpec, keyless: str) -> str:
    """The key to send; MissingCredential names where it could come from.

    `keyless` goes out where an endpoint needs no key, for SDKs that want one.
    """
    key = given_key(spec)
    if key is not None:
        return key
    if spec.provider_record.get("api_key_optional"):
        return keyless
    where = " or ".join(spec.provider_record.get("api_key_env") or ()) or "a key"
    ways = spec.origins.get("no key") or f"set {where}, or pass api_key="
    raise MissingCredential(f"provider {spec.provider!r} needs a key: {ways}", provider=spec.provider)


def with_call_proxies(call: Call) -> LLMSpec:
    """The spec of a call, with the proxies that the call itself names."""
    spec, controls = call.spec, call.controls
    changed = {n: controls[n] for n in PROXIES if n in controls and controls[n] != spec.args.get(n)}
    return spec.with_args(**changed) if changed else spec


def sender_to(url: str, spec: LLMSpec, services: Services, connections: Connections, *, is_async: bool) -> Any:
    """What sends to a URL in one colour: the kernel's own transport where it was given one, else a lease.

    The route goes over the proxy that the spec's arguments name, with the authorities and connections of the gateway.
    """
    if services.transport is not None:
        from heavenbase.http.transport.protocol import InjectedSender

        return InjectedSender(services.transport, is_async=is_async)
    from heavenbase.http.transport.connections import MAX_CONNECTIONS, Route

    most = int(spec.gateway_record.get("max_connections") or MAX_CONNECTIONS)
    proxy = proxy_to(url, spec, services)
    route = Route(proxy, authorities(spec, services), most, not services.environ.is_embedded)
    return connections.async_lease(route) if is_async else connections.lease(route)


def proxy_to(url: str, spec: LLMSpec, services: Services) -> str | None:
    """The proxy to a URL that a spec or the variables name; None for none."""
    from heavenbase.http.transport.connections import choose_proxy

    return choose_proxy(url, **{name: spec.args.get(name) for name in PROXIES}, environ=services.environ)


def authorities(spec: LLMSpec, services: Services) -> str | None:
    """The file of authorities that a spec or the given variables name; None for the system's."""
    environ = services.environ
    return spec.gateway_record.get("ca_file") or (environ.is_embedded and environ.get("SSL_CERT_FILE")) or None


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
    from heavenbase.http.transport.logs import scrub_logs

    scrub_logs(f"{package.__name__}._base_client")
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
