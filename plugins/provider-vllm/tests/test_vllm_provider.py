"""vLLM as a provider: the contract of every provider, and what is special about this endpoint."""

from __future__ import annotations

from hb_testing import ProviderContract
from hb_testing.prepared import prepared


class TestVllm(ProviderContract):
    provider = "vllm"


def test_thinking_is_a_matter_of_the_template() -> None:
    sent = prepared("vllm/Qwen/Qwen3-8B", think=False)
    assert sent.url == "http://localhost:8000/v1/chat/completions"
    assert sent.body["model"] == "Qwen/Qwen3-8B"
    assert sent.body["chat_template_kwargs"] == {"enable_thinking": False}


def test_steps_and_its_own_sampling_are_passed_on() -> None:
    sent = prepared("vllm/openai/gpt-oss-120b", reasoning_effort="low", top_k=20, min_p=0.05)
    assert sent.body["reasoning_effort"] == "low"
    assert sent.body["top_k"] == 20
    assert sent.report == {"reasoning_effort": "sent", "think": "renamed", "top_k": "sent", "min_p": "sent"}


def test_the_proxies_of_the_environment_count() -> None:
    spec = prepared("vllm/m", environ={"HTTP_PROXY": "http://127.0.0.1:9"}).spec
    assert spec.args["http_proxy"] is None


def test_routing_gateways_know_it_by_other_names() -> None:
    spec = prepared("vllm/m").spec
    assert spec.provider_backend("litellm") == "hosted_vllm"
    assert spec.provider_backend("bifrost") == spec.provider_backend("portkey") == "openai"
