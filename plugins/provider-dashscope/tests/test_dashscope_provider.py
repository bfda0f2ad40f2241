"""Alibaba Cloud Model Studio as a provider: the contract of every provider, and what is special about this endpoint."""

from __future__ import annotations

import pytest

from hb_testing import ProviderContract
from hb_testing.prepared import prepared


class TestDashscope(ProviderContract):
    provider = "dashscope"


@pytest.mark.parametrize(
    ("model", "think", "sent"),
    [
        ("qwen3.7-max", True, True),
        ("qwen3.7-max", False, False),
        ("qwen3-next-80b-a3b-thinking", False, None),
        ("qwq-plus", False, None),
        ("qwen3-coder-plus", True, None),
        ("qwen3-coder-plus", False, False),
    ],
)
def test_the_switch_is_set_where_the_model_has_one(model: str, think: bool, sent: bool | None) -> None:
    found = prepared(f"dashscope/{model}", think=think)
    assert found.body.get("enable_thinking") is sent
    assert found.report["think"] == ("renamed" if sent is not None else "emulated")


def test_a_budget_for_thinking_has_another_name_there() -> None:
    sent = prepared("qwen-max", reasoning_max_tokens=256)
    assert sent.body["thinking_budget"] == 256
    assert sent.body["enable_thinking"] is True


def test_chats_are_streamed_and_vectors_asked_for_in_tens() -> None:
    spec = prepared("qwen-plus").spec
    assert spec.args["stream_chat"] is True
    assert spec.args["embedding_batch_size"] == spec.capability("embedding_batch_limit") == 10


@pytest.mark.parametrize("name", ["qwen3-32b", "qwen2.5-7b-instruct", "qwen3.6-35b-a3b", "qwen3:8b", "qwen/qwen3-max"])
def test_open_models_that_others_serve_are_not_taken(name: str) -> None:
    prefixes = tuple(prepared("qwen-plus").spec.provider_record["prefixes"])
    assert not name.startswith(prefixes)
