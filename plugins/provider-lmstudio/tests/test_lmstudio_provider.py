"""LM Studio as a provider: the contract of every provider, and what is special about this endpoint."""

from __future__ import annotations

from hb_testing import ProviderContract
from hb_testing.prepared import prepared


class TestLmstudio(ProviderContract):
    provider = "lmstudio"


def test_the_presets_lead_to_it() -> None:
    sent = prepared(preset="lmstudio")
    assert sent.url == "http://localhost:1234/v1/chat/completions"
    assert sent.body["model"] == "qwen3.6-35b-a3b"
    assert sent.body["reasoning_effort"] == "none"
    embedder = prepared(preset="embed-local", verb="embed")
    assert embedder.body == {"model": "text-embedding-embeddinggemma-300m", "input": ["Hello"]}
    assert embedder.spec.dim == 768


def test_its_steps_of_thinking_end_at_xhigh() -> None:
    assert prepared("lmstudio/gpt-oss-20b", reasoning_effort="max").body["reasoning_effort"] == "xhigh"
    assert prepared("lmstudio/gpt-oss-20b", reasoning_effort="minimal").body["reasoning_effort"] == "low"


def test_no_proxy_stands_between() -> None:
    spec = prepared(preset="lmstudio", environ={"HTTP_PROXY": "http://127.0.0.1:9"}).spec
    assert spec.args["http_proxy"] == spec.args["https_proxy"] == ""


def test_routing_gateways_know_it_by_other_names() -> None:
    spec = prepared(preset="lmstudio").spec
    assert spec.provider_backend("litellm") == "lm_studio"
    assert spec.provider_backend("portkey") == "openai"
