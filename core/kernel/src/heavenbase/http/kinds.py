"""What an error answer is: by its status first, then by the codes in it, by its words where nothing else says. Pure.

Words of one provider alone are data of its manifest: `[provider.errors]`, from code to kind.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

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
_CODES: Mapping[str, type[StatusError]] = {
    code: kind
    for kind, codes in (
        (
            ContentFiltered,
            "content_filter content_filtered content_policy_violation responsibleaipolicyviolation moderation_blocked "
            "content_blocked data_inspection_failed datainspectionfailed",
        ),
        (
            ContextOverflow,
            "context_length_exceeded context_window_exceeded model_context_window_exceeded exceed_context_size_error "
            "context_length_exceeded_error",
        ),
        (
            QuotaExhausted,
            "insufficient_quota quota_exceeded billing_hard_limit_reached billing_not_active billing_error "
            "insufficient_balance insufficient_credits insufficient_funds exceeded_current_quota_error arrearage "
            "payment_required credit_balance_too_low",
        ),
        (
            ModelNotFound,
            "model_not_found model_not_found_error deploymentnotfound model_not_exist modelnotfound invalid_model "
            "model_decommissioned model_not_available",
        ),
        (
            AuthError,
            "invalid_api_key incorrect_api_key authentication_error invalid_authentication_error api_key_invalid "
            "api_key_expired unauthorized invalidapikey",
        ),
        (
            RateLimitError,
            "rate_limit_exceeded rate_limit_error rate_limit_reached_error too_many_requests tokens requests "
            "rate_limited ratelimitreached rate_limit",
        ),
        (Overloaded, "overloaded_error overloaded engine_overloaded engine_overloaded_error server_overloaded"),
        (
            RequestRejected,
            "invalid_value invalid_type unsupported_value unsupported_parameter unknown_parameter "
            "missing_required_parameter invalid_function_parameters string_above_max_length array_above_max_length "
            "integer_above_max_value integer_below_min_value invalid_json invalid_image tool_use_failed "
            "json_validate_failed",
        ),
    )
    for code in codes.split()
}
_STATUSES: Mapping[type[StatusError], int] = {
    **dict.fromkeys((ContentFiltered, ContextOverflow, RequestRejected), 400),
    **dict.fromkeys((QuotaExhausted, RateLimitError), 429),
    AuthError: 401,
    ModelNotFound: 404,
    Overloaded: 529,
}
_OF_LIMITS = (QuotaExhausted, Overloaded, RateLimitError)
_FAILED = range(500, 600)


def _pattern(*words: str) -> re.Pattern[str]:
    return re.compile("|".join(words), re.IGNORECASE | re.DOTALL)


_FILTER = _pattern(
    r"content[_ ](?:filter|policy)|content management policy|responsible ?ai ?policy|flagged (?:as|by|for)",
    r"safety system|data may contain inappropriate content",
)
_OVERFLOW = _pattern(
    r"maximum context|context[_ ](?:length|window)[_ ]exceeded|max(?:imum)? (?:prompt|model) length|prompt is too long",
    r"(?:input|prompt|request|tokens?)\b.{0,60}(?:too long|too large|exceed\w*|longer than|greater than|over)"
    r"\b.{0,60}(?:context|token limit|maximum number of tokens|max(?:imum)? (?:length|input)|model length)",
    r"(?:exceed\w*|longer than|greater than|overflows?|over) (?:the |this |your |available |model.s |maximum )*context",
    r"context (?:size|length|window|limit).{0,20} (?:exceeds|exceeded|reached)|reached context (?:length|limit)",
    r"too many (?:input |prompt )?tokens\b(?! per)|(?:input|prompt) is too long|input (?:token )?length is too long",
    r"reduce the length of (?:the |your )?(?:messages|input|prompt)|exceeded? model token limit",
    r"tokens.{0,30}\+.{0,30} must be <= \d|must have less than \d+ tokens|prompt exceeds max length",
    r"token count of \d+ exceeds the limit|range of input length should be",
    r"tokens when context the overflows|context the model is loaded with",
)
_QUOTA = _pattern(
    r"exceeded your current quota|insufficient[_ ](?:quota|balance|credit|fund)|credit balance|out of credits",
    r"(?:no|not enough|run out of|requires more) (?:\w+ )?credits|payment required|plan and billing|arrearage",
    r"billing (?:hard )?limit|billing is not|(?:api|specified) usage limits|spend(?:ing)? limit|please top up",
    r"quota (?:has been |is )?(?:exceeded|exhausted)|(?:tokens|requests|limit) per day|please recharge",
    r"(?:daily|monthly) (?:limit|quota)",
)
_RATE = _pattern(
    r"per (?:second|minute|hour)\b|\b[rtq]p[ms]\b|rate[ _-]?limit|too many requests|(?:try again|retry)(?: after| in) ",
)
_MODEL = _pattern(
    r"\b(?:model|deployment|inference profile)\b.{0,120}(?:does not exist|not exist|not found|is not available|unknown|"
    r"decommissioned|is not supported by any provider|identifier is invalid)",
    r"(?:no such|unknown|invalid|not found the|unable to access|resolve the foundation) model|not a valid model",
    r"no endpoints found for|no models? loaded|^model: \S+$|\bmodels/\S+ is not found",
)
_KEY = _pattern(
    r"(?:incorrect|invalid|expired|wrong|missing|no) (?:api|access|authentication)[ _-]?(?:key|token)",
    r"api[ _-]?key\b.{0,40}(?:not valid|invalid|incorrect|expired|not found|revoked|missing)",
    r"(?:security|session|access) token\b.{0,40}(?:is invalid|is expired|has expired)",
)
# Names and texts of the caller's, which providers repeat, say nothing about what is wrong.
_QUOTED = re.compile(r"`[^`\n]{1,200}`|\"[^\"\n]{1,200}\"|(?<!\w)'[^'\n]{1,200}'(?!\w)")
_PATH = re.compile(r"(?:https?:/|(?<![\w/]))/[\w./:{}-]{1,300}")


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
    if named is not None:
        return named
    told = {_CODES[code] for code in codes if code in _CODES}
    said = _PATH.sub(" ", message[:READ])
    bare = _QUOTED.sub(" ", said)
    # The names of parameters, in backticks, belong to what is said of lengths.
    said = _QUOTED.sub(lambda quoted: quoted[0] if quoted[0][0] == "`" else " ", said)
    if status == 429:
        return _limit(told, bare)
    if status in (401, 407):
        return AuthError
    if status == 402:
        return QuotaExhausted
    if status in (408, 409, 425):
        return StatusError
    if status in _FAILED:
        return _failure(status, told, said, bare)
    for kind in (QuotaExhausted, ContentFiltered, ContextOverflow, ModelNotFound, AuthError, RateLimitError):
        if kind in told and (status in (400, 403) or kind not in (AuthError, RateLimitError)):
            return kind
    if RequestRejected in told:
        return RequestRejected
    if _FILTER.search(bare):
        return ContentFiltered
    if status in (400, 413, 422) and _OVERFLOW.search(said):
        return ContextOverflow
    if status in (400, 403) and _QUOTA.search(bare):
        return QuotaExhausted
    if status == 403 or (status == 400 and _KEY.search(bare)):
        return AuthError
    is_named = status == 404 and len(model) > 2 and model in _PATH.sub(" ", message[:READ])
    if status in (400, 404, 410, 422) and (is_named or _MODEL.search(bare)):
        return ModelNotFound
    return RequestRejected


def _limit(told: set[type[StatusError]], bare: str) -> type[StatusError]:
    found = next((kind for kind in _OF_LIMITS if kind in told), None)
    if found is not None:
        return found
    return QuotaExhausted if _QUOTA.search(bare) and not _RATE.search(bare) else RateLimitError


def _failure(status: int, told: set[type[StatusError]], said: str, bare: str) -> type[StatusError]:
    """What a failure of the server's is: some servers answer so when it is the request, or the account."""
    found = next((kind for kind in KINDS.values() if kind in told and kind is not RequestRejected), None)
    if found is not None:
        return found
    if status == 500:
        for kind, words, text in (
            (QuotaExhausted, _QUOTA, bare),
            (ContextOverflow, _OVERFLOW, said),
            (AuthError, _KEY, bare),
        ):
            if words.search(text):
                return kind
    return Overloaded if status in (503, 529) or (status == 500 and "overloaded" in bare.lower()) else ServerError


def status_of(code: str) -> int | None:
    """The status that a code of many providers', in lower case, comes with; None for one that is not known."""
    kind = _CODES.get(code)
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
