"""Faults of batches: J1 a submit that was heard and not answered, J2 results that break off.

Other requests of the same address are answered as always; limits and refusals before a submit are those of S1 to S5.
"""

from __future__ import annotations

from hb_testing.server.answers import Action, Answer, Reply
from hb_testing.server.faults import argument, fault
from hb_testing.server.http import encode_body
from hb_testing.server.kept_batches import KeptBatches, cut_off
from hb_testing.server.wire import Exchange


def _is_submit(exchange: Exchange) -> bool:
    return exchange.request.method == "POST" and exchange.path.endswith("/batches")


def _is_struck(exchange: Exchange, wanted: bool) -> bool:
    """Whether this is among the first requests of its kind (argument, default 1) at this server."""
    kept = getattr(exchange.wire, "batches", None)
    if not wanted or not isinstance(kept, KeptBatches) or kept.struck >= argument(exchange, 0, 1):
        return False
    kept.struck += 1
    return True


@fault("J1.500")
def heard_and_failed(exchange: Exchange) -> Answer:
    """A submit is accepted, and answered with status 500."""
    answer = exchange.wire.handle(exchange)
    return (
        exchange.wire.error(500, exchange.wire.message(500)) if _is_struck(exchange, _is_submit(exchange)) else answer
    )


@fault("J1.reset")
def heard_and_reset(exchange: Exchange) -> Answer:
    """A submit is accepted, and the connection reset before an answer."""
    answer = exchange.wire.handle(exchange)
    return [Action.RESET] if _is_struck(exchange, _is_submit(exchange)) else answer


@fault("J1.stall")
def heard_and_silent(exchange: Exchange) -> Answer:
    """A submit is accepted, and never answered."""
    answer = exchange.wire.handle(exchange)
    return [Action.STALL] if _is_struck(exchange, _is_submit(exchange)) else answer


@fault("J1.429")
def limited_submit(exchange: Exchange) -> Answer:
    """A submit is refused with 429 and Retry-After 2, and not accepted."""
    if not _is_struck(exchange, _is_submit(exchange)):
        return exchange.wire.handle(exchange)
    reply = exchange.wire.error(429, exchange.wire.message(429))
    reply.headers = {**reply.headers, "retry-after": "2"}
    return reply


@fault("J2.cut")
def results_cut_off(exchange: Exchange) -> Answer:
    """Results break off after half of them."""
    answer = exchange.wire.handle(exchange)
    is_file = exchange.request.method == "GET" and exchange.path.endswith(("/content", "/results"))
    if not isinstance(answer, Reply) or not _is_struck(exchange, is_file):
        return answer
    return cut_off(encode_body(answer.body)[0])
