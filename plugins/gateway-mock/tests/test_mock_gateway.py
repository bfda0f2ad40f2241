"""The mock gateway through its hooks, with hand-made calls, in both colours."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from types import MappingProxyType
from typing import Any

import pytest

from hb_gateway_mock import MockGateway
from hb_testing.caches import ManualClock
from heavenbase.call import CONTROLS, Call, CallContext, Verb
from heavenbase.errors import (
    AuthError,
    DeadlineExceeded,
    ExportError,
    InputError,
    InputTypeError,
    Overloaded,
    RateLimitError,
    StreamInterrupted,
    UnknownNameError,
)
from heavenbase.gather import Gathering
from heavenbase.image.image import LLMImage
from heavenbase.spec import LLMSpec, Timeouts
from heavenbase.types import Chunk, Citation, Completion, Embedding, ImageResult, TokenLogprob, ToolCall, Usage

SPEC = LLMSpec("mock", "mock", "mock", "mock", "mock", requested_gateway="mock")
USER = {"role": "user", "content": "one two three"}


def make_call(verb: Verb = "complete", *, spec: LLMSpec = SPEC, clock: Any = None, **options: Any) -> Call:
    content = {name: options.pop(name) for name in ("messages", "inputs", "prompt", "images") if name in options}
    if verb == "complete":
        content.setdefault("messages", [USER])
    stream = options.pop("stream", False)
    total = options.pop("total", None)
    clock = clock or ManualClock(0.0)
    return Call(
        verb,
        spec,
        CallContext(clock, Timeouts(total=total), clock(), 1.0, total),
        stream=stream,
        args={name: value for name, value in options.items() if name not in CONTROLS},
        controls={name: value for name, value in options.items() if name in CONTROLS},
        explicit=frozenset(options),
        **content,
    )


Ask = Callable[..., Any]


@pytest.fixture(params=["sync", "async"])
def ask(request: pytest.FixtureRequest) -> Ask:
    """The answer to a call in one colour; a stream as the list of its chunks."""

    async def awaited(gateway: MockGateway, call: Call) -> Any:
        answer = getattr(gateway, HOOKS[call.verb])(call.replace(is_async=True))
        return [chunk async for chunk in answer] if call.stream else await answer

    def run(verb: Verb = "complete", *, gateway: MockGateway | None = None, **options: Any) -> Any:
        gateway = gateway or MockGateway()
        call = make_call(verb, **options)
        if request.param == "async":
            return asyncio.run(awaited(gateway, call))
        answer = getattr(gateway, HOOKS[verb])(call)
        return list(answer) if call.stream else answer

    run.colour = request.param  # type: ignore[attr-defined]
    return run


HOOKS = {"complete": "complete", "embed": "embed", "imagen": "imagen"}


def whole(chunks: list[Chunk]) -> Completion:
    gathering = Gathering()
    for chunk in chunks:
        gathering.feed(chunk)
    assert gathering.finished
    return gathering.completion(make_call())


# Text


def test_the_default_answer_is_mock_response(ask: Ask) -> None:
    answer = ask()
    assert isinstance(answer, Completion)
    assert (answer.text, answer.finish_reason, answer.model) == ("mock response", "stop", "mock")
    assert answer.usage == Usage(3, 2)


def test_a_stream_has_pieces_of_16_characters_and_ends_with_reason_and_usage(ask: Ask) -> None:
    chunks = ask(stream=True, mock="a" * 20)
    assert [chunk.text for chunk in chunks] == ["a" * 16, "a" * 4, ""]
    assert (chunks[-1].finish_reason, chunks[-1].usage) == ("stop", Usage(3, 1))
    assert [chunk.finish_reason for chunk in chunks[:-1]] == [None, None]


@pytest.mark.parametrize(
    "options",
    [{"mock": "hi"}, {"mock_text": "hi"}, {"mock": {"text": "hi"}}, {"mock_chat": "hi"}, {"mock": ["h", "i"]}],
    ids=str,
)
def test_a_text_may_be_given_in_every_form(ask: Ask, options: dict[str, Any]) -> None:
    assert ask(**options).text == "hi"
    assert whole(ask(stream=True, **options)).text == "hi"


def test_the_single_options_win_over_the_kind_and_the_kind_over_mock(ask: Ask) -> None:
    assert ask(mock="a", mock_chat="b").text == "b"
    assert ask(mock="a", mock_chat="b", mock_text="c").text == "c"
    assert ask(mock=["a", "b"], mock_text="c").text == "c"
    assert ask(mock={"text": "a", "think": "t"}, mock_text="c").reasoning == "t"
    assert ask(mock="a", mock_embed=[[1.0]], mock_imagen="x").text == "a"


def test_true_and_nothing_mean_the_default(ask: Ask) -> None:
    assert ask(mock=True, mock_text=None).text == "mock response"
    assert ask(mock=None).text == "mock response"
    assert ask(mock={"text": None}).text == "mock response"


def test_an_empty_text_is_an_answer(ask: Ask) -> None:
    assert ask(mock="").text == ""
    assert [chunk.finish_reason for chunk in ask(stream=True, mock="")] == ["stop"]


def test_chunk_chars_cuts_text_and_thinking(ask: Ask) -> None:
    chunks = ask(stream=True, mock={"text": "abcde", "think": "xyz", "chunk_chars": 2})
    assert [chunk.reasoning for chunk in chunks if chunk.reasoning] == ["xy", "z"]
    assert [chunk.text for chunk in chunks if chunk.text] == ["ab", "cd", "e"]
    assert [chunk.text for chunk in ask(stream=True, mock="abc", mock_chunk_chars=1)] == ["a", "b", "c", ""]


def test_chunks_are_streamed_as_given(ask: Ask) -> None:
    given = ["one ", {"think": "hm"}, "", Chunk(text="two"), {"text": "!"}]
    chunks = ask(stream=True, mock=given)
    assert [(chunk.text, chunk.reasoning) for chunk in chunks] == [
        ("one ", ""),
        ("", "hm"),
        ("two", ""),
        ("!", ""),
        ("", ""),
    ]
    assert ask(mock={"chunks": given}).text == "one two!"


def test_a_finish_reason_in_a_chunk_is_kept(ask: Ask) -> None:
    assert ask(mock=["cut", Chunk(finish_reason="length")]).finish_reason == "length"


def test_thinking_is_counted_apart_and_left_out_when_it_is_switched_off(ask: Ask) -> None:
    answer = ask(mock={"text": "yes", "think": "let me see"})
    assert (answer.reasoning, answer.usage) == ("let me see", Usage(3, 1, reasoning=3))
    assert ask(mock={"text": "yes", "think": "let me see"}, think=False).reasoning == ""
    assert ask(mock=[{"think": "a"}, "b"], think=False).reasoning == ""


def test_usage_can_be_given_in_the_words_of_the_wire_or_in_ours(ask: Ask) -> None:
    wire = {"prompt_tokens": 7, "completion_tokens": 4, "total_tokens": 11}
    assert ask(mock={"usage": wire}).usage == Usage(7, 4)
    assert whole(ask(stream=True, mock={"usage": {"input": 1, "cost": "0.1"}})).usage == Usage(1, cost="0.1")
    own = Usage(5)
    answer = ask(mock={"usage": own})
    assert answer.usage == own
    assert answer.usage is not own


def test_words_of_content_parts_are_counted(ask: Ask) -> None:
    image = {"type": "image", "image": LLMImage.from_url("https://example.test/a.png")}
    parts = [{"type": "text", "text": "what is this"}, image]
    messages = [{"role": "system", "content": "be brief"}, {"role": "user", "content": parts}]
    assert ask(messages=messages, mock="x").usage.input == 5


@pytest.mark.parametrize("reason", ["length", "content_filter"])
def test_a_finish_reason_can_be_given(ask: Ask, reason: str) -> None:
    assert ask(mock={"finish_reason": reason}).finish_reason == reason
    assert ask(stream=True, mock={"finish_reason": reason})[-1].raw_finish_reason == reason


def test_structured_answers_are_json(ask: Ask) -> None:
    answer = ask(mock={"structured": {"a": [1, None], "b": "ü"}})
    assert answer.structured == {"a": [1, None], "b": "ü"}
    assert json.loads(answer.text) == answer.structured
    assert json.loads(whole(ask(stream=True, mock={"structured": [1]})).text) == [1]
    assert ask(mock={"structured": {"a": 1}, "text": "see above"}).text == "see above"


def test_a_structured_model_writes_its_own_json(ask: Ask) -> None:
    class Model:
        def model_dump_json(self) -> str:
            return '{"a":1}'

    assert ask(mock={"structured": Model()}).text == '{"a":1}'


# Tools


@pytest.mark.parametrize(
    "given",
    [
        [{"name": "add", "arguments": {"a": 1}}],
        ({"id": "call_0", "function": {"name": "add", "arguments": '{"a": 1}'}},),
        [MappingProxyType({"name": "add", "arguments": MappingProxyType({"a": 1})})],
        MappingProxyType({"name": "add", "arguments": {"a": 1}}),
        [{"id": "call_0", "function": "add", "arguments": {"a": 1}}],
        [ToolCall("call_0", "add", '{"a": 1}')],
    ],
    ids=["dict", "wire", "proxy", "single", "flat function", "object"],
)
def test_tool_calls_may_be_given_in_every_form(ask: Ask, given: Any) -> None:
    answer = ask(mock={"tool_calls": given})
    assert answer.tool_calls == [ToolCall("call_0", "add", '{"a": 1}')]
    assert (answer.text, answer.finish_reason) == ("", "tool_calls")
    assert whole(ask(stream=True, mock={"tool_calls": given, "chunk_chars": 3})).tool_calls == answer.tool_calls


def test_several_tool_calls_stream_as_fragments(ask: Ask) -> None:
    calls = [{"name": "a", "arguments": "x" * 40}, {"name": "b"}]
    answer = whole(ask(stream=True, mock={"tool_calls": calls}))
    assert [(c.id, c.name, c.arguments) for c in answer.tool_calls] == [
        ("call_0", "a", "x" * 40),
        ("call_1", "b", "{}"),
    ]


def test_after_a_tool_result_the_mock_talks(ask: Ask) -> None:
    mock = {"tool_calls": [{"name": "add"}], "text": "done"}
    result = {"role": "tool", "tool_call_id": "call_0", "content": "42"}
    first = ask(mock=mock)
    assert (first.text, len(first.tool_calls)) == ("done", 1)
    answer = ask(mock=mock, messages=[USER, first.message, result])
    assert (answer.text, answer.tool_calls, answer.finish_reason) == ("done", [], "stop")
    again = ask(mock={"tool_calls": [{"name": "add"}]}, messages=[USER, first.message, result])
    assert again.text == "mock response"
    assert ask(mock=mock, messages=[USER, first.message, result, USER]).tool_calls != []


# Callables and outcomes


def test_a_callable_is_given_what_it_takes(ask: Ask) -> None:
    seen: dict[str, Any] = {}

    def everything(**given: Any) -> str:
        seen.update(given)
        return "said"

    assert ask(mock=everything, temperature=0.5).text == "said"
    assert seen == {
        "kind": "chat",
        "messages": [USER],
        "model": "mock",
        "provider": "mock",
        "stream": False,
        "args": {"temperature": 0.5},
    }
    assert ask(mock=lambda kind, messages: {"text": f"{kind} {len(messages)}"}).text == "chat 1"
    assert ask(mock=lambda: ["a", "b"]).text == "ab"
    assert ask(mock=lambda **_: None).text == "mock response"
    assert ask("embed", inputs=["x"], mock=lambda kind, inputs, messages: {"embeddings": [[len(inputs)]]}).vectors == [
        [1.0]
    ]
    assert ask("imagen", prompt="p", mock=lambda prompt, seed=3: {"image_text": prompt * 2}).images[0].revised_prompt


def test_a_callable_that_wants_something_else_is_told_what_there_is(ask: Ask) -> None:
    with pytest.raises(InputTypeError, match="wants 'question'; it may take messages"):
        ask(mock=lambda question: "x")


def test_an_async_callable_answers_async_calls_only(ask: Ask) -> None:
    async def answer(messages: Any) -> str:
        return "later"

    if ask.colour == "async":  # type: ignore[attr-defined]
        assert ask(mock=answer).text == "later"
    else:
        with pytest.raises(InputTypeError, match="async"):
            ask(mock=answer)


def test_a_callable_must_not_answer_a_callable(ask: Ask) -> None:
    with pytest.raises(InputTypeError, match="is a callable"):
        ask(mock=lambda: lambda: "x")


@pytest.mark.parametrize("make", [list, iter], ids=["list", "iterator"])
def test_outcomes_are_taken_one_per_call_and_the_last_one_stays(ask: Ask, make: Any) -> None:
    gateway = MockGateway()
    mock = {"think": "t", "outcomes": make(["first", {"error": "overloaded"}, ["th", "ird"]])}
    assert ask(gateway=gateway, mock=mock).text == "first"
    with pytest.raises(Overloaded):
        ask(gateway=gateway, mock=mock)
    for _ in range(2):
        assert whole(ask(gateway=gateway, stream=True, mock=mock)).text == "third"


def test_an_outcome_is_laid_over_the_rest_of_the_script(ask: Ask) -> None:
    gateway = MockGateway()
    mock = {"text": "base", "think": "t", "outcomes": [{}, {"think": "u"}, RateLimitError("no")]}
    assert ask(gateway=gateway, mock=mock).content == "<think>\nt\n</think>\nbase"
    assert ask(gateway=gateway, mock=mock).content == "<think>\nu\n</think>\nbase"
    with pytest.raises(RateLimitError):
        ask(gateway=gateway, stream=True, mock=mock)


def test_two_lists_of_outcomes_are_counted_apart(ask: Ask) -> None:
    gateway = MockGateway()
    one, two = {"outcomes": ["a", "b"]}, {"outcomes": ["a", "b"]}
    assert [ask(gateway=gateway, mock=mock).text for mock in (one, two, one, two)] == ["a", "a", "b", "b"]


@pytest.mark.parametrize(
    ("outcomes", "error"),
    [([], InputError), ("abc", InputTypeError), ([{"outcomes": ["x"]}], InputError), ([lambda: "x"], InputTypeError)],
)
def test_outcomes_that_are_none_are_refused(ask: Ask, outcomes: Any, error: type[Exception]) -> None:
    with pytest.raises(error):
        ask(mock={"outcomes": outcomes})


# Failures


def test_an_error_is_asked_for_by_its_kind(ask: Ask) -> None:
    with pytest.raises(RateLimitError) as caught:
        ask(mock={"error": "rate_limit"})
    assert (caught.value.status, caught.value.provider, caught.value.retryable) == (429, "mock", True)
    with pytest.raises(AuthError, match="no such key"):
        ask("embed", inputs=["x"], mock={"error": {"kind": "auth", "message": "no such key"}})
    with pytest.raises(Overloaded) as late:
        ask("imagen", prompt="x", mock={"error": {"kind": "overloaded", "retry_after": 2.5}})
    assert late.value.retry_after == 2.5


def test_an_exception_is_raised_as_given(ask: Ask) -> None:
    mine = RateLimitError("mine", retry_after=1.0)
    with pytest.raises(RateLimitError, match="mine") as caught:
        ask(mock=mine)
    assert caught.value is not mine
    assert caught.value.retry_after == 1.0
    with pytest.raises(AuthError, match="asked for"):
        ask(mock=AuthError)
    with pytest.raises(ZeroDivisionError):
        ask(mock={"error": ZeroDivisionError("of the caller")})


def test_a_stream_fails_where_the_error_stands(ask: Ask) -> None:
    seen: list[str] = []

    async def read_async() -> None:
        call = make_call(mock=["Hel", {"error": "stream_interrupted"}, "lo"], stream=True)
        async for chunk in MockGateway().complete(call.replace(is_async=True)):  # type: ignore[union-attr]
            seen.append(chunk.text)

    def read() -> None:
        for chunk in MockGateway().complete(make_call(mock=["Hel", StreamInterrupted("cut")], stream=True)):  # type: ignore[union-attr]
            seen.append(chunk.text)

    with pytest.raises(StreamInterrupted):
        asyncio.run(read_async()) if ask.colour == "async" else read()  # type: ignore[attr-defined]
    assert seen == ["Hel"]
    with pytest.raises(Overloaded):
        ask(mock={"text": "first this", "error": "overloaded"})


@pytest.mark.parametrize("mock", [{"error": "rate_limt"}, {"error": {"kind": "rate_limit", "statuss": 1}}])
def test_an_unknown_kind_or_field_of_an_error_names_the_nearest(ask: Ask, mock: Any) -> None:
    with pytest.raises(UnknownNameError, match=r"did you mean '(rate_limit|status)'"):
        ask(mock=mock)


# Pauses


def test_there_is_no_pause_unless_asked_for(ask: Ask) -> None:
    clock = ManualClock(0.0)
    ask(gateway=MockGateway(clock.sleep, clock.asleep), clock=clock)
    assert clock.slept == []


def test_a_pause_comes_before_each_piece_in_both_ways_of_answering(ask: Ask) -> None:
    for stream in (True, False):
        clock = ManualClock(0.0)
        ask(gateway=MockGateway(clock.sleep, clock.asleep), clock=clock, stream=stream, mock=["a", "b"], mock_pause=0.5)
        assert clock.slept == [0.5, 0.5]
    for verb, content in (("embed", {"inputs": ["a", "b"]}), ("imagen", {"prompt": "a"})):
        clock = ManualClock(0.0)
        ask(verb, gateway=MockGateway(clock.sleep, clock.asleep), clock=clock, mock={"pause": 2}, **content)
        assert clock.slept == [2]


def test_a_range_of_pauses_is_drawn_with_the_seed(ask: Ask) -> None:
    def pauses(**options: Any) -> list[float]:
        clock = ManualClock(0.0)
        ask(gateway=MockGateway(clock.sleep, clock.asleep), clock=clock, mock=list("abc"), mock_pause=[1, 2], **options)
        return clock.slept

    assert pauses() == pauses()
    assert pauses(mock_seed=1) == pauses(mock_seed=1) != pauses(mock_seed=2)
    assert all(1 <= seconds <= 2 for seconds in pauses())


def test_a_pause_ends_at_the_deadline(ask: Ask) -> None:
    clock = ManualClock(0.0)
    with pytest.raises(DeadlineExceeded):
        ask(gateway=MockGateway(clock.sleep, clock.asleep), clock=clock, total=3.0, mock_pause=10)
    assert clock.slept == [3.0]


def test_without_an_injected_sleep_the_real_one_is_used(ask: Ask) -> None:
    assert ask(mock_pause=0.001).text == "mock response"


# Vectors


def test_vectors_are_length_place_and_one(ask: Ask) -> None:
    answer = ask("embed", inputs=["ab", "c d"])
    assert isinstance(answer, Embedding)
    assert answer.vectors == [[2.0, 0.0, 1.0], [3.0, 1.0, 1.0]]
    assert answer.usage == Usage(3)


@pytest.mark.parametrize(
    ("options", "dim"),
    [({"mock": {"embed_dim": 2}}, 2), ({"dimensions": 5}, 5), ({"dim": 4}, 4), ({"mock_embed": {"embed_dim": 1}}, 1)],
)
def test_vectors_are_padded_and_cut(ask: Ask, options: dict[str, Any], dim: int) -> None:
    assert ask("embed", inputs=["ab"], **options).vectors == [[2.0, 0.0, 1.0, 0.0, 0.0][:dim]]


def test_vectors_can_be_given(ask: Ask) -> None:
    assert ask("embed", inputs=["a", "b"], mock={"embeddings": [[1, 2], [3, 4]]}).vectors == [[1.0, 2.0], [3.0, 4.0]]
    assert ask("embed", inputs=["a", "b"], mock_embed=[0.5, 1]).vectors == [[0.5, 1.0]] * 2
    assert ask("embed", inputs=["b"], mock_embed={"embeddings": {"a": [1], "b": [2]}}).vectors == [[2.0]]


@pytest.mark.parametrize("given", [[], {"other": [1]}, [["x"]], [[1], None]])
def test_vectors_that_do_not_fit_are_refused(ask: Ask, given: Any) -> None:
    with pytest.raises(InputError):
        ask("embed", inputs=["a", "b"], mock={"embeddings": given})


# Images


def test_images_are_real_and_follow_from_prompt_and_seed(ask: Ask) -> None:
    answer = ask("imagen", prompt="a red fox")
    assert isinstance(answer, ImageResult)
    (image,) = answer.images
    assert image.to_bytes().startswith(b"\x89PNG\r\n\x1a\n")
    assert image.revised_prompt == "a red fox"
    assert answer.raw["data"][0]["b64_json"] == image.to_b64()
    same = ask("imagen", prompt="a red fox").images[0]
    assert image.to_bytes() == same.to_bytes()
    different: list[dict[str, Any]] = [
        {"prompt": "a blue fox"},
        {"prompt": "a red fox", "seed": 7},
        {"prompt": "a red fox", "mock_seed": 8},
    ]
    drawn = {ask("imagen", **options).images[0].to_bytes() for options in different}
    assert len(drawn | {image.to_bytes()}) == 4


def test_several_images_differ(ask: Ask) -> None:
    images = ask("imagen", prompt="x", n=3).images
    assert len({image.to_bytes() for image in images}) == 3


def test_image_text_is_drawn_instead_of_the_prompt(ask: Ask) -> None:
    drawn = ask("imagen", prompt="x", mock={"image_text": "y"}).images[0]
    assert drawn.to_bytes() == ask("imagen", prompt="y").images[0].to_bytes()
    assert ask("imagen", prompt="x", mock_imagen="y").images[0].revised_prompt == "y"


def test_images_can_be_given(ask: Ask) -> None:
    image = ask("imagen", prompt="x").images[0]
    data = image.to_b64()
    assert ask("imagen", prompt="p", mock={"b64_json": data}).images[0].to_bytes() == image.to_bytes()
    assert len(ask("imagen", prompt="p", mock_imagen=[data, image, image.to_bytes()]).images) == 3


# What is refused, and what is reported


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"mock": {"txt": "x"}}, UnknownNameError, "did you mean 'text'"),
        ({"mock": {"embed_dims": 2}}, UnknownNameError, "did you mean 'embed_dim'"),
        ({"mock": {"text": 1}}, InputTypeError, "mock.text must be a str, not int"),
        ({"mock": 3}, InputTypeError, "not int"),
        ({"mock_text": 1}, InputTypeError, "mock_text must be a str"),
        ({"mock_chat": 1.5}, InputTypeError, "mock_chat must be"),
        ({"mock_seed": "1"}, InputTypeError, "mock_seed must be an int"),
        ({"mock_chunk_chars": 0}, InputError, "at least 1"),
        ({"mock_chunk_chars": True}, InputTypeError, "not bool"),
        ({"mock_pause": -1}, InputError, "least"),
        ({"mock_pause": [2, 1]}, InputError, "least"),
        ({"mock_pause": "slow"}, InputTypeError, "seconds"),
        ({"mock_pause": [1, 2, 3]}, InputTypeError, "seconds"),
    ],
)
def test_an_option_that_is_wrong_is_refused_before_the_answer(
    options: dict[str, Any], error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words) as caught:
        MockGateway().prepare(make_call(**options))
    assert isinstance(caught.value, InputError)


@pytest.mark.parametrize(
    ("mock", "words"),
    [
        ({"tool_calls": "add"}, "list of mappings"),
        ({"tool_calls": ["add"]}, "a mapping, not str"),
        ({"tool_calls": [{"arguments": {}}]}, "no name"),
        ({"tool_calls": [{"name": "a", "arguments": {"x": object()}}]}, "as JSON"),
        ({"structured": {"x": object()}}, "as JSON"),
        ({"usage": 3}, "mapping, not int"),
        ({"usage": {"prompt_token": 3}}, "did you mean 'prompt_tokens'"),
        ({"finish_reason": "stopp"}, "did you mean 'stop'"),
        ({"chunks": [3]}, "not int"),
        ({"chunks": [{"txt": "x"}]}, "did you mean 'text'"),
        ({"error": 3}, "not int"),
        ({"error": UnknownNameError}, "pass an instance"),
    ],
)
def test_content_that_is_wrong_is_refused(ask: Ask, mock: Any, words: str) -> None:
    with pytest.raises(InputError, match=words):
        ask(mock=mock)


def test_a_bare_text_makes_no_vectors() -> None:
    with pytest.raises(InputTypeError, match="mock_embed"):
        MockGateway().prepare(make_call("embed", inputs=["x"], mock_embed="x"))


def test_every_parameter_is_reported_and_the_request_can_be_shown() -> None:
    call = make_call(temperature=0, tools=[], mock="x", mock_seed=None, max_retries=3, stream=True)
    request = MockGateway().prepare(call)
    assert (request.method, request.url) == ("POST", "mock://mock/chat")
    assert request.body == {"model": "mock", "messages": [USER], "temperature": 0, "tools": [], "stream": True}
    assert request.auth is None
    report = call.context.report
    assert report.names("sent") == ["temperature", "tools"]
    assert report.names("emulated") == ["mock"]
    assert report.lossy() == []


def test_the_request_is_json_also_with_images() -> None:
    image = LLMImage.from_url("https://example.test/a.png")
    parts = [{"type": "text", "text": "see"}, {"type": "image", "image": image}]
    chat = MockGateway().prepare(make_call(messages=[{"role": "user", "content": parts}]))
    assert "https://example.test/a.png" in json.dumps(dict(chat.body))
    imagen = MockGateway().prepare(make_call("imagen", prompt="p", images=[image], n=2))
    assert json.loads(json.dumps(dict(imagen.body)))["n"] == 2
    embed = MockGateway().prepare(make_call("embed", inputs=["a"]))
    assert (embed.url, embed.body["input"]) == ("mock://mock/embed", ["a"])


def test_calls_of_other_gateways_are_left_alone() -> None:
    from dataclasses import replace

    other = replace(SPEC, gateway="openai")
    gateway = MockGateway()
    assert gateway.complete(make_call(spec=other)) is None
    assert gateway.embed(make_call("embed", spec=other, inputs=["x"])) is None
    assert gateway.imagen(make_call("imagen", spec=other, prompt="x")) is None


def test_there_is_no_client_to_export() -> None:
    for export in (MockGateway().to_client, MockGateway().to_aclient):
        with pytest.raises(ExportError):
            export(SPEC)
    with pytest.raises(ValueError, match="mock"):
        MockGateway().to_args(SPEC, {})


@pytest.mark.parametrize("stream", [False, True])
def test_details_are_those_of_the_answer(ask: Ask, stream: bool) -> None:
    cited = Citation(0, 2, url="https://a.example")
    given = {"citations": [cited], "logprobs": [{"token": "hi", "logprob": -0.5}]}
    answer = ask("complete", stream=stream, mock={"text": "hi", "details": given})
    answer = answer[-1] if stream else answer
    assert answer.citations == [cited]
    assert answer.logprobs == [TokenLogprob("hi", -0.5)]
    with pytest.raises(UnknownNameError):
        ask("complete", mock={"details": {"quotes": []}})
