"""A count of tokens without an endpoint: from letters, for the tokenizers of today's models. Pure.

On prose and code it is mostly within a quarter of what providers count; in scripts without blanks a character is about
a token. Images and files count a flat number, and what a provider puts beside a prompt by itself is not in it.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from heavenbase.operations.results import TokenCount

if TYPE_CHECKING:
    from heavenbase.call import Call

MESSAGE = 4
"""Tokens around each message."""
MEDIUM = 1_000
"""Tokens of an image, a file or a sound."""
_PIECES = re.compile(
    r"([^\W\d_\u0370-\U0010ffff]+)|([^\W\d_\u2e80-\U0010ffff]+|\d+)|([\u2e80-\U0010ffff]|[^\w\s]|_|\n+)"
)
_LATIN, _OTHER = 5, 3
"""Letters in a token, the blank before a word included; letters of other alphabets, or digits, in one."""


def estimated(call: Call, reason: str) -> TokenCount:
    """The estimate for a chat call, with why there is no other."""
    told = [call.args["response_format"]] if "response_format" in call.args else []
    total = MESSAGE - 1  # around the answer that is to come
    for message in call.messages:
        total += MESSAGE + _content(message.get("content"))
        told += message.get("tool_calls") or ()
    for each in (*told, *(call.args.get("tools") or ())):
        total += MESSAGE + _text(json.dumps(each, default=str))
    spec, context = call.spec, call.context
    facts: dict[str, Any] = {"model": spec.model_id, "provider": spec.provider, "gateway": spec.gateway}
    facts |= {"created_at": context.created_at, "elapsed": context.clock() - context.started, "report": context.report}
    return TokenCount(total, "estimate", reason, **facts)


def estimated_tokens(call: Call) -> int:
    """About how many tokens the prompt of a chat has; a tool or schema counts as its JSON."""
    return estimated(call, "").tokens


def estimated_text(text: str) -> int:
    """About how many tokens a text has."""
    return _text(text)


def _content(content: Any) -> int:
    if isinstance(content, str):
        return _text(content)
    return sum(_text(part["text"]) if isinstance(part.get("text"), str) else MEDIUM for part in content or ())


def _text(text: str) -> int:
    counted = ((len(word), len(other)) for word, other, _ in _PIECES.findall(text))
    return sum(-(-latin // _LATIN) or -(-other // _OTHER) or 1 for latin, other in counted)
