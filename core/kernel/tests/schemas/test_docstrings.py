"""Docstrings of every form, and those that are none of them."""

from __future__ import annotations

import pytest

from heavenbase.schemas.docstrings import read_docstring

FORMS: dict[str, tuple[str, str, dict[str, str]]] = {
    "google": (
        "Say it.\n\nArgs:\n    a: one\n        more\n    b (int, optional): two: so",
        "Say it.",
        {"a": "one more", "b": "two: so"},
    ),
    "google in one piece": (
        "Say it.\nArgs:\n  a: one\n  b: two\nRaises:\n  when it is bad",
        "Say it.",
        {"a": "one", "b": "two"},
    ),
    "google with blanks": (
        "Say it.\n\nArgs:\n\n    a: one\n\n    b: two\n\nNote:\n    be good",
        "Say it.",
        {"a": "one", "b": "two"},
    ),
    "google not indented": (
        "Say it.\n\nArgs:\na: one\nb: two\n\nReturns:\n    int: all",
        "Say it.\n\nReturns: all",
        {"a": "one", "b": "two"},
    ),
    "google in small letters": ("Say it.\n\nargs:\n    a: one", "Say it.", {"a": "one"}),
    "google with marks": (
        "Say it.\n\nArgs:\n    `a`: one\n    - b: two\n    **kwargs: three",
        "Say it.",
        {"a": "one", "b": "two", "kwargs": "three"},
    ),
    "google two in one": ("Say it.\n\nArgs:\n    a, b: both", "Say it.", {"a": "both", "b": "both"}),
    "args first": (
        "Args:\n        a: one\n            more\n        b (bool): two\n    ",
        "",
        {"a": "one more", "b": "two"},
    ),
    "args first, then more": (
        "Args:\n        a: one\n\n        b: two\n    Returns:\n        all\n    ",
        "Returns: all",
        {"a": "one", "b": "two"},
    ),
    "args on the second line": ("\n    Args:\n        a: one\n    ", "", {"a": "one"}),
    "keyword args": (
        "Say it.\n\nKeyword Args:\n    a: one\n\nReturns:\n    all",
        "Say it.\n\nReturns: all",
        {"a": "one"},
    ),
    "keyword arguments": ("Say it.\n\nKeyword Arguments:\n    a (str): one", "Say it.", {"a": "one"}),
    "keyword args first": ("Keyword Args:\n    a: one", "", {"a": "one"}),
    "all sections": (
        "Say it.\n\nArgs:\n    a: one\nKeyword Args:\n    b: two\nOther Parameters:\n    c: three",
        "Say it.",
        {"a": "one", "b": "two", "c": "three"},
    ),
    "numpy": (
        "Say it.\n\nParameters\n----------\na : str\n    one\nb, c : int\n    two\n\nReturns\n-------\nstr\n    all",
        "Say it.\n\nReturns: all",
        {"a": "one", "b": "two", "c": "two"},
    ),
    "numpy first": ("Parameters\n    ----------\n    a : str\n        one\n    ", "", {"a": "one"}),
    "numpy with others": (
        "Say it.\n\nKeyword Args\n------------\na\n    one\n\nOther Parameters\n----------------\n**kw\n    two",
        "Say it.",
        {"a": "one", "kw": "two"},
    ),
    "sphinx": (
        "Say it.\n\n:param str a: one\n    more\n:type b: int\n:param b: two\n:raises ValueError: no\n:returns: all",
        "Say it.\n\nReturns: all",
        {"a": "one more", "b": "two"},
    ),
    "sphinx first": (":param a: one\n:keyword b: two\n:kwarg c: three", "", {"a": "one", "b": "two", "c": "three"}),
    "epytext": ("Say it.\n\n@param a: one\n@return: all", "Say it.\n\nReturns: all", {"a": "one"}),
    "no section": ("Handles args:\nmany of them.", "Handles args:\nmany of them.", {}),
    "no entry": ("Say it.\n\nArgs:\n    none", "Say it.\n\nArgs:\n    none", {}),
    "other sections": ("Say it.\n\nExample:\n    say(1)", "Say it.\n\nExample:\n    say(1)", {}),
    "nothing": ("", "", {}),
}


@pytest.mark.parametrize("form", FORMS)
def test_c7_docstrings_of_every_form_are_read_from_their_first_line_on(form: str) -> None:
    text, about, parameters = FORMS[form]
    assert read_docstring(text) == (about, parameters)
