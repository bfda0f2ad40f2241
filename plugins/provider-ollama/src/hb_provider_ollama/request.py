"""The bodies of requests, put together. Pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from hb_provider_ollama.messages import wire_messages
from hb_provider_ollama.parameters import arguments, chat_fields
from heavenbase.call import REASONING
from heavenbase.http import merge_extra
from heavenbase.structured import with_instruction

if TYPE_CHECKING:
    from heavenbase.call import Call

_SIZE = re.compile(r"(\d{2,5})\s*[xX]\s*(\d{2,5})")
_FALSE = ("false", "0", "no", "none", "off")
_IMAGE_OPTIONS = ("seed", "num_ctx", "num_gpu", "num_thread")
_IMAGE_FIELDS = ("width", "height", "steps", "keep_alive")


def chat_body(call: Call) -> dict[str, Any]:
    """The body of a chat; the call's report says what became of each parameter."""
    fields, instruction = chat_fields(call)
    body: dict[str, Any] = {
        "model": call.spec.model_id,
        "messages": with_instruction(wire_messages(call), instruction),
        "stream": call.stream,
        **fields,
    }
    merge_extra(body, call.args, call.context.report)
    return body


def embedding_body(call: Call) -> dict[str, Any]:
    """The body of a batch of embeddings. Our own defaults for chats are left out."""
    report = call.context.report
    body: dict[str, Any] = {"model": call.spec.model_id, "input": list(call.inputs)}
    for name, value in arguments(call, report).items():
        if name in ("dimensions", "keep_alive", "options"):
            body[name] = value
            report.sent(name)
        elif name == "truncate":
            body[name] = str(value).strip().lower() not in _FALSE
            report.renamed(name, name)
        elif name == "encoding_format" and value == "float":
            report.emulated(name, "the wire gives floats")
        else:
            report.dropped(name, "embeddings have no such parameter")
    merge_extra(body, call.args, report)
    return body


def image_body(call: Call) -> dict[str, Any]:
    """The body for an image. Our own defaults for chats are left out."""
    report = call.context.report
    body: dict[str, Any] = {"model": call.spec.model_id, "prompt": call.prompt, "stream": False}
    if call.images:
        body["images"] = [image.to_b64() for image in call.images]
    options: dict[str, Any] = {}
    for name, value in arguments(call, report).items():
        match = _SIZE.fullmatch(str(value)) if name == "size" else None
        if match is not None:
            body["width"], body["height"] = int(match[1]), int(match[2])
            report.renamed(name, "width, height")
        elif name in _IMAGE_FIELDS:
            body[name] = value
            report.sent(name)
        elif name == "n" and value == 1:
            report.emulated(name, "the wire gives one image")
        elif name == "response_format":
            report.emulated(name, "images come as bytes")
        elif name in _IMAGE_OPTIONS and name not in REASONING:
            options[name] = value
            report.renamed(name, f"options.{name}")
        else:
            report.dropped(name, "image models of Ollama have no such parameter")
    if options:
        body["options"] = options
    merge_extra(body, call.args, report)
    return body
