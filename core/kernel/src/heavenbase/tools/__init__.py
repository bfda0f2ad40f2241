"""Tools that a model may call: what callers pass, how they run, the loop, and repaired arguments."""

from __future__ import annotations

from typing import TYPE_CHECKING

from heavenbase._lazy import front

if TYPE_CHECKING:
    from heavenbase.tools.base import PAUSE as PAUSE, REFUSE as REFUSE, RUN as RUN, Decision as Decision, Tool as Tool
    from heavenbase.tools.base import ToolPause as ToolPause, to_tools as to_tools, tool as tool
    from heavenbase.tools.repair import LLMToolCallRepair as LLMToolCallRepair

__getattr__, __dir__ = front(
    __name__, {"base": "PAUSE REFUSE RUN Decision Tool ToolPause to_tools tool", "repair": "LLMToolCallRepair"}
)
