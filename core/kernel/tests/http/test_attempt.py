"""One attempt over HTTP: an error status that an SDK left as it is."""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any

import pytest

from heavenbase.call import Call, CallContext, WireRequest
from heavenbase.errors import HBError, RateLimitError, TransportClosed
from heavenbase.http.attempt import HTTPAttempt
from heavenbase.spec import LLMSpec, Timeouts

REQUEST = WireRequest("POST", "https://acme.test/v1", {}, {}, "none")


class Body:
    """A body that is there, or breaks while it is read."""

    def __init__(self, data: bytes | None) -> None:
        self.data = data
        self.closed = False

    def read(self) -> bytes:
        if self.data is None:
            raise TransportClosed("gone")
        return self.data

    def close(self) -> None:
        self.closed = True


class AsyncBody(Body):
    """The same for async calls."""

    async def read(self) -> bytes:  # type: ignore[override]
        return Body.read(self)

    async def aclose(self) -> None:
        self.close()


class Attempt(HTTPAttempt):
    """An attempt whose SDK looks at no status."""

    package = "acme"
    status = 429
    data: bytes | None = json.dumps({"error": {"message": "slow down"}}).encode()

    def send(self, client: Any, request: WireRequest) -> None:
        self.exchange.status, self.exchange.body = self.status, Body(self.data)

    async def asend(self, client: Any, request: WireRequest) -> None:
        self.exchange.status, self.exchange.body = self.status, AsyncBody(self.data)


def attempt() -> Attempt:
    spec = LLMSpec(None, "m", "m-1", "acme", "openai", "openai")
    return Attempt(
        Call("complete", spec, CallContext(time.monotonic, Timeouts(), time.monotonic(), 0.0, None)), time.time
    )


def post(made: Attempt, colour: str) -> Any:
    return made.post(None, REQUEST) if colour == "sync" else asyncio.run(made.apost(None, REQUEST))


@pytest.mark.parametrize("colour", ["sync", "async"])
def test_a_refusal_that_the_sdk_left_is_raised_and_its_body_closed(colour: str) -> None:
    made = attempt()
    with pytest.raises(RateLimitError, match="slow down") as caught:
        post(made, colour)
    assert (caught.value.status, caught.value.provider) == (429, "acme")
    assert made.exchange.body.closed


@pytest.mark.parametrize("colour", ["sync", "async"])
def test_the_status_tells_enough_where_the_body_of_a_refusal_breaks(colour: str) -> None:
    made = attempt()
    made.data = None
    with pytest.raises(RateLimitError):
        post(made, colour)


@pytest.mark.parametrize("colour", ["sync", "async"])
def test_a_success_is_read(colour: str) -> None:
    made = attempt()
    made.status, made.data = 200, b'{"ok": true}'
    assert post(made, colour) == {"ok": True}


def test_a_gateway_may_read_refusals_its_own_way() -> None:
    class Own(Attempt):
        def refusal(self, status: int, body: bytes) -> HBError:
            return HBError(f"{status} {body.decode()}")

    made = Own(attempt().call, time.time)
    made.data = b"no"
    with pytest.raises(HBError, match="429 no"):
        made.post(None, REQUEST)
