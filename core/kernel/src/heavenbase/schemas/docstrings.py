"""What a docstring says of a function and of each parameter, in the forms of Google, NumPy, Sphinx and Epytext."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from docstring_parser import Docstring

_PARAMETERS = (
    *("Args", "Arguments", "Params", "Parameters", "Kwargs", "Keyword Args", "Keyword Arguments", "Keyword Parameters"),
    *("Other Args", "Other Arguments", "Other Params", "Other Parameters"),
)
_RESULTS = ("Returns", "Yields")
_OTHERS = (
    *(*_RESULTS, "Raises", "Attributes", "Example", "Examples", "Note", "Notes", "Warning", "Warnings"),
    *("See Also", "References", "Todo"),
)
_TITLES = {title.lower(): title for title in (*_PARAMETERS, *_OTHERS)}
_HEADING = re.compile(rf"({'|'.join(_TITLES)})[ \t]*:[ \t]*", re.IGNORECASE)
_ENTRY = re.compile(r"[*`]*\w+[*`]*[ \t]*(?:\(.*\))?[ \t]*:")
_SECTION = re.compile(
    rf"^[ \t]*(?:(?:{'|'.join(_TITLES)})[ \t]*:?[ \t]*$"
    r"|[:@](?:kw)?(?:param(?:eter)?|arg(?:ument)?|key(?:word)?|returns?)\b)",
    re.MULTILINE | re.IGNORECASE,
)
_KEYWORD_FIELD = re.compile(r"^([ \t]*[:@])kw(?:arg(?:ument)?|param(?:eter)?)\b", re.MULTILINE)
_INDENT = "    "


def read_docstring(text: str | None) -> tuple[str, dict[str, str]]:
    """(what the function does, description by parameter); the whole text where it has no section of parameters."""
    body = inspect.cleandoc(text) if text else ""
    if not _SECTION.search(body):
        return body, {}
    # Imported on use: most docstrings need no parser.
    from docstring_parser import ParseError

    found: Docstring | None = None
    # The parsers dedent once more, and leave the first line out of that as well.
    tidied = "\n" + _KEYWORD_FIELD.sub(r"\1keyword", _indented(body))
    for parse in _parsers():
        try:
            read = parse(tidied)
        except ParseError:
            continue
        if found is None or (len(read.params), len(read.meta)) > (len(found.params), len(found.meta)):
            found = read
    if found is None or not (found.params or found.returns):
        return body, {}
    parameters = {
        name.strip(" *`-"): " ".join(item.description.split())
        for item in found.params
        if item.description
        for name in item.arg_name.split(",")
    }
    about = (found.description or "").strip()
    if found.returns is not None and found.returns.description:
        about = f"{about}\n\nReturns: {' '.join(found.returns.description.split())}".strip()
    return about, parameters


def _parsers() -> tuple[Callable[[str], Docstring], ...]:
    """The readers of each form; Google's and NumPy's know every title of a section of parameters."""
    from docstring_parser import epydoc, rest
    from docstring_parser.google import GoogleParser, Section, SectionType
    from docstring_parser.numpydoc import DEFAULT_SECTIONS, NumpydocParser, ParamSection

    sections = [Section(title, "param", SectionType.MULTIPLE) for title in _PARAMETERS]
    singular, either = SectionType.SINGULAR, SectionType.SINGULAR_OR_MULTIPLE
    sections += [Section(title, title.lower(), either if title in _RESULTS else singular) for title in _OTHERS]
    titles = {section.title for section in DEFAULT_SECTIONS}
    further = [ParamSection(title, "param") for title in _PARAMETERS if title not in titles]
    every: Any = [*DEFAULT_SECTIONS, *further]
    numpy = NumpydocParser(every)
    return rest.parse, GoogleParser(sections).parse, numpy.parse, epydoc.parse


def _indented(body: str) -> str:
    """The text with Google's titles in their usual letters, and what stands below each of them indented.

    Below a title in the first line the indentation is gone: docstrings are dedented without their first line.
    """
    lines = []
    flat = is_first = after_title = False
    blank = True
    for number, line in enumerate(body.splitlines()):
        heading = _HEADING.fullmatch(line)
        if heading is not None:
            flat, is_first, after_title = False, number == 0, True
            line = f"{_TITLES[heading[1].lower()]}:"
        elif not line.strip():
            flat = flat and is_first
        elif after_title:
            flat, after_title = not line[0].isspace(), False
        elif flat and blank and not line[0].isspace():
            flat = _ENTRY.match(line) is not None
        blank = not line.strip()
        lines.append(f"{_INDENT}{line}" if flat and not blank and heading is None else line)
    return "\n".join(lines)
