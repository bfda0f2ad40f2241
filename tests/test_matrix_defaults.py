"""Defaults that nobody gave never make a call fail, on the wire of every native provider and in both colours."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from hb_testing.conformance.rig import environment
from hb_testing.server import Answer, Exchange, fault
from heavenbase.config.config import Config
from heavenbase.kernel import Kernel
from tests.matrix import EVERY, WAYS, Bench, Row, addresses, credentials

if TYPE_CHECKING:
    from hb_testing.conformance.colours import Colour
    from hb_testing.server import LoopbackServer


@fault("A7.temperature")
def refused_temperature(exchange: Exchange) -> Answer:
    """400 that names the temperature for as long as the request holds one."""
    if '"temperature"' in json.dumps(exchange.request.json):
        return exchange.wire.error(400, "Unsupported value: 'temperature' does not support 0 with this model.")
    return exchange.wire.handle(exchange)


@EVERY
@WAYS
def test_a7_a_default_that_the_endpoint_refuses_is_left_out(
    row: Row, way: str, matrix_server: LoopbackServer, matrix_colour: Colour
) -> None:
    config = {"heavenbase.llm.cache.enabled": False}
    environ = environment(**addresses(matrix_server), **credentials())
    kernel = Kernel(Config.from_dict(config, environ=environ))
    try:
        bench = Bench(row, matrix_server, kernel, matrix_colour)
        matrix_server.strike("A7.temperature", row.name)
        for statuses in ([400, None], [None]):
            answer = bench.ask(way)
            assert [attempt.error and attempt.status for attempt in answer.attempts] == statuses
            assert answer.report is not None
            assert answer.report.entries["temperature"].outcome == "dropped"
    finally:
        matrix_colour.close_kernel(kernel)
