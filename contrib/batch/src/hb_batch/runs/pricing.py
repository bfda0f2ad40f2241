"""What a request may come to before it is sent: its tokens, as they likely are and at most, and what those cost."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from hb_batch.rows import Row
from heavenbase.ledger import Cost
from heavenbase.operations import estimated_text
from heavenbase.options import PROMPTED
from heavenbase.spec import LLMSpec
from heavenbase.types import Usage

AROUND: Final = 8
"""Tokens that a wire may put around a message."""
MEDIUM: Final = 1_000
"""Tokens of an image, a file or a sound, as they likely are."""
LARGEST_MEDIUM: Final = 20_000
"""The same, at most."""
_LIMITS: Final = ("max_completion_tokens", "max_tokens")
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


def expected(kernel: Any, spec: LLMSpec, row: Row, options: Mapping[str, Any]) -> Expected:
    """What a row comes to at a target, asked with options of its own and of its batch; InputError for bad ones."""
    counts = {name: options[name] for name in (*_LIMITS, "n") if name in options}
    kernel.call(row.verb, spec, counts, is_async=True)
    table = kernel.services.table
    likely = most = 0
    is_counted = True
    for text, media in _texts(kernel, spec, row, options):
        counted = table.count(text, spec.provider, spec.model_id) if table is not None else None
        if counted is None:
            is_counted = False
            # A token is at least a byte, in every vocabulary that is made of bytes.
            counted = (estimated_text(text), len(text.encode("utf-8", "surrogatepass")))
        likely += counted[0] + AROUND // 2 + media * MEDIUM
        most += counted[1] + AROUND + media * LARGEST_MEDIUM
    if row.verb == "embed":
        return Expected(likely, most, 0, 0, is_counted)
    limit = _limit(spec, options)
    count = {**spec.args, **options}.get("n") or 1
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


def _limit(spec: LLMSpec, options: Mapping[str, Any]) -> int | None:
    """The most tokens of one answer: as asked, else what the model has at most."""
    asked = spec.args if options.keys().isdisjoint(_LIMITS) else options
    for name in _LIMITS:
        if isinstance(asked.get(name), int):
            return int(asked[name])
    known = spec.capability("max_output_tokens") or spec.capability("context_window")
    return known if isinstance(known, int) else None


def _texts(kernel: Any, spec: LLMSpec, row: Row, options: Mapping[str, Any]) -> Iterator[tuple[str, int]]:
    """The texts of a request, each with the number of images and the like beside it."""
    content = row.content
    if row.verb == "complete" and not (PROMPTED.isdisjoint(options) and PROMPTED.isdisjoint(spec.args)):
        from heavenbase.prompts import prompted

        content = prompted(kernel.config, spec, content, dict(options))
    for item in content if isinstance(content, list) else [content]:
        yield _message(item) if row.verb == "complete" else (_plain(item), 0)
    images = options.get("images")
    if images is not None:
        yield "", len(images) if isinstance(images, list) else 1
    asked = {**spec.args, **options}
    for name in ("system", "tools", "response_format"):
        if asked.get(name):
            yield _plain(asked[name]), 0


def _plain(given: Any) -> str:
    return given if isinstance(given, str) else json.dumps(given, default=str)


def _message(message: Any) -> tuple[str, int]:
    if not isinstance(message, Mapping):
        return _plain(message), 0
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
