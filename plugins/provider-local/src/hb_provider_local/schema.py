"""JSON Schemas as the engine can enforce them.

llama.cpp turns a schema into a grammar. A `pattern` that it does not know it drops, with a line on standard error that
no setting silences; a pattern that admits quotes or backslashes makes it write broken JSON. So only patterns that are
known to be safe reach it, in the spelling that it understands; what was left out is named, for the caller to be told.
"""

from __future__ import annotations

import re
from typing import Any

from heavenbase.errors import InputError

_CLASSES = {"\\d": "0-9", "\\w": "A-Za-z0-9_"}
_SAFE = "A-Za-z0-9 _,:;@#%&=<>~!'/"
_CLASS = re.compile(rf"\[(?:\\[dw]|\\-|\\\.|[A-Za-z0-9]-[A-Za-z0-9]|[{_SAFE}]|-(?=\])|[+*().])+\]")
_TOKEN = re.compile(
    rf"(?P<known>\\[dw])|(?P<escaped>\\[.\-+*?()|\[\]{{}}^])|(?P<group>\(\?:|\((?!\?)|\)|\|)"
    rf"|(?P<times>(?:[*+?]|\{{\d{{1,3}}(?:,\d{{0,3}})?\}})\??)|(?P<literal>[{_SAFE}-])|(?P<set>{_CLASS.pattern})"
)
_NESTED = ("properties", "$defs", "definitions", "patternProperties", "dependentSchemas")


def fit_schema(schema: Any, path: str = "#") -> tuple[Any, list[str]]:
    """The schema without the patterns that the engine cannot keep, and where those stood."""
    if isinstance(schema, list):
        fitted_items, lost_items = [], []
        for place, item in enumerate(schema):
            fitted, lost = fit_schema(item, f"{path}/{place}")
            fitted_items.append(fitted)
            lost_items += lost
        return fitted_items, lost_items
    if not isinstance(schema, dict):
        return schema, []
    found: dict[str, Any] = {}
    missing: list[str] = []
    for name, value in schema.items():
        here = f"{path}/{name}"
        if name == "pattern" and isinstance(value, str):
            pattern = fit_pattern(value)
            if pattern is None:
                missing.append(here)
            else:
                found[name] = pattern
        elif name in ("enum", "const", "default", "examples", "required"):
            found[name] = value
        elif name in _NESTED and isinstance(value, dict):
            # Here the keys are names of the user's, of which one may be "pattern".
            pairs = {key: fit_schema(item, f"{here}/{key}") for key, item in value.items()}
            found[name] = {key: fitted for key, (fitted, _) in pairs.items()}
            missing += [place for _, lost in pairs.values() for place in lost]
        else:
            found[name], lost = fit_schema(value, here)
            missing += lost
    return found, missing


def fit_pattern(pattern: str) -> str | None:
    """The pattern in the engine's spelling; None when it cannot be kept. It must be anchored at both ends."""
    if not (pattern.startswith("^") and pattern.endswith("$")):
        return None
    try:
        re.compile(pattern)
    except re.error:
        return None
    inner, place, depth = "", 1, 0
    while place < len(pattern) - 1:
        match = _TOKEN.match(pattern, place, len(pattern) - 1)
        if match is None:
            return None
        text = match.group()
        depth += {"(": 1, "(?:": 1, ")": -1}.get(text, 0)
        if text == "|" and depth == 0:
            # "^a|b$" means (^a)|(b$), which is not anchored.
            return None
        inner += _spell(match.lastgroup or "", text)
        place = match.end()
    return f"^{inner}$"


def _spell(kind: str, text: str) -> str:
    if kind == "known":
        return f"[{_CLASSES[text]}]"
    if kind == "set":
        for short, long in _CLASSES.items():
            text = text.replace(short, long)
        return text.replace("\\.", ".")
    if kind == "times":
        # Lazy or greedy, the same texts match as a whole.
        return text[:-1] if len(text) > 1 and text.endswith("?") else text
    return "(" if text == "(?:" else text


def fit_response_format(response_format: Any) -> tuple[Any, list[str]]:
    """`fit_schema` for the schema inside a response_format; InputError for a malformed one."""
    kind = response_format.get("type") if isinstance(response_format, dict) else None
    if kind not in ("text", "json_object", "json_schema"):
        raise InputError('response_format must be {"type": "text" | "json_object" | "json_schema", …}')
    if kind != "json_schema":
        return response_format, []
    described = response_format.get("json_schema")
    schema = described.get("schema") if isinstance(described, dict) else None
    if not isinstance(schema, dict):
        raise InputError('response_format of type json_schema needs {"json_schema": {"name": …, "schema": {…}}}')
    fitted, lost = fit_schema(schema)
    return {**response_format, "json_schema": {**described, "schema": fitted}}, lost
