"""What an error answer is: by its status first, then by the codes in it, by its words where nothing else says. Pure.

Words of one provider alone are data of its manifest: `[provider.errors]`, from code to kind.
"""

from __future__ import annotations

import re
import tomllib
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from heavenbase.errors import (
    AuthError,
    ContentFiltered,
    ContextOverflow,
    ModelNotFound,
    Overloaded,
    QuotaExhausted,
    RateLimitError,
    RequestRejected,
    ServerError,
    StatusError,
)
from heavenbase.spec import EMPTY

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    Words: TypeAlias = Mapping[str, re.Pattern[str]]

READ = 4_000
"""Characters of a message that are looked into."""
KINDS: Mapping[str, type[StatusError]] = {
    kind.kind: kind
    for kind in (
        *(AuthError, ContentFiltered, ContextOverflow, ModelNotFound, Overloaded),
        *(QuotaExhausted, RateLimitError, RequestRejected, ServerError),
    )
}
"""What a manifest may call a code of its provider's."""
_STATUSES: Mapping[type[StatusError], int] = {
    **dict.fromkeys((ContentFiltered, ContextOverflow, RequestRejected), 400),
    **dict.fromkeys((QuotaExhausted, RateLimitError), 429),
    AuthError: 401,
    ModelNotFound: 404,
    Overloaded: 529,
}
_OF_LIMITS = (QuotaExhausted, Overloaded, RateLimitError)
_FAILED = range(500, 600)


# Names and texts of the caller's, which providers repeat, say nothing about what is wrong.
_QUOTED = re.compile(r"`[^`\n]{1,200}`|\"[^\"\n]{1,200}\"|(?<!\w)'[^'\n]{1,200}'(?!\w)")
_PATH = re.compile(r"(?:https?:/|(?<![\w/]))/[\w./:{}-]{1,300}")


@lru_cache(maxsize=1)
def _words() -> tuple[Mapping[str, type[StatusError]], Mapping[str, re.Pattern[str]]]:
    """(kinds by code, patterns by name) of errors.toml, which is read at the first error."""
    data = tomllib.loads((Path(__file__).parent.parent / "data" / "errors.toml").read_text(encoding="utf-8"))
    codes = {code: KINDS[name] for name, found in data["codes"].items() for code in found}
    return codes, {name: re.compile("|".join(found), re.I | re.S) for name, found in data["words"].items()}


def classify(
    status: int, codes: Sequence[str], message: str, own: Mapping[str, str] = EMPTY, model: str = ""
) -> type[StatusError]:
    """The class of an error answer.

    Args:
        status: The status, or what the error in an answer stands for.
        codes: All that the answer has for a code, in lower case.
        message: What it says in words.
        own: The kinds of the provider's own codes.
        model: The model's id at the provider, which a 404 about the model names.
    """
    named = next((KINDS[own[code]] for code in codes if own.get(code) in KINDS), None) if own else None
    if named is not None and named is not RequestRejected:
        return named
    known, words = _words()
    told = {known[code] for code in codes if code in known}
    said = _PATH.sub(" ", message[:READ])
    bare = _QUOTED.sub(" ", said)
    # The names of parameters, in backticks, belong to what is said of lengths.
    said = _QUOTED.sub(lambda quoted: quoted[0] if quoted[0][0] == "`" else " ", said)
    if named is not None:  # a code for all that is wrong with a request: what is too long says so in words
        return ContextOverflow if words["context_overflow"].search(said) else named
    if status == 429:
        return _limit(told, bare, words)
    if status in (401, 407):
        return AuthError
    if status == 402:
        return QuotaExhausted
    if status in (408, 409, 425):
        return StatusError
    if status in _FAILED:
        return _failure(status, told, said, bare, words)
    for kind in (QuotaExhausted, ContentFiltered, ContextOverflow, ModelNotFound, AuthError, RateLimitError):
        if kind in told and (status in (400, 403) or kind not in (AuthError, RateLimitError)):
            return kind
    if RequestRejected in told:
        return RequestRejected
    if words["content_filtered"].search(bare):
        return ContentFiltered
    if status in (400, 413, 422) and words["context_overflow"].search(said):
        return ContextOverflow
    if status in (400, 403) and words["quota_exhausted"].search(bare):
        return QuotaExhausted
    if status == 403 or (status == 400 and words["auth"].search(bare)):
        return AuthError
    is_named = status == 404 and len(model) > 2 and model in _PATH.sub(" ", message[:READ])
    if status in (400, 404, 410, 422) and (is_named or words["model_not_found"].search(bare)):
        return ModelNotFound
    return RequestRejected


def _limit(told: set[type[StatusError]], bare: str, words: Words) -> type[StatusError]:
    found = next((kind for kind in _OF_LIMITS if kind in told), None)
    if found is not None:
        return found
    return (
        QuotaExhausted if words["quota_exhausted"].search(bare) and not words["rate"].search(bare) else RateLimitError
    )


def _failure(status: int, told: set[type[StatusError]], said: str, bare: str, words: Words) -> type[StatusError]:
    """What a failure of the server's is: some servers answer so when it is the request, or the account."""
    found = next((kind for kind in KINDS.values() if kind in told and kind is not RequestRejected), None)
    if found is not None:
        return found
    if status == 500:
        for kind, pattern, text in (
            (QuotaExhausted, words["quota_exhausted"], bare),
            (ContextOverflow, words["context_overflow"], said),
            (AuthError, words["auth"], bare),
            (RateLimitError, words["limited"], bare),
        ):
            if pattern.search(text):
                return kind
        if words["model_not_found"].search(bare) and "available" not in bare:
            return ModelNotFound
    return Overloaded if status in (503, 529) or (status == 500 and "overloaded" in bare.lower()) else ServerError


def status_of(code: str) -> int | None:
    """The status that a code of many providers', in lower case, comes with; None for one that is not known."""
    kind = _words()[0].get(code)
    return _STATUSES[kind] if kind is not None else None


def codes_of(decoded: Any) -> tuple[str, ...]:
    """All that a decoded body has for a code, in lower case: of the error first, then of what stands around it."""
    return tuple(dict.fromkeys(_codes(decoded, 4)))


def _codes(decoded: Any, depth: int) -> Iterator[str]:
    if isinstance(decoded, list) and decoded:
        decoded = decoded[0]
    if not isinstance(decoded, dict) or not depth:
        return
    error = decoded.get("error")
    inside = [item for name in ("error", "errors") if isinstance(item := decoded.get(name), dict | list)]
    for item in inside:
        yield from _codes(item, depth - 1)
    for name in ("code", "type", "status", "reason", "error_code", "errorCode", "error_type", "status_code"):
        value = decoded.get(name)
        if isinstance(value, str | int) and not isinstance(value, bool):
            yield str(value).strip().lower()[:100]
    if isinstance(error, str) and " " not in error:
        yield error.lower()[:100]
    for name in ("innererror", "metadata", "base_resp"):
        if isinstance(decoded.get(name), dict):
            yield from _codes(decoded[name], depth - 1)
    details = decoded.get("details")
    for item in details if isinstance(details, list) else ():
        if isinstance(item, dict):
            yield from _codes(item, depth - 1)
