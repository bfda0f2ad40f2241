"""What of a call belongs to one provider, and must not travel to another: ids, extras, tools of its own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from heavenbase.call import Call
from heavenbase.messages import ITEMS
from heavenbase.options import EXTRAS
from heavenbase.secrets import is_secret_header
from heavenbase.spec import LLMSpec

STATE = frozenset(
    {
        *("previous_response_id", "conversation", "container", "cached_content", "cachedContent", "vector_store_ids"),
        *("file_ids", "prompt_cache_key", "session_id", "assistant_id", "thread_id", "prompt_id"),
    }
)
"""Arguments that name what one provider keeps."""
HARMLESS = frozenset({"prompt_cache_key"})
"""Of these, those that change no answer: they go where they are known, and stay behind elsewhere."""
_FILES = ("file_id", "file_ids", "vector_store_ids", "container_id", "fileData", "file_uri")


def foreign_things(call: Call, spec: LLMSpec, home: LLMSpec) -> list[str]:
    """What a call holds for the target it was made for (`home`) that another (`spec`) cannot have; [] for the same.

    Names of arguments, and `messages` or `tools` for what stands in those. What one account of a provider keeps,
    another has not, and what was written for one address does not go to another.
    """
    owner = call.spec
    if spec.provider == owner.provider and spec.target_key() == home.target_key():
        return []
    is_elsewhere = (spec.provider, spec.base_url) != (home.provider, home.base_url)
    found = [name for name in call.args if name in STATE and name not in HARMLESS]
    found += [name for name, value in call.args.items() if name in EXTRAS and (is_elsewhere or _has_secrets(value))]
    found = [name for name in found if name in call.explicit or name not in owner.args]
    if any(_names_files(message) for message in call.messages):
        found.append("messages")
    if spec.provider != owner.provider and any(_is_own(tool) for tool in call.args.get("tools") or ()):
        found.append("tools")
    return found


def stripped(call: Call, things: list[str]) -> Call:
    """The call without what belongs to another provider; what of messages goes is told in their place."""
    context = call.context.fork()
    for name in EXTRAS.intersection(things):  # nor is anything of them sent
        for part in call.args.get(name) or ():
            context.report.entries.pop(part, None)
    args = {name: value for name, value in call.args.items() if name not in things or name == "tools"}
    if "tools" in things:
        args["tools"] = [tool for tool in args["tools"] if not _is_own(tool)]
        if not args["tools"]:
            args.pop("tools")
            args.pop("tool_choice", None)
    messages = call.messages
    if "messages" in things:
        messages = [_without_files(message) for message in messages]
    return call.replace(args=args, messages=messages, context=context)


def _has_secrets(extra: Any) -> bool:
    return isinstance(extra, Mapping) and any(is_secret_header(str(name)) for name in extra)


def _is_own(tool: Mapping[str, Any]) -> bool:
    """Whether a tool in wire shape is one that a provider runs itself."""
    return tool.get("type", "function") not in ("function", "custom", "namespace")


def _names_files(message: Mapping[str, Any]) -> bool:
    if any(item.get("id") and item.get("type") == "item_reference" for item in message.get(ITEMS) or ()):
        return True
    content = message.get("content")
    return isinstance(content, list) and any(map(_names_file, content))


def _names_file(part: Mapping[str, Any]) -> bool:
    return any(key in _FILES and value for key, value in _pairs(part))


def _pairs(part: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(part, Mapping):
        for key, value in part.items():
            yield key, value
            yield from _pairs(value)


def _without_files(message: dict[str, Any]) -> dict[str, Any]:
    if not _names_files(message):
        return message
    content = message.get("content")
    parts = [part for part in content if not _names_file(part)] if isinstance(content, list) else content
    told = {"type": "text", "text": "[a file, which only another provider has]"}
    kept = {name: value for name, value in message.items() if name != ITEMS}
    return {**kept, "content": [*parts, told] if isinstance(parts, list) else parts}
