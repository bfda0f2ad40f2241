"""Default arguments that an endpoint refuses: the call is sent once more without them, and the target is remembered.

The limit of tokens is one that a gateway may have to name: where nobody gave it, and the prompt leaves less of the
context, or the model has a lower one, the call is sent once more with that.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import TypeAlias

from heavenbase.call import Call
from heavenbase.errors import ContentFiltered, ContextOverflow, ProviderError, QuotaExhausted
from heavenbase.spec import EMPTY, LLMSpec
from heavenbase.wires import LIMITS

STATUSES = (400, 422)
LIMIT = 1024
"""Targets that are remembered."""
SWITCHES = {"stream_options": "stream_usage", "encoding_format": "embedding_base64"}
"""Fields that gateways add by themselves, and the ability without which they do not."""
_VAGUE = frozenset({"type", "enabled", "effort", "enable"})
_PARAM = re.compile(r'"param"\s*:\s*"([^"]{1,100})"')
_SUM = re.compile(r"(\d{1,9}) \+ \d{1,9} > (\d{1,9})")
"""How an endpoint says that a prompt and the limit of its answer are more than the context."""
_MOST = re.compile(
    r"max(?:imum)?[_ ]?(?:output[_ ])?tokens\b.{0,100}?"
    r"(?:\d > |\[\d{1,4}, ?|(?:less|lower|smaller) than (?:or equal to )?|at most |<= ?|limit of |maximum (?:of|is) )"
    r"(\d{2,9})",
    re.IGNORECASE | re.DOTALL,
)
"""How one says that the limit of an answer is above the model's own."""
_Reasons: TypeAlias = Mapping[str, str]


class Refusals:
    """What the targets of one kernel refuse; `unasked` has the arguments of a spec that nobody gave."""

    def __init__(self, unasked: Callable[[LLMSpec], frozenset[str]]) -> None:
        self._unasked = unasked
        self.known: dict[tuple[str, ...], _Reasons] = {}

    def relieved(self, call: Call) -> Call:
        """The call without what its target is known to refuse, which its report says."""
        reasons = self.known.get(_target(call))
        if not reasons:
            return call
        relieved = without(call, {name: reasons[name] for name in self._defaults(call) if name in reasons})
        return _limited(relieved, int(reasons[LIMITS[0]])) or relieved if LIMITS[0] in reasons else relieved

    def again(self, call: Call, error: ProviderError) -> tuple[Call, _Reasons] | None:
        """The call as it is sent once more after this error, and the defaults that went; None where it is not."""
        if isinstance(error, ContextOverflow):
            fitted = _fitted(call, error)
            return None if fitted is None else (fitted, EMPTY)
        most = _MOST.search(error.message) if error.status in STATUSES else None
        if most is not None and (limited := _limited(call, int(most[1]))) is not None:
            return limited, {LIMITS[0]: most[1]}
        refused = self.named(call, error)
        return (without(call, refused), refused) if refused else None

    def named(self, call: Call, error: ProviderError) -> _Reasons:
        """The defaults on the wire that an error names, each with why it goes; none where nothing can be left out."""
        if error.status not in STATUSES or isinstance(error, ContentFiltered | QuotaExhausted):
            return {}
        # Models are called after what they do, and some "seed".
        said = error.message.replace(call.spec.model_id, "") + " ".join(["", *_PARAM.findall(error.body or "")])
        return {
            name: f"nobody gave it, and the endpoint refuses it: {said[:200].strip()}"
            for name in self._defaults(call)
            if any(_stands_in(term, said) for term in _terms(call, name))
        }

    def remember(self, call: Call, reasons: _Reasons) -> None:
        """Note for later calls what the target took only when these had gone."""
        key = _target(call)
        if key not in self.known and len(self.known) >= LIMIT:
            del self.known[next(iter(self.known))]
        self.known[key] = {**self.known.get(key, {}), **reasons}

    def _defaults(self, call: Call) -> Iterator[str]:
        """What goes out with a call though nobody gave it."""
        unasked = self._unasked(call.spec)
        yield from (name for name in call.args if name in unasked and name not in call.explicit)
        field = "stream_options" if call.stream else "encoding_format" if call.verb == "embed" else None
        if field is not None and field not in call.args and call.spec.capability(SWITCHES[field]) is not False:
            yield field


def _target(call: Call) -> tuple[str, ...]:
    return call.verb, call.spec.target_key(), call.spec.gateway, call.spec.model_id


def _fitted(call: Call, error: ContextOverflow) -> Call | None:
    """The call with the limit that its prompt leaves room for; None where somebody gave one, or nothing is left."""
    told = _SUM.search(error.message)
    return _limited(call, int(told[2]) - int(told[1]) if told else 0)


def _limited(call: Call, most: int) -> Call | None:
    """The call with this limit of tokens; None where somebody gave one, or it leaves no room."""
    if most <= 0 or not call.args.keys().isdisjoint(LIMITS):
        return None
    return call.replace(args={**call.args, LIMITS[0]: most}, explicit=call.explicit | {LIMITS[0]})


def _terms(call: Call, name: str) -> set[str]:
    """What a default is called, by hb and on the wire."""
    entry = call.context.report.entries.get(name)
    if name in SWITCHES:
        return {name}
    if entry is None or entry.outcome not in ("sent", "renamed", "clamped"):
        return set()
    wire = entry.wire or name
    head, _, rest = wire.partition(".")
    return {name, wire, head, rest.rpartition(".")[2] or head} - _VAGUE


def _stands_in(term: str, said: str) -> bool:
    """Whether a name stands in a text as a word, however it is spelt: snake_case, camelCase or with a blank."""
    words = re.findall(r"[A-Z]?[a-z0-9]+", term)
    pattern = r"[_.\s-]?".join(map(re.escape, words))
    return bool(words) and re.search(rf"(?<![A-Za-z0-9]){pattern}(?![A-Za-z0-9])", said, re.IGNORECASE) is not None


def without(call: Call, reasons: _Reasons) -> Call:
    """The call without these defaults, which its report says."""
    if not reasons:
        return call
    spec = call.spec
    abilities = {SWITCHES[name]: False for name in reasons if name in SWITCHES and name not in call.args}
    if abilities:
        record = {**spec.model_record, "capabilities": {**spec.model_record.get("capabilities", EMPTY), **abilities}}
        spec = replace(spec, model_record=MappingProxyType(record))
    for name, reason in reasons.items():
        call.context.report.dropped(name, reason)
    return call.replace(spec=spec, args={name: value for name, value in call.args.items() if name not in reasons})
