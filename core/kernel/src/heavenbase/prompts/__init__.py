"""Templates of prompts: text with placeholders, whose values are checked before anything is sent."""

from __future__ import annotations

from typing import TYPE_CHECKING

from heavenbase._lazy import front

if TYPE_CHECKING:
    from heavenbase.prompts.calls import prompted as prompted
    from heavenbase.prompts.files import configured as configured, load_prompt as load_prompt
    from heavenbase.prompts.parameter import Parameter as Parameter
    from heavenbase.prompts.template import PromptTemplate as PromptTemplate

__getattr__, __dir__ = front(
    __name__,
    {
        "calls": "prompted",
        "files": "configured load_prompt",
        "parameter": "Parameter",
        "template": "PromptTemplate",
    },
)
