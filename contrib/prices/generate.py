"""Writes the table that hb-prices ships from the data of genai-prices, which must be installed in this version.

    python contrib/prices/generate.py            # writes it
    python contrib/prices/generate.py --check    # exit code 1 where it would be another

Only figures and names come from there. How long the answers of Claude may be is asked of hb-gateway-anthropic, and what
parameters a model refuses of the manifest of its maker, so that each stands in one place. Importing genai-prices takes
a third of a second, so that nothing else does.
"""

from __future__ import annotations

import json
import sys
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from datetime import date, time
from fnmatch import fnmatchcase
from importlib import resources
from importlib.metadata import version
from pathlib import Path
from typing import Any

from hb_gateway_anthropic.models import most_tokens_of
from hb_prices.providers import KEPT
from hb_prices.published import table_of
from hb_prices.refused import PACKAGED as REFUSED
from hb_prices.table import Header

VERSION, DATE = "0.2.3", "2026-11-10"
"""The release that the table is made from, and the day of it."""
DATA = Path(__file__).parent / "src" / "hb_prices" / "data"
TABLE = DATA / "table.jsonl"
MAKERS = ("openai", "gemini", "grok")
"""Whose manifests tell what their models refuse elsewhere too. Others publish their weights, and each host has its own
rules; the gateways that ask Claude know how each generation samples, and which values are no loss."""
SAMPLING = frozenset(
    (
        *("temperature", "top_p", "top_k", "min_p", "presence_penalty", "frequency_penalty", "repetition_penalty"),
        *("logprobs", "top_logprobs", "logit_bias", "seed", "n", "stop", "parallel_tool_calls"),
    )
)
"""Parameters that are told of; steps of thinking and forms of images go by the wire too."""


def known_facts() -> Mapping[str, list[dict[str, Any]]]:
    """The facts that are kept by hand, by provider."""
    return tomllib.loads((DATA / "facts.toml").read_text(encoding="utf-8"))


def facts_of(known: Mapping[str, list[dict[str, Any]]], provider: str, model: str) -> dict[str, Any]:
    """What is known of a model beside its prices."""
    found: dict[str, Any] = {}
    for row in known.get(provider, ()):
        if any(fnmatchcase(model.lower(), pattern) for pattern in row["models"]):
            found |= {name: value for name, value in row.items() if name != "models"}
    if (most := most_tokens_of(model)) is not None:
        found.setdefault("max_output_tokens", most)
    return found


def refused() -> str:
    """The text of what models always refuse: of a maker's rules those that name models, without any condition."""
    found = []
    for maker in MAKERS:
        manifest = resources.files(f"hb_provider_{maker}").joinpath("provider.toml").read_text(encoding="utf-8")
        for rule in tomllib.loads(manifest)["provider"].get("parameters", ()):
            names = sorted(SAMPLING.intersection(rule.get("drop", ())))
            if names and "models" in rule and rule.keys().isdisjoint(("when", "unless", "gateways")):
                found.append({"models": rule["models"], "parameters": names})
    return json.dumps(found, indent=1) + "\n"


def plain(value: Any) -> Any:
    """A record of genai-prices as the JSON that it publishes."""
    if is_dataclass(value) and not isinstance(value, type):
        return {name: plain(held) for name, held in _fields(value) if held is not None}
    if type(value).__name__ == "ModelPrice":
        return {name: plain(held) for name, held in vars(value).items() if held is not None}
    if isinstance(value, list | tuple):
        return [plain(each) for each in value]
    if isinstance(value, dict):
        return {name: plain(held) for name, held in value.items()}
    return value.isoformat() if isinstance(value, date | time) else value


def _fields(record: Any) -> Iterator[tuple[str, Any]]:
    for field in fields(record):
        yield field.name.removesuffix("_"), getattr(record, field.name)


def published() -> list[dict[str, Any]]:
    """The data of the installed release, of the providers that a table keeps."""
    from genai_prices.data import providers

    return [
        {
            "id": provider.id,
            "fallback_model_providers": provider.fallback_model_providers,
            "models": plain(provider.models),
        }
        for provider in providers
        if provider.id in KEPT
    ]


def generate() -> str:
    """The text of the table."""
    installed = version("genai-prices")
    if installed != VERSION:
        raise SystemExit(
            f"genai-prices {installed} is installed, and the table is of {VERSION}: change VERSION and DATE"
        )
    known = known_facts()
    return table_of(published(), Header(f"genai-prices {VERSION}", DATE), lambda *names: facts_of(known, *names))


if __name__ == "__main__":
    made = {TABLE: generate(), REFUSED: refused()}
    if "--check" in sys.argv[1:]:
        sys.exit(any(path.read_text(encoding="utf-8") != text for path, text in made.items()))
    for path, text in made.items():
        path.write_text(text, encoding="utf-8")
