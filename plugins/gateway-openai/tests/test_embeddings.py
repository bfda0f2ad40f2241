"""Embeddings over the wire: as base64, as floats, and an answer without any."""

from __future__ import annotations

import pytest

from hb_testing.server import LoopbackServer
from heavenbase.errors import ResponseShapeError
from heavenbase.types import Usage

from .support import CUSTOM, Caller, make_spec


def test_vectors_over_the_wire(caller: Caller, server: LoopbackServer, colour: str) -> None:
    answer = caller.verb(colour, "embed", make_spec(server.url()), inputs=["a", "b", "c"])
    assert [len(vector) for vector in answer.vectors] == [1536] * 3
    assert answer.usage == Usage(3)
    assert answer.dim == 1536
    sent = server.requests[0].json
    assert sent == {"model": "gpt-4o-mini", "input": ["a", "b", "c"], "encoding_format": "base64"}
    floats = make_spec(server.url(), provider_record={**CUSTOM, "capabilities": {"embedding_base64": False}})
    again = caller.verb(colour, "embed", floats, inputs=["a", "b", "c"])
    assert "encoding_format" not in server.requests[1].json
    assert again.vectors == [pytest.approx(vector) for vector in answer.vectors]


def test_an_answer_without_data(caller: Caller, server: LoopbackServer, colour: str) -> None:
    server.reply(body={"object": "list"})
    with pytest.raises(ResponseShapeError) as caught:
        caller.verb(colour, "embed", make_spec(server.url()), inputs=["a"])
    assert caught.value.body == '{"object":"list"}'
