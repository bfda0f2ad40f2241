"""The judges that hb brings: refusals and short answers, answers that do not fit, answers that did not end well."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from heavenbase.call import Call
from heavenbase.errors import StructuredOutputError
from heavenbase.middleware import Judge, Setting
from heavenbase.types import Completion

PATTERNS = [
    "i don't know",
    "i'm not sure",
    "i cannot",
    "i can't",
    "i'm unable",
    "beyond my capabilities",
    "i apologize, but",
]
_APOSTROPHES = str.maketrans({"\u2019": "'", "\u2018": "'", "\u02bc": "'", "\u00b4": "'", "`": "'", "\uff07": "'"})


class Heuristic(Judge):
    """Rejects answers that are cut off, very short, or that say in words that the model will or can not answer.

    A tool call is an answer. `patterns` are looked for in the text, whatever the case and the kind of apostrophe;
    `within` is how many characters of the beginning are searched, null for all.
    """

    name = "heuristic"
    settings: ClassVar[Mapping[str, Setting]] = {
        "min_output_tokens": Setting("int", 5, "fewest tokens of an answer that will do", minimum=0),
        "accept_tool_calls": Setting("bool", True, "whether an answer that calls a tool will always do"),
        "escalate_on_max_tokens": Setting("bool", True, "whether an answer that was cut at its limit is rejected"),
        "patterns": Setting("list[str]", PATTERNS, "texts by which a model says that it cannot answer"),
        "within": Setting("int | null", 300, "characters of the beginning that are searched; null for all", minimum=1),
    }

    def __call__(self, call: Call, answer: Completion) -> str | None:
        """Why the answer is rejected; None where it will do."""
        knobs = self.options
        if answer.tool_calls and knobs["accept_tool_calls"]:
            return None
        if answer.finish_reason == "length" and knobs["escalate_on_max_tokens"]:
            return "cut off at its limit of tokens"
        tokens = answer.usage.completion_tokens if answer.usage is not None else None
        if tokens is not None and tokens < knobs["min_output_tokens"] and not answer.tool_calls:
            return f"{tokens} tokens, fewer than {knobs['min_output_tokens']}"
        text = answer.text.translate(_APOSTROPHES).lower()
        if knobs["within"] is not None:
            text = text[: knobs["within"]]
        for pattern in knobs["patterns"]:
            if pattern.translate(_APOSTROPHES).lower() in text:
                return f"it says {pattern!r}"
        return None


class Structured(Judge):
    """Rejects answers that do not have the form that was asked for by `response_format`.

    hb asks for such an answer again before (`structured_retries`); what is rejected is the last one.
    """

    name = "structured"

    def __call__(self, call: Call, answer: Completion) -> str | None:
        """Why the answer is rejected; None where it fits, or where no form was asked for."""
        if call.format is None or answer.structured is not None:
            return None
        try:
            call.format.value_of(answer)
        except StructuredOutputError as error:
            return f"it does not fit response_format: {error.message}"
        return None


class Finish(Judge):
    """Rejects answers that did not end well: cut off, refused, filtered, or empty."""

    name = "finish"
    settings: ClassVar[Mapping[str, Setting]] = {
        "reasons": Setting(
            "list[str]",
            ["length", "context_overflow", "refusal", "content_filter", "pause"],
            "finish reasons of answers that will not do",
        ),
        "accept_empty": Setting("bool", False, "whether an answer without any content will do"),
    }

    def __call__(self, call: Call, answer: Completion) -> str | None:
        """Why the answer is rejected; None where it will do."""
        if answer.finish_reason in self.options["reasons"]:
            return f"it ended with {answer.finish_reason}"
        if not (answer.text.strip() or answer.tool_calls or answer.images or self.options["accept_empty"]):
            return "it is empty"
        return None
