"""What the schema of the configuration is made of: fields, tables, and the kinds of them that come back."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from functools import partial
from typing import Any, NamedTuple

from heavenbase.options import FREE, TABLE, UNSET, Option


class Field(NamedTuple):
    """One value. `secret`: never shown. `free`: a project that nobody has vouched for may set it too.

    `words` are its types, as in `float | null`; `table` is a table of any content, `any` whatever TOML can hold. Of a
    value that is a table or a list with tables, `inner` is the schema of the table and `items` that of those in a list.
    """

    words: str
    default: Any = UNSET
    description: str = ""
    choices: tuple[str, ...] = ()
    minimum: float | None = None
    secret: bool = False
    free: bool = False
    inner: Table | None = None
    items: Table | None = None

    @property
    def fields(self) -> Mapping[str, Field | Table]:
        """The known keys of the tables in its value."""
        tables = [table.fields for table in (self.items, self.inner) if table is not None]
        return {name: node for fields in tables for name, node in fields.items()}

    def child(self, name: str) -> Field | Table | None:
        """The schema of a key in its value."""
        if name in self.fields:
            return self.fields[name]
        is_open = self.inner is None and not {"any", "table"}.isdisjoint(self.types)
        return Field("any") if is_open else None

    @property
    def types(self) -> tuple[str, ...]:
        """The types that it may have."""
        return tuple(self.words.split(" | "))


class Table(NamedTuple):
    """A table: `fields` are its known keys, `rows` what any other key holds, `short` a value that may stand for it.

    `free` are the names of rows that a project may set which nobody has vouched for.
    """

    fields: Mapping[str, Field | Table] = {}
    description: str = ""
    rows: Field | Table | None = None
    short: Field | None = None
    secret: bool = False
    free: Collection[str] = ()


Node = Field | Table
ANY = Field("any")


class Found(NamedTuple):
    """The schema's word on one key: whether it is secret, as all in a secret table is, and whether it is free."""

    node: Node
    secret: bool
    free: bool


text = partial(Field, "str", UNSET)
optional = partial(Field, "str | null", UNSET)
texts = partial(Field, "list[str]", UNSET)
flag = partial(Field, "bool", UNSET)
clock = partial(Field, "float | null", minimum=0.001, free=True)
free_text = partial(Field, "str", UNSET, free=True)
free_optional = partial(Field, "str | null", UNSET, free=True)


def table(description: str, /, **fields: Node) -> Table:
    """A table of these fields."""
    return Table(fields, description)


def by_gateway(description: str) -> Table:
    """A text, or one for each gateway."""
    description += "; a table gives one per gateway, with a `default`"
    return Table({}, description, text("the value for this gateway"), Field("str | null"))


def headers_table(description: str = "extra HTTP headers") -> Table:
    """A table of HTTP headers."""
    return Table(description=description, rows=Field("str | null"), secret=True)


def open_table(description: str) -> Table:
    """A table that may hold anything, and so a credential."""
    # Open-ended, so it may hold an endpoint or a key that we cannot tell from a setting.
    return Table(description=description, rows=ANY, secret=True)


def _argument(option: Option, *, packaged: bool) -> Field | Table:
    if option.secret and option.types == "table":
        return headers_table(option.help) if option.name.endswith("headers") else open_table(option.help)
    words = " | ".join([*(word for word in option.types.split(" | ") if word not in ("secret", "object")), "null"])
    default = option.default if packaged else UNSET
    return Field(words, default, option.help, (), option.least, option.secret)


def arguments(*, packaged: bool = False) -> Table:
    """Request arguments: any name, but the values of those that hb itself reads are checked."""
    known = {
        option.name: _argument(option, packaged=packaged)
        for option in TABLE
        if option.default is not UNSET or option.kind not in ("argument", "extra") or option.secret
        if "callable" not in option.types and not option.name.startswith("mock")
    }
    return Table(known, "arguments sent with every request; later layers and the call win", rows=ANY, free=FREE)
