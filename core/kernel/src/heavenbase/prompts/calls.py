"""The prompt of a call: a template named by a preset or an option, or one that stands for the messages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from heavenbase.errors import InputError, InputTypeError
from heavenbase.messages import to_messages
from heavenbase.options import PROMPTED

if TYPE_CHECKING:
    from heavenbase.config.config import Config
    from heavenbase.spec import LLMSpec
    from heavenbase.types import Message

TEMPLATE, VALUES = "prompt_template", "prompt_values"


def prompted(
    config: Config,
    spec: LLMSpec,
    source: Any,
    options: Mapping[str, Any],
    system: str | None = None,
    images: Any = None,
) -> list[Message]:
    """The messages of a call with its template applied; `source` None where the template says it all.

    A template in place of messages takes the place of the preset's. Values of the call win over those of the preset.
    InputError for values without a template, for two templates of one call, and what rendering raises.
    """
    if PROMPTED.isdisjoint(options) and PROMPTED.isdisjoint(spec.args) and type(source) is str:  # as nearly every call
        return to_messages(source, system=system, images=images)
    from heavenbase.prompts.files import configured
    from heavenbase.prompts.parameter import as_table
    from heavenbase.prompts.template import PromptTemplate

    kept, given = (
        {} if table.get(VALUES) is None else as_table(VALUES, table[VALUES]) for table in (spec.args, options)
    )
    if isinstance(source, PromptTemplate) and not any(options.get(TEMPLATE) is each for each in (None, source)):
        raise InputError(f"the messages are a template, and {TEMPLATE} names another one; give one of them")
    is_own = not isinstance(source, PromptTemplate) and TEMPLATE not in options
    chosen = source if isinstance(source, PromptTemplate) else options.get(TEMPLATE, spec.args.get(TEMPLATE))
    if chosen is None:
        if given or (kept and is_own):
            raise InputError(f"{VALUES} are for a template, and this call has none; name one with {TEMPLATE}")
        return to_messages(source, system=system, images=images)
    if not isinstance(chosen, str | PromptTemplate):
        raise InputTypeError(f"{TEMPLATE} must be the name of a prompt or a template, not {type(chosen).__name__}")
    if isinstance(chosen, str):
        chosen = configured(chosen, config)
    # Those of the preset are for its own template; another one may have no place for them.
    values = {name: value for name, value in kept.items() if is_own or name in chosen.parameters} | given
    if source is None or source is chosen:
        return to_messages(chosen.render(values), system=system, images=images)
    return to_messages(chosen.apply(to_messages(source, system=system, images=images), values))
