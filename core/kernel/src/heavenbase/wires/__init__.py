"""What gateways share about wires, whatever SDK is below: history, tools, thinking, streams, counts. Pure.

history      messages as the turns of a wire; failed results
toolids      ids of tool calls that a wire accepts
arguments    arguments of tool calls as text and as objects
tools        tools and tool_choice, checked and taken apart
thinking     options about thinking: off or on, steps, budgets
limits       which arguments count, and the limit of tokens
replay       reasoning parts, given back to the provider that wrote them
stream       the state of a streamed answer, and its proved end
counts       counts of tokens in disjoint buckets
finish       finish reasons in hb's words
vectors      embeddings: one per input, finite, of one length
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from heavenbase._lazy import front

if TYPE_CHECKING:
    from heavenbase.messages import with_error_mark as with_error_mark
    from heavenbase.wires.arguments import arguments_object as arguments_object
    from heavenbase.wires.arguments import arguments_text as arguments_text
    from heavenbase.wires.arguments import parsed_arguments as parsed_arguments
    from heavenbase.wires.counts import count as count
    from heavenbase.wires.counts import known_usage as known_usage
    from heavenbase.wires.counts import rest as rest
    from heavenbase.wires.finish import finish_reason as finish_reason
    from heavenbase.wires.history import History as History
    from heavenbase.wires.history import content_parts as content_parts
    from heavenbase.wires.history import empty_message as empty_message
    from heavenbase.wires.history import is_failed as is_failed
    from heavenbase.wires.history import meaning as meaning
    from heavenbase.wires.history import unencoded_image as unencoded_image
    from heavenbase.wires.limits import LIMITS as LIMITS
    from heavenbase.wires.limits import named_arguments as named_arguments
    from heavenbase.wires.limits import token_limit as token_limit
    from heavenbase.wires.limits import whole_tokens as whole_tokens
    from heavenbase.wires.replay import FOREIGN as FOREIGN
    from heavenbase.wires.replay import UNNAMED as UNNAMED
    from heavenbase.wires.replay import UNSIGNED as UNSIGNED
    from heavenbase.wires.replay import note_lost as note_lost
    from heavenbase.wires.replay import note_unnamed as note_unnamed
    from heavenbase.wires.replay import own_parts as own_parts
    from heavenbase.wires.replay import reasoning_part as reasoning_part
    from heavenbase.wires.stream import StreamedAnswer as StreamedAnswer
    from heavenbase.wires.stream import truncated as truncated
    from heavenbase.wires.thinking import BUDGETS as BUDGETS
    from heavenbase.wires.thinking import OPTIONS as OPTIONS
    from heavenbase.wires.thinking import REMOVED as REMOVED
    from heavenbase.wires.thinking import STEPS as STEPS
    from heavenbase.wires.thinking import asked_thoughts as asked_thoughts
    from heavenbase.wires.thinking import nearest_step as nearest_step
    from heavenbase.wires.thinking import note_thoughtless as note_thoughtless
    from heavenbase.wires.thinking import thinking_off as thinking_off
    from heavenbase.wires.thinking import thoughts_hidden as thoughts_hidden
    from heavenbase.wires.toolids import ToolIds as ToolIds
    from heavenbase.wires.tools import Choice as Choice
    from heavenbase.wires.tools import as_tool as as_tool
    from heavenbase.wires.tools import function_of as function_of
    from heavenbase.wires.tools import given_tools as given_tools
    from heavenbase.wires.tools import known_tool as known_tool
    from heavenbase.wires.tools import note_other_choice as note_other_choice
    from heavenbase.wires.tools import note_parallel as note_parallel
    from heavenbase.wires.tools import object_schema as object_schema
    from heavenbase.wires.tools import read_choice as read_choice
    from heavenbase.wires.tools import schema_of as schema_of
    from heavenbase.wires.tools import tool_name as tool_name
    from heavenbase.wires.vectors import read_vector as read_vector
    from heavenbase.wires.vectors import read_vectors as read_vectors

__getattr__, __dir__ = front(
    __name__,
    {
        "arguments_object": "arguments",
        "arguments_text": "arguments",
        "parsed_arguments": "arguments",
        "count": "counts",
        "known_usage": "counts",
        "rest": "counts",
        "finish_reason": "finish",
        "History": "history",
        "content_parts": "history",
        "empty_message": "history",
        "is_failed": "history",
        "meaning": "history",
        "unencoded_image": "history",
        "with_error_mark": "heavenbase.messages",
        "LIMITS": "limits",
        "named_arguments": "limits",
        "token_limit": "limits",
        "whole_tokens": "limits",
        "FOREIGN": "replay",
        "UNNAMED": "replay",
        "UNSIGNED": "replay",
        "note_lost": "replay",
        "note_unnamed": "replay",
        "own_parts": "replay",
        "reasoning_part": "replay",
        "StreamedAnswer": "stream",
        "truncated": "stream",
        "BUDGETS": "thinking",
        "OPTIONS": "thinking",
        "REMOVED": "thinking",
        "STEPS": "thinking",
        "asked_thoughts": "thinking",
        "nearest_step": "thinking",
        "note_thoughtless": "thinking",
        "thinking_off": "thinking",
        "thoughts_hidden": "thinking",
        "ToolIds": "toolids",
        "Choice": "tools",
        "as_tool": "tools",
        "function_of": "tools",
        "given_tools": "tools",
        "known_tool": "tools",
        "note_other_choice": "tools",
        "note_parallel": "tools",
        "object_schema": "tools",
        "read_choice": "tools",
        "schema_of": "tools",
        "tool_name": "tools",
        "read_vector": "vectors",
        "read_vectors": "vectors",
    },
)
