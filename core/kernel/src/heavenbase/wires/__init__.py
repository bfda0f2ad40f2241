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

# fmt: off
if TYPE_CHECKING:
    from heavenbase.wires.arguments import arguments_object as arguments_object, arguments_text as arguments_text
    from heavenbase.wires.arguments import parsed_arguments as parsed_arguments
    from heavenbase.wires.counts import count as count, known_usage as known_usage, rest as rest
    from heavenbase.wires.finish import finish_reason as finish_reason
    from heavenbase.wires.history import History as History, content_parts as content_parts
    from heavenbase.wires.history import empty_message as empty_message, is_failed as is_failed, meaning as meaning
    from heavenbase.wires.history import unencoded_image as unencoded_image, with_error_mark as with_error_mark
    from heavenbase.wires.limits import LIMITS as LIMITS, named_arguments as named_arguments
    from heavenbase.wires.limits import token_limit as token_limit, whole_tokens as whole_tokens
    from heavenbase.wires.replay import FOREIGN as FOREIGN, UNNAMED as UNNAMED, UNSIGNED as UNSIGNED
    from heavenbase.wires.replay import note_lost as note_lost, note_unnamed as note_unnamed, own_parts as own_parts
    from heavenbase.wires.replay import reasoning_part as reasoning_part
    from heavenbase.wires.stream import StreamedAnswer as StreamedAnswer, truncated as truncated
    from heavenbase.wires.thinking import BUDGETS as BUDGETS, OPTIONS as OPTIONS, REMOVED as REMOVED, STEPS as STEPS
    from heavenbase.wires.thinking import asked_thoughts as asked_thoughts, nearest_step as nearest_step
    from heavenbase.wires.thinking import thinking_off as thinking_off, thoughts_hidden as thoughts_hidden
    from heavenbase.wires.toolids import ToolIds as ToolIds
    from heavenbase.wires.tools import Choice as Choice, as_tool as as_tool, function_of as function_of
    from heavenbase.wires.tools import given_tools as given_tools, known_tool as known_tool
    from heavenbase.wires.tools import note_other_choice as note_other_choice, note_parallel as note_parallel
    from heavenbase.wires.tools import object_schema as object_schema, read_choice as read_choice
    from heavenbase.wires.tools import schema_of as schema_of, tool_name as tool_name
    from heavenbase.wires.vectors import read_vector as read_vector, read_vectors as read_vectors
# fmt: on

__getattr__, __dir__ = front(
    __name__,
    {
        "arguments": "arguments_object arguments_text parsed_arguments",
        "counts": "count known_usage rest",
        "finish": "finish_reason",
        "history": "History content_parts empty_message is_failed meaning unencoded_image with_error_mark",
        "limits": "LIMITS named_arguments token_limit whole_tokens",
        "replay": "FOREIGN UNNAMED UNSIGNED note_lost note_unnamed own_parts reasoning_part",
        "stream": "StreamedAnswer truncated",
        "thinking": "BUDGETS OPTIONS REMOVED STEPS asked_thoughts nearest_step thinking_off thoughts_hidden",
        "toolids": "ToolIds",
        "tools": (
            "Choice as_tool function_of given_tools known_tool note_other_choice note_parallel object_schema "
            "read_choice schema_of tool_name"
        ),
        "vectors": "read_vector read_vectors",
    },
)
