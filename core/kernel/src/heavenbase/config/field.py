"""What a schema of configuration keys is made of: fields, and tables of them.

Types are written as `float | null`; `table` is a table of any content, `any` whatever TOML can hold.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

UNSET: Any = object()


class Field:
    """One value. `secret`: never shown. `guarded`: a project file may set it only in a trusted directory."""

    __slots__ = ("choices", "default", "description", "guarded", "minimum", "secret", "types")

    def __init__(
        self,
        types: str,
        default: Any = UNSET,
        description: str = "",
        *,
        choices: tuple[str, ...] = (),
        minimum: float | None = None,
        secret: bool = False,
        guarded: bool = False,
    ) -> None:
        self.types = tuple(types.split(" | "))
        self.default = default
        self.description = description
        self.choices = choices
        self.minimum = minimum
        self.secret = secret
        self.guarded = guarded


class Table:
    """A table: `fields` are its known keys, `rows` what any other key holds, `short` a value that may stand for it."""

    __slots__ = ("description", "fields", "guarded", "rows", "secret", "short")

    def __init__(
        self,
        fields: Mapping[str, Field | Table] | None = None,
        description: str = "",
        *,
        rows: Field | Table | None = None,
        short: Field | None = None,
        secret: bool = False,
        guarded: bool = False,
    ) -> None:
        self.fields = dict(fields or {})
        self.description = description
        self.rows = rows
        self.short = short
        self.secret = secret
        self.guarded = guarded


Node = Field | Table
ANY = Field("any")
