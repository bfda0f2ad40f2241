"""Tools that a model may call: what callers pass, how they run, the loop, and repaired arguments."""

from __future__ import annotations

from typing import TYPE_CHECKING

from heavenbase._lazy import front

if TYPE_CHECKING:
    from heavenbase.tools.convert import (
        PAUSE as PAUSE,
    )
    from heavenbase.tools.convert import (
        REFUSE as REFUSE,
    )
    from heavenbase.tools.convert import (
        RUN as RUN,
    )
    from heavenbase.tools.convert import (
        Decision as Decision,
    )
    from heavenbase.tools.convert import (
        Tool as Tool,
    )
    from heavenbase.tools.convert import (
        ToolPause as ToolPause,
    )
    from heavenbase.tools.convert import (
        to_tools as to_tools,
    )
    from heavenbase.tools.convert import (
        tool as tool,
    )
    from heavenbase.tools.repair import LLMToolCallRepair as LLMToolCallRepair

__getattr__, __dir__ = front(
    __name__,
    {
        "PAUSE": "convert",
        "REFUSE": "convert",
        "RUN": "convert",
        "Decision": "convert",
        "LLMToolCallRepair": "repair",
        "Tool": "convert",
        "ToolPause": "convert",
        "to_tools": "convert",
        "tool": "convert",
    },
)
