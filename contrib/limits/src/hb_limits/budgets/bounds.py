"""The most that a request may come to, known before it is sent: its prompt, the longest answer, their price.

A count of the prompt is a table's own upper bound where it has a vocabulary, else the kernel's estimate times
`SAFETY`, and no more than one token for each byte of text.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from hb_limits.budgets.amounts import MOST
from hb_limits.lengths import answers, laid_over, longest_answer
from heavenbase.operations import estimated_text
from heavenbase.options import OPTIONS
from heavenbase.types import Usage

if TYPE_CHECKING:
    from heavenbase.call import Call
    from heavenbase.ledger import Cost

SAFETY: Final = 2
"""How many times the estimate of a prompt is taken for its most: it is mostly within a quarter."""
AROUND_MESSAGE, AROUND_CALL, AROUND_TOOLS = 16, 32, 600
"""Tokens that providers put around a message, around a prompt, and before tools, at most."""
MEDIUM: Final = 5_000
"""Tokens that are set aside for a picture, and at least for a file or a sound: nobody knows before how many it has."""
BYTES_OF_FILES, BYTES_OF_SOUNDS = 2, 32
"""Bytes of a file or sound that is sent along for which one token is set aside: of dense text in one, of low speech."""
BILLED: Final = ("complete", "embed", "imagen", "rerank", "background.submit")
"""What is paid for by what it comes to; all else, such as lists and counts, is free or a flat sum."""
NATIVE: Final = "batches.submit"
"""Submits many requests in a file, of which nobody knows here what they may come to."""
CHEAPER: Final = (None, "auto", "default", "standard", "standard_only", "on_demand", "flex", "batch")
"""Words of `service_tier` that cost no more than none."""
TIERS: Final = {"servicetier": CHEAPER, "speed": ("standard",), "inferencegeo": ("global",)}
"""Fields that say which service is to be billed, without case and signs, with what costs no more than none."""
SENT: Final = ("tools", "response_format", "output_format", "extra_body")
"""Options that become a part of the prompt; so may all those that hb does not know."""


@dataclass(frozen=True, slots=True)
class Bound:
    """The most that a request may come to. `output` and `cost` are None where nobody knows them.

    `problem` says what is not known, for people.
    """

    input: int
    output: int | None
    cost: Cost | None
    problem: str = ""

    @property
    def tokens(self) -> int:
        """All tokens, as far as they are known."""
        return self.input + (self.output or 0)


def bound_of(call: Call, at: float, *, priced: bool = True) -> Bound:
    """The most that a request may come to at a time in epoch seconds; `priced` asks for its price too."""
    prompt, output = _input(call), _output(call)
    if output is None:
        cost = _dearest(call, prompt, 0, at) if priced else None
        return Bound(prompt, None, cost, f"{call.target} has no known limit of its answers: give max_tokens")
    if call.verb == "imagen":
        return Bound(prompt, output, None, f"what an image of {call.target} costs is not known before it is there")
    if not priced:
        return Bound(prompt, output, None)
    if _names_another_model(call):
        return Bound(prompt, output, None, f"extra_body names another model than {call.target}")
    cost = _dearest(call, prompt, output, at)
    missing = f"the price of {call.target} is not known" if cost is None else ""
    return Bound(prompt, output, cost, missing)


def _output(call: Call) -> int | None:
    if call.verb in ("embed", "rerank", "imagen"):
        return 0
    most = longest_answer(call)
    if most is None:
        window = call.spec.capability("context_window")
        most = None if window is None else int(window) * answers(call)
    if most is None:
        return None
    # What was foretold and did not come is billed beside the answer.
    foretold = (value for name, value in laid_over(call) if name == "prediction" and value)
    return min(most + sum(_most(call, json.dumps(each, default=str)) for each in foretold), MOST)


def _input(call: Call) -> int:
    if call.verb == "embed":
        return sum(_most(call, text) for text in call.inputs) + AROUND_CALL
    if call.verb == "imagen":
        return _most(call, call.prompt) + AROUND_CALL
    if call.verb == "rerank":
        asked = call.subject
        documents = [str(each) for each in asked.documents]
        return sum(_most(call, text) for text in documents) + len(documents) * _most(call, asked.query) + AROUND_CALL
    return _prompt(call)


def _prompt(call: Call) -> int:
    around = AROUND_CALL + AROUND_MESSAGE * len(call.messages) + (AROUND_TOOLS if call.args.get("tools") else 0)
    return around + sum(part if isinstance(part, int) else _most(call, part) for part in _parts(call))


def _parts(call: Call) -> Iterator[str | int]:
    """The texts of a chat as they are sent, about; of each picture, file or sound how many tokens are set aside."""
    for message in call.messages:
        content = message.get("content")
        for part in [content] if isinstance(content, str) else content or ():
            text: Any = part if isinstance(part, str) else part.get("text")
            yield text if isinstance(text, str) else _medium(call, part)
        beside = {name: value for name, value in message.items() if name not in ("content", "role") and value}
        if beside:
            yield json.dumps(beside, default=str)
    for name, value in call.args.items():
        if value and (name in SENT or name not in OPTIONS):
            yield json.dumps(value, default=str)


def _medium(call: Call, part: Any) -> int:
    """The tokens that are set aside for a part that is no text: a prompt has no more than the context."""
    kind = str(part.get("type"))
    if "image" in kind:
        return MEDIUM
    size = _size(part) * 3 // 4  # mostly base64
    found = max(MEDIUM, size // (BYTES_OF_SOUNDS if "audio" in kind else BYTES_OF_FILES))
    window = call.spec.capability("context_window")
    return found if window is None else min(found, max(int(window), MEDIUM))


def _size(held: Any) -> int:
    if isinstance(held, str):
        return len(held) if held.isascii() else len(held.encode("utf-8", "surrogatepass"))
    if isinstance(held, bytes):
        return len(held)
    inner = held.values() if isinstance(held, Mapping) else held if isinstance(held, list | tuple) else ()
    return sum(map(_size, inner))


def _names_another_model(call: Call) -> bool:
    extra = call.args.get("extra_body")
    if not isinstance(extra, Mapping):
        return False
    return bool(extra.get("models")) or extra.get("model") not in (None, call.spec.model_id)


def _most(call: Call, text: str) -> int:
    """The most tokens that a text may have."""
    table = call.services.table
    try:
        counted = table.count(text, call.spec.provider, call.spec.model_id) if table is not None else None
    except Exception:  # a table that fails is no reason to send nothing, where there is another bound
        counted = None
    if counted is not None:
        return int(counted[1])
    return min(SAFETY * estimated_text(text), len(text.encode("utf-8", "surrogatepass")))


def _dearest(call: Call, prompt: int, output: int, at: float) -> Cost | None:
    """What the dearest way costs in which these tokens may be billed; None where the plain one has no price."""
    spec, args = call.spec, call.args
    tiers = {
        value
        for name, value in laid_over(call)
        if name in TIERS and isinstance(value, str) and value and value not in TIERS[name]
    }
    if len(tiers) > 1:
        return None
    plain = Usage(prompt, output, tier=next(iter(tiers), None))
    found = call.services.cost(spec.provider, spec.model_id, plain, at)
    if found is None:
        return None
    thought = replace(plain, output=0, reasoning=output)
    ways = [thought, *(replace(way, input=0, cache_write=prompt) for way in (plain, thought))]
    if _is_kept_long(call):
        ways += [replace(ways[1], cache_write_1h=prompt)]
    if any(isinstance(part, int) for part in _parts(call)):
        ways += [replace(plain, input=0, audio=prompt), replace(plain, input=0, image=prompt)]
    if {"audio", "image"} & {*(args.get("modalities") or ())}:
        ways += [replace(plain, output=0, output_audio=output), replace(plain, output=0, output_image=output)]
    others = (call.services.cost(spec.provider, spec.model_id, way, at) for way in ways)
    known = [found, *(cost for cost in others if cost is not None and cost.currency == found.currency)]
    return max(known, key=lambda cost: cost.amount)


def _is_kept_long(call: Call) -> bool:
    """Whether something of the prompt is marked for an hour, which costs more to write than for minutes."""
    marks: list[Any] = [call.args.get("prompt_caching"), call.args.get("extra_body")]
    for each in (*call.messages, *(call.args.get("tools") or ())):
        content = each.get("content")
        parts = content if isinstance(content, list) else ()
        marks += [held.get("cache_control") for held in (each, *parts) if isinstance(held, Mapping)]
    return any("1h" in json.dumps(mark, default=str) for mark in marks if mark)
