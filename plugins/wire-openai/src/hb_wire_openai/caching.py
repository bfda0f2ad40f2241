"""The option `prompt_caching` on this wire: marks in a request, for models whose provider reads them. Pure.

A provider names them in its option `marked_prompts`, patterns of native ids. Marked are the last part of the system
prompt, the last tool, and the last part of the user's second-to-last message: what stands before a mark is cached, so
that the next turn pays for little more than what is new. Marks of the caller's count; there are four in all.
"""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from heavenbase.errors import InputError
from heavenbase.wires import MARK

if TYPE_CHECKING:
    from heavenbase.call import Call
    from heavenbase.types import Message

MOST = 4


def mark(call: Call, body: dict[str, Any]) -> None:
    """Set the marks in a request that asks for them; what belongs to the caller is copied."""
    option, report, spec = call.args.get("prompt_caching"), call.context.report, call.spec
    patterns = spec.provider_record.get("options", {}).get("marked_prompts", ())
    if not option or not any(fnmatchcase(spec.model_id, pattern) for pattern in patterns):
        return
    if option not in (True, "5m", "1h"):
        raise InputError(f'prompt_caching must be True, False, "5m" or "1h", not {option!r}')
    control = {"type": "ephemeral", **({} if option is True else {"ttl": option})}
    messages, tools = list(body["messages"]), list(body.get("tools") or ())
    left = MOST - sum(MARK in held for held in (*tools, *_parts(messages)))
    users = [place for place, message in enumerate(messages) if message["role"] == "user"]
    heads = [place for place, message in enumerate(messages) if message["role"] in ("system", "developer")]
    done = 0
    for place in (*heads[-1:], *users[-2:-1]):
        content = messages[place]["content"]
        parts = [{"type": "text", "text": content}] if isinstance(content, str) else list(content)
        if done < left and parts and MARK not in parts[-1]:
            messages[place] = {**messages[place], "content": [*parts[:-1], {**parts[-1], MARK: control}]}
            done += 1
    if done < left and tools and MARK not in tools[-1]:
        body["tools"] = [*tools[:-1], {**tools[-1], MARK: control}]
        done += 1
    body["messages"] = messages
    if done:
        report.renamed("prompt_caching", MARK)
    else:
        report.emulated("prompt_caching", "there is nothing to mark: no system prompt, no tools, no earlier turn")


def _parts(messages: list[Message]) -> list[dict[str, Any]]:
    return [part for message in messages if isinstance(message.get("content"), list) for part in message["content"]]
