"""What a request may come to before it is sent: its tokens, as they likely are and at most, and what those cost."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from hb_batch.rows import Row
from heavenbase.ledger import Cost
from heavenbase.operations import estimated_text
from heavenbase.spec import LLMSpec
from heavenbase.types import Usage

AROUND: Final = 8
"""Tokens that a wire may put around a message."""
MEDIUM: Final = 1_000
"""Tokens of an image, a file or a sound, as they likely are."""
LARGEST_MEDIUM: Final = 20_000
"""The same, at most."""
ANSWER: Final = 256
"""Tokens of an answer that nothing is known of, as they likely are."""


@dataclass(frozen=True, slots=True)
class Expected:
    """Tokens of one request: those of its input likely and at most, and of its output; None for what nobody limits."""

    input: int
    input_most: int
    output: int
    output_most: int | None
    is_counted: bool
    """Whether a vocabulary of the model counted the input."""

    @property
    def usage(self) -> Usage:
        """As it likely will be."""
        return Usage(self.input, self.output)

    @property
    def most(self) -> Usage | None:
        """As it is at most; None where nothing limits it."""
        return Usage(self.input_most, self.output_most) if self.output_most is not None else None


def expected(table: Any, spec: LLMSpec, row: Row) -> Expected:
    """What a row comes to at a target."""
    likely = most = 0
    is_counted = True
    for text, media in _texts(row):
        counted = table.count(text, spec.provider, spec.model_id) if table is not None else None
        if counted is None:
            is_counted = False
            # A token is at least a byte, in every vocabulary that is made of bytes.
            counted = (estimated_text(text), len(text.encode("utf-8", "surrogatepass")))
        likely += counted[0] + AROUND // 2 + media * MEDIUM
        most += counted[1] + AROUND + media * LARGEST_MEDIUM
    if row.verb == "embed":
        return Expected(likely, most, 0, 0, is_counted)
    limit = _limit(spec, row)
    count = row.options.get("n") or spec.args.get("n") or 1
    times = count if isinstance(count, int) and count > 0 else 1
    usual = min(ANSWER, limit) if limit is not None else ANSWER
    return Expected(likely, most, usual * times, limit * times if limit is not None else None, is_counted)


def price(services: Any, spec: LLMSpec, usage: Usage | None, tier: str | None = None) -> Cost | None:
    """What that many tokens cost now, in a tier; None where that is not known. A route may ask each of its targets."""
    if usage is None:
        return None
    usage.tier = tier
    specs = [spec]
    if spec.route is not None:
        specs = [spec.route.spec_of(target) for target in spec.route.route.leaves()]
    return Cost.total(services.cost(it.provider, it.model_id, usage, services.wall()) for it in specs)


def _limit(spec: LLMSpec, row: Row) -> int | None:
    """The most tokens of one answer: as asked, else what the model has at most."""
    for source in (row.options, spec.args):
        for name in ("max_completion_tokens", "max_tokens"):
            if isinstance(source.get(name), int):
                return int(source[name])
    known = spec.capability("max_output_tokens") or spec.capability("context_window")
    return known if isinstance(known, int) else None


def _texts(row: Row) -> Iterator[tuple[str, int]]:
    """The texts of a request, each with the number of images and the like beside it."""
    if row.verb == "complete":
        messages = row.content if isinstance(row.content, list) else [row.content]
        for message in messages:
            yield _message(message)
    else:
        given = row.content if isinstance(row.content, list) else [row.content]
        for item in given:
            yield (item if isinstance(item, str) else json.dumps(item)), 0
    for name in ("tools", "response_format"):
        if row.options.get(name):
            yield json.dumps(row.options[name]), 0


def _message(message: Any) -> tuple[str, int]:
    if not isinstance(message, Mapping):
        return (message if isinstance(message, str) else json.dumps(message)), 0
    content, media, texts = message.get("content"), 0, []
    for part in content if isinstance(content, list) else [content]:
        text = part.get("text") if isinstance(part, Mapping) else part
        if isinstance(text, str):
            texts.append(text)
        elif part is not None:
            media += 1
    if message.get("tool_calls"):
        texts.append(json.dumps(message["tool_calls"]))
    return "\n".join(texts), media
