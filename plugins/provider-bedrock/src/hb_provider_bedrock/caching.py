"""Prompt caching: where a request gets its cache points. Pure.

Behind the system prompt, behind the last tool, and behind the last block of the second-to-last message of the user:
the next turn of a conversation then pays for little more than what is new. Points that a caller set himself count; the
wire takes four in all.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hb_provider_bedrock.parts import cache_point
from heavenbase.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hb_provider_bedrock.models import Traits
    from heavenbase.types import ParameterReport

MOST = 4


def mark(body: dict[str, Any], option: Any, traits: Traits, report: ParameterReport) -> None:
    """Set the cache points in a request."""
    if option is None:
        return
    if option not in (True, False, "5m", "1h"):
        raise InputError(f'prompt_caching must be True, False, "5m" or "1h", not {option!r}')
    if option is False:
        report.emulated("prompt_caching", "nothing is marked")
        return
    if not traits.caches:
        report.dropped("prompt_caching", "the model has no cache points on Bedrock")
        return
    report.renamed("prompt_caching", "cachePoint")
    left = MOST - sum(1 for block in _blocks(body) if "cachePoint" in block)
    before, ttl = left, option if option is not True else None
    for holder, name in _places(body, traits):
        blocks = holder.get(name)
        if left > 0 and blocks and "cachePoint" not in blocks[-1]:
            holder[name] = [*blocks, cache_point(ttl)]
            left -= 1
    if left == before:
        report.emulated("prompt_caching", "there is nothing to mark: no system prompt, no tools, no earlier turn")


def _places(body: dict[str, Any], traits: Traits) -> Iterator[tuple[dict[str, Any], str]]:
    yield body, "system"
    if "toolConfig" in body and traits.family != "nova":  # Nova caches no tools
        body["toolConfig"] = {**body["toolConfig"]}
        yield body["toolConfig"], "tools"
    of_user = [message for message in body["messages"] if message["role"] == "user"]
    if len(of_user) >= 2:
        yield of_user[-2], "content"


def _blocks(body: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield from body.get("system") or ()
    yield from (body.get("toolConfig") or {}).get("tools") or ()
    for message in body["messages"]:
        yield from message["content"]
