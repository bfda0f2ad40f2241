"""Prompt caching: where a request gets its marks. Pure.

Three breakpoints: the system prompt, the last tool, and the last block of the second-to-last message of the user. What
stands before a mark is cached by the provider, so that the next turn of a conversation pays for little more than what
is new. Marks that a caller set himself count; the wire takes four in all.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from heavenbase.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from heavenbase.types import ParameterReport

MOST = 4
NOTHING = "there is nothing to mark: no system prompt, no tools, no earlier turn, or no mark is left"


def mark(body: dict[str, Any], option: Any, report: ParameterReport) -> None:
    """Set the marks in a request whose lists may be changed, but whose blocks belong to the caller."""
    if option is None:
        return
    if option not in (True, False, "5m", "1h"):
        raise InputError(f'prompt_caching must be True, False, "5m" or "1h", not {option!r}')
    if option is False:
        report.emulated("prompt_caching", "nothing is marked")
        return
    control: dict[str, Any] = {"type": "ephemeral"}
    if option is not True:
        control["ttl"] = option
    left = MOST - sum(1 for block in _blocks(body) if block.get("cache_control") is not None)
    report.renamed("prompt_caching", "cache_control")
    before = left
    for step in (_mark_system, _mark_tools, _mark_messages):
        if left > 0 and step(body, control):
            left -= 1
    if left == before:
        report.emulated("prompt_caching", NOTHING)


def _mark_system(body: dict[str, Any], control: dict[str, Any]) -> bool:
    system = body.get("system")
    if not system:
        return False
    blocks = [{"type": "text", "text": system}] if isinstance(system, str) else list(system)
    body["system"] = blocks
    return _mark_last(blocks, control)


def _mark_tools(body: dict[str, Any], control: dict[str, Any]) -> bool:
    if not body.get("tools"):
        return False
    body["tools"] = tools = list(body["tools"])
    return _mark_last(tools, control)


def _mark_messages(body: dict[str, Any], control: dict[str, Any]) -> bool:
    messages = body["messages"]
    of_user = [place for place, message in enumerate(messages) if message["role"] == "user"]
    if len(of_user) < 2:
        return False
    message = messages[of_user[-2]]
    content = message["content"]
    blocks = [{"type": "text", "text": content}] if isinstance(content, str) else list(content)
    body["messages"] = messages = list(messages)
    messages[of_user[-2]] = {**message, "content": blocks}
    return _mark_last(blocks, control)


def _mark_last(blocks: list[dict[str, Any]], control: dict[str, Any]) -> bool:
    """Mark the last block; False where it has a mark already."""
    if blocks[-1].get("cache_control") is not None:
        return False
    blocks[-1] = {**blocks[-1], "cache_control": dict(control)}
    return True


def _blocks(body: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield from body.get("tools", ())
    for content in (body.get("system"), *(message["content"] for message in body["messages"])):
        if isinstance(content, list):
            for block in content:
                yield block
                inner = block.get("content")
                if isinstance(inner, list):
                    yield from inner
