"""What answers tell beside text, read without trust: what is malformed is passed over, as the answer itself is there.

Small readers that the wires share, and the likelihoods of tokens in the shape that several of them have.
"""

from __future__ import annotations

from typing import Any

from heavenbase.details import TokenLogprob
from heavenbase.http.payload import number_or_none, text_or_none, whole_or_none


def objects(value: Any) -> list[dict[str, Any]]:
    """The objects in a list; none of what is no list."""
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def object_or_empty(value: Any) -> dict[str, Any]:
    """The object; an empty one for anything else."""
    return value if isinstance(value, dict) else {}


def first_text(said: dict[str, Any], *names: str) -> str | None:
    """The first of these fields that is a text with something in it."""
    return next((found for name in names if (found := text_or_none(said.get(name)))), None)


def whole_number(said: dict[str, Any], name: str, missing: int | None = None) -> int | None:
    """The field as a whole number."""
    value = whole_or_none(said.get(name))
    return missing if value is None else value


def any_number(said: dict[str, Any], name: str) -> float | None:
    """The field as a number."""
    return number_or_none(said.get(name))


def token_logprobs(items: Any) -> list[TokenLogprob]:
    """The tokens of a list: `{token, logprob, bytes, top_logprobs}`."""
    found = []
    for item in objects(items):
        read = item.get("bytes")
        token = TokenLogprob(str(item.get("token", "")), any_number(item, "logprob"))
        token.top = token_logprobs(item.get("top_logprobs"))
        token.bytes = [byte for byte in read if whole_or_none(byte) is not None] if isinstance(read, list) else None
        token.id = whole_number(item, "id" if "id" in item else "token_id")
        found.append(token)
    return found
