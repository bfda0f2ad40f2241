"""Models that are known to see no images, by the manifests: refused, skipped by a route, and overridden."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pytest

import heavenbase as hb
from hb_testing.conformance.rig import environment
from hb_testing.server import LoopbackServer, OpenAIWire
from heavenbase.image.pixels import make_png

PICTURE = hb.LLMImage.from_bytes(make_png(2, 2, (1, 2, 3)))
LLAMA = "groq/llama-3.1-8b-instant"
BLIND = [
    "azure/gpt-35-turbo",
    "cohere/command-r",
    "dashscope/qwen2.5-72b-instruct",
    "dashscope/qwen3-coder-plus",
    "deepseek/deepseek-chat",
    "deepseek/deepseek-reasoner",
    "grok/grok-3-mini",
    "groq/gemma2-9b-it",
    "groq/llama-3.3-70b-versatile",
    "groq/moonshotai/kimi-k2-instruct-0905",
    "groq/openai/gpt-oss-120b",
    "minimax/MiniMax-M2.5",
    "mistral/open-mixtral-8x7b",
    "moonshot/kimi-k2-thinking",
    "moonshot-zh/moonshot-v1-8k",
    "ollama/llama3.2:3b",
    "ollama/qwen2.5-coder",
    "openai/gpt-3.5-turbo",
    "openai/gpt-4",
    "openai/gpt-4-0613",
    "openai/o1-mini",
    "openai/o3-mini",
    "openrouter/google/gemma-2-9b-it",
    "openrouter/meta-llama/llama-3.1-8b-instruct:free",
    "openrouter/mistralai/mixtral-8x7b-instruct",
    "openrouter/qwen/qwen-2.5-72b-instruct",
    "zai/glm-flash",
    "zai-zh/glm-4.6",
]
SEEING = [
    "azure/gpt-4o",
    "azure/gpt-4",
    "dashscope/qwen3-vl-plus",
    "dashscope/qwen2.5-vl-72b-instruct",
    "grok/grok-2-vision-1212",
    "groq/llama-3.2-11b-vision-preview",
    "groq/meta-llama/llama-4-scout-17b-16e-instruct",
    "moonshot/kimi-k2.6",
    "moonshot/moonshot-v1-8k-vision-preview",
    "ollama/llama3.2-vision:11b",
    "ollama/gemma4:26b",
    "ollama/qwen3-vl:8b",
    "openai/gpt-4-turbo",
    "openai/gpt-4.1",
    "openai/gpt-4o",
    "openai/o1",
    "openai/o3",
    "openai/a-model-of-tomorrow",
    "openrouter/meta-llama/llama-3.2-90b-vision-instruct",
    "openrouter/moonshotai/kimi-k2.5",
    "openrouter/z-ai/glm-4.6v",
    "openrouter/qwen/qwen-2.5-vl-72b-instruct",
    "openrouter/qwen/qwen3-vl-8b-instruct",
    "zai/glm-4.5v",
    "zai/glm-4.6v",
]


@pytest.fixture
def server() -> Iterator[LoopbackServer]:
    wires = [OpenAIWire(name=name, base="/v1") for name in ("openai", "groq")]
    with LoopbackServer(wires=wires, strict=False) as running:
        yield running


def made(server: LoopbackServer | None = None, **settings: Any) -> hb.Kernel:
    """A kernel whose OpenAI and Groq are this server."""
    names = ("openai", "groq") if server is not None else ()
    rows = {n: {"base_url": server.url(n), "api_key": f"key-of-{n}"} for n in names if server is not None}
    llm = {f"heavenbase.llm.{name.replace('__', '.')}": value for name, value in settings.items()}
    given = {"heavenbase.llm.cache.enabled": False, "heavenbase.llm.providers": rows, **llm}
    return hb.Kernel(hb.Config.from_dict(given, environ=environment()))


def vision(kernel: hb.Kernel, name: str) -> Any:
    return kernel.resolve(model=name).capability("vision")


def test_models_known_to_see_nothing_say_so_and_others_keep_what_their_provider_says() -> None:
    with made() as kernel:
        assert [name for name in BLIND if vision(kernel, name) is not False] == []
        assert [name for name in SEEING if vision(kernel, name) is False] == []


def test_a_route_skips_a_text_only_model_for_a_call_with_an_image_and_says_why(server: LoopbackServer) -> None:
    with made(server) as kernel:
        llm = hb.LLM(model=[LLAMA, "openai/gpt-4o-mini"], kernel=kernel, max_retries=0)
        answer = llm.complete("What?", images=PICTURE)
        assert [(hop.target, hop.outcome, hop.reason) for hop in answer.hops] == [
            (LLAMA, "skipped", "it has no images"),
            ("openai/gpt-4o-mini", "served", ""),
        ]
        assert [request.json["model"] for request in server.requests] == ["gpt-4o-mini"]
        assert llm.complete("Say hello.").served_by == LLAMA


def test_a_text_only_model_does_not_stand_in_for_one_that_sees(server: LoopbackServer) -> None:
    server.reply("no", status=500)
    with made(server) as kernel:
        llm = hb.LLM(model=["openai/gpt-4o-mini", LLAMA], kernel=kernel, max_retries=0)
        with pytest.raises(hb.errors.FallbackExhausted, match="it has no images") as caught:
            llm.complete("What?", images=PICTURE)
        assert [attempt.provider for attempt in caught.value.attempts] == ["openai"]


def test_an_image_to_a_text_only_model_alone_is_refused_before_anything_is_sent(server: LoopbackServer) -> None:
    with made(server) as kernel:
        with pytest.raises(hb.errors.VisionNotSupported, match=r"llama-3\.1-8b-instant accepts no images"):
            hb.LLM(model=LLAMA, kernel=kernel).chat("What?", images=PICTURE)
        assert server.requests == []


@pytest.mark.parametrize(
    "settings",
    [
        {"models": {"llama-3.1-8b-instant": {"capabilities": {"vision": True}}}},
        {
            "models": {
                "llama-3.1-8b-instant": {
                    "providers": {"groq": {"id": "llama-3.1-8b-instant", "capabilities": {"vision": True}}}
                }
            }
        },
        {"providers__groq__text_only": []},
    ],
    ids=["model", "model at the provider", "list"],
)
def test_the_users_settings_count_more(server: LoopbackServer, settings: Mapping[str, Any]) -> None:
    with made(server, **settings) as kernel:
        assert vision(kernel, LLAMA) is True
        assert hb.LLM(model=LLAMA, kernel=kernel).chat("What?", images=PICTURE)
        assert len(server.requests) == 1


@pytest.mark.parametrize("name", ["minimax/MiniMax-M2.5", "ollama/llama3.2:3b", "deepseek/deepseek-chat"])
def test_what_a_model_of_the_settings_can_do_says_nothing_of_who_offers_it(name: str) -> None:
    provider, _, model = name.partition("/")
    with made(models={model: {"capabilities": {"vision": True}}}) as kernel:
        spec = kernel.resolve(model=name)
        assert (spec.provider, spec.model_id, spec.capability("vision")) == (provider, model, True)
