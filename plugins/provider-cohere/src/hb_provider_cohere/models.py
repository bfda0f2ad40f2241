"""What Cohere's models take, told from their names. Pure.

    models                                      see     think   can be told to call a tool
    command, command-light, command-r[-plus]    -       -       -
    command-r7b, command-a-03, -translate       -       -       yes
    command-a-vision                            yes     -       yes
    command-a-reasoning                         -       yes     yes
    command-a-plus, and what hb does not know   yes     yes     yes

A model's `vision` and `reasoning_efforts` capabilities count more.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from heavenbase.spec import LLMSpec


@dataclass(frozen=True, slots=True)
class Traits:
    """How a model differs from others on the same wire.

    `sees` images, `thinks`, `chooses`: knows `tool_choice`, `has_dimensions`: its vectors come in several lengths.
    """

    sees: bool = True
    thinks: bool = True
    chooses: bool = True
    has_dimensions: bool = True


_OLD = Traits(sees=False, thinks=False, chooses=False)
_PLAIN = Traits(sees=False, thinks=False)
_BY_NAME = (
    (("command-r7b*", "command-a-03*", "command-a-translate*"), _PLAIN),
    (("command-a-vision*", "c4ai-aya-vision*"), Traits(thinks=False)),
    (("command-a-reasoning*",), Traits(sees=False)),
    (("command", "command-nightly*", "command-light*", "command-r", "command-r-*", "c4ai-*"), _OLD),
    (("embed-english-*", "embed-multilingual-*"), Traits(has_dimensions=False)),
)


def traits_of(spec: LLMSpec) -> Traits:
    """The traits of a spec's model, with what its record says over them."""
    found = traits_of_name(spec.model_id)
    efforts = spec.model_record.get("capabilities", {}).get("reasoning_efforts")
    return found if efforts is None else replace(found, thinks=bool(efforts))


@lru_cache(maxsize=256)
def traits_of_name(model_id: str) -> Traits:
    """The traits that a name alone tells."""
    name = model_id.lower()
    for patterns, traits in _BY_NAME:
        if any(fnmatchcase(name, pattern) for pattern in patterns):
            return traits
    return Traits()
