"""A count of tokens without an endpoint: from letters, for the tokenizers of today's models. Pure.

On prose and code it is mostly within a quarter of what providers count; in scripts without blanks a character is about
a token. Images and files count a flat number, and what a provider puts beside a prompt by itself is not in it.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from heavenbase.secrets import told

if TYPE_CHECKING:
    from heavenbase.call import Call
    from heavenbase.operations.results import TokenCount

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
    """The estimate for a chat call, with why there is no other; by the table of models where that has a vocabulary."""
    from heavenbase.operations.results import TokenCount  # who only wants a number does not wait for all results

    texts, flat = _parts(call)
    spec, context = call.spec, call.context
    counted = _counted(call, texts)
    tokens, most = flat + sum(map(_text, texts)), None
    if counted is not None:
        tokens, most = (flat + sum(side) for side in zip(*counted, strict=True))
        reason = f"{reason}; texts were counted by the table {call.services.table.name!r}"
    facts: dict[str, Any] = {"model": spec.model_id, "provider": spec.provider, "gateway": spec.gateway}
    facts |= {"created_at": context.created_at, "elapsed": context.clock() - context.started, "report": context.report}
    return TokenCount(tokens, "estimate", reason, most, **facts)


def estimated_tokens(call: Call) -> int:
    """About how many tokens the prompt of a chat has; a tool or schema counts as its JSON."""
    texts, flat = _parts(call)
    return flat + sum(map(_text, texts))


def _parts(call: Call) -> tuple[list[str], int]:
    """The texts of a chat, and the tokens of all that is around them."""
    forms = [call.args["response_format"]] if "response_format" in call.args else []
    texts: list[str] = []
    flat = MESSAGE - 1  # around the answer that is to come
    for message in call.messages:
        content = message.get("content")
        parts = [content] if isinstance(content, str) else [part.get("text") for part in content or ()]
        texts += [part for part in parts if isinstance(part, str)]
        flat += MESSAGE + MEDIUM * sum(not isinstance(part, str) for part in parts)
        forms += message.get("tool_calls") or ()
    forms += call.args.get("tools") or ()
    return texts + [json.dumps(each, default=str) for each in forms], flat + MESSAGE * len(forms)


def _counted(call: Call, texts: list[str]) -> list[tuple[int, int]] | None:
    """(tokens, the most) of each text by the table of models; None where it has no vocabulary."""
    table = call.services.table
    try:
        found = [table.count(text, call.spec.provider, call.spec.model_id) for text in texts] if table else []
    except Exception as error:  # who only tells keeps nobody from an estimate
        call.services.logger.error("table %s failed: %s", table.name, told(error))
        return None
    return found if found and None not in found else None


def estimated_text(text: str) -> int:
    """About how many tokens a text has."""
    return _text(text)


def _text(text: str) -> int:
    counted = ((len(word), len(other)) for word, other, _ in _PIECES.findall(text))
    return sum(-(-latin // _LATIN) or -(-other // _OTHER) or 1 for latin, other in counted)
