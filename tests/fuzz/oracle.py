"""What an answer of hb must be, whatever the provider sent: an error of the tree, or records of the declared types."""

from __future__ import annotations

import dataclasses
import json
import math
import pickle
import types
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from heavenbase import errors
from heavenbase import types as records
from heavenbase.details import RateLimits
from heavenbase.errors import HBError, ProviderError, ToolArgsError
from heavenbase.image import LLMImage
from heavenbase.types import Completion

WRONG = "has a form that no reader knows"
"""What an error says for which no reader of a wire was prepared."""


def problem_of_error(error: BaseException) -> str:
    """What is wrong with an exception; "" for a good one."""
    if not isinstance(error, HBError):
        return f"{type(error).__name__} is no error of hb: {error}"
    if type(error) in (HBError, ProviderError) or not isinstance(error, ProviderError):
        return f"{type(error).__name__} is no error of an answer: {error}"
    if type(error) is not getattr(errors, type(error).__name__, None):
        return f"{type(error).__name__} stands in no tree"
    if WRONG in error.message:
        return f"no reader was prepared for this: {error}"
    checks = {"message": str, "code": str | None, "status": int | None, "body": str | None, "request_id": str | None}
    for name, wanted in checks.items():
        if not fits(getattr(error, name), wanted):
            return f"error.{name} is {getattr(error, name)!r}"
    if error.retry_after is not None and not (fits(error.retry_after, float) and 0 <= error.retry_after < math.inf):
        return f"error.retry_after is {error.retry_after!r}"
    if len(str(error)) > 2000:
        return f"a message of {len(str(error))} characters"
    try:
        str(error).encode(), repr(error).encode()
        copy = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own
    except Exception as failure:
        return f"the error cannot travel: {type(failure).__name__}: {failure}"
    if str(copy) != str(error):
        return "the error is another one once pickled"
    return problem(error.partial) if error.partial is not None else ""


def problem(answer: Any) -> str:
    """What is wrong with an answer; "" for a good one."""
    if isinstance(answer, Sequence) and not isinstance(answer, str):
        return next((found for item in answer if (found := problem(item))), "")
    for name, hint in hints(type(answer)).items():
        if not fits(getattr(answer, name), hint):
            return f"{type(answer).__name__}.{name} is {shortened(getattr(answer, name))}"
    if isinstance(answer, Completion):
        for call in answer.tool_calls:
            try:
                if not isinstance(call.parse(), dict):
                    return f"the arguments {call.arguments!r} are no object"
            except ToolArgsError:
                pass
    try:
        written = json.dumps(answer.to_dict(), ensure_ascii=False, allow_nan=False)
        written.encode()
        copy = pickle.loads(pickle.dumps(answer))  # noqa: S301 - our own
    except Exception as failure:
        return f"the answer cannot travel: {type(failure).__name__}: {failure}"
    if copy.to_dict() != answer.to_dict():
        return "the answer is another one once pickled"
    return ""


@cache
def hints(kind: Any) -> Mapping[str, Any]:
    """The declared types of a record's public fields."""
    found = get_type_hints(
        kind,
        localns={**vars(records), "LLMImage": LLMImage, "RateLimits": RateLimits, "HBError": HBError, "Kept": object},
    )
    return {field.name: found[field.name] for field in dataclasses.fields(kind) if field.name[0] != "_"}


def fits(value: Any, hint: Any) -> bool:
    """Whether a value is of the declared type, and so are its parts; text must be able to be written."""
    origin, arguments = get_origin(hint), get_args(hint)
    if hint is Any or isinstance(hint, TypeVar):
        return is_plain(value)
    if origin in (Union, types.UnionType):
        return any(fits(value, one) for one in arguments)
    if origin is Literal:
        return isinstance(value, str) and value in arguments
    if origin in (list, Sequence) or hint is list:
        return isinstance(value, Sequence) and not isinstance(value, str) and all(fits(i, arguments[0]) for i in value)
    if origin in (tuple, frozenset):
        return isinstance(value, origin) and all(fits(item, arguments[0]) for item in value)
    if origin is dict:
        return isinstance(value, dict) and all(
            fits(name, arguments[0]) and fits(held, arguments[1]) for name, held in value.items()
        )
    if hint is float:
        return isinstance(value, float | int) and not isinstance(value, bool) and abs(value) < math.inf
    if hint is int:
        return isinstance(value, int) and not isinstance(value, bool)
    if hint is str:
        return isinstance(value, str) and is_text(value)
    if hint is None or hint is type(None):
        return value is None
    if not isinstance(value, hint):
        return False
    return not dataclasses.is_dataclass(value) or all(
        fits(getattr(value, name), each) for name, each in hints(type(value)).items()
    )


def is_plain(value: Any) -> bool:
    """Whether a value is data that JSON can hold, or a record of hb."""
    if isinstance(value, dict):
        return all(isinstance(name, str) and is_text(name) and is_plain(held) for name, held in value.items())
    if isinstance(value, list | tuple):
        return all(map(is_plain, value))
    if isinstance(value, float):
        return math.isfinite(value)
    return is_text(value) if isinstance(value, str) else True


def is_text(value: str) -> bool:
    """Whether a text has no half of a character in it."""
    return value.isascii() or not any("\ud800" <= letter <= "\udfff" for letter in value)


def shortened(value: Any) -> str:
    """A value for a message."""
    text = repr(value)
    return text if len(text) < 300 else f"{text[:300]}…"
