"""Images and conversations that checks send."""

from __future__ import annotations

from binascii import a2b_base64
from typing import Any

from heavenbase.image.image import LLMImage

# Two by two pixels each.
IMAGES: dict[str, bytes] = {
    "png": a2b_base64(
        "iVBORw0KGgoAAAANSUhEUgAAAAIAAAACCAIAAAD91JpzAAAAFklEQVR4nGPkOiHHwMDAxMDAwMDAAAALVgD0I4hqmwAAAABJRU5ErkJggg=="
    ),
    "jpeg": a2b_base64(
        "/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDAP//////////////////////////////////////////////////////////////////////////"
        "////////////wAALCAACAAIBAREA/8QAFAABAAAAAAAAAAAAAAAAAAAAAP/EABQQAQAAAAAAAAAAAAAAAAAAAAD/2gAIAQEAAD8AP//Z"
    ),
    "gif": a2b_base64("R0lGODdhAgACAIEAAArIHgAAAAAAAAAAACwAAAAAAgACAAAIBgABCAQQEAA7"),
    "webp": a2b_base64("UklGRjoAAABXRUJQVlA4IC4AAAAQAgCdASoCAAIAAUAmJaACdLoB+AH4AAPIAP7Lt//TRRhTH3Jv/u82AMJf8IAA"),
}
TEXTS = (
    " leading and trailing \n",
    "\t\n",
    "0",
    "null",
    'a "quoted" \\ back\\slash \\n \\u0041',
    '{"role": "system", "content": "obey"}',
    "data: [DONE]\n\nevent: x",
    "{{ template }} ${HOME} %s {0}",
    "<image> <|im_start|> </think>",
    "NUL \x00, escape \x1b[0m, delete \x7f",
    "line \u2028 paragraph \u2029 next \x85 return \r\n",
    "e\u0301 and \u00e9, \ufb01, \u212b",
    "\u202eright to left\u202c, zero\u200bwidth, \ufeffmark",
    "🌍 👩\u200d🚀 𝔘𝔫𝔦 \U0010ffff",
    "long " * 2000,
)
"""Texts that some encoder, template or splitter changes."""
DEFERRED: dict[str, Any] = {
    "type": "function",
    "function": {"name": "late_tool", "description": "rare", "parameters": {"type": "object", "properties": {}}},
    "defer_loading": True,
}
"""A tool that is loaded when the model looks for it."""
FREE_TEXT: dict[str, Any] = {
    "type": "custom",
    "name": "calculator",
    "description": "takes a sum",
    "format": {"type": "grammar", "syntax": "lark", "definition": 'start: NUMBER "+" NUMBER'},
}
"""A tool that takes text of a grammar."""
REFERENCES = ("file-conformance", "https://files.example.com/a.pdf", "gs://bucket/a.pdf", "s3://bucket/a.pdf")
"""Names of files that are not sent along."""
URL = "https://images.example.com/conformance.png?signature=1"


def every_role() -> list[dict[str, Any]]:
    """A conversation with every role, text parts, parallel tool calls and their results."""
    calls = [
        {"id": "call_a", "type": "function", "function": {"name": "get_weather", "arguments": '{"city": "Köln"}'}},
        {"id": "call_b", "type": "function", "function": {"name": "ring_bell", "arguments": "{}"}},
    ]
    return [
        {"role": "system", "content": "system-words"},
        {"role": "user", "content": "first-question"},
        {"role": "assistant", "content": "first-answer"},
        {"role": "user", "content": [{"type": "text", "text": "part-one"}, {"type": "text", "text": "part-two"}]},
        {"role": "assistant", "content": None, "tool_calls": calls},
        {"role": "tool", "tool_call_id": "call_a", "content": "rain-result"},
        {"role": "tool", "tool_call_id": "call_b", "content": "bell-result"},
        {"role": "user", "content": "last-question"},
    ]


ORDERED_WORDS = (
    *("first-question", "first-answer", "part-one", "part-two"),
    *("get_weather", "ring_bell", "rain-result", "bell-result", "last-question"),
)
"""Words of that conversation in the order that every wire keeps."""


def late_system(role: str, *, is_last: bool) -> list[dict[str, Any]]:
    """A conversation with instructions between the messages, or behind the last answer."""
    late = {"role": role, "content": [{"type": "text", "text": "late-words"}]}
    before = [
        {"role": "system", "content": "system-words"},
        {"role": "user", "content": "first-question"},
        {"role": "assistant", "content": "first-answer"},
    ]
    return [*before, late] if is_last else [*before, late, {"role": "user", "content": "last-question"}]


def native_blocks() -> list[dict[str, Any]]:
    """A conversation with a call and its result as blocks, as one vendor writes them."""
    call = {"type": "tool_use", "id": "toolu_1", "name": "get_weather", "input": {"city": "Köln"}}
    result = {"type": "tool_result", "tool_use_id": "toolu_1", "content": [{"type": "text", "text": "rain-result"}]}
    return [
        {"role": "user", "content": "first-question"},
        {"role": "assistant", "content": [{"type": "text", "text": "first-answer"}, call]},
        {"role": "user", "content": [result, {"type": "text", "text": "last-question"}]},
    ]


def with_images(*, urls: bool = True) -> list[dict[str, Any]]:
    """A message with text, an image as bytes, and one by URL where asked."""
    parts: list[dict[str, Any]] = [
        {"type": "text", "text": "compare-them"},
        {"type": "image", "image": LLMImage.from_bytes(IMAGES["png"])},
    ]
    if urls:
        parts.append({"type": "image", "image": LLMImage.from_url(URL)})
    return [{"role": "user", "content": parts}]


def words_of(value: Any) -> list[str]:
    """Every text in nested data, in order; of mappings the values only."""
    if isinstance(value, str):
        return [value]
    if isinstance(value, dict):
        return [word for item in value.values() for word in words_of(item)]
    if isinstance(value, list | tuple):
        return [word for item in value for word in words_of(item)]
    return []
