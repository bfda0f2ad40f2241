"""How long the answer to a request may be: as the request says itself, or as its model is known. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from heavenbase.call import Call

LIMITS: Final = frozenset(
    {"maxtokens", "maxcompletiontokens", "maxoutputtokens", "maxnewtokens", "maxtokenstosample", "numpredict"}
)
"""What wires call the most tokens of an answer, without case and signs."""
COUNTS: Final = frozenset({"n", "bestof", "candidatecount", "numgenerations"})
"""What they call the number of answers."""
_DEPTH: Final = 4


def longest_answer(call: Call) -> int | None:
    """The most tokens that all answers to a request may have; None where neither it nor its model says anything.

    What `extra_body` lays over the request counts where it asks for more.
    """
    args, spec = call.args, call.spec
    limits: list[int | None] = [args[name] for name in ("max_completion_tokens",) if args.get(name) is not None]
    if args.get("max_tokens") is not None:
        # Not all wires count thoughts among these.
        limits.append(args["max_tokens"] + (args.get("reasoning_max_tokens") or 0))
    # None, or one below nothing, is no limit.
    limits += [_count(value) for name, value in laid_over(call) if name in LIMITS]
    known = [limit for limit in limits if limit is not None]
    most = max(known) if known and len(known) == len(limits) else spec.capability("max_output_tokens")
    return None if most is None else int(most) * answers(call)


def answers(call: Call) -> int:
    """How many answers a request asks for."""
    counts = (_count(value) for name, value in laid_over(call) if name in COUNTS)
    return max(int(call.args.get("n") or 1), *(count or 1 for count in counts), 1)


def _count(value: Any) -> int | None:
    return value if type(value) is int and value > 0 else None


def laid_over(call: Call) -> Iterator[tuple[str, Any]]:
    """The fields of a request beside hb's own, by names without case and signs."""
    for name, value in call.args.items():
        if name == "extra_body":
            yield from _fields(value)
        elif name not in ("max_tokens", "max_completion_tokens", "n"):
            yield _plain(name), value


def _fields(held: Any, depth: int = 0) -> Iterator[tuple[str, Any]]:
    for name, value in held.items() if isinstance(held, Mapping) and depth < _DEPTH else ():
        yield _plain(name), value
        yield from _fields(value, depth + 1)


def _plain(name: Any) -> str:
    return str(name).lower().replace("_", "").replace("-", "")
