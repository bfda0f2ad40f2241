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


def as_object(call: Call, value: Any, what: str) -> dict[str, Any]:
    """The value, which is an object; ResponseShapeError when it is none."""
    if not isinstance(value, dict):
        raise shape_error(call, f"{what} is {kind_of(value)}, not an object")
    return value


def as_text(call: Call, value: Any, what: str) -> str:
    """The value, which is text, or "" for none; ResponseShapeError for anything else."""
    if value is None:
        return ""
    if not isinstance(value, str):
        raise shape_error(call, f"{what} is {kind_of(value)}, not text")
    return value


def as_list(call: Call, value: Any, what: str, kind: str = "a list") -> list[Any]:
    """The value, which is a list; ResponseShapeError when it is none."""
    if not isinstance(value, list):
        raise shape_error(call, f"{what} is {kind_of(value)}, not {kind}")
    return value


def kind_of(value: Any) -> str:
    """What a value of JSON is, in words."""
    if value is None:
        return "missing"
    if value == []:
        return "an empty list"
    names: dict[type, str] = {dict: "an object", list: "a list", str: "text"}
    return names.get(type(value), f"a {type(value).__name__}")
