"""What a hop carries and what never travels, who is skipped, how time is shared, nesting, the cache."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import pytest

from hb_routing import balance, cascade, fallback
from hb_testing.server import Reply
from heavenbase.errors import (
    AuthError,
    ConfigError,
    ContextOverflow,
    DeadlineExceeded,
    FallbackExhausted,
    FallbackWarning,
    HBError,
    InputError,
    RequestRejected,
    UnknownNameError,
)
from heavenbase.llm import LLM

from .support import House, colours

TOOL = {"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {}}}}


@pytest.fixture(autouse=True)
def quiet() -> None:
    warnings.simplefilter("ignore", FallbackWarning)


def body(house: House, name: str) -> dict[str, Any]:
    found: dict[str, Any] = house.servers[name].requests[-1].json
    return found


# What travels


def test_each_target_gets_its_own_credential_and_nothing_of_another(house: House) -> None:
    house.fail("one", 401)
    llm = LLM(model=["one/m", "two/m"], kernel=house.kernel, api_key="given-key", headers={"x-of-one": "1"})
    assert llm.complete("hi").served_by == "two/m"
    first, second = house.servers["one"].requests[0], house.servers["two"].requests[0]
    assert (first.headers["authorization"], first.headers["x-of-one"]) == ("Bearer given-key", "1")
    assert second.headers["authorization"] == "Bearer key-of-two"
    assert "x-of-one" not in second.headers


def test_a_connection_of_one_call_stays_with_its_provider(house: House) -> None:
    house.fail("one", 401)
    llm = house.llm("one/m", "two/m")
    llm.chat("hi", api_key="given-key")
    assert house.servers["one"].requests[0].headers["authorization"] == "Bearer given-key"
    assert house.servers["two"].requests[0].headers["authorization"] == "Bearer key-of-two"


def test_two_models_of_one_endpoint_share_the_connection_that_is_given(house: House) -> None:
    house.fail("one", 404)
    url = house.servers["one"].url("one")
    llm = LLM(model=["one/m1", "one/m2"], kernel=house.kernel, base_url=url, api_key="given-key")
    assert llm.complete("hi").text
    assert [request.json["model"] for request in house.servers["one"].requests] == ["m1", "m2"]
    assert {request.headers["authorization"] for request in house.servers["one"].requests} == {"Bearer given-key"}


def test_the_arguments_are_made_anew_for_each_target(house: House) -> None:
    house.kernel = house.make(
        more={"one": {"default_args": {"top_p": 0.1}}, "two": {"default_args": {"presence_penalty": 0.5}}}
    )
    house.fail("one", 500, 500, 500)
    house.llm("one/m", "two/m", frequency_penalty=0.25).chat("hi", max_tokens=7)
    first, second = body(house, "one"), body(house, "two")
    assert (first["top_p"], first["frequency_penalty"], second["frequency_penalty"]) == (0.1, 0.25, 0.25)
    assert "top_p" not in second
    assert second["presence_penalty"] == 0.5
    assert second.get("max_tokens", second.get("max_completion_tokens")) == 7


def test_a_target_may_have_arguments_of_its_own_under_what_the_caller_gives(house: House) -> None:
    house.fail("one", 500, 500, 500)
    targets = [{"model": "one/m", "args": {"top_p": 0.1}}, {"model": "two/m", "args": {"top_p": 0.2, "seed": 7}}]
    house.routed(targets).chat("hi", seed=9)
    assert (body(house, "one")["top_p"], body(house, "two")["top_p"], body(house, "two")["seed"]) == (0.1, 0.2, 9)


def test_by_provider_gives_each_its_own(house: House) -> None:
    house.fail("one", 500, 500, 500)
    own = {"one": {"extra_body": {"user": "one"}}, "two": {"extra_body": {"user": "two"}}}
    house.llm("one/m", "two/m").chat("hi", by_provider=own)
    assert (body(house, "one")["user"], body(house, "two")["user"]) == ("one", "two")
    LLM(model="two/m", kernel=house.kernel).chat("hi", by_provider=own)
    assert body(house, "two")["user"] == "two"


FOREIGN: list[dict[str, Any]] = [
    {"extra_body": {"user": "of-one"}},
    {"extra_headers": {"x-of": "one"}},
    {"messages": [{"role": "user", "content": [{"type": "file", "file": {"file_id": "file-of-one"}}]}]},
]


@pytest.mark.parametrize("options", FOREIGN, ids=["body", "headers", "file"])
def test_what_belongs_to_a_provider_never_travels_and_others_are_skipped(house: House, options: dict[str, Any]) -> None:
    house.servers["one"].strike("S5.500", "one")
    options = dict(options)
    messages = options.pop("messages", "hi")
    with pytest.raises(FallbackExhausted, match="belongs to one") as caught:
        house.llm("one/m", "two/m").chat(messages, **options)
    assert house.counts()[1] == 0
    assert [label for label, _ in caught.value.errors] == ["one/m"]


@pytest.mark.parametrize("options", FOREIGN, ids=["body", "headers", "file"])
def test_it_may_be_stripped_and_is_reported_then(house: House, options: dict[str, Any]) -> None:
    house.servers["one"].strike("S5.500", "one")
    options = dict(options)
    messages = options.pop("messages", "hi")
    answer = house.routed(fallback("one/m", "two/m", on_foreign="strip")).complete(
        messages, on_lossy="allow", **options
    )
    request = house.servers["two"].requests[0]
    assert "of-one" not in str(request.json)
    assert "user" not in request.json
    assert "x-of" not in request.headers
    dropped = answer.report.names("dropped")
    assert dropped == [next(iter(options), "messages")]


def test_a_pinned_call_stays_with_its_target_and_raises_its_error(house: House) -> None:
    house.fail("one", 401)
    with pytest.raises(AuthError):
        house.routed(fallback("one/m", "two/m", on_foreign="pin")).chat("hi", extra_body={"user": "one"})
    assert house.counts()[1] == 0


def test_bad_input_of_one_wire_is_no_reason_to_ask_another(house: House) -> None:
    house.fail("one", 422)
    with pytest.raises(RequestRejected):
        house.llm().chat("hi")
    assert house.counts() == (1, 0, 0)


def test_on_may_name_kinds_classes_and_functions(house: House) -> None:
    for on in (["rejected"], [RequestRejected], [lambda error: getattr(error, "status", 0) == 400]):
        house.fail("one", 400)
        assert house.routed(fallback("one/m", "two/m", on=on)).complete("hi").served_by == "two/m"
    house.fail("one", 500, 500, 500)
    with pytest.raises(HBError) as caught:
        house.routed(fallback("one/m", "two/m", on=["rate_limit"])).chat("hi")
    assert caught.value.kind == "server"


# Who is skipped


def test_a_target_that_lacks_what_the_call_needs_is_skipped_before_a_token_is_spent(house: House) -> None:
    house.kernel = house.make(more={"one": {"capabilities": {"tools": False, "vision": False}}})
    answer = house.llm("one/m", "two/m").complete("hi", tools=[TOOL])
    assert house.counts()[:2] == (0, 1)
    skipped = answer.hops[0]
    assert (skipped.target, skipped.outcome, skipped.reason) == ("one/m", "skipped", "it has no tools")
    assert house.llm("one/m", "two/m").complete("hi").served_by == "one/m"


def test_a_prompt_over_the_context_window_goes_to_a_longer_one(house: House) -> None:
    house.kernel = house.make(more={"one": {"capabilities": {"context_window": 50}}})
    answer = house.llm("one/m", "two/m").complete("word " * 200)
    assert (answer.served_by, house.counts()[0]) == ("two/m", 0)
    assert "its context holds 50" in answer.hops[0].reason


def test_a_context_that_overflowed_once_is_not_tried_again_with_as_much(house: House) -> None:
    error = {"error": {"message": "maximum context length is 10", "code": "context_length_exceeded", "type": "x"}}
    house.servers["one"].reply(body=error, status=400)
    llm = house.llm("one/m", "two/m")
    assert llm.complete("word " * 200).served_by == "two/m"
    assert llm.complete("word " * 220).served_by == "two/m"
    assert house.counts()[0] == 1
    assert llm.complete("word").served_by == "one/m"
    single = LLM(model="one/m", kernel=house.kernel)
    house.servers["one"].reply(body=error, status=400)
    with pytest.raises(ContextOverflow):
        single.chat("word")


def test_a_second_target_without_a_key_does_no_harm_to_a_healthy_first(house: House) -> None:
    house.kernel = house.make(
        {"heavenbase.llm.providers": {
            "one": {"base_url": house.servers["one"].url("one"), "api_key": "k"},
            "none": {"base_url": "https://none.example/v1", "api_key_env": ["NO_SUCH_KEY"]},
            "broken": {"base_url": "https://broken.example/v1", "api_key": "${env:NOT_THERE}"},
        }}
    )  # fmt: skip
    assert house.llm("one/m", "none/m", "broken/m").chat("hi")
    house.fail("one", 500, 500, 500)
    with pytest.raises(FallbackExhausted) as caught:
        house.llm("one/m", "none/m", "broken/m").chat("hi")
    assert "NO_SUCH_KEY" in str(caught.value)


def test_g19_a_missing_key_of_the_first_hops_also_in_a_stream(house: House) -> None:
    house.kernel = house.make(
        {"heavenbase.llm.providers": {
            "one": {"base_url": house.servers["one"].url("one"), "api_key_env": ["NO_SUCH_KEY"]},
            "two": {"base_url": house.servers["two"].url("two"), "api_key": "k"},
        }}
    )  # fmt: skip
    house.servers["two"].reply("a")
    house.servers["two"].reply("a")
    house.servers["two"].reply("a")
    house.servers["two"].reply("a")
    for ask in colours(house, house.llm("one/m", "two/m")):
        assert ask() == "a"
    assert house.counts()[0] == 0


REFERS = {"model": "one/m", "keys": ["${env:NOT_THERE}"], "args": {"seed": 7}}


@pytest.mark.parametrize("form", range(4))
@pytest.mark.parametrize(
    "targets",
    [
        ["two/m", REFERS],
        [REFERS, "two/m"],
        [{"route": [REFERS]}, {"route": ["two/m"]}],
        ["two/m", "${env:NOT_THERE}"],
        ["${env:NOT_THERE}", "two/m"],
        [{"route": ["${env:NOT_THERE}"]}, "two/m"],
    ],
)
@pytest.mark.parametrize("where", ["route", "preset"])
def test_a_variable_that_is_not_set_keeps_only_its_own_target_from_being_asked(
    house: House, where: str, targets: list[Any], form: int
) -> None:
    table = {"targets": targets}
    house.kernel = house.make(
        {"heavenbase.llm.routes.r": table, "heavenbase.llm.presets.p": {"model": "one/m", "route": table}}, environ={}
    )
    llm = house.routed("r") if where == "route" else LLM("p", kernel=house.kernel)
    assert list(colours(house, llm))[form]()
    assert house.counts() == (0, 1, 0)


@pytest.mark.parametrize("where", ["route", "preset"])
def test_a_variable_that_is_not_set_is_told_where_nobody_answers(house: House, where: str) -> None:
    table = {"targets": ["two/m", REFERS]}
    house.kernel = house.make(
        {"heavenbase.llm.routes.r": table, "heavenbase.llm.presets.p": {"model": "one/m", "route": table}}, environ={}
    )
    house.fail("two", 401)
    with pytest.raises(FallbackExhausted, match="NOT_THERE is not set"):
        (house.routed("r") if where == "route" else LLM("p", kernel=house.kernel)).chat("hi")


@pytest.mark.parametrize("where", ["route", "preset"])
def test_references_of_targets_are_resolved_wherever_the_route_stands(house: House, where: str) -> None:
    table = {"targets": [REFERS], "hop_after": 1}
    house.kernel = house.make(
        {"heavenbase.llm.routes.r": table, "heavenbase.llm.presets.p": {"model": "one/m", "route": table}},
        environ={"NOT_THERE": "key-of-the-variable"},
    )
    (house.routed("r") if where == "route" else LLM("p", kernel=house.kernel)).chat("hi")
    assert house.servers["one"].requests[0].headers["authorization"] == "Bearer key-of-the-variable"


def test_slips_of_any_target_are_told_when_the_llm_is_made(house: House) -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'two'"):
        house.routed(["one/m", {"model": "m", "provider": "twoo"}])


def test_vectors_of_another_model_never_stand_in(house: House) -> None:
    house.servers["one"].strike("S5.500", "one")
    assert len(house.llm("one/m", "two/m").embed(["a", "b"])) == 2
    with pytest.raises(FallbackExhausted, match="another model"):
        house.llm("one/m", "two/other").embed("a")
    assert len(house.servers["two"].requests) == 1


# Time


def test_a_silent_first_target_leaves_time_for_the_second(house: House) -> None:
    seen: list[Any] = []

    async def note(call: Any, next: Any) -> Any:
        seen.append((call.target, call.context.timeouts.first_token, call.context.deadline))
        return await next(call)

    note.around = "attempt"  # type: ignore[attr-defined]
    targets = [{"model": "one/m", "share": 0.25}, {"model": "two/m", "first_token": 3}, "three/m"]
    house.servers["one"].strike("S5.500", "one")
    house.servers["two"].strike("S5.500", "two")
    house.routed(targets, max_retries=0).chat("hi", timeout=40, middleware=[note])
    assert seen == [("one/m", 20, 1010), ("two/m", 3, 1040), ("three/m", 120, 1040)]


@pytest.mark.parametrize("form", range(4))
def test_a_route_in_the_place_of_a_target_has_its_limits_for_all_in_it(house: House, form: int) -> None:
    seen: list[Any] = []

    async def note(call: Any, next: Any) -> Any:
        seen.append((call.target, call.context.timeouts.first_token, call.context.deadline))
        return await next(call)

    note.around = "attempt"  # type: ignore[attr-defined]
    inner = {"route": ["one/m", {"model": "two/m", "first_token": 3}], "share": 0.25, "first_token": 4}
    house.servers["one"].strike("S5.500", "one")
    house.servers["two"].strike("S5.500", "two")
    llm = house.routed([inner, "three/m"], max_retries=0)
    list(colours(house, llm, timeout=40, middleware=[note]))[form]()
    assert seen == [("one/m", 4, 1010), ("two/m", 3, 1010), ("three/m", 120, 1040)]


def test_the_share_of_a_route_that_is_used_up_leaves_time_for_the_next(house: House) -> None:
    def late(request: Any) -> None:
        house.time.now += 11

    house.servers["one"].script(late)
    house.servers["one"].strike("S5.500", "one")
    answer = house.routed([{"route": ["one/m", "two/m"], "share": 0.25}, "three/m"]).complete("hi", timeout=40)
    assert answer.served_by == "three/m"
    assert house.counts() == (1, 0, 1)


def test_the_deadline_of_the_whole_call_ends_it(house: House) -> None:
    house.servers["one"].reply("slow down", status=429, headers={"retry-after": "1"})
    with pytest.raises((DeadlineExceeded, FallbackExhausted)):
        house.llm("one/m").chat("hi", timeout=0.5)


# Nesting


def test_routes_nest_and_every_request_stands_in_one_ledger(house: House) -> None:
    for name in ("one", "two"):
        house.servers[name].strike("S5.500", name)
    route = fallback(balance("one/m", "two/m"), "three/m")
    answer = house.routed(route, max_retries=0).complete("hi")
    assert answer.served_by == "three/m"
    assert sorted(a.provider for a in answer.attempts) == ["one", "three", "two"]
    assert sum(house.counts()) == 3


def test_a_cascade_of_fallbacks_judges_what_they_answer(house: House) -> None:
    house.servers["one"].strike("S5.500", "one")
    house.servers["two"].reply("I cannot help with any of that.")
    house.servers["three"].reply("Yes, this is the full answer to it.")
    answer = house.routed(cascade(fallback("one/m", "two/m"), "three/m"), max_retries=0).complete("hi")
    assert answer.served_by == "three/m"
    assert [hop.outcome for hop in answer.hops] == ["failed", "rejected", "served"]


def test_cycles_and_depth_are_refused(house: House) -> None:
    routes = {"a": {"targets": [{"route": "b"}]}, "b": {"targets": [{"route": "a"}]}}
    house.kernel = house.make({"heavenbase.llm.routes": routes})
    with pytest.raises(InputError, match="a -> b -> a"):
        house.routed("a")
    with pytest.raises(InputError, match="4 deep"):
        fallback(fallback(fallback(fallback(fallback("one/m")))))


def test_named_routes_and_presets_with_a_route(house: House) -> None:
    house.kernel = house.make(
        {
            "heavenbase.llm.routes.cheap": {"kind": "cascade", "targets": ["one/m", {"model": "two/m", "weight": 2}]},
            "heavenbase.llm.presets.mine": {"model": "one/m", "route": "cheap", "args": {"top_p": 0.5}},
        }
    )
    house.servers["one"].reply("I'm not sure about that, really.")
    assert LLM(preset="mine", kernel=house.kernel).complete("hi").served_by == "two/m"
    assert (body(house, "one")["top_p"], body(house, "two")["top_p"]) == (0.5, 0.5)
    assert LLM(route="cheap", kernel=house.kernel).spec.route.route.kind == "cascade"


# The cache


@pytest.fixture
def cached(house: House, tmp_path: Path) -> House:
    house.kernel = house.make(
        {"heavenbase.llm.cache.enabled": True, "heavenbase.llm.cache.path": str(tmp_path / "c.db")}
    )
    return house


@pytest.mark.parametrize("form", range(4))
def test_one_look_up_over_all_targets_comes_before_the_first_is_asked(cached: House, form: int) -> None:
    cached.servers["two"].reply("kept")
    assert LLM(model="two/m", kernel=cached.kernel).chat("hi") == "kept"
    assert list(colours(cached, cached.llm("one/m", "two/m")))[form]() == ("kept")
    assert cached.counts()[:2] == (0, 1)


def test_an_answer_is_kept_under_the_target_that_gave_it(cached: House) -> None:
    cached.servers["one"].strike("S5.500", "one")
    cached.servers["two"].reply("of two")
    llm = cached.llm("one/m", "two/m")
    assert llm.complete("hi").text == "of two"
    cached.servers["one"].strike(None)
    answer = llm.complete("hi")
    assert (answer.text, answer.cached, answer.served_by) == ("of two", True, "two/m")
    cached.servers["one"].reply("of one")
    assert LLM(model="one/m", kernel=cached.kernel).chat("hi") == "of one"
    assert llm.complete("hi").served_by == "one/m"


def test_a_configuration_error_of_a_target_is_told_where_all_fail(house: House) -> None:
    house.kernel = house.make(
        {
            "heavenbase.llm.providers": {
                "broken": {"base_url": "https://broken.example/v1", "api_key": "${env:NOT_THERE}"}
            }
        }
    )
    with pytest.raises(ConfigError, match="NOT_THERE"):
        LLM(model=["broken/m"], kernel=house.kernel).chat("hi")


# The declared worst case


@pytest.mark.parametrize("retries", [0, 2])
def test_the_declared_worst_case_has_what_nobody_gave_and_the_target_refuses(house: House, retries: int) -> None:
    def script(request: Any) -> Reply:
        refused = next((name for name in ("temperature", "seed", "stream_options") if name in request.json), None)
        if refused is None and not {"max_tokens", "max_completion_tokens"} & request.json.keys():
            return Reply("max_tokens must be at most 100 for this model", status=400)
        return Reply(f"Unsupported parameter: {refused!r}", status=400) if refused else Reply("no", status=503)

    house.servers["one"].script(script)
    llm = house.llm("one/m1", max_retries=retries)
    call = house.kernel.call("complete", llm.spec, {}, is_async=False, messages=[{"role": "user", "content": "hi"}])
    with pytest.raises(FallbackExhausted):
        list(llm.stream("hi"))
    assert house.counts()[0] == house.kernel.services.load("middleware", "routing").plan(call).requests == 5 + retries
