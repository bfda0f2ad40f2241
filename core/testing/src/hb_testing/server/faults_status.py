"""Faults of the status line: S1 refused, S2 out of money, S3 limited once, S4 do not retry, S5 down, S6 redirect."""

from __future__ import annotations

import math
from email.utils import formatdate
from functools import partial

from hb_testing.server.answers import Answer, Reply
from hb_testing.server.faults import argument, fault
from hb_testing.server.wire import Exchange
from heavenbase.errors import InputError

_GATEWAY_PAGE = "<html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1></body></html>"


def _refused(exchange: Exchange, status: int) -> Answer:
    return exchange.wire.error(status, exchange.wire.message(status))


for _status in (400, 403, 404, 422):
    fault(f"S1.{_status}")(partial(_refused, status=_status))
for _status in (500, 503, 504, 529):
    fault(f"S5.{_status}")(partial(_refused, status=_status))
fault("S2.402")(partial(_refused, status=402))


@fault("S1.401")
def wrong_key(exchange: Exchange) -> Answer:
    """401 whose message repeats the key that was sent, as providers do."""
    key = exchange.wire.key(exchange.request)
    return exchange.wire.error(401, f"Incorrect API key provided: {key}. You can find your API key in your account.")


@fault("S2.429")
def quota(exchange: Exchange) -> Answer:
    """429 that waiting does not heal."""
    message = "You exceeded your current quota, please check your plan and billing details."
    return exchange.wire.error(429, message, kind="insufficient_quota", code="insufficient_quota")


def _limited(exchange: Exchange, **headers: str) -> Reply:
    reply = exchange.wire.error(429, exchange.wire.message(429))
    reply.headers = {**reply.headers, **{name.replace("_", "-"): value for name, value in headers.items()}}
    return reply


@fault("S3.number")
def limited_by_number(exchange: Exchange) -> Answer:
    """429 with Retry-After in seconds (argument, default 2) on the first request; later ones succeed."""
    if exchange.count > 1:
        return exchange.wire.handle(exchange)
    return _limited(exchange, retry_after=str(argument(exchange, 0, 2)))


@fault("S3.date")
def limited_by_date(exchange: Exchange) -> Answer:
    """As S3.number, with an HTTP date by the server's clock; rounded up, since such dates have whole seconds."""
    if exchange.count > 1:
        return exchange.wire.handle(exchange)
    when = math.ceil(exchange.server.now()) + argument(exchange, 0, 2)
    return _limited(exchange, retry_after=formatdate(when, usegmt=True))


@fault("S3.ms")
def limited_by_milliseconds(exchange: Exchange) -> Answer:
    """As S3.number, with `retry-after-ms` (argument in milliseconds, default 2000)."""
    if exchange.count > 1:
        return exchange.wire.handle(exchange)
    return _limited(exchange, retry_after_ms=str(argument(exchange, 0, 2000)))


@fault("S4.retry-after")
def limited_for_long(exchange: Exchange) -> Answer:
    """429 for ever, with a Retry-After (argument, default 3600 s) that nobody waits for."""
    return _limited(exchange, retry_after=str(argument(exchange, 0, 3600)))


@fault("S4.should-retry")
def told_not_to_retry(exchange: Exchange) -> Answer:
    """503 with `x-should-retry: false`."""
    reply = exchange.wire.error(503, exchange.wire.message(503))
    reply.headers = {**reply.headers, "x-should-retry": "false"}
    return reply


@fault("S5.502")
def bad_gateway(exchange: Exchange) -> Answer:
    """502 with the HTML page of a proxy."""
    return Reply(status=502, body=_GATEWAY_PAGE, headers={"content-type": "text/html"})


def _redirect(exchange: Exchange, status: int) -> Answer:
    target = exchange.server.redirect_to
    if target is None:
        raise InputError("fault S6 needs LoopbackServer(redirect_to=<origin of another listener>)")
    location = f"{target.rstrip('/')}{exchange.wire.base}{exchange.path}"
    return Reply(status=status, body=b"", headers={"location": location})


for _status in (301, 302, 303, 307, 308):
    fault(f"S6.{_status}")(partial(_redirect, status=_status))
