"""Which parameters a model refuses, wherever it is asked, by its name: what its maker's manifest always leaves out.

A row of the table may stand for several models at one price, such as gpt-5 and gpt-5-chat: so the name itself counts.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path

PACKAGED = Path(__file__).parent / "data" / "refused.json"
_AROUND = re.compile(r"(?:[^:]*/)?(?:(?:global|us|eu|apac)\.)?(?:openai\.)?(?P<name>[^/:]*)(?::.*)?")
"""What others write around a maker's name: a path, a region and a maker before it, a kind of service behind it."""
_DASHED = re.compile(r"(?<=^gpt-\d)-(?=\d{1,2}(?!\d))")
"""Where a version has a dash in place of its dot: gpt-5-1 is no gpt-5."""


def refused_parameters(model_id: str) -> list[str]:
    """The names of the parameters that a model refuses, sorted; none for one that takes all, or is not known."""
    found = _AROUND.fullmatch(model_id.lower())
    name = _DASHED.sub(".", found["name"]) if found is not None else ""
    fitting = [names for patterns, names in _rules() if any(fnmatchcase(name, each) for each in patterns)]
    return sorted({each for names in fitting for each in names})


@cache
def _rules() -> tuple[tuple[Sequence[str], Sequence[str]], ...]:
    held = json.loads(PACKAGED.read_text(encoding="utf-8"))
    return tuple((rule["models"], rule["parameters"]) for rule in held)
