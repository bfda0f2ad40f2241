"""Image generation on the OpenAI wire: the images endpoint, its edits, and chats that answer with images. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hb_wire_openai.answers import FINISH, read_content, read_images
from hb_wire_openai.parameters import chat_fields
from hb_wire_openai.usage import chat_usage, image_usage
from heavenbase.errors import ContentFiltered, InputError
from heavenbase.http import EXTRAS, apply_rules, shape_error, text_or_none
from heavenbase.image import LLMImage
from heavenbase.options import KNOWN
from heavenbase.types import ImageResult
from heavenbase.wires import finish_reason

if TYPE_CHECKING:
    from heavenbase.call import Call

_FIELDS = frozenset(
    {"n", "size", "quality", "style", "response_format", "user", "background", "moderation", "output_format"}
    | {"output_compression", "input_fidelity", "mask", "aspect_ratio", "negative_prompt"}
)
_ELSEWHERE = {
    True: (frozenset({"style", "moderation"}), "edits have no such parameter"),
    False: (frozenset({"input_fidelity"}), "only edits have it; pass images="),
}
"""What the endpoint lacks with and without reference images, and why."""
_ENDPOINT_ONLY = _FIELDS - {"n", "user", "response_format"}


def by_chat(call: Call) -> bool:
    """Whether this provider makes images in chats."""
    return bool(call.spec.provider_value("image_endpoint") == "chat")


def image_fields(call: Call) -> dict[str, Any]:
    """The fields for the images endpoint beside model and prompt; what hb knows as options of chats is left out."""
    report = call.context.report
    wire: dict[str, Any] = {}
    elsewhere, why = _ELSEWHERE[bool(call.images)]
    for name, value in call.args.items():
        if name in EXTRAS:
            continue
        if name in elsewhere:
            report.dropped(name, why)
        elif name in _FIELDS or (name in call.explicit and name not in KNOWN):
            wire[name] = value
            report.sent(name)
        else:
            report.dropped(name, "the images endpoint has no such parameter")
    apply_rules(call.spec, wire, report)
    extra = call.args.get("extra_body")
    if extra:
        report.sent("extra_body")
        wire.update(extra)
    return wire


def files(call: Call) -> list[tuple[str, LLMImage]]:
    """The files of an edit under the names of their fields: the references, and the mask if there is one."""
    if by_chat(call):
        return []
    if not call.images:
        if call.args.get("mask") is not None:
            raise InputError("mask says which part of an image to paint anew; pass that image as images=")
        return []
    # Several images go under one name, which then has brackets.
    name = "image[]" if len(call.images) > 1 else "image"
    found = [(name, image) for image in call.images]
    mask = call.args.get("mask")
    return found if mask is None else [*found, ("mask", LLMImage.from_any(mask))]


def chat_body(call: Call) -> dict[str, Any]:
    """The whole body of a chat that is asked for an image."""
    report = call.context.report
    args = {name: value for name, value in call.args.items() if name not in _ENDPOINT_ONLY}
    for name in call.args.keys() & _ENDPOINT_ONLY:
        report.dropped(name, "this provider makes images in chats; pass its own option through extra_body")
    parts: list[dict[str, Any]] = [{"type": "text", "text": call.prompt}]
    parts += [{"type": "image_url", "image_url": {"url": image.url or image.to_data_url()}} for image in call.images]
    return {
        "model": call.spec.model_id,
        "messages": [{"role": "user", "content": parts if call.images else call.prompt}],
        "modalities": ["image", "text"],
        **chat_fields(call.spec, args, call.explicit, report),
    }


def images(call: Call, decoded: Any) -> ImageResult:
    """The images of an answer of the images endpoint."""
    data = decoded.get("data") if isinstance(decoded, dict) else None
    if not isinstance(data, list):
        raise shape_error(call, "the answer has no list `data`")
    result = ImageResult(
        read_images(call, data),
        usage=image_usage(decoded.get("usage")),
        model=text_or_none(decoded.get("model")),
        provider=call.spec.provider,
        gateway=call.spec.gateway,
        report=call.context.report,
        raw=decoded,
    )
    if not result.images:
        raise shape_error(call, "the answer has no image")
    return result


def images_of_chat(call: Call, decoded: Any) -> ImageResult:
    """The images of a chat's answer; none is no error, as the model may have answered in words."""
    choices = decoded.get("choices") if isinstance(decoded, dict) else None
    choice = choices[0] if isinstance(choices, list) and choices and isinstance(choices[0], dict) else {}
    message = choice.get("message")
    if not isinstance(message, dict):
        raise shape_error(call, "the answer has no message")
    found = [*read_images(call, message.get("images")), *read_content(call, message.get("content"))[2]]
    if not found and finish_reason(FINISH, choice.get("finish_reason")) in ("content_filter", "refusal"):
        raise ContentFiltered(f"{call.target}: the provider's filter refused the image", provider=call.spec.provider)
    return ImageResult(
        found,
        usage=chat_usage(decoded.get("usage")),
        model=text_or_none(decoded.get("model")),
        provider=call.spec.provider,
        gateway=call.spec.gateway,
        report=call.context.report,
        raw=decoded,
    )
