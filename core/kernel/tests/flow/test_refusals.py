"""Default arguments that an endpoint refuses: asked once more without them, told, remembered; never the caller's."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from heavenbase.errors import ContextOverflow, DeadlineExceeded, ModelNotFound, RequestRejected
from heavenbase.flow import refusals
from heavenbase.llm import LLM
from heavenbase.types import Completion

from ..support import SETTINGS, FakeTime, both_colours, scripted

WAYS = ["complete", "stream"]


def refusing(*names: str, status: int = 400, words: str = "Unsupported value: {!r} does not support 0 here.") -> Any:
    """A step of the script that refuses arguments, one at a time."""

    def step(call: Any) -> str:
        for name in names:
            if name in call.args:
                raise RequestRejected(words.format(name), status=status)
        return "fine"

    return step


def asked(way: str, llm: LLM, colour: int, **options: Any) -> Completion:
    """The answer in one way and colour."""
    if way == "stream":
        return both_colours(llm, "stream")[colour]("q", include="completion", **options)[-1]  # type: ignore[no-any-return]
    return both_colours(llm, "complete")[colour]("q", **options)  # type: ignore[no-any-return]


@pytest.mark.parametrize("colour", [0, 1])
@pytest.mark.parametrize("way", WAYS)
def test_a7_a_default_that_is_refused_goes_once_and_is_remembered(way: str, colour: int) -> None:
    house = scripted(refusing("temperature", "seed"))
    answer = asked(way, house.llm, colour)
    assert answer.text == "fine"
    assert [attempt.status for attempt in answer.attempts] == [400, 400, None]
    assert answer.report is not None
    for name in ("temperature", "seed"):
        entry = answer.report.entries[name]
        assert (entry.outcome, entry.wire) == ("dropped", None)
        assert entry.reason.startswith("nobody gave it, and the endpoint refuses it: Unsupported value")
    assert house.time.naps == []
    again = asked(way, house.llm, colour)
    assert (again.text, len(again.attempts), len(house.gateway.calls)) == ("fine", 1, 4)
    assert again.report is not None
    assert again.report.entries["seed"].outcome == "dropped"


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("who", ["call", "constructor", "settings", "preset"])
def test_a7_what_somebody_gave_is_never_left_out(way: str, who: str) -> None:
    settings = {
        "settings": {"heavenbase.llm.default_args.temperature": 0},
        "preset": {"heavenbase.llm.presets.house": {"model": "acme/tiny", "args": {"temperature": 0}}},
    }
    house = scripted(refusing("temperature"), config=settings.get(who, {}))
    llm = LLM(kernel=house.kernel, **({"temperature": 0} if who == "constructor" else {}))
    for _ in range(2):
        with pytest.raises(RequestRejected, match="temperature"):
            asked(way, llm, 0, **({"temperature": 0} if who == "call" else {}))
    assert len(house.gateway.calls) == 2


def test_a7_what_is_remembered_never_touches_what_a_later_call_gives() -> None:
    house = scripted(refusing("seed"))
    assert house.llm.chat("q") == "fine"
    with pytest.raises(RequestRejected):
        house.llm.chat("q", seed=1)
    assert LLM(model="acme/other", kernel=house.kernel).complete("q").report.entries["temperature"].outcome == "sent"
    assert "seed" in house.gateway.calls[-2].args


@pytest.mark.parametrize(
    ("words", "gone"),
    [
        ("temperature is not supported with this model", "temperature"),
        ("Unknown name \"Seed\" at 'generation_config'", "seed"),
        ("`temperature` and `top_p` cannot both be specified", "temperature"),
        ("tempera is wrong", None),
        ("seeds are fine", None),
        ("the model is unknown", None),
    ],
)
def test_a7_a_default_is_named_as_a_word(words: str, gone: str | None) -> None:
    house = scripted(refusing(gone or "temperature", words=words))
    if gone is None:
        with pytest.raises(RequestRejected):
            house.llm.chat("q")
    else:
        assert house.llm.chat("q") == "fine"
        assert gone not in house.gateway.calls[-1].args
    assert len(house.gateway.calls) == (1 if gone is None else 2)


def test_a7_the_field_param_names_it_too_and_the_name_of_a_model_does_not() -> None:
    body = '{"error": {"message": "Unsupported value", "param": "temperature"}}'
    steps: list[Any] = [RequestRejected("Unsupported value", status=422, body=body), "fine"]
    house = scripted(*steps)
    assert house.llm.chat("q") == "fine"
    house = scripted(ModelNotFound("there is no doubao-seed", status=400))
    with pytest.raises(ModelNotFound):
        LLM(model="acme/doubao-seed", kernel=house.kernel).chat("q")
    assert len(house.gateway.calls) == 1


def test_a7_what_did_not_help_is_not_remembered() -> None:
    house = scripted(RequestRejected("no temperature, please", status=400))
    for _ in range(2):
        with pytest.raises(RequestRejected):
            house.llm.chat("q")
    # Each call leaves out its default once, and the error is then the caller's.
    assert ["temperature" in call.args for call in house.gateway.calls] == [True, False, True, False]


def test_a7_no_retry_is_spent_and_the_deadline_holds() -> None:
    house = scripted(refusing("temperature"), config={"heavenbase.llm.retry.budget_floor": 0})
    assert house.llm.chat("q", max_retries=0) == "fine"
    time = FakeTime()

    def slow(call: Any) -> str:
        time.now += 7
        raise RequestRejected("no temperature", status=400)

    house = scripted(slow, time=time)
    with pytest.raises(DeadlineExceeded):
        house.llm.chat("q", timeout=5)
    assert len(house.gateway.calls) == 1


@pytest.mark.parametrize("verb", ["stream", "embed"])
def test_a7_fields_that_gateways_add_go_too(verb: str) -> None:
    field, ability = {"stream": ("stream_options", "stream_usage"), "embed": ("encoding_format", "embedding_base64")}[
        verb
    ]

    def step(call: Any) -> Any:
        if call.spec.capability(ability) is not False:
            raise RequestRejected(f"Unrecognized request argument supplied: {field}", status=400)
        from heavenbase.types import Embedding

        return "fine" if verb == "stream" else Embedding([[1.0]])

    house = scripted(step)
    for _ in range(2):
        list(house.llm.stream("q")) if verb == "stream" else house.llm.embed("q")
    assert len(house.gateway.calls) == 3


def test_a7_targets_that_are_remembered_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(refusals, "LIMIT", 3)
    house = scripted(refusing("seed"))
    for number in range(6):
        LLM(model=f"acme/m{number}", kernel=house.kernel).chat("q")
    assert len(house.kernel._retry._refusals.known) == 3
    assert SETTINGS
    ask: Callable[[], Any] = lambda: asyncio.run(LLM(model="acme/m5", kernel=house.kernel).achat("q"))  # noqa: E731
    before = len(house.gateway.calls)
    assert ask() == "fine"
    assert len(house.gateway.calls) == before + 1


@pytest.mark.parametrize("colour", [0, 1])
@pytest.mark.parametrize("way", WAYS)
def test_a7_a_limit_that_nobody_gave_shrinks_to_what_the_prompt_leaves(way: str, colour: int) -> None:
    def full(call: Any) -> str:
        limit = call.args.get("max_tokens", 64_000)
        if limit > 50_000:
            told = f"input length and `max_tokens` exceed context limit: 150000 + {limit} > 200000, decrease it"
            raise ContextOverflow(told, status=400)
        return "fine"

    house = scripted(full)
    answer = asked(way, house.llm, colour)
    assert (answer.text, [attempt.status for attempt in answer.attempts]) == ("fine", [400, None])
    assert (house.gateway.calls[-1].args["max_tokens"], house.time.naps) == (50_000, [])
    # A shorter prompt of the same target has its whole limit again; one that somebody gave stays as it is.
    asked(way, house.llm, colour)
    assert "max_tokens" not in house.gateway.calls[2].args
    with pytest.raises(ContextOverflow):
        asked(way, house.llm, colour, max_tokens=60_000)


@pytest.mark.parametrize("words", ["a prompt of 150000 tokens is too long", "200000 + 64000 > 200000", "3 + 2 > 1"])
def test_a7_a_prompt_that_leaves_no_room_is_refused(words: str) -> None:
    def full(call: Any) -> str:
        raise ContextOverflow(words, status=400)

    house = scripted(full)
    with pytest.raises(ContextOverflow):
        house.llm.complete("q")
    assert len(house.gateway.calls) == 1


@pytest.mark.parametrize("colour", [0, 1])
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    "words",
    [
        "max_tokens: 64000 > 8192, which is the maximum allowed number of output tokens for claude-x",
        "max_tokens is too large: 64000. This model supports at most 8192 completion tokens.",
        "Invalid max_tokens value, the valid range of max_tokens is [1, 8192]",
        "The maximum tokens you requested exceeds the model limit of 8192. Try again with a lower one.",
        "max_output_tokens must be less than or equal to 8192",
    ],
)
def test_a7_a_limit_that_a_gateway_names_by_itself_shrinks_to_the_models(way: str, colour: int, words: str) -> None:
    def less(call: Any) -> str:
        if call.args.get("max_tokens", 64_000) > 8192:
            raise RequestRejected(words, status=400)
        return "fine"

    house = scripted(less)
    answer = asked(way, house.llm, colour)
    assert (answer.text, [attempt.status for attempt in answer.attempts]) == ("fine", [400, None])
    assert house.gateway.calls[-1].args["max_tokens"] == 8192
    # It is remembered, and what somebody gives is sent as it is.
    asked(way, house.llm, colour)
    assert len(house.gateway.calls) == 3
    with pytest.raises(RequestRejected):
        asked(way, house.llm, colour, max_tokens=60_000)
    assert len(house.gateway.calls) == 4


def test_a7_a_limit_that_the_model_ran_into_is_no_limit_that_it_has() -> None:
    def full(call: Any) -> str:
        raise RequestRejected(
            "Could not finish the message because max_tokens or model output limit was reached", status=400
        )

    house = scripted(full)
    with pytest.raises(RequestRejected):
        house.llm.complete("q")
    assert len(house.gateway.calls) == 1
