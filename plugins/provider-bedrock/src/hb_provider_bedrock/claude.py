"""How the generations of Claude differ on Bedrock. Pure.

generation    thinks        told not to     temperature, top_p    effort
to 3.6        never         -               both                  -
3.7 to 4.1    by budget     saying nothing  both                  -
4.2 to 4.5    by budget     saying nothing  one of them           Opus 4.5: low to high
4.6           either way    saying nothing  one of them           low to high, max
4.7, 4.8      by itself     saying nothing  neither               low to max
from 5        by itself     disabled, or    neither               low to max
                            not at all

Later generations are taken to be like the last.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

LOW_TO_HIGH = ("low", "medium", "high")
ALL_EFFORTS = (*LOW_TO_HIGH, "xhigh", "max")
_NAME = re.compile(
    r"claude-(?:(?P<before>[a-z]+)-)?v?(?P<major>\d{1,2})(?:[-.](?P<minor>\d{1,2}))?(?!\d)(?:-(?P<after>[a-z]+))?"
)


@dataclass(frozen=True, slots=True)
class Claude:
    """One generation: `off` is how it is told not to think, `sampling` how many of temperature and top_p it takes."""

    version: tuple[int, int]
    thinking: Literal["none", "budget", "either", "adaptive"]
    off: Literal["omit", "disabled", "never"] = "omit"
    sampling: Literal["both", "one", "none"] = "both"
    efforts: tuple[str, ...] = ()
    forces_tools: bool = True


def claude_traits(name: str) -> Claude:
    """The generation that a name tells; the newest where it tells none."""
    match = _NAME.search(name)
    if match is None:
        if "instant" in name:
            return Claude((1, 2), "none")
        return Claude((5, 0), "adaptive", "never", "none", ALL_EFFORTS)
    family = match["before"] or match["after"] or ""
    version = int(match["major"]), int(match["minor"] or 0)
    if version < (3, 7):
        return Claude(version, "none")
    if version < (4, 2):
        return Claude(version, "budget")
    if version < (4, 6):
        efforts = LOW_TO_HIGH if family == "opus" and version >= (4, 5) else ()
        return Claude(version, "budget", sampling="one", efforts=efforts)
    if version < (4, 7):
        return Claude(version, "either", sampling="one", efforts=(*LOW_TO_HIGH, "max"))
    if version < (5, 0):
        return Claude(version, "adaptive", sampling="none", efforts=ALL_EFFORTS)
    if version < (5, 1):
        off: Literal["disabled", "never"] = "never" if family in ("fable", "mythos") else "disabled"
        return Claude(version, "adaptive", off, "none", ALL_EFFORTS)
    off = "disabled" if family in ("haiku", "sonnet") else "never"
    return Claude(version, "adaptive", off, "none", ALL_EFFORTS, forces_tools=family == "haiku")
