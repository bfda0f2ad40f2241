"""Tools that a model may call: what callers pass, how they run, the loop, and repaired arguments."""

from __future__ import annotations

from typing import TYPE_CHECKING

from heavenbase._lazy import front

# fmt: off
if TYPE_CHECKING:
    from heavenbase.tools.convert import PAUSE as PAUSE, REFUSE as REFUSE, RUN as RUN, Decision as Decision
    from heavenbase.tools.convert import Tool as Tool, ToolPause as ToolPause, to_tools as to_tools, tool as tool
    from heavenbase.tools.repair import LLMToolCallRepair as LLMToolCallRepair
# fmt: on

__getattr__, __dir__ = front(
    __name__,
    {
        "convert": "PAUSE REFUSE RUN Decision Tool ToolPause to_tools tool",
        "repair": "LLMToolCallRepair",
    },
)
