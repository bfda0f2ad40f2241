"""Write docs/reference from the code: `python docs/generate.py`; a test fails when the pages are behind the code."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from pathlib import Path

import heavenbase as hb
from heavenbase import errors, hookspecs
from heavenbase.config import schema as config_schema

FOLDER = Path(__file__).parent / "reference"
NOTE = "<!-- Generated from the code by docs/generate.py. -->\n\n"


def configuration() -> str:
    """Every configuration key with type, default and meaning."""
    rows = []
    for path, field in sorted(config_schema.known_keys(), key=lambda row: row[0]):
        default = "" if field.default is config_schema.UNSET else f"`{field.default!r}`"
        rows.append(f"| `{'.'.join(path)}` | {' or '.join(field.types)} | {default} | {field.description} |")
    head = "# Configuration keys\n\n| key | type | default | meaning |\n|---|---|---|---|\n"
    return NOTE + head + "\n".join(rows) + "\n"


def error_tree() -> str:
    """The tree, and each class with its kind and meaning."""
    tree = (errors.__doc__ or "").strip()
    lines = [f"| `{cls.__name__}` | {cls.kind} | {_yes(cls.retryable)} | {_first(cls)} |" for cls in _classes()]
    table = "| class | kind | retryable | meaning |\n|---|---|---|---|\n" + "\n".join(lines)
    return f"{NOTE}# Errors\n\n```text\n{tree}\n```\n\n{table}\n"


def hooks() -> str:
    """The hook specifications."""
    source = inspect.getsource(hookspecs)
    return f"{NOTE}# Hooks\n\n```text\n{source.strip()}\n```\n"


def api() -> str:
    """The public names of `heavenbase` with their signatures."""
    parts = [f"{NOTE}# heavenbase\n"]
    for name in hb.__all__:
        found = getattr(hb, name)
        if not inspect.isclass(found):
            continue
        parts.append(f"## {name}\n\n{inspect.cleandoc(found.__doc__ or '')}\n")
        for method, function in _methods(found):
            parts.append(f"- `{method}{_signature(function)}`: {_first(function)}")
        parts.append("")
    return "\n".join(parts).rstrip() + "\n"


def _methods(cls: type) -> Iterator[tuple[str, object]]:
    for name, value in vars(cls).items():
        function = value.__func__ if isinstance(value, classmethod | staticmethod) else value
        if not name.startswith("_") and inspect.isfunction(function):
            yield name, function


def _signature(function: object) -> str:
    text = str(inspect.signature(function)).replace("'", "")  # type: ignore[arg-type]
    text = re.sub(r"<object object at 0x[0-9a-f]+>", "...", text)
    return text.replace("(self, ", "(").replace("(self)", "()").replace("(cls, ", "(")


def _classes() -> list[type[errors.HBError]]:
    found = [value for value in vars(errors).values() if inspect.isclass(value) and issubclass(value, errors.HBError)]
    return list(dict.fromkeys(found))


def _first(thing: object) -> str:
    return (inspect.getdoc(thing) or "").split("\n\n")[0].replace("\n", " ").replace("|", "\\|")


def _yes(value: bool) -> str:
    return "yes" if value else ""


PAGES = {"configuration.md": configuration, "errors.md": error_tree, "hooks.md": hooks, "heavenbase.md": api}


def main() -> None:
    """Write every page."""
    FOLDER.mkdir(exist_ok=True)
    for name, page in PAGES.items():
        (FOLDER / name).write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()
