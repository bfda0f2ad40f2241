"""The OpenAI wire of the loopback server, seen through the openai SDK."""

from __future__ import annotations

import base64
import io
import json
import struct
from collections.abc import Iterator
from typing import Any

import openai
import pytest
from PIL import Image

from hb_testing.server import LoopbackServer, OpenAIWire

WEATHER: Any = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}, "days": {"type": "integer", "minimum": 3}},
            "required": ["city", "days"],
        },
    },
}
ASK: Any = [{"role": "user", "content": "hello big world"}]


@pytest.fixture
def server() -> Iterator[LoopbackServer]:
    with LoopbackServer() as running:
        yield running


@pytest.fixture(scope="module")
def sdk() -> Iterator[openai.OpenAI]:
    with openai.OpenAI(api_key="key-1", base_url="http://127.0.0.1:1", max_retries=0, timeout=10) as client:
        yield client


@pytest.fixture
def client(server: LoopbackServer, sdk: openai.OpenAI) -> openai.OpenAI:
    return sdk.with_options(base_url=server.url("openai"))


def create(client: openai.OpenAI, **arguments: Any) -> Any:
    return client.chat.completions.create(**{"model": "m", "messages": ASK, **arguments})


def test_a_chat_answer_echoes_and_counts(client: openai.OpenAI) -> None:
    first, second = create(client), create(client)
    assert first == second
    assert first.choices[0].message.content == "echo: hello big world"
    assert first.choices[0].finish_reason == "stop"
    assert (first.model, first.object, first.id[:9]) == ("m", "chat.completion", "chatcmpl-")
    usage = first.usage
    assert (usage.prompt_tokens, usage.completion_tokens, usage.total_tokens) == (3, 4, 7)


def test_a_stream_has_role_pieces_finish_usage_and_done(server: LoopbackServer, client: openai.OpenAI) -> None:
    chunks = list(create(client, stream=True, stream_options={"include_usage": True}))
    assert chunks[0].choices[0].delta.role == "assistant"
    assert [chunk.choices[0].delta.content for chunk in chunks[1:-2]] == ["echo:", " hello", " big", " world"]
    assert (chunks[-2].choices[0].finish_reason, chunks[-2].usage) == ("stop", None)
    assert (chunks[-1].choices, chunks[-1].usage.total_tokens) == ([], 7)
    with create(client, stream=True) as raw:
        body = raw.response.read()
    assert body.endswith(b"data: [DONE]\n\n")
    assert b'"usage"' not in body


def test_max_tokens_cuts_the_echo_with_finish_reason_length(client: openai.OpenAI) -> None:
    choice = create(client, max_completion_tokens=2).choices[0]
    assert (choice.message.content, choice.finish_reason) == ("echo: hello", "length")


def test_n_makes_as_many_choices_whole_and_streamed(client: openai.OpenAI) -> None:
    assert [choice.index for choice in create(client, n=3).choices] == [0, 1, 2]
    finished = {c.choices[0].index for c in create(client, n=2, stream=True) if c.choices[0].finish_reason}
    assert finished == {0, 1}


def test_content_parts_are_echoed_by_kind(client: openai.OpenAI) -> None:
    parts = [{"type": "text", "text": "look"}, {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA"}}]
    assert create(client, messages=[{"role": "user", "content": parts}]).choices[0].message.content == (
        "echo: look [image]"
    )


def test_reasoning_comes_before_the_text(server: LoopbackServer, client: openai.OpenAI) -> None:
    for _ in range(2):
        server.reply(text="4", reasoning="two and two")
    assert create(client).choices[0].message.reasoning_content == "two and two"
    deltas = [c.choices[0].delta.model_dump(exclude_none=True) for c in create(client, stream=True)]
    shown = [(name, delta[name]) for delta in deltas for name in ("reasoning_content", "content") if delta.get(name)]
    assert shown == [
        ("reasoning_content", "two"),
        ("reasoning_content", " and"),
        ("reasoning_content", " two"),
        ("content", "4"),
    ]


def test_tool_calls_come_whole_and_in_fragments(server: LoopbackServer, client: openai.OpenAI) -> None:
    calls = [{"name": "get_weather", "arguments": {"city": "Köln"}}, {"id": "x", "name": "now", "arguments": "{}"}]
    for _ in range(2):
        server.reply(tool_calls=calls)
    choice = create(client, tools=[WEATHER]).choices[0]
    assert (choice.finish_reason, choice.message.content) == ("tool_calls", None)
    assert [(call.id, call.function.name, call.function.arguments) for call in choice.message.tool_calls] == [
        ("call_1", "get_weather", '{"city": "Köln"}'),
        ("x", "now", "{}"),
    ]
    joined: dict[int, list[str]] = {}
    for chunk in create(client, tools=[WEATHER], stream=True):
        for call in chunk.choices[0].delta.tool_calls or ():
            joined.setdefault(call.index, []).append(call.function.arguments)
    assert len(joined[0]) > 2
    assert {index: "".join(parts) for index, parts in joined.items()} == {0: '{"city": "Köln"}', 1: "{}"}


@pytest.mark.parametrize("choice", ["required", {"type": "function", "function": {"name": "get_weather"}}])
def test_a_forced_tool_is_called_with_arguments_of_its_schema(client: openai.OpenAI, choice: Any) -> None:
    answer = create(client, tools=[WEATHER], tool_choice=choice).choices[0]
    assert answer.finish_reason == "tool_calls"
    assert json.loads(answer.message.tool_calls[0].function.arguments) == {"city": "text", "days": 3}


def test_json_object_answers_json(client: openai.OpenAI) -> None:
    ask = [{"role": "user", "content": 'JSON please, "quoted"'}]
    answer = create(client, messages=ask, response_format={"type": "json_object"})
    assert json.loads(answer.choices[0].message.content) == {"echo": 'JSON please, "quoted"'}


def test_json_schema_answers_an_instance_of_the_schema(client: openai.OpenAI) -> None:
    schema = {
        "type": "object",
        "$defs": {"leaf": {"type": "object", "properties": {"colour": {"enum": ["red", "blue"]}}}},
        "properties": {
            "leaf": {"$ref": "#/$defs/leaf"},
            "tags": {"type": "array", "items": {"type": "string", "minLength": 6}, "minItems": 2},
            "ratio": {"type": "number", "minimum": 0.5},
            "either": {"anyOf": [{"type": "boolean"}, {"type": "null"}]},
            "both": {"allOf": [{"type": "integer"}, {"minimum": 7}]},
            "fixed": {"const": "yes"},
            "given": {"type": "string", "default": "d"},
            "nothing": {"type": ["null", "string"]},
        },
        "required": ["leaf"],
    }
    wanted = {"type": "json_schema", "json_schema": {"name": "thing", "schema": schema}}
    answer = create(client, response_format=wanted).choices[0].message.content
    assert json.loads(answer) == {
        "leaf": {"colour": "red"},
        "tags": ["textxx", "textxx"],
        "ratio": 0.5,
        "either": True,
        "both": 7,
        "fixed": "yes",
        "given": "d",
        "nothing": None,
    }


def test_a_schema_that_refers_to_itself_ends(client: openai.OpenAI) -> None:
    schema = {"type": "object", "properties": {"next": {"$ref": "#"}}}
    wanted = {"type": "json_schema", "json_schema": {"name": "list", "schema": schema}}
    answer = json.loads(create(client, response_format=wanted).choices[0].message.content)
    assert "next" in answer


def test_image_modality_answers_images_as_openrouter_does(client: openai.OpenAI) -> None:
    whole = create(client, modalities=["image", "text"]).choices[0].message
    url = whole.images[0]["image_url"]["url"]
    assert Image.open(io.BytesIO(base64.b64decode(url.partition(",")[2]))).format == "PNG"
    streamed = [c.choices[0].delta for c in create(client, modalities=["image", "text"], stream=True)]
    assert [delta.images for delta in streamed if getattr(delta, "images", None)] == [whole.images]


def test_embeddings_are_unit_vectors_of_the_text_alone_in_both_encodings(client: openai.OpenAI) -> None:
    floats = client.embeddings.create(model="m", input=["a", "b", "a"], dimensions=8, encoding_format="float")
    packed = client.embeddings.create(model="m", input=["a", "b", "a"], dimensions=8, encoding_format="base64")
    first, second, third = (item.embedding for item in floats.data)
    assert len(first) == 8
    assert first == third != second
    assert sum(value * value for value in first) == pytest.approx(1)
    # The SDK types the field as floats, whatever was asked for.
    decoded = [list(struct.unpack("<8f", base64.b64decode(str(item.embedding)))) for item in packed.data]
    assert decoded == [first, second, third]
    assert (floats.usage.prompt_tokens, [item.index for item in floats.data]) == (3, [0, 1, 2])


@pytest.mark.parametrize(("model", "expected"), [("text-embedding-3-small", 1536), ("text-embedding-3-large", 3072)])
def test_embeddings_have_the_models_dimensions_by_default(client: openai.OpenAI, model: str, expected: int) -> None:
    assert len(client.embeddings.create(model=model, input="a").data[0].embedding) == expected


def test_token_inputs_are_one_text_each(client: openai.OpenAI) -> None:
    assert len(client.embeddings.create(model="m", input=[1, 2, 3], dimensions=2).data) == 1
    assert len(client.embeddings.create(model="m", input=[[1, 2], [3]], dimensions=2).data) == 2


def test_scripted_embeddings_are_sent_as_given(server: LoopbackServer, client: openai.OpenAI) -> None:
    server.reply(embeddings=[[0.5, -1.0]], usage={"prompt_tokens": 9, "total_tokens": 9})
    answer = client.embeddings.create(model="m", input="a")
    assert answer.data[0].embedding == [0.5, -1.0]
    assert answer.usage.total_tokens == 9


def test_generated_images_are_real_and_depend_on_the_prompt(client: openai.OpenAI) -> None:
    answer = client.images.generate(model="gpt-image-1", prompt="a cat", n=2, size="1024x1024")
    assert answer.data is not None
    assert answer.usage is not None
    pictures = [base64.b64decode(item.b64_json or "") for item in answer.data]
    assert [Image.open(io.BytesIO(picture)).size for picture in pictures] == [(16, 16), (16, 16)]
    assert pictures[0] != pictures[1]
    assert answer.usage.total_tokens == answer.usage.input_tokens + answer.usage.output_tokens


def test_an_image_edit_takes_a_form_with_binary_files(server: LoopbackServer, client: openai.OpenAI) -> None:
    picture = b"\x89PNG\r\n\x1a\n--\r\n\x00\xff"
    answer = client.images.edit(model="gpt-image-1", prompt="redder", image=[("a.png", picture), ("b.png", picture)])
    assert answer.data is not None
    assert answer.usage is not None
    assert Image.open(io.BytesIO(base64.b64decode(answer.data[0].b64_json or ""))).format == "PNG"
    assert answer.usage.input_tokens_details.image_tokens == 128
    with pytest.raises(openai.BadRequestError, match="multipart"):
        client.post("/images/edits", cast_to=object, body={"prompt": "x"})


def test_an_image_edit_counts_n_from_its_form(client: openai.OpenAI) -> None:
    answer = client.images.edit(model="gpt-image-1", prompt="redder", image=("a.png", b"x"), n=3)
    assert len(answer.data or ()) == 3


def test_images_by_url_can_be_fetched(client: openai.OpenAI) -> None:
    answer = client.images.generate(model="dall-e-3", prompt="a cat", response_format="url")
    assert answer.data is not None
    response = client._client.get(str(answer.data[0].url))
    assert response.headers["content-type"] == "image/png"
    assert Image.open(io.BytesIO(response.content)).format == "PNG"


def test_models_are_listed(client: openai.OpenAI) -> None:
    assert {model.id for model in client.models.list()} >= {"gpt-4o-mini", "text-embedding-3-small"}


def test_a_required_key_must_be_presented(server: LoopbackServer, client: openai.OpenAI) -> None:
    assert create(client).choices
    server.require_key = "key-2"
    with pytest.raises(openai.AuthenticationError) as caught:
        create(client)
    assert caught.value.code == "invalid_api_key"
    assert caught.value.type == "invalid_request_error"
    assert create(client.with_options(api_key="key-2")).choices


def test_the_openrouter_wire_takes_its_extensions_and_answers_its_errors(
    server: LoopbackServer, sdk: openai.OpenAI
) -> None:
    client = sdk.with_options(base_url=server.url("openrouter"))
    server.reply(text="yes", reasoning="hm")
    message = create(client, extra_body={"reasoning": {"enabled": True}, "provider": {}}).choices[0].message
    assert (message.content, message.reasoning) == ("yes", "hm")
    with pytest.raises(openai.RateLimitError) as caught:
        create(client.with_options(base_url=server.url("openrouter", fault="S3.number")))
    assert caught.value.body == {
        "message": "Rate limit reached for requests.",
        "code": 429,
        "metadata": {"provider_name": "loopback", "error_type": "provider_error"},
    }
    chunks = list(create(client.with_options(base_url=server.url("openrouter", fault="E1.after")), stream=True))
    assert chunks[-1].choices[0].finish_reason is None


def test_a_named_openai_wire_accepts_its_own_extensions(sdk: openai.OpenAI) -> None:
    wire = OpenAIWire(name="acme", base="", extensions={"thinking"}, message_extensions={"reasoning_content"})
    with LoopbackServer(wires=[wire]) as server:
        client = sdk.with_options(base_url=server.url("acme"))
        part = {"type": "text", "text": "a", "reasoning_content": "c"}
        turns = [{"role": "assistant", "content": [part], "reasoning_content": "b"}, *ASK]
        assert create(client, messages=turns, extra_body={"thinking": {"type": "enabled"}}).choices
        with pytest.raises(openai.BadRequestError, match="thinking"):
            create(sdk.with_options(base_url=server.url("openai")), extra_body={"thinking": {}})
        with pytest.raises(openai.BadRequestError, match=r"messages\[0\]\.content\[0\]\.reasoning_content"):
            create(sdk.with_options(base_url=server.url("openai")), messages=[{"role": "user", "content": [part]}])
