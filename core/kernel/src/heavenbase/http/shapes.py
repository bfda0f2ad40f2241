"""What readers of decoded answers share: shapes are checked, not trusted. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from heavenbase.errors import ResponseShapeError

if TYPE_CHECKING:
    from heavenbase.call import Call


def text_or_none(value: Any) -> str | None:
    """A string with something in it, else None."""
    return value if isinstance(value, str) and value else None


def shape_error(call: Call, what: str) -> ResponseShapeError:
    """The error for an answer of the wrong shape; `what` says in words what is wrong with it."""
    return ResponseShapeError(
        f"{call.target}: {what}", provider=call.spec.provider, model=call.spec.model_id, maybe_billed=True
    )


def kind_of(value: Any) -> str:
    """What a value of JSON is, in words."""
    if value is None:
        return "missing"
    if value == []:
        return "an empty list"
    names: dict[type, str] = {dict: "an object", list: "a list", str: "text"}
    return names.get(type(value), f"a {type(value).__name__}")
