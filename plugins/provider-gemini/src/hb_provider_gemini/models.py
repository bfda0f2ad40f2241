"""What each generation of Google's models takes, told from the name of the model. Pure.

    generation            thinks            switched off by         JSON schema         system    mixes tools and JSON
    Gemini 1.x, 2.0       -                 -                       responseSchema      yes       no
    Gemini 2.5 Flash      by budget         thinkingBudget 0        responseJsonSchema  yes       no
    Gemini 2.5 Pro        by budget         - (at least 128)        responseJsonSchema  yes       no
    Gemini 3 and later    by level          - (minimal; Pro: low)   responseJsonSchema  yes       yes
    Gemma                 -                 -                       -                   no        no

A name without a generation, such as gemini-flash-latest, is taken to be of the last one. A model's `reasoning_efforts`
and `structured` capabilities count more.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from heavenbase.spec import LLMSpec

    Schemas = Literal["json", "openapi", "none"]
    Purpose = Literal["content", "vectors", "images"]

LEVELS = ("minimal", "low", "medium", "high")
PRO_LEVELS = ("low", "medium", "high")

# gemini-2.5-flash-lite-preview-09-2025, models/gemini-3-pro-preview: what follows the generation is no number of it.
_GEMINI = re.compile(r"gemini-(?P<major>\d{1,2})(?:\.(?P<minor>\d{1,2}))?(?!\d)")


@dataclass(frozen=True, slots=True)
class Traits:
    """How a model differs from others on the same wire.

    `levels` are its steps of thinking where it has them, `budget` the (least, greatest) number of tokens to think in
    where that is how it is told; neither: it does not think. `can_stop` says whether it can be told not to think.
    `schemas` is how it is given a schema; `signs_calls` whether it wants the signature of a tool call back;
    `nests_parts` whether pictures and files may stand within the result of a tool.
    """

    levels: tuple[str, ...] = ()
    budget: tuple[int, int] | None = None
    can_stop: bool = False
    schemas: Schemas = "json"
    has_system: bool = True
    mixes_tools: bool = False
    signs_calls: bool = False
    nests_parts: bool = False

    @property
    def thinks(self) -> bool:
        """Whether it thinks, when it is told to."""
        return bool(self.levels or self.budget)


_GEMMA = Traits(schemas="none", has_system=False)
_OLD = Traits(schemas="openapi")
_FLASH_2_5 = Traits(budget=(0, 24_576), can_stop=True)
_LITE_2_5 = Traits(budget=(512, 24_576), can_stop=True)
_PRO_2_5 = Traits(budget=(128, 32_768))
_PLAIN_2_5 = Traits()
_FLASH = Traits(levels=LEVELS, mixes_tools=True, signs_calls=True, nests_parts=True)
_PRO = replace(_FLASH, levels=PRO_LEVELS)


def traits_of(spec: LLMSpec) -> Traits:
    """The traits of a spec's model, with what its model and provider records say over them."""
    found = traits_of_name(spec.model_id)
    efforts = spec.capability("reasoning_efforts")
    if efforts is False:
        found = replace(found, levels=(), budget=None)
    elif isinstance(efforts, list) and efforts:
        found = replace(found, levels=tuple(efforts), budget=None)
    if spec.model_record.get("capabilities", {}).get("structured") in ("json_object", "none"):
        found = replace(found, schemas="none")
    return found


@lru_cache(maxsize=256)
def traits_of_name(model_id: str) -> Traits:
    """The traits that a name alone tells."""
    name = model_id.lower()
    if "gemma" in name or "learnlm" in name:
        return _GEMMA
    match = _GEMINI.search(name)
    generation = (int(match["major"]), int(match["minor"] or 0)) if match is not None else (99, 0)
    if generation < (2, 5):
        return _OLD
    if generation < (3, 0):
        if "image" in name or "tts" in name:
            return _PLAIN_2_5
        if "lite" in name:
            return _LITE_2_5
        return _PRO_2_5 if "-pro" in name else _FLASH_2_5
    return _PRO if "-pro" in name else _FLASH


def purpose_of(model_id: str) -> Purpose:
    """What a model is for, where its name tells it: vectors or images alone, else content of any kind."""
    name = model_id.rpartition("/")[2].lower()
    if "embedding" in name:
        return "vectors"
    return "images" if name.startswith("imagen") else "content"
