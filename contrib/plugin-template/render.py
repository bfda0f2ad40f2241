"""Copy the template of a provider plugin under another name: `python render.py NAME FOLDER`."""

from __future__ import annotations

import re
import sys
from pathlib import Path

TEMPLATE = Path(__file__).parent / "template"


def render(name: str, folder: Path) -> None:
    """Write the plugin of this name into a folder that is new or empty. ValueError for a name that cannot be."""
    if re.fullmatch(r"[a-z][a-z0-9]*", name) is None:
        raise ValueError(f"{name!r} is no name for a provider: lower-case letters and digits")
    if folder.exists() and any(folder.iterdir()):
        raise ValueError(f"{folder} is not empty")
    for source in sorted(TEMPLATE.rglob("*")):
        if source.is_dir() or "__pycache__" in source.parts:
            continue
        target = folder / str(source.relative_to(TEMPLATE)).replace("acme", name)
        target.parent.mkdir(parents=True, exist_ok=True)
        text = source.read_text(encoding="utf-8")
        text = text.replace("ACME", name.upper()).replace("Acme", name.title()).replace("acme", name)
        target.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    try:
        render(sys.argv[1], Path(sys.argv[2]))
    except ValueError as error:
        sys.exit(str(error))
