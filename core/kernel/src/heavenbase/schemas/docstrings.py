"""What a docstring says of a function and of its parameters, in the styles of Google, NumPy and Sphinx."""

from __future__ import annotations

import re
from inspect import cleandoc

_SECTION = re.compile(
    r"^[ \t]*(?:(?:Args|Arguments|Parameters|Params|Keyword Args|Keyword Arguments|Other Parameters|Returns|Raises)"
    r"[ \t]*:?[ \t]*$|[:@](?:param|parameter|arg|argument|key|returns?)\b)",
    re.MULTILINE,
)


def read_docstring(text: str | None) -> tuple[str, dict[str, str]]:
    """(what the function does, description by parameter); the whole text where it has no section of parameters."""
    body = cleandoc(text) if text else ""
    if not _SECTION.search(body):
        return body, {}
    # Imported on use: most docstrings need no parser.
    from docstring_parser import ParseError, parse

    try:
        found = parse(body)
    except ParseError:
        return body, {}
    parameters = {
        item.arg_name.lstrip("*"): " ".join(item.description.split()) for item in found.params if item.description
    }
    about = (found.description or "").strip()
    if found.returns is not None and found.returns.description:
        about = f"{about}\n\nReturns: {' '.join(found.returns.description.split())}".strip()
    return about, parameters
