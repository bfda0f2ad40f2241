"""The options `retry`, `on_retry` and `by_provider`: what each setting does for these calls, and who is told."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any

import pytest

from heavenbase.errors import (
    AuthError,
    ConnectError,
    HBError,
    InputError,
    InputTypeError,
    Overloaded,
    RateLimitError,
    RequestRejected,
    ServerError,
    TLSVerifyError,
    UnknownNameError,
)
from heavenbase.flow.retry import RetryPolicy
from heavenbase.llm import LLM

from ..support import CodeProvider, FakeTime, ScriptedGateway, both_colours, make_kernel, scripted

VERBS = ("complete", "stream", "embed")


def down(call: Any) -> Any:
    raise ServerError("down", status=500)


def failing(error: Callable[[], HBError]) -> Callable[[Any], Any]:
    def step(call: Any) -> Any:
        raise error()

    return step


def asked(*script: Any, verb: str = "complete", retry: Any = None, **house: Any) -> list[Any]:
    """The houses of both colours, behind one call with this option that may fail; `error` is what it raised."""
    found = []
    for colour in (0, 1):
        made = scripted(*script, **{**house, "time": FakeTime()})
        made.error = None
        try:
            both_colours(made.llm, verb)[colour]("x", retry=retry)
        except HBError as error:
            made.error = error
        found.append(made)
    return found


# Each setting


@pytest.mark.parametrize("verb", VERBS)
def test_max_attempts_of_the_option_counts_requests(verb: str) -> None:
    for number in (1, 2, 5):
        for house in asked(down, verb=verb, retry={"max_attempts": number}):
            assert len(house.gateway.calls) == number
            assert len(house.error.attempts) == number


def test_base_delay_and_max_delay_of_the_option_bound_the_waits() -> None:
    retry = {"base_delay": 2, "max_delay": 6, "max_attempts": 5, "jitter": 0}
    for house in asked(down, retry=retry):
        assert house.time.naps == [2, 4, 6, 6]


@pytest.mark.parametrize(("jitter", "drawn", "waited"), [
    *((0, 0.9, 4.0), (0.5, 0.0, 2.0), (0.5, 0.5, 3.0), (1, 0.0, 0.0), (1, 0.25, 1.0)),
])  # fmt: skip
def test_jitter_is_the_share_of_a_delay_that_is_random(jitter: float, drawn: float, waited: float) -> None:
    time = FakeTime()
    time.drawn = [drawn]
    house = scripted(ServerError("down"), "ok", time=time)
    house.llm.chat("x", retry={"base_delay": 4, "jitter": jitter})
    assert time.naps == [pytest.approx(waited)]


def test_no_jitter_leaves_a_retry_after_its_own_share() -> None:
    house = scripted(RateLimitError("later", retry_after=8), "ok")
    house.llm.chat("x", retry={"jitter": 0})
    assert house.time.naps == [8 * 1.125]


def test_a_longer_retry_after_than_the_option_allows_ends_the_call() -> None:
    for house in asked(RateLimitError("later", retry_after=5), "never", retry={"max_retry_after": 4}):
        assert house.error.retry_after == 5
        assert house.time.naps == []


@pytest.mark.parametrize("verb", VERBS)
def test_a_longer_retry_after_is_cut_where_it_is_capped(verb: str) -> None:
    retry = {"cap_retry_after": True, "max_retry_after": 4}
    for house in asked(RateLimitError("later", retry_after=3600), "ok", verb=verb, retry=retry):
        assert house.error is None
        assert house.time.naps == [4]


def test_a_capped_wait_is_that_of_other_calls_too() -> None:
    house = scripted(RateLimitError("later", retry_after=3600), "ok")
    with pytest.raises(RateLimitError):
        house.llm.chat("x", retry={"cap_retry_after": True, "max_retry_after": 4, "max_attempts": 1})
    assert house.llm.chat("y") == "ok"
    assert house.time.naps == [4 * 1.125]


def test_a_shorter_retry_after_is_not_made_longer() -> None:
    for house in asked(RateLimitError("later", retry_after=1), "ok", retry={"cap_retry_after": True}):
        assert house.time.naps == [1.125]


@pytest.mark.parametrize(
    "on",
    [
        ["overloaded"],
        ("server",),  # a kind stands for those below it
        [Overloaded],
        [lambda error: error.status == 503],
        ["rate_limit", ConnectError, lambda error: "busy" in str(error)],
    ],
    ids=["kind", "kind above", "class", "function", "any of several"],
)
def test_on_repeats_what_it_names(on: Any) -> None:
    for house in asked(failing(lambda: Overloaded("busy", status=503)), retry={"on": on}):
        assert len(house.gateway.calls) == 3


@pytest.mark.parametrize("on", [[], ["rate_limit"], [ConnectError], [lambda error: False]])
def test_on_repeats_nothing_else(on: Any) -> None:
    for house in asked(failing(lambda: Overloaded("busy", status=503)), retry={"on": on}):
        assert len(house.gateway.calls) == 1


def test_on_repeats_what_would_not_be_by_itself_where_it_says_so() -> None:
    for house in asked(failing(lambda: RequestRejected("odd", status=400)), retry={"on": ["rejected"]}):
        assert len(house.gateway.calls) == 3


def test_on_repeats_nothing_that_the_server_does_not_want_again() -> None:
    no = failing(lambda: Overloaded("no", status=503, retryable=False))
    for house in asked(no, retry={"on": ["overloaded"]}):
        assert len(house.gateway.calls) == 1


def test_a_kind_does_not_stand_for_those_below_it_that_cannot_help() -> None:
    refused = failing(lambda: TLSVerifyError("unknown authority"))
    for on, calls in ((["transport"], 1), (["connect"], 1), (["tls_verify"], 3)):
        for house in asked(refused, retry={"on": on}):
            assert len(house.gateway.calls) == calls, on


def test_none_leaves_it_to_each_error() -> None:
    config = {"heavenbase.llm.retry.on": ["auth"]}
    for retry, calls in ((None, 1), ({"on": None}, 3)):
        for house in asked(down, retry=retry, config=config):
            assert len(house.gateway.calls) == calls, retry


# Its own budget


def test_a_budget_of_the_option_is_its_own() -> None:
    house = scripted(down)
    own = {"budget_floor": 0, "budget_ratio": 0}
    with pytest.raises(ServerError) as caught:
        house.llm.chat("x", retry=own)
    assert caught.value.__notes__ == ["not retried: the retry budget of this target is used up"]
    assert len(house.gateway.calls) == 1
    with pytest.raises(ServerError):
        house.llm.chat("x")
    assert len(house.gateway.calls) == 4  # that of all others is untouched


def test_options_that_say_nothing_of_the_budget_share_it() -> None:
    house = scripted(down, config={"heavenbase.llm.retry.budget_floor": 2, "heavenbase.llm.retry.budget_ratio": 0})
    for number in range(1, 4):
        with pytest.raises(ServerError):
            house.llm.chat("x", retry={"base_delay": number})
    assert len(house.gateway.calls) == 5  # two retries, over all of them


def test_equal_budgets_of_options_are_one() -> None:
    house = scripted(down)
    for _ in range(3):
        with pytest.raises(ServerError):
            house.llm.chat("x", retry={"budget_floor": 3, "budget_ratio": 0})
    assert len(house.gateway.calls) == 6


# Where it stands


def test_the_option_of_an_llm_is_that_of_its_calls_and_that_of_a_call_replaces_it() -> None:
    house = scripted(down)
    llm = LLM(kernel=house.kernel, retry={"max_attempts": 2, "jitter": 0})
    for options, naps in (({}, [0.5]), ({"retry": {"max_attempts": 3}}, [0.25, 0.5]), ({"retry": None}, [0.25, 0.5])):
        house.time.naps.clear()
        with pytest.raises(ServerError):
            llm.chat("x", **options)
        assert house.time.naps == naps, options


def test_max_attempts_of_the_option_goes_over_max_retries() -> None:
    house = scripted(down)
    with pytest.raises(ServerError):
        house.llm.chat("x", max_retries=0, retry={"max_attempts": 2})
    assert len(house.gateway.calls) == 2
    with pytest.raises(ServerError):
        house.llm.chat("x", max_retries=0, retry={"base_delay": 1})
    assert len(house.gateway.calls) == 3


def test_a_failure_that_may_have_been_billed_is_repeated_once_unless_the_option_says_otherwise() -> None:
    lost = failing(lambda: ServerError("lost", maybe_billed=True))
    for more, calls in (({}, 2), ({"billed_repeats": 0}, 1), ({"billed_repeats": 2}, 3), ({"billed_repeats": None}, 9)):
        for house in asked(lost, retry={"max_attempts": 9, "on": ["server"], **more}):
            assert len(house.gateway.calls) == calls, more


# Slips


@pytest.mark.parametrize(
    ("retry", "error", "told"),
    [
        ({"max_atempts": 1}, UnknownNameError, "did you mean 'max_attempts'"),
        ({"attempts": 1}, UnknownNameError, "unknown setting of retry 'attempts'"),
        ({1: 1}, UnknownNameError, "unknown setting of retry '1'"),
        (3, InputTypeError, "retry must be a mapping, not int"),
        (0, InputTypeError, "retry must be a mapping, not int"),
        ([], InputTypeError, "retry must be a mapping, not list"),
        ({"max_attempts": 0}, InputError, r"retry\.max_attempts must be at least 1"),
        ({"max_attempts": True}, InputError, r"retry\.max_attempts must be an integer"),
        ({"max_attempts": None}, InputError, r"retry\.max_attempts must be an integer, not null"),
        ({"base_delay": -1}, InputError, r"retry\.base_delay must be at least 0"),
        ({"base_delay": float("nan")}, InputError, r"retry\.base_delay must be a number, not nan"),
        ({"max_delay": "1"}, InputError, r"retry\.max_delay must be a number"),
        ({"base_delay": 9, "max_delay": 8}, InputError, r"base_delay \(9 s\) is over max_delay \(8 s\)"),
        ({"jitter": 1.5}, InputError, r"retry\.jitter is the share .* at most 1, not 1\.5"),
        ({"jitter": -0.1}, InputError, r"retry\.jitter must be at least 0"),
        ({"cap_retry_after": 1}, InputError, r"retry\.cap_retry_after must be true or false"),
        ({"on": "server"}, InputTypeError, r"retry\.on is a list of kinds of errors, not str"),
        ({"on": ServerError}, InputTypeError, r"retry\.on is a list of kinds of errors, not type"),
        ({"on": ["ratelimit"]}, UnknownNameError, "did you mean 'rate_limit'"),
        ({"on": [429]}, InputTypeError, "kinds of errors, classes or functions, not int"),
    ],
)
def test_a_wrong_setting_is_told_before_anything_is_sent(retry: Any, error: type[HBError], told: str) -> None:
    house = scripted()
    with pytest.raises(error, match=told):
        LLM(kernel=house.kernel, retry=retry)
    for verb in VERBS:
        for ask in both_colours(house.llm, verb):
            with pytest.raises(error, match=told):
                ask("x", retry=retry)
    assert house.gateway.calls == []


def test_a_wrong_kind_of_error_in_the_settings_is_told() -> None:
    with pytest.raises(UnknownNameError, match=r"kind of error in heavenbase\.llm\.retry\.on 'servr'; did you mean"):
        make_kernel(config={"heavenbase.llm.retry.on": ["servr"]})
    with pytest.raises(InputError, match="at most 1, not 3"):
        make_kernel(config={"heavenbase.llm.retry.jitter": 3})


def test_a_base_delay_of_the_settings_is_bounded_by_max_delay() -> None:
    house = scripted(down, config={"heavenbase.llm.retry.base_delay": 20, "heavenbase.llm.retry.jitter": 0})
    with pytest.raises(ServerError):
        house.llm.chat("x")
    assert house.time.naps == [8, 8]


def test_a_policy_is_the_defaults_of_the_settings() -> None:
    assert RetryPolicy() == scripted().kernel._retry.policy


# on_retry


@pytest.mark.parametrize("verb", VERBS)
def test_on_retry_is_told_before_each_wait(verb: str) -> None:
    for colour in (0, 1):
        heard: list[Any] = []
        house = scripted(ServerError("a"), ConnectError("b"), "ok")

        def on_retry(*said: Any, heard: list[Any] = heard, house: Any = house) -> None:
            heard.append((*said[:3], type(said[3]), list(house.time.naps)))

        both_colours(house.llm, verb)[colour]("x", on_retry=on_retry, max_retries=4)
        assert heard == [(1, 4, 0.25, ServerError, []), (2, 4, 0.5, ConnectError, [0.25])]


def test_on_retry_of_an_llm_is_told_too() -> None:
    heard: list[Any] = []
    house = scripted(ServerError("a"), "ok")
    LLM(kernel=house.kernel, on_retry=lambda *said: heard.append(said)).chat("x")
    assert [said[:2] for said in heard] == [(1, 2)]


@pytest.mark.parametrize("verb", VERBS)
def test_what_on_retry_raises_does_no_harm_and_is_logged_without_secrets(
    verb: str, caplog: pytest.LogCaptureFixture
) -> None:
    def on_retry(*said: Any) -> None:
        raise ValueError("the key was sk-acme-000")

    for colour in (0, 1):
        house = scripted(ServerError("down"), "ok")
        caplog.clear()
        with caplog.at_level(logging.ERROR, logger="heavenbase"):
            both_colours(house.llm, verb)[colour]("x", on_retry=on_retry)
        assert len(house.gateway.calls) == 2
        assert [record.getMessage() for record in caplog.records] == ["on_retry failed: ValueError: the key was ***"]


class Unspeakable(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no text")


@pytest.mark.parametrize("colour", [0, 1])
@pytest.mark.parametrize("fault", [Unspeakable(), SystemExit(3), asyncio.CancelledError()])
def test_nothing_that_on_retry_or_a_function_of_on_raises_loses_an_answer_or_an_error(
    fault: BaseException, colour: int, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*said: Any) -> None:
        raise fault

    house = scripted(ServerError("down"), "ok", ServerError("down"))
    ask = both_colours(house.llm, "complete")[colour]
    assert ask("x", on_retry=fail).text == "ok"
    with pytest.raises(ServerError, match="down"):
        ask("x", retry={"on": [fail]})
    told = [record.getMessage() for record in caplog.records]
    name = type(fault).__name__
    assert told[0].startswith(f"on_retry failed: {name}: ")
    assert told[1].startswith(f"a function in `on` of retry failed: {name}: ")


@pytest.mark.parametrize(
    ("script", "options"),
    [
        (["ok"], {}),
        ([AuthError("no")], {}),
        ([ServerError("down")], {"max_retries": 0}),
        ([ServerError("down")], {"timeout": 0.1}),
        ([ServerError("down")], {"retry": {"budget_floor": 0, "budget_ratio": 0}}),
        ([RateLimitError("tomorrow", retry_after=86400)], {}),
    ],
    ids=["an answer", "no use", "no retries", "no time", "no budget", "too long a wait"],
)
def test_on_retry_is_not_told_where_nothing_is_repeated(script: list[Any], options: dict[str, Any]) -> None:
    for colour in (0, 1):
        heard: list[Any] = []
        house = scripted(*script)
        ask = both_colours(house.llm, "complete")[colour]
        try:
            ask("x", on_retry=lambda *said, heard=heard: heard.append(said), **options)
        except HBError:
            assert script != ["ok"]
        assert heard == []
        assert len(house.gateway.calls) == 1


def test_on_retry_that_cannot_be_called_is_refused() -> None:
    house = scripted()
    for ask in (lambda: LLM(kernel=house.kernel, on_retry=1), lambda: house.llm.chat("x", on_retry="print")):
        with pytest.raises(InputTypeError, match="on_retry must be a function"):
            ask()


# by_provider


def two_providers(**options: Any) -> tuple[Any, ScriptedGateway]:
    gateway = ScriptedGateway("ok")
    kernel = make_kernel(plugins=(gateway, CodeProvider("acme"), CodeProvider("zeta", api_key_env=["ACME_API_KEY"])))
    return kernel, gateway


def test_by_provider_of_an_llm_and_of_a_call_holds_where_the_call_goes() -> None:
    kernel, gateway = two_providers()
    table = {"acme": {"temperature": 0.25, "timeout": 7}, "zeta": {"temperature": 0.75}}
    for name, heat, total in (("acme", 0.25, 7), ("zeta", 0.75, 600)):
        LLM(model=f"{name}/m", kernel=kernel, by_provider=table).chat("x", temperature=0.5)
        LLM(model=f"{name}/m", kernel=kernel, temperature=0.5).chat("x", by_provider=table)
        for call in gateway.calls[-2:]:
            assert (call.args["temperature"], call.context.timeouts.total) == (heat, total)


def test_by_provider_may_say_how_to_connect() -> None:
    kernel, gateway = two_providers()
    table = {"acme": {"api_key": "sk-mine-0000", "base_url": "https://mine.test/v1", "headers": {"x-a": "b"}}}
    llm = LLM(model="acme/m", kernel=kernel, by_provider=table)
    llm.chat("x")
    spec = gateway.calls[-1].spec
    assert (spec.api_key.reveal(), spec.base_url, dict(spec.headers)) == (
        "sk-mine-0000",
        "https://mine.test/v1",
        {"x-a": "b"},
    )
    LLM(model="zeta/m", kernel=kernel, by_provider=table).chat("x")
    assert gateway.calls[-1].spec.base_url == "https://acme.test/v1"
    assert "sk-mine-0000" not in f"{llm.spec!r} {gateway.calls!r}"


@pytest.mark.parametrize(
    ("table", "error", "told"),
    [
        (5, InputTypeError, "by_provider must be a mapping, not int"),
        ({"acme": 5}, InputTypeError, "the options for 'acme' must be a mapping"),
        ({"acmee": {}}, UnknownNameError, "unknown provider in by_provider 'acmee'; did you mean 'acme'"),
        ({"zeta": {"temprature": 1}}, UnknownNameError, r"did you mean 'temperature'\? it comes from by_provider.zeta"),
        ({"zeta": {"max_retries": -1}}, InputError, "max_retries must be at least 0"),
        ({"acme": {"model": "m"}}, UnknownNameError, "unknown option 'model'; pass it to hb.LLM"),
        ({"acme": {"by_provider": {}}}, InputError, "hold by_provider themselves"),
    ],
)
def test_a_wrong_by_provider_is_told_before_anything_is_sent(table: Any, error: type[HBError], told: str) -> None:
    kernel, gateway = two_providers()
    with pytest.raises(error, match=told):
        LLM(model="acme/m", kernel=kernel, by_provider=table)
    with pytest.raises(error, match=told):
        LLM(model="acme/m", kernel=kernel).chat("x", by_provider=table)
    with pytest.raises(error, match=told):
        LLM(model=["acme/m", "zeta/m"], kernel=kernel).chat("x", by_provider=table)
    assert gateway.calls == []
