"""What gateways share about wires, whatever SDK is below: history, tools, thinking, streams, counts. Pure.

history      messages as the turns of a wire; failed results; reasoning parts, given back to who wrote them
calls        ids of tool calls that a wire accepts, their arguments as text and as objects
order        each tool call answered once, directly behind its message: put right, or refused
parameters   which arguments count, the limit of tokens; thinking off or on, steps, budgets; tools and tool_choice
attributes   what messages, parts and tools say beside their content, and what a wire does not take of it
files        documents in the shapes of several wires, and images that are named and not held
thoughts     those left out of the answer, out of its raw form too
details      what answers tell beside text, read without trust; likelihoods of tokens
answers      finish reasons in hb's words, counts of tokens, embeddings; the state of a streamed answer, its proved end
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from heavenbase._lazy import front

if TYPE_CHECKING:
    from heavenbase.wires.answers import StreamedAnswer as StreamedAnswer, count as count
    from heavenbase.wires.answers import finish_reason as finish_reason, finish_words as finish_words
    from heavenbase.wires.answers import generation_failed as generation_failed, known_usage as known_usage
    from heavenbase.wires.answers import merged_counts as merged_counts
    from heavenbase.wires.answers import proved as proved, read_vector as read_vector
    from heavenbase.wires.answers import read_vectors as read_vectors, rest as rest, truncated as truncated
    from heavenbase.wires.attributes import MARK as MARK, Taken as Taken, check_prefill as check_prefill
    from heavenbase.wires.attributes import fit_message as fit_message, mark_of as mark_of, note_tools as note_tools
    from heavenbase.wires.attributes import part_fields as part_fields, takes_late_system as takes_late_system
    from heavenbase.wires.calls import ToolIds as ToolIds, arguments_object as arguments_object
    from heavenbase.wires.calls import arguments_text as arguments_text, object_text as object_text
    from heavenbase.wires.calls import parsed_arguments as parsed_arguments
    from heavenbase.wires.details import any_number as any_number, first_text as first_text
    from heavenbase.wires.details import object_or_empty as object_or_empty, objects as objects
    from heavenbase.wires.details import token_logprobs as token_logprobs, whole_number as whole_number
    from heavenbase.wires.files import data_url as data_url, is_address as is_address, no_reference as no_reference
    from heavenbase.wires.history import BEGIN as BEGIN, FOREIGN as FOREIGN, UNNAMED as UNNAMED
    from heavenbase.wires.history import UNSIGNED as UNSIGNED
    from heavenbase.wires.history import History as History, content_parts as content_parts
    from heavenbase.wires.history import is_failed as is_failed, meaning as meaning
    from heavenbase.wires.history import note_lost as note_lost, note_unnamed as note_unnamed, own_parts as own_parts
    from heavenbase.wires.history import reasoning_part as reasoning_part
    from heavenbase.wires.history import unencoded_image as unencoded_image, with_error_mark as with_error_mark
    from heavenbase.wires.order import TEXT as TEXT, note_history as note_history, ordered as ordered
    from heavenbase.wires.order import GO_ON as GO_ON, lifted as lifted, readable as readable
    from heavenbase.wires.parameters import BUDGETS as BUDGETS, LIMITS as LIMITS, OPTIONS as OPTIONS, REMOVED as REMOVED
    from heavenbase.wires.parameters import STEPS as STEPS, Choice as Choice, as_tool as as_tool
    from heavenbase.wires.parameters import asked_thoughts as asked_thoughts, function_of as function_of
    from heavenbase.wires.parameters import given_tools as given_tools, known_tool as known_tool
    from heavenbase.wires.parameters import named_arguments as named_arguments, nearest_step as nearest_step
    from heavenbase.wires.parameters import note_other_choice as note_other_choice, note_parallel as note_parallel
    from heavenbase.wires.parameters import object_schema as object_schema, read_choice as read_choice
    from heavenbase.wires.parameters import refuse_others as refuse_others
    from heavenbase.wires.parameters import schema_of as schema_of, thinking_off as thinking_off
    from heavenbase.wires.parameters import texts as texts, thoughts_hidden as thoughts_hidden
    from heavenbase.wires.parameters import token_limit as token_limit
    from heavenbase.wires.parameters import tool_name as tool_name, whole_tokens as whole_tokens
    from heavenbase.wires.thoughts import without_thoughts as without_thoughts

__getattr__, __dir__ = front(
    __name__,
    {
        "answers": (
            "StreamedAnswer count finish_reason finish_words generation_failed known_usage merged_counts "
            "proved read_vector "
            "read_vectors rest truncated"
        ),
        "attributes": "MARK Taken check_prefill fit_message mark_of note_tools part_fields takes_late_system",
        "details": "any_number first_text object_or_empty objects token_logprobs whole_number",
        "files": "data_url is_address no_reference",
        "calls": "ToolIds arguments_object arguments_text object_text parsed_arguments",
        "history": (
            "BEGIN FOREIGN History UNNAMED UNSIGNED content_parts is_failed meaning note_lost note_unnamed "
            "own_parts reasoning_part unencoded_image with_error_mark"
        ),
        "order": "GO_ON TEXT lifted note_history ordered readable",
        "parameters": (
            "BUDGETS Choice LIMITS OPTIONS REMOVED STEPS as_tool asked_thoughts function_of given_tools known_tool "
            "named_arguments nearest_step note_other_choice note_parallel object_schema read_choice "
            "refuse_others schema_of texts thinking_off thoughts_hidden token_limit tool_name whole_tokens"
        ),
        "thoughts": "without_thoughts",
    },
)
