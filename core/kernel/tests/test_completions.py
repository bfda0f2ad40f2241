"""The functions over the default kernel: what they take, what they give, in both colours."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import BaseModel

import heavenbase as hb
from heavenbase.errors import InputError, InputTypeError, StructuredOutputError, UnknownModelError, UnknownNameError


class Film(BaseModel):
    title: str
    year: int


@pytest.fixture(autouse=True)
def kernel() -> Iterator[hb.Kernel]:
    with hb.Kernel({"heavenbase.llm.cache.enabled": False}) as made:
        hb.set_default_kernel(made)
        yield made
    hb.set_default_kernel(None)


def test_completion_gives_the_whole_answer_of_a_text_or_of_messages() -> None:
    for messages in ("hi", {"role": "user", "content": "hi"}, [{"role": "user", "content": "hi"}]):
        answer = hb.completion("gpt-4o-mini", messages, mock_text="hello")
        assert (answer.text, answer.served_by) == ("hello", "openai/gpt-4o-mini")
    assert (
        hb.completion(model="gpt-4o-mini", messages="hi", system="be short", mock_text="ok").messages[0]["role"]
        == "system"
    )


def test_completion_streams_chunks() -> None:
    chunks = list(hb.completion("gpt-4o-mini", "hi", stream=True, mock_text="hello there"))
    assert "".join(chunk.text for chunk in chunks) == "hello there"
    assert chunks[-1].usage is not None


def test_async_forms_answer_the_same() -> None:
    async def ask() -> Any:
        whole = await hb.acompletion("gpt-4o-mini", "hi", mock_text="hello")
        pieces = [
            piece.text async for piece in await hb.acompletion("gpt-4o-mini", "hi", stream=True, mock_text="hello")
        ]
        film = await hb.aparse(
            "gpt-4o-mini", "a film", response_format=Film, mock_text='{"title": "Solaris", "year": 1972}'
        )
        vectors = await hb.aembed("text-embedding-3-small", ["a", "b"], mock_embed=True)
        return whole.text, "".join(pieces), film, len(vectors)

    assert asyncio.run(ask()) == ("hello", "hello", Film(title="Solaris", year=1972), 2)


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("verb", ["completion", "acompletion", "parse", "aparse", "embed", "aembed"])
def test_what_is_no_kernel_is_refused_by_its_type(verb: str, stream: bool) -> None:
    function = getattr(hb, verb)
    options = {"stream": True} if stream and "completion" in verb else {}
    options |= {"response_format": Film} if "parse" in verb else {}

    def ask() -> Any:
        found = function("gpt-4o-mini", "hi", kernel=5, **options)
        return asyncio.run(found) if verb.startswith("a") else found

    with pytest.raises(InputTypeError, match="kernel must be a Kernel, not int"):
        ask()


@pytest.mark.parametrize("given", [5, "default", hb.Kernel])
def test_an_llm_and_the_default_take_kernels_alone(given: Any) -> None:
    for take in (lambda: hb.LLM("chat", kernel=given), lambda: hb.set_default_kernel(given)):
        with pytest.raises(InputTypeError, match="kernel must be a Kernel, not "):
            take()


def test_parse_gives_the_value_or_an_error_with_the_answer() -> None:
    film = hb.parse("gpt-4o-mini", "a film", response_format=Film, mock_text='{"title": "Solaris", "year": 1972}')
    assert film == Film(title="Solaris", year=1972)
    with pytest.raises(StructuredOutputError) as caught:
        hb.parse("gpt-4o-mini", "a film", response_format=Film, mock_text="no", structured_retries=0)
    assert caught.value.partial is not None
    assert caught.value.partial.text == "no"
    with pytest.raises(InputTypeError, match="response_format"):
        hb.parse("gpt-4o-mini", "a film", response_format=None)


def test_embed_gives_one_vector_or_several() -> None:
    assert isinstance(hb.embed("text-embedding-3-small", "a", mock_embed=True)[0], float)
    assert len(hb.embed("text-embedding-3-small", ["a", "b"], mock_embed=True)) == 2
    assert hb.embed(inputs="a", include="dim", mock_embed=True) > 0


def test_everything_that_llm_takes_goes_through(kernel: hb.Kernel) -> None:
    with hb.Kernel({"heavenbase.llm.cache.enabled": False}) as other:
        assert hb.completion("gpt-4o-mini", "hi", kernel=other, mock_text="there").text == "there"
    answer = hb.completion(
        preset="chat", messages="hi", mock_text="ok", temperature=0.5, base_url="http://127.0.0.1:9/v1"
    )
    assert answer.text == "ok"
    answer = hb.completion(["gpt-4o-mini", "gpt-4o"], "hi", mock_text="ok")
    assert [hop.outcome for hop in answer.hops] == ["served"]
    with pytest.raises(UnknownNameError, match="temperature"):
        hb.completion("gpt-4o-mini", "hi", temprature=1)
    with pytest.raises(InputError):
        hb.completion("", "hi")


class Truthy:
    """What numpy's own truth values are to Python: no bool."""

    def __bool__(self) -> bool:
        return True


@pytest.mark.parametrize("wrong", [1, 0, "yes", "", 1.0, [True], Truthy()])
def test_a_switch_that_is_no_truth_value_is_refused_before_anything_is_asked(wrong: Any) -> None:
    def asked(*_: Any) -> str:
        raise AssertionError("something was asked")

    llm, said = hb.LLM(model="gpt-4o-mini", mock_chat=asked), {"model": "gpt-4o-mini", "messages": "hi"}

    async def wait(coroutine: Any) -> Any:
        return await coroutine

    for ask in (
        lambda: llm.chat("hi", stream=wrong),
        lambda: asyncio.run(wait(llm.achat("hi", stream=wrong))),
        lambda: hb.completion(**said, mock_chat=asked, stream=wrong),
        lambda: asyncio.run(wait(hb.acompletion(**said, mock_chat=asked, stream=wrong))),
        lambda: llm.chat("hi", reduce=wrong),
        lambda: llm.stream("hi", reduce=wrong),
        lambda: llm.astream("hi", reduce=wrong),
        lambda: llm.embed("hi", reduce=wrong),
        lambda: llm.imagen("hi", reduce=wrong),
        lambda: hb.LLMSession(llm).send("hi", reduce=wrong),
        *(
            lambda name=name: llm.chat("hi", **{name: wrong})
            for name in ("stream_chat", "structured_stream", "enforce_non_stream_structured", "allow_unknown")
        ),
    ):
        with pytest.raises(InputTypeError, match="must be True or False, not"):
            ask()


def test_a_switch_may_be_none_for_off() -> None:
    assert hb.LLM(model="gpt-4o-mini", mock_text="ok").chat("hi", stream=None) == "ok"


def test_missing_messages_and_a_model_behind_them_are_told_as_such() -> None:
    with pytest.raises(InputTypeError, match="messages are missing"):
        hb.completion("gpt-4o-mini", mock_text="ok")
    for messages in ({"role": "user", "content": "hi"}, [{"role": "user", "content": "hi"}]):
        with pytest.raises(InputTypeError, match="the model comes first"):
            hb.completion(messages, "gpt-4o-mini")


@pytest.mark.parametrize("model", ["groqq/llama-3.1-8b-instant", ["gpt-4o", "groqq/some-model"]])
def test_a_slip_in_the_provider_before_a_model_is_told_with_the_nearest(model: Any) -> None:
    with pytest.raises(UnknownModelError, match="'groqq' is no provider; did you mean 'groq'"):
        hb.LLM(model=model)
