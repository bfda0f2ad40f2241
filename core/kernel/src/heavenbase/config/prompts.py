"""What may be said of a template of a prompt, in the settings and in a file of its own."""

from __future__ import annotations

from heavenbase.config.nodes import ANY, Field, Table, table, text

_PARAMETER = table(
    "a parameter",
    type=text("its type: str (the default), int, float, bool, list (of texts), image"),
    default=ANY._replace(description="its value where none is given; without one it must be given"),
    description=text("one line for people"),
    choices=Field("list", description="the values that are allowed"),
)
PROMPT = table(
    "a template of a prompt; `{{ name }}` is the place of a value",
    system=text("text of the system message"),
    user=text("text of the user's message"),
    messages=Field("list[table]", description="several messages, each with role and content, in place of user"),
    parameters=Table(
        description="placeholders; one that is not named here is text that must be given", rows=_PARAMETER
    ),
    description=text("one line for people"),
)
