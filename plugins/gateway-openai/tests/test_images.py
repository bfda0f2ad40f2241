"""Image generation: the images endpoint, edits with files, and chats that answer with images."""

from __future__ import annotations

from typing import Any

import pytest

from hb_testing.server import LoopbackServer
from hb_testing.server.multipart import parse_form
from heavenbase.errors import ResponseShapeError
from heavenbase.image.image import LLMImage
from heavenbase.types import ImageResult, Usage

from .support import OPENAI, OPENROUTER, Caller, make_spec

PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR4nGP4z8AAAAMBAQDJ/pLvAAAAAElFTkSuQmCC"
DEFAULTS = {"temperature": 0, "seed": 42, "max_tokens": 1024}


def picture() -> LLMImage:
    return LLMImage.from_b64(PNG)


def test_generation_sends_only_what_the_endpoint_knows(caller: Caller, server: LoopbackServer, colour: str) -> None:
    spec = make_spec(server.url(), args=DEFAULTS, provider_record=OPENAI, provider="openai")
    result: ImageResult = caller.verb(colour, "imagen", spec, prompt="a cat", n=2, size="1024x1024")
    assert [image.format for image in result.images] == ["png", "png"]
    assert result.usage == Usage(2, 128)
    assert server.requests[0].json == {"model": "gpt-4o-mini", "prompt": "a cat", "n": 2, "size": "1024x1024"}


@pytest.mark.parametrize("number", [1, 3])
def test_edits_send_the_reference_images_as_files(
    caller: Caller, server: LoopbackServer, colour: str, number: int
) -> None:
    images = [picture() for _ in range(number)]
    spec = make_spec(server.url(), args=DEFAULTS, provider_record=OPENAI)
    result = caller.verb(colour, "imagen", spec, prompt="a ü cat", images=images, size="512x512")
    assert len(result.images) == 1
    [request] = server.requests
    assert request.path.endswith("/images/edits")
    parts = parse_form(request.headers["content-type"], request.body)
    assert {part.name: part.data for part in parts if part.filename is None} == {
        "model": b"gpt-4o-mini",
        "prompt": "a ü cat".encode(),
        "size": b"512x512",
    }
    files = [part for part in parts if part.filename is not None]
    assert [part.name for part in files] == ["image"] if number == 1 else ["image[]"] * number
    assert {part.content_type for part in files} == {"image/png"}
    assert all(part.data == images[0].to_bytes() for part in files)


def test_a_mask_is_a_file_of_its_own(caller: Caller, server: LoopbackServer, colour: str) -> None:
    mask = picture()
    caller.verb(colour, "imagen", make_spec(server.url()), prompt="x", images=[picture(), picture()], mask=mask.data)
    parts = parse_form(server.requests[0].headers["content-type"], server.requests[0].body)
    assert [part.name for part in parts if part.filename is not None] == ["image[]", "image[]", "mask"]
    assert parts[-1].data == mask.to_bytes()


def test_images_by_url_are_not_fetched(caller: Caller, server: LoopbackServer) -> None:
    result = caller.verb("sync", "imagen", make_spec(server.url()), prompt="x", response_format="url")
    assert result.images[0].url is not None
    assert not result.images[0].has_bytes
    assert server.request_count == 1
    # The server that answered is as trusted with its own URLs.
    assert result.images[0].to_bytes().startswith(b"\x89PNG")
    assert server.request_count == 2


def chat_answer(**message: Any) -> dict[str, Any]:
    choice = {"index": 0, "message": {"role": "assistant", "content": "here", **message}, "finish_reason": "stop"}
    return {"id": "c", "choices": [choice], "usage": {"prompt_tokens": 4, "completion_tokens": 6, "cost": 0.5}}


def test_images_of_a_chat(caller: Caller, server: LoopbackServer, colour: str) -> None:
    item = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}"}}
    server.reply(body=chat_answer(images=[item]))
    spec = make_spec(
        server.url("openrouter"), args=DEFAULTS, provider_record=OPENROUTER, model_id="openai/gpt-5-image-mini"
    )
    result = caller.verb(colour, "imagen", spec, prompt="a cat", images=[picture()], size="1024x1024", on_lossy="allow")
    assert [image.format for image in result.images] == ["png"]
    assert result.usage == Usage(4, 6, cost="0.5", currency="USD")
    sent = server.requests[0].json
    assert sent["modalities"] == ["image", "text"]
    assert sent["messages"] == [
        {"role": "user", "content": [{"type": "text", "text": "a cat"}, picture().to_dict()]},
    ]
    assert "size" not in sent
    assert sent["max_tokens"] == 1024


@pytest.mark.parametrize(
    "body", [{}, {"data": None}, {"data": []}, {"data": [{"nothing": 1}]}, {"data": [{"b64_json": "!"}]}]
)
def test_what_is_no_image(caller: Caller, server: LoopbackServer, colour: str, body: dict[str, Any]) -> None:
    server.reply(body=body)
    with pytest.raises(ResponseShapeError):
        caller.verb(colour, "imagen", make_spec(server.url()), prompt="x")
