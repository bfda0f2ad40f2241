"""Rows N1 to N3, S6, T1, T2: the way to the endpoint."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

import heavenbase as hb
from hb_testing.server import LoopbackServer, black_hole, refused_port, resetting_port, tls_server
from heavenbase.errors import (
    ConnectError,
    ConnectTimeout,
    DeadlineExceeded,
    PoolTimeout,
    RateLimitError,
    RedirectRefused,
    TLSVerifyError,
    TransportClosed,
)
from tests.faults.harness import CANARY, Harness, Mode, check_error, every, harness


@every()
def test_n1_refused_port_is_tried_three_times_and_named(mode: Mode) -> None:
    with refused_port() as port:
        ran = Harness(f"http://127.0.0.1:{port}/v1").run(mode)
    error = check_error(ran, ConnectError, requests=3)
    assert "127.0.0.1" in str(error)
    assert not error.maybe_billed
    assert len(ran.slept) == 2


@every()
def test_n1_unknown_host_is_a_connect_error_that_names_it(mode: Mode) -> None:
    ran = Harness("https://no-such-host.invalid/v1").run(mode, max_retries=0)
    assert "no-such-host.invalid" in str(check_error(ran, ConnectError, requests=1))


@every()
def test_n1_black_hole_ends_at_the_connect_limit(mode: Mode) -> None:
    with black_hole() as port:
        ran = Harness(f"http://127.0.0.1:{port}/v1", limits={"connect": 0.2}).run(mode, max_retries=0)
    error = check_error(ran, ConnectTimeout, requests=1)
    assert not error.maybe_billed
    assert 0.18 <= (error.attempts[0].elapsed or 0) <= 0.6 or mode in ("stream", "astream")


@every()
def test_n2_reset_before_the_request_was_read_is_tried_three_times(mode: Mode) -> None:
    with resetting_port() as port:
        ran = Harness(f"http://127.0.0.1:{port}/v1").run(mode)
    check_error(ran, hb.errors.TransportError)
    assert len(ran.error.attempts if ran.error else ()) in (2, 3)  # the kernel may take the whole request first


@pytest.mark.parametrize("fault", ["N2.b", "N2.c"])
@every()
def test_n2_close_after_the_request_may_be_billed_and_is_tried_twice(
    server: LoopbackServer, mode: Mode, fault: str
) -> None:
    with harness(server, fault) as made:
        error = check_error(made.run(mode), TransportClosed, requests=2)
    assert error.maybe_billed
    assert len(server.requests) == 2


@pytest.mark.parametrize("kind", ["self-signed", "expired", "wrong-host"])
@every()
def test_n3_bad_certificates_are_refused_at_once(mode: Mode, kind: str) -> None:
    with tls_server(kind) as server:
        check_error(Harness(server.url("openai")).run(mode), TLSVerifyError, requests=1)
        assert server.requests == []


@every()
def test_s6_a_redirect_is_refused_and_the_other_origin_sees_nothing(mode: Mode) -> None:
    with LoopbackServer() as other, LoopbackServer(redirect_to=other.origin) as server:
        with harness(server, "S6.302") as made:
            check_error(made.run(mode), RedirectRefused, requests=1)
        assert other.requests == []
        assert len(server.requests) == 1


@every(("chat", "achat"))
def test_t2_the_deadline_beats_a_longer_retry_after(server: LoopbackServer, mode: Mode) -> None:
    with harness(server, "S3.number-5") as made:
        ran = made.run(mode, timeout=1.0)
    error = check_error(ran, DeadlineExceeded)
    assert isinstance(error.__cause__, RateLimitError)
    assert ran.slept == []
    assert len(server.requests) == 1


def test_t1_a_full_pool_is_an_error_that_names_limit_and_holders_sync(server: LoopbackServer) -> None:
    config = {"heavenbase.llm.gateways.openai.max_connections": 2}
    with harness(server, "E9.a", limits={"pool": 0.05, "first_token": 5.0}, config=config) as made:
        hung = [threading.Thread(target=made.run, args=("chat",), kwargs={"max_retries": 0}) for _ in range(2)]
        for thread in hung:
            thread.start()
        server.wait_for(lambda s: len(s.requests) == 2)
        error = check_error(made.run("chat"), PoolTimeout, requests=0)
        assert "2" in str(error)
        server.close()
        for thread in hung:
            thread.join()


def test_t1_a_full_pool_is_an_error_that_names_limit_and_holders_async(server: LoopbackServer) -> None:
    config = {"heavenbase.llm.gateways.openai.max_connections": 2}

    async def run(made: Harness) -> Any:
        hung = [asyncio.create_task(made.llm.achat("hi", max_retries=0)) for _ in range(2)]
        await server.await_for(lambda s: len(s.requests) == 2)
        with pytest.raises(PoolTimeout) as caught:
            await made.llm.achat("hi")
        for task in hung:
            task.cancel()
        await asyncio.gather(*hung, return_exceptions=True)
        await made.kernel.clients.aclose()
        return caught.value

    with harness(server, "E9.a", limits={"pool": 0.05, "first_token": 5.0}, config=config) as made:
        error = asyncio.run(run(made))
    assert error.attempts == ()
    assert "2" in str(error)
    assert CANARY not in str(error)
