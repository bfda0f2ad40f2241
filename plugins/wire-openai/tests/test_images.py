"""Image generation: what generations, edits and chats are asked for, and chats that answer in words."""

from __future__ import annotations

from typing import Any

import pytest

from hb_wire_openai import images
from heavenbase.errors import ContentFiltered, InputError, ResponseShapeError
from heavenbase.image.image import LLMImage

from .support import OPENROUTER, make_call, make_spec, prepared

PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR4nGP4z8AAAAMBAQDJ/pLvAAAAAElFTkSuQmCC"
DEFAULTS = {"temperature": 0, "seed": 42, "max_tokens": 1024}


def picture() -> LLMImage:
    return LLMImage.from_b64(PNG)


def chat_answer(**message: Any) -> dict[str, Any]:
    choice = {"index": 0, "message": {"role": "assistant", "content": "here", **message}, "finish_reason": "stop"}
    return {"id": "c", "choices": [choice], "usage": {"prompt_tokens": 4, "completion_tokens": 6, "cost": 0.5}}


def test_what_the_endpoint_lacks_is_reported() -> None:
    spec = make_spec(args=DEFAULTS)
    request, outcomes = prepared(spec, "imagen", prompt="x", quality="high", steps=4, top_p=0.5, extra_body={"lora": 1})
    assert request.url.endswith("/v1/images/generations")
    assert request.body == {"model": "gpt-4o-mini", "prompt": "x", "quality": "high", "steps": 4, "lora": 1}
    assert {name for name, outcome in outcomes.items() if outcome == "dropped"} == {*DEFAULTS, "top_p"}


def test_an_edit_is_prepared_without_the_bytes() -> None:
    request, _ = prepared(make_spec(), "imagen", prompt="x", images=[picture()])
    assert request.url.endswith("/v1/images/edits")
    assert request.headers["content-type"] == "multipart/form-data"
    assert request.body["image"] == [repr(picture())]


def test_generations_and_edits_get_only_their_own_parameters() -> None:
    given: dict[str, Any] = {"style": "vivid", "moderation": "low", "input_fidelity": "high", "quality": "high"}
    request, outcomes = prepared(make_spec(), "imagen", prompt="x", **given)
    assert (request.body["style"], request.body["moderation"], outcomes["input_fidelity"]) == (
        "vivid",
        "low",
        "dropped",
    )
    request, outcomes = prepared(make_spec(), "imagen", prompt="x", images=[picture()], **given)
    assert (request.body["input_fidelity"], outcomes["style"], outcomes["moderation"]) == ("high", "dropped", "dropped")
    assert not {"style", "moderation"} & request.body.keys()


def test_a_chat_may_answer_in_words() -> None:
    call = make_call(make_spec(provider_record=OPENROUTER), "imagen", prompt="x")
    assert images.images_of_chat(call, chat_answer()).images == []
    filtered = chat_answer()
    filtered["choices"][0]["finish_reason"] = "content_filter"
    with pytest.raises(ContentFiltered):
        images.images_of_chat(call, filtered)
    with pytest.raises(ResponseShapeError):
        images.images_of_chat(call, {"choices": []})


def test_a_mask_needs_an_image() -> None:
    with pytest.raises(InputError, match="images="):
        prepared(make_spec(), "imagen", prompt="x", mask=picture())
