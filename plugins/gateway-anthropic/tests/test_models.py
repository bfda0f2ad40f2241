"""What each generation of Claude takes, and how records of models and providers say otherwise."""

from __future__ import annotations

import pytest

from hb_gateway_anthropic.models import Traits, traits_of, traits_of_name

from .support import ANTHROPIC, BUDGET, make_spec


@pytest.mark.parametrize(
    ("name", "thinking", "off", "sampling"),
    [
        ("claude-2.1", "none", "omit", "free"),
        ("claude-instant-1.2", "none", "omit", "free"),
        ("claude-3-opus-20240229", "none", "omit", "free"),
        ("claude-3-5-haiku-latest", "none", "omit", "free"),
        ("claude-3-7-sonnet-20250219", "budget", "omit", "free"),
        ("claude-sonnet-4-0", "budget", "omit", "free"),
        ("claude-sonnet-4-20250514", "budget", "omit", "free"),
        ("claude-opus-4-1-20250805", "budget", "omit", "one"),
        ("claude-opus-4-5-20251101", "budget", "omit", "one"),
        ("claude-haiku-4-5", "budget", "omit", "one"),
        ("claude-sonnet-4-6", "either", "omit", "one"),
        ("claude-opus-4-7", "adaptive", "omit", "none"),
        ("claude-opus-4-8", "adaptive", "omit", "none"),
        ("claude-opus-5", "adaptive", "disabled", "none"),
        ("claude-sonnet-5", "adaptive", "disabled", "none"),
        ("claude-fable-5", "adaptive", "never", "none"),
        ("claude-mythos-preview", "adaptive", "never", "none"),
        ("claude-haiku-5-5", "adaptive", "disabled", "none"),
        ("claude-sonnet-5-5", "adaptive", "between_tools", "none"),
        ("claude-opus-5-5", "adaptive", "never", "none"),
        ("claude-opus-9", "adaptive", "never", "none"),
        ("claude-something-else", "adaptive", "never", "none"),
        ("glm-5.2", "budget", "disabled", "free"),
    ],
)
def test_generations(name: str, thinking: str, off: str, sampling: str) -> None:
    traits = traits_of_name(name)
    assert (traits.thinking, traits.off, traits.sampling) == (thinking, off, sampling)


@pytest.mark.parametrize(
    ("name", "efforts"),
    [
        ("claude-sonnet-4-5", ()),
        ("claude-opus-4-5", ("low", "medium", "high")),
        ("claude-opus-4-6", ("low", "medium", "high", "max")),
        ("claude-opus-4-7", ("low", "medium", "high", "xhigh", "max")),
    ],
)
def test_steps_of_effort(name: str, efforts: tuple[str, ...]) -> None:
    assert traits_of_name(name).efforts == efforts


@pytest.mark.parametrize(
    "name", ["anthropic/claude-opus-4.8", "us.anthropic.claude-opus-4-8-v1:0", "CLAUDE-OPUS-4-8", "claude-opus-4-8@x"]
)
def test_names_of_other_vendors_tell_the_same(name: str) -> None:
    assert traits_of_name(name) == traits_of_name("claude-opus-4-8")


def test_what_only_some_can() -> None:
    assert [n for n in ("claude-opus-4-7", "claude-opus-4-8", "claude-sonnet-5", "claude-opus-5") if late(n)] == [
        "claude-opus-4-8",
        "claude-opus-5",
    ]
    assert [traits_of_name(n).forces_tools for n in ("claude-opus-5", "claude-haiku-5-5", "claude-opus-5-5")] == [
        True,
        True,
        False,
    ]
    assert [traits_of_name(n).has_schemas for n in ("claude-3-5-haiku-latest", "claude-sonnet-4-0", BUDGET)] == [
        False,
        False,
        True,
    ]


def late(name: str) -> bool:
    return traits_of_name(name).takes_late_system


def test_records_say_otherwise() -> None:
    def found(model: str = BUDGET, *, provider: object = None, own: object = None, **capabilities: object) -> Traits:
        record = {**ANTHROPIC, "capabilities": capabilities}
        if provider is not None:
            record["thinking_control"] = provider
        return traits_of(
            make_spec(model=model, provider_record=record, model_record={"thinking_control": own} if own else {})
        )

    plain = traits_of_name(BUDGET)
    assert found() == plain
    assert found(provider="none").thinking == "none"
    assert found(provider={"openai": "none", "default": "adaptive"}).thinking == "adaptive"
    assert found("claude-opus-5-5", own="budget").off == "omit"
    assert found("claude-opus-4-6", reasoning_efforts=False).efforts == ()
    assert found(reasoning_efforts=["low"]).efforts == ("low",)
    assert found("glm-5.2").has_schemas is False
    assert found("glm-5.2", structured="json_schema").has_schemas is True
