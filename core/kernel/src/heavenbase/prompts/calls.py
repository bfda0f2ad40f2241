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
    InputError for values without a template, and what rendering raises.
    """
    if PROMPTED.isdisjoint(options) and PROMPTED.isdisjoint(spec.args) and type(source) is str:  # as nearly every call
        return to_messages(source, system=system, images=images)
    from heavenbase.prompts.files import configured
    from heavenbase.prompts.template import PromptTemplate

    given = [table.get(VALUES) or {} for table in (spec.args, options)]
    for each in given:
        if not isinstance(each, Mapping):
            raise InputTypeError(f"{VALUES} must be a mapping of names and values, not {type(each).__name__}")
    values = {**given[0], **given[1]}
    if isinstance(source, PromptTemplate):
        return to_messages(source.render(values), system=system, images=images)
    chosen = options.get(TEMPLATE, spec.args.get(TEMPLATE))
    if chosen is None:
        if given[1] or (given[0] and TEMPLATE not in options):
            raise InputError(f"{VALUES} are for a template, and this call has none; name one with {TEMPLATE}")
        return to_messages(source, system=system, images=images)
    if not isinstance(chosen, str | PromptTemplate):
        raise InputTypeError(f"{TEMPLATE} must be the name of a prompt or a template, not {type(chosen).__name__}")
    template = configured(chosen, config) if isinstance(chosen, str) else chosen
    if source is None:
        return to_messages(template.render(values), system=system, images=images)
    return to_messages(template.apply(to_messages(source, system=system, images=images), values))
