"""oMLX as a provider: the contract of every provider, and what is special about this endpoint."""

from __future__ import annotations

from hb_testing import ProviderContract
from hb_testing.prepared import prepared


class TestOmlx(ProviderContract):
    provider = "omlx"


def test_thinking_is_a_matter_of_the_template() -> None:
    sent = prepared("qwen", provider="omlx", think=False)
    assert sent.url == "http://localhost:8000/v1/chat/completions"
    assert sent.body["model"] == "qwen3.6-flash"
    assert sent.body["chat_template_kwargs"] == {"enable_thinking": False}
    assert sent.report == {"think": "renamed"}


def test_the_callers_own_words_to_the_template_are_kept() -> None:
    extra = {"chat_template_kwargs": {"style": "short"}}
    sent = prepared("qwen", provider="omlx", think=True, extra_body=extra)
    assert sent.body["chat_template_kwargs"] == {"enable_thinking": True, "style": "short"}


def test_no_proxy_stands_between() -> None:
    spec = prepared("qwen", provider="omlx", environ={"HTTP_PROXY": "http://127.0.0.1:9"}).spec
    assert spec.args["http_proxy"] == spec.args["https_proxy"] == ""


def test_routing_gateways_reach_it_as_a_host_that_speaks_the_openai_wire() -> None:
    spec = prepared("qwen", provider="omlx").spec
    assert {spec.provider_backend(name) for name in ("portkey", "litellm", "bifrost")} == {"openai"}
    assert spec.provider_record["portkey_custom_host"] is True
