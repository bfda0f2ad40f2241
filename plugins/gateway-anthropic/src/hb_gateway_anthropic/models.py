"""What each generation of Claude takes, told from the name of the model. Pure.

    generation    thinks       switched off by                     samples   steps of effort          schemas
    before 3.7    -            -                                   freely    -                        -
    3.7, 4.0      by budget    saying nothing                      freely    -                        -
    4.1, 4.5      by budget    saying nothing                      by one    Opus 4.5: low to high    yes
    4.6           either way   saying nothing                      by one    low to high, max         yes
    4.7, 4.8      by itself    saying nothing                      -         low to max               yes
    5             by itself    disabled; Fable, Mythos: never      -         low to max               yes
    5.1 to 5.5    by itself    Haiku: disabled, Sonnet:            -         low to max               yes
                               between_tools, others: never

The most tokens of an answer: 3 and before 4,096; 3.5 8,192; Opus 4 and 4.1 32,000; 3.7 to 4.5 else 64,000; later ones
128,000, but Haiku and what is not known yet 64,000. A model or provider says otherwise with `max_output_tokens`.

Thoughts by budget rule out a forced tool call; of 5.1 to 5.5 only Haiku can be forced at all.
Later generations are taken to be like the last, but for what the provider alone should refuse. Other models on this
wire think by budget and sample freely. A provider or model says otherwise with `thinking_control` ("budget",
"adaptive" or "none" for this gateway) and with its capabilities `reasoning_efforts` and `structured`.

Opus 4.8 and all from 5 on but Sonnet 5 take system messages between the others; the capability `late_system` of a model
says otherwise, and that of a provider that it has none.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Literal

from heavenbase.wires import takes_late_system

if TYPE_CHECKING:
    from heavenbase.spec import LLMSpec

    Thinking = Literal["none", "budget", "either", "adaptive"]
    Off = Literal["omit", "disabled", "between_tools", "never"]
    Sampling = Literal["free", "one", "none"]

LOW_TO_HIGH = ("low", "medium", "high")
ALL_EFFORTS = (*LOW_TO_HIGH, "xhigh", "max")

# claude-opus-4-5-20251101, claude-3-7-sonnet-latest, anthropic/claude-opus-4.8: a date is no minor version.
_CLAUDE = re.compile(
    r"claude-(?:(?P<before>[a-z]+)-)?(?P<major>\d{1,2})(?:[-.](?P<minor>\d{1,2}))?(?!\d)(?:-(?P<after>[a-z]+))?"
)
_NEWEST = (5, 5)
_MOST = (((3, 5), 4_096), ((3, 7), 8_192), ((4, 6), 64_000), ((99, 99), 128_000))
"""The most tokens of an answer, by the first version that has another number."""
_SAFE_MOST = 64_000


@dataclass(frozen=True, slots=True)
class Traits:
    """How a model differs from others on the same wire.

    `thinking` is how it is told to think, `off` how it is told not to; `sampling` whether it takes temperature, top_p
    and top_k ("one": temperature or top_p, not both); `efforts` its steps of output_config.effort; `forces_tools`
    whether tool_choice may demand a call; `has_schemas` whether it keeps to a JSON schema (None: not known);
    `takes_late_system` whether system messages may stand among the others; `hides_thoughts` whether their text comes
    only when asked for; `binds_thoughts` whether they are of use to the model alone that wrote them;
    `most_tokens` how many tokens an answer may have, thoughts included (None: not known).
    """

    thinking: Thinking = "budget"
    off: Off = "omit"
    sampling: Sampling = "free"
    efforts: tuple[str, ...] = ()
    forces_tools: bool = True
    has_schemas: bool | None = True
    takes_late_system: bool = False
    hides_thoughts: bool = False
    binds_thoughts: bool = False
    most_tokens: int | None = None


COMPATIBLE = Traits(off="disabled", has_schemas=None)
"""Models of other vendors on this wire."""
_BEFORE_THINKING = Traits("none", has_schemas=False)
_BY_BUDGET = Traits()
_EITHER = Traits("either", sampling="one", efforts=(*LOW_TO_HIGH, "max"))
_ADAPTIVE = Traits("adaptive", sampling="none", efforts=ALL_EFFORTS, hides_thoughts=True)
_ALWAYS = replace(_ADAPTIVE, off="never", takes_late_system=True)


def traits_of(spec: LLMSpec) -> Traits:
    """The traits of a spec's model, with what its provider and model records say over them."""
    found = traits_of_name(spec.model_id)
    control = _control(spec)
    if control == "none":
        found = replace(found, thinking="none", off="omit")
    elif control == "budget":
        found = replace(found, thinking="budget", off="omit" if found.off == "never" else found.off)
    elif control == "adaptive" and found.thinking not in ("adaptive", "either"):
        found = replace(found, thinking="adaptive")
    efforts = spec.capability("reasoning_efforts")
    if efforts is False:
        found = replace(found, efforts=())
    elif isinstance(efforts, list) and efforts:
        found = replace(found, efforts=tuple(efforts))
    most = spec.capability("max_output_tokens")
    if isinstance(most, int) and not isinstance(most, bool):
        found = replace(found, most_tokens=most)
    if (late := takes_late_system(spec, found.takes_late_system, here=True)) != found.takes_late_system:
        found = replace(found, takes_late_system=late)
    if found.has_schemas is None:
        found = replace(found, has_schemas=spec.capability("structured") == "json_schema")
    return found


@lru_cache(maxsize=256)
def traits_of_name(model_id: str) -> Traits:
    """The traits that a name alone tells; vendors' heads and suffixes do not matter."""
    name = model_id.lower()
    if "claude" not in name:
        return COMPATIBLE
    return replace(_of_name(name), most_tokens=most_tokens_of(name) or _SAFE_MOST)


def _of_name(name: str) -> Traits:
    if "claude-mythos-preview" in name:
        return replace(_ALWAYS, forces_tools=False, takes_late_system=False)
    if (generation := _generation(name)) is not None:
        return _of_generation(*generation)
    return _BEFORE_THINKING if "claude-instant" in name else replace(_ALWAYS, takes_late_system=False)


def most_tokens_of(model_id: str) -> int | None:
    """The most tokens of an answer of a Claude, as Anthropic documents it; None for one of which nobody knows it.

    The table of hb-prices is made with it, so that budgets and routes go by the same number.
    """
    name = model_id.lower()
    if (generation := _generation(name)) is None:
        return _MOST[0][1] if "claude-instant" in name else None
    family, version = generation
    if version > _NEWEST:
        return None
    if family == "opus" and (4, 0) <= version < (4, 5):
        return 32_000
    most = next(most for before, most in _MOST if version < before)
    return min(most, _SAFE_MOST) if family == "haiku" else most


def _generation(name: str) -> tuple[str, tuple[int, int]] | None:
    match = _CLAUDE.search(name)
    if match is None:
        return None
    return match["before"] or match["after"] or "", (int(match["major"]), int(match["minor"] or 0))


def _of_generation(family: str, version: tuple[int, int]) -> Traits:
    if version < (3, 7):
        return _BEFORE_THINKING
    if version < (4, 1):
        return replace(_BY_BUDGET, has_schemas=False)
    if version < (4, 6):
        efforts = LOW_TO_HIGH if family == "opus" and version >= (4, 5) else ()
        return replace(_BY_BUDGET, sampling="one", efforts=efforts)
    if version < (4, 7):
        return _EITHER
    if version < (5, 0):
        return replace(_ADAPTIVE, takes_late_system=version >= (4, 8))
    if version < (5, 1):
        if family in ("fable", "mythos"):
            return _ALWAYS
        return replace(_ADAPTIVE, off="disabled", takes_late_system=family != "sonnet")
    newest = replace(_ALWAYS, binds_thoughts=True)
    if version > _NEWEST:
        return newest
    if family == "haiku":
        return replace(newest, off="disabled")
    return replace(newest, off="between_tools" if family == "sonnet" else "never", forces_tools=False)


def _control(spec: LLMSpec) -> str | None:
    return spec.thinking_control()
