"""A user's program, for type checkers alone: lines that end in `# refused` must be errors, all others none."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any, Unpack, assert_type

from pydantic import BaseModel

import heavenbase as hb
from heavenbase.operations import FileInfo, TokenCount
from heavenbase.routes import Route, Target


class Answer(BaseModel):
    """What the model is to say."""

    city: str
    people: int


llm = hb.LLM("chat", temperature=0.2, max_retries=1, timeout={"total": 5})


def texts() -> None:
    """What chats answer."""
    assert_type(llm.chat("a"), str)
    assert_type(llm("a"), str)
    assert_type(llm.chat("a", system="be brief", max_tokens=5), str)
    assert_type(llm.chat("a", "think"), str)
    assert_type(llm.chat("a", include="usage"), dict[str, Any])
    assert_type(llm.chat("a", include="messages"), list[dict[str, Any]])
    assert_type(llm.chat("a", include="elapsed"), float)
    assert_type(llm.chat("a", include=["text", "usage"]), dict[str, Any])
    assert_type(llm.chat("a", include=("text", "usage")), dict[str, Any])
    assert_type(llm.chat("a", reduce=False), dict[str, Any])
    assert_type(llm.chat("a", include="completion").text, str)
    number: int = llm.chat("a")  # refused
    llm.chat("a", include="usgae")  # refused
    llm.chat("a", temprature=1)  # refused
    llm.chat("a", max_tokens="many")  # refused
    print(number)


def pieces() -> None:
    """What streams yield."""
    assert_type(llm.stream("a"), Iterator[str])
    assert_type(llm.chat("a", stream=True), Iterator[str])
    assert_type(llm.stream("a", include="chunk"), Iterator[hb.Chunk])
    assert_type(llm.stream("a", include=["text", "usage"]), Iterator[dict[str, Any]])
    for piece in llm.stream("a", max_tokens=5):
        print(piece.upper())
    llm.stream("a", sytem="be brief")  # refused


def forms() -> None:
    """Answers in a form."""
    found = llm.complete("a", response_format=Answer)
    assert_type(found.structured, Answer | None)
    if found.structured is not None:
        assert_type(found.structured.people, int)
        print(found.structured.town)  # refused
    plain: hb.Completion = llm.complete("a", tools=[forms], tool_choice="auto")
    print(plain.text, plain.usage.input if plain.usage else 0)
    kept: hb.Completion[Answer] = found
    print(kept)


def vectors() -> None:
    """Vectors."""
    assert_type(llm.embed("a"), hb.Vector)
    assert_type(llm.embed(["a", "b"]), list[hb.Vector])
    assert_type(llm.embed(text for text in ("a", "b")), list[hb.Vector])
    assert_type(llm.embed(["a"], include="dim"), int)
    assert_type(llm.embed(["a"], include=["embeddings", "usage"]), dict[str, Any])
    print(llm.embed("a")[0] + 1.5)
    llm.embed(5)  # refused
    llm.embed("a", dimension=5)  # refused


def pictures() -> None:
    """Images."""
    found = llm.imagen("a mug", size="1024x1024", n=2)
    assert_type(found, hb.LLMImage | list[hb.LLMImage])
    assert_type(llm.imagen("a mug", include="usage"), dict[str, Any])
    for image in found if isinstance(found, list) else [found]:
        print(image.to_bytes())
    found.to_bytes()  # refused


def beside_calls() -> None:
    """What endpoints do beside calls."""
    assert_type(llm.count_tokens("a"), TokenCount)
    assert_type([model.context_window for model in llm.models()], list[int | None])
    assert_type([one.score for one in llm.rerank("a", ["b"])], list[float])
    assert_type(llm.files.upload(b"x", "a.txt"), FileInfo)
    assert_type(llm.files.list()[0].size, int | None)
    assert_type(llm.files.content("f"), bytes)


async def waiting() -> None:
    """The same, awaited."""
    assert_type(await llm.achat("a"), str)
    assert_type(await llm.achat("a", include="usage"), dict[str, Any])
    assert_type(await llm.achat("a", stream=True), AsyncIterator[str])
    assert_type((await llm.acomplete("a", response_format=Answer)).structured, Answer | None)
    assert_type(await llm.aembed("a"), hb.Vector)
    assert_type(await llm.aembed(["a"]), list[hb.Vector])
    assert_type(await llm.aimagen("a mug"), hb.LLMImage | list[hb.LLMImage])
    assert_type(await llm.acount_tokens("a"), TokenCount)
    assert_type((await llm.arerank("a", ["b"]))[0].document, str)
    assert_type(await llm.files.aget("f"), FileInfo)
    async for piece in llm.astream("a"):
        print(piece.upper())
    wrong: int = await llm.achat("a")  # refused
    print(wrong)


def asked(question: str, **options: Unpack[hb.Options]) -> str:
    """A function of the user's own that hands options on."""
    return llm.chat(question, **options)


asked("a", seed=None, extra_body={"anything": 1}, headers={"x-a": "b"}, api_key=hb.Secret("k"))
asked("a", seeed=1)  # refused
hb.LLM(modle="gpt-4o")  # refused
hb.LLM(model=["gpt-4o-mini", {"model": "gpt-4o", "weight": 2}], retry={"max_attempts": 2}, middleware=["audit"])
hb.LLM(route="cheap", on_retry=print, by_provider={"openai": {"temperature": 1}})
hb.LLM(route={"targets": ["gpt-4o-mini"], "kind": "cascade"})
hb.LLM(route=Route((Target("gpt-4o-mini"),)))
hb.LLM(model=5)  # refused
hb.LLM(route=5)  # refused
hb.LLM(retry=5)  # refused
asyncio.run(waiting())
