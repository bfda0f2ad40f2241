"""One attempt on the wire, in both colours: sign, send, read, and make every failure an error of hb."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from hb_provider_bedrock.client import Client, sdk
from hb_provider_bedrock.failures import answer_error, sdk_error
from hb_provider_bedrock.outgoing import Outgoing
from heavenbase.errors import BODY_EXCERPT, HBError, ResponseError
from heavenbase.http.payload import decode_json, encode_json
from heavenbase.http.status import call_secrets
from heavenbase.http.transport.exchange import Exchange, request_id
from heavenbase.secrets import redact

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from hb_provider_bedrock.senders import Senders
    from heavenbase.call import Call

T = TypeVar("T")
ACCEPT_ENCODING = ("Accept-Encoding", "identity")


class Wire:
    """One attempt of a call."""

    __slots__ = ("_body", "_senders", "call", "exchange")

    def __init__(self, call: Call, senders: Senders) -> None:
        self.call = call
        self.exchange = Exchange.of(call)
        self._senders = senders
        self._body = b""

    @property
    def request_id(self) -> str | None:
        """The provider's name for the request."""
        return request_id(self.exchange.headers)

    @property
    def wall(self) -> Callable[[], float]:
        """Epoch seconds."""
        return self._senders.services.wall

    # Sending

    def send(
        self, operation: str, body: Mapping[str, Any], headers: Mapping[str, str], query: Mapping[str, Any]
    ) -> Any:
        """Send a request; the body of the answer, once its head says that all is well."""
        content = encode_json(body)
        outgoing = self._sign(self._senders.client, operation, content, headers, query)
        with self.exchange.active():
            answer = self._senders.of(self.call, outgoing.url, is_async=False).send(self.exchange, outgoing)
        if self._is_good():
            return answer
        failure = self._refusal(self._read_error(answer))
        raise failure

    async def asend(
        self, operation: str, body: Mapping[str, Any], headers: Mapping[str, str], query: Mapping[str, Any]
    ) -> Any:
        """Async form of `send`. boto3 has none, so what may wait in it waits in a thread."""
        from heavenbase.colour.threads import call_in_thread

        content = encode_json(body)
        client = self._senders.known_client(self.call)
        if client is None or client.may_wait:
            outgoing = await call_in_thread(self._sign, self._senders.client, operation, content, headers, query)
        else:
            outgoing = self._sign(lambda call: client, operation, content, headers, query)
        with self.exchange.active():
            answer = await self._senders.of(self.call, outgoing.url, is_async=True).send(self.exchange, outgoing)
        if self._is_good():
            return answer
        failure = self._refusal(await self._aread_error(answer))
        raise failure

    def _sign(
        self,
        client: Callable[[Call], Client],
        operation: str,
        content: bytes,
        headers: Mapping[str, str],
        query: Mapping[str, Any],
    ) -> Outgoing:
        failure: HBError
        try:
            outgoing = client(self.call).sign(operation, self.call.spec.model_id, content, headers, query)
        except HBError:
            raise
        except Exception as error:
            failure = sdk_error(self.call, error, sdk().exceptions)
        else:
            self.call.context.remaining()
            outgoing.headers.multi_items().append(ACCEPT_ENCODING)
            return outgoing
        # Raised out here, so that the SDK's error, which may hold the request, is not attached.
        raise failure

    def _is_good(self) -> bool:
        status = self.exchange.status
        return status is not None and 200 <= status < 300

    def _read_error(self, answer: Any) -> bytes:
        try:
            return bytes(answer.read())
        except HBError:
            return b""  # the status tells enough

    async def _aread_error(self, answer: Any) -> bytes:
        try:
            return bytes(await answer.read())
        except HBError:
            return b""

    def _refusal(self, body: bytes) -> HBError:
        exchange = self.exchange
        assert exchange.status is not None
        return answer_error(self.call, exchange.status, exchange.headers, body, wall=self._senders.services.wall)

    # Reading

    def read(self, answer: Any) -> bytes:
        """The whole body of an answer."""
        try:
            self._body = bytes(answer.read())
        except HBError as error:
            failure = self.with_facts(error)
        else:
            return self._body
        raise failure

    async def aread(self, answer: Any) -> bytes:
        """Async form of `read`."""
        try:
            self._body = bytes(await answer.read())
        except HBError as error:
            failure = self.with_facts(error)
        else:
            return self._body
        raise failure

    def decoded(self, body: bytes) -> Any:
        """The answer as data."""
        return self.checked(lambda: decode_json(body))

    def checked(self, reader: Callable[[], T]) -> T:
        """What the reader makes of the answer; its complaints get the facts of this attempt."""
        try:
            return reader()
        except ResponseError as error:
            failure = self.with_facts(error)
        raise failure

    def note_body(self, body: bytes) -> None:
        """What an error should quote."""
        self._body = body

    def with_facts(self, error: HBError) -> HBError:
        """The error with what this attempt knows, and without the frames and errors of the libraries below."""
        exchange = self.exchange
        error.__context__ = error.__traceback__ = None
        error.provider = error.provider or self.call.spec.provider
        error.model = error.model or self.call.spec.model_id
        error.status = error.status or exchange.status
        error.request_id = error.request_id or self.request_id
        if error.body is None:
            text = self._body[: 4 * BODY_EXCERPT].decode("utf-8", "replace")
            error.body = redact(text, call_secrets(self.call.spec))[:BODY_EXCERPT]
        return error
