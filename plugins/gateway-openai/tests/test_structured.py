"""response_format on OpenAI's wire: the strict schema, and what is told where the endpoint keeps to less."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from pydantic import BaseModel

import heavenbase as hb
from hb_testing.server import LoopbackServer


class City(BaseModel):
    name: str
    people: int
    river: str | None = None


MakeLLM = Callable[..., hb.LLM]


@pytest.fixture
def make_llm(server: LoopbackServer) -> Iterator[MakeLLM]:
    kernels = []

    def make(structured: str | None = None, *, drops: bool = False) -> hb.LLM:
        record: dict[str, Any] = {
            "gateway": "openai",
            "wire": "openai",
            "base_url": server.url(),
            "api_key_optional": True,
            "allow_unknown_models": True,
        }
        if structured is not None:
            record["capabilities"] = {"structured": structured}
        if drops:
            record["parameters"] = [{"drop": {"response_format": "the endpoint ignores it"}}]
        kernel = hb.Kernel({"heavenbase.llm.cache.enabled": False, "heavenbase.llm.providers.house": record})
        kernels.append(kernel)
        return hb.LLM(model="m", provider="house", kernel=kernel)

    yield make
    for kernel in kernels:
        kernel.close()


@pytest.mark.parametrize("structured", [None, "json_schema"])
def test_the_strict_schema_goes_on_the_wire(server: LoopbackServer, make_llm: MakeLLM, structured: str | None) -> None:
    llm = make_llm(structured)
    found = llm.chat("Which city?", response_format=City, include="structured")
    assert isinstance(found, City)
    sent = server.requests[0].json
    assert sent["response_format"]["json_schema"]["strict"] is True
    assert sent["response_format"]["json_schema"]["schema"]["required"] == ["name", "people", "river"]
    assert [message["role"] for message in sent["messages"]] == ["user"]


@pytest.mark.parametrize(
    ("structured", "drops", "wire"),
    [("json_object", False, {"type": "json_object"}), ("none", False, None), ("json_schema", True, None)],
)
def test_what_the_endpoint_does_not_keep_to_is_told_to_the_model(
    server: LoopbackServer, make_llm: MakeLLM, structured: str, drops: bool, wire: Any
) -> None:
    server.reply('Sure! ```json\n{"name": "Ulm", "people": 128000}\n```')
    llm = make_llm(structured, drops=drops)
    answer = llm.complete("Which city?", response_format=City, system="Be brief.")
    assert answer.structured == City(name="Ulm", people=128000)
    sent = server.requests[0].json
    assert sent.get("response_format") == wire
    assert sent["messages"][0]["content"].startswith("Be brief.\n\nAnswer with one JSON value")
    assert '"people"' in sent["messages"][0]["content"]
    assert answer.report is not None
    assert answer.report.entries["response_format"].outcome == "emulated"
    assert answer.messages[0] == {"role": "system", "content": "Be brief."}


@pytest.mark.parametrize("colour", ["sync", "async"])
def test_a_wrong_answer_is_asked_for_again_on_the_wire(server: LoopbackServer, make_llm: MakeLLM, colour: str) -> None:
    server.reply('{"name": "Ulm", "people": "many"}')
    llm = make_llm()
    if colour == "sync":
        answer = llm.complete("Which city?", response_format=City)
    else:

        async def ask() -> hb.Completion:
            async with llm.kernel:
                return await llm.acomplete("Which city?", response_format=City)

        answer = asyncio.run(ask())
    assert isinstance(answer.structured, City)
    assert [attempt.error for attempt in answer.attempts] == ["structured_output", None]
    assert "people" in server.requests[1].json["messages"][-1]["content"]


def test_partial_objects_of_a_stream(server: LoopbackServer, make_llm: MakeLLM) -> None:
    server.reply('{"name": "Ulm", "people": 128000, "river": "Danube"}')
    items = list(make_llm().stream("Which city?", response_format=City, include="partial"))
    assert items[-1] == hb.Partial({"name": "Ulm", "people": 128000, "river": "Danube"}, is_complete=True)
    assert len(items) > 1
