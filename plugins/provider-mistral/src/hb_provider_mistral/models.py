"""What Mistral's models take, told from their names. Pure.

    models                                              see    think
    codestral, mathstral, open-mi[sx]tral, tiny, nemo   -      -
    ministral, pixtral, devstral, mistral-large, dated  yes    -
    magistral                                           yes    always
    mistral-small, mistral-medium, and the unknown      yes    by reasoning_effort

A model's `vision` and `reasoning_efforts` capabilities count more.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from heavenbase.spec import LLMSpec

    Thinks = Literal["never", "always", "by_effort"]


@dataclass(frozen=True, slots=True)
class Traits:
    """How a model differs from others on the same wire: whether it sees, and what makes it think."""

    sees: bool = True
    thinks: Thinks = "by_effort"


_BLIND = Traits(sees=False, thinks="never")
_BY_NAME = (
    (("codestral*", "mathstral*", "open-mistral-*", "open-mixtral-*", "mistral-tiny*", "mistral-nemo*"), _BLIND),
    (("mistral-saba*", "mistral-embed*", "mistral-moderation*", "mistral-large-24*", "ministral-*-2410"), _BLIND),
    (("mistral-small-240*", "mistral-small-2501", "devstral-*-2505", "devstral-*-2507"), _BLIND),
    (("magistral*",), Traits(thinks="always")),
    (("ministral-*", "pixtral-*", "devstral-*", "voxtral-*", "mistral-large-*"), Traits(thinks="never")),
    (("mistral-small-25*", "mistral-medium-23*", "mistral-medium-25*"), Traits(thinks="never")),
)


def traits_of(spec: LLMSpec) -> Traits:
    """The traits of a spec's model, with what its record says over them."""
    found = traits_of_name(spec.model_id)
    efforts = spec.model_record.get("capabilities", {}).get("reasoning_efforts")
    if efforts is None:
        return found
    return replace(found, thinks="by_effort" if efforts else "never")


@lru_cache(maxsize=256)
def traits_of_name(model_id: str) -> Traits:
    """The traits that a name alone tells."""
    name = model_id.lower()
    for patterns, traits in _BY_NAME:
        if any(fnmatchcase(name, pattern) for pattern in patterns):
            return traits
    return Traits()
