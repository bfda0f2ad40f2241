"""What a caller gives as one request of a batch in memory: a text, messages, or a mapping as a wire has it."""

from __future__ import annotations

import asyncio
import math
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from heavenbase.errors import DeadlineExceeded, HBError, InputError, InputTypeError, UnknownNameError
from heavenbase.llm import LLM
from heavenbase.messages import to_images, to_texts
from heavenbase.options import CONNECTION, TARGET, conceal, may_hold_secret, unknown_options, with_effort
from heavenbase.types import Completion, Embedding, ImageResult

FIELDS: Final = {"messages": "complete", "input": "embed", "inputs": "embed", "prompt": "imagen"}
"""The field that says what a mapping asks for."""
PRESETS: Final = {"complete": None, "embed": "embed", "imagen": "imagen"}
"""The preset of a verb, where a request names neither preset nor model."""
MODELS: Final = 64
"""Targets that are kept; a further one takes the place of the one that was asked least lately."""
GRACE: Final = 0.02
"""Seconds in which a request that has reached its limit may say so itself, with what it knows."""
WHOLE: Final = frozenset({"stream", "background", "include", "reduce"})
"""Options that make an answer another thing than a whole one, made now."""
CONTENT: Final = ("system", "images")
"""What belongs to the content of a request, beside its field."""
_PLACES: Final = TARGET | CONNECTION


@dataclass(slots=True)
class Request:
    """One request: its verb, what it is about, the names and connection of its target, and its options."""

    verb: str
    content: Any
    target: dict[str, Any]
    options: dict[str, Any]


def read_request(given: Any) -> Request:
    """The request that a caller gave; an InputError says what is wrong with it."""
    if not isinstance(given, Mapping) or "role" in given:
        if given is None or isinstance(given, bool | int | float | bytes):
            raise InputTypeError(f"a request is a text, messages or a mapping, not {type(given).__name__}")
        return Request("complete", given, {}, {})
    named = [name for name in FIELDS if name in given]
    if len(named) != 1:
        if not named:
            raise UnknownNameError("kind of request", ", ".join(map(str, given)) or "{}", FIELDS)
        raise InputError(f"a request has one of {' and '.join(named)}, not several")
    verb = FIELDS[named[0]]
    target: dict[str, Any] = {}
    options: dict[str, Any] = {}
    for name, value in given.items():
        if name == named[0]:
            continue
        if not isinstance(name, str):
            raise InputTypeError(f"the names in a request are texts, not {type(name).__name__}")
        (target if name in _PLACES else options)[name] = value
    for name in sorted(WHOLE):
        if name in options and not (name == "background" and verb == "imagen") and options.pop(name):
            raise InputError(f"a batch has whole answers, each once; leave {name} out of its requests")
    if "kernel" in target:
        raise InputError("all requests of a batch have one kernel; give it to the batch")
    return Request(verb, given[named[0]], target, options)


def shown(given: Any) -> Any:
    """A request as it is kept with its error: without what may be a credential."""
    if not isinstance(given, Mapping):
        return given
    return {name: value for name, value in given.items() if not may_hold_secret(str(name))}


class Targets:
    """The `LLM` of each request: one for all that name the same, with the options of the batch as its defaults.

    A given `llm` takes the requests that name no target of their own, and the options go along with each of them.
    """

    def __init__(self, kernel: Any, llm: LLM | None, options: Mapping[str, Any]) -> None:
        self._kernel, self._llm = kernel, llm
        self._names = {name: value for name, value in options.items() if name in _PLACES}
        self._content = {name: options[name] for name in CONTENT if name in options}
        rest = {name: value for name, value in options.items() if name not in _PLACES and name not in self._content}
        self._options = rest
        self._made: OrderedDict[Any, LLM] = OrderedDict()

    def check(self) -> None:
        """InputError for options that no batch has, and for a misspelt name."""
        for name in WHOLE.intersection(self._options):
            raise InputError(f"a batch has whole answers, each once; leave {name} out")
        if self._llm is not None and (named := sorted(TARGET.intersection(self._names))):
            raise InputError(f"llm and {named[0]} both say who is asked; give one of them")
        unknown_options(self._options.keys(), None)

    def of(self, request: Request) -> tuple[LLM, dict[str, Any]]:
        """Who is asked, and the options to ask with."""
        own = request.options
        if self._content and request.verb == "complete":
            own = {**self._content, **own}
        if self._llm is not None and not request.target:
            return self._llm, {**self._names, **self._options, **own}
        key: Any = (request.verb, *sorted(request.target.items())) if request.target else request.verb
        try:
            found = self._made.get(key)
        except TypeError:  # a list or table among the names; two of them may be one
            return self._make(request), own
        if found is None:
            found = self._made[key] = self._make(request)
            if len(self._made) > MODELS:
                self._made.popitem(last=False)
        elif len(self._made) > MODELS // 2:
            self._made.move_to_end(key)
        return found, own

    def _make(self, request: Request) -> LLM:
        names = {**self._names, **request.target}
        if names.get("model") is None and names.get("preset") is None and names.get("route") is None:
            names["preset"] = PRESETS[request.verb]
        conceal(names)
        return LLM(**names, kernel=self._kernel, **self._options)


def limit_of(options: Mapping[str, Any]) -> float | None:
    """The seconds that a request has in all, by its own options; None without such a limit, or where it is no such."""
    found = options.get("timeout")
    if isinstance(found, Mapping):
        found = found.get("total")
    if isinstance(found, bool) or not isinstance(found, int | float):
        return None
    return found if 0 < found < math.inf else None


async def ask_within(
    limit: float, llm: LLM, request: Request, options: dict[str, Any]
) -> Completion | Embedding | ImageResult:
    """The answer within so many seconds: by the call's own clock first, then by ours.

    What blocks in a thread, or in a middleware, looks at no clock; it is left behind.
    """
    guard = asyncio.timeout(limit + GRACE)
    try:
        async with guard:
            return await ask(llm, request, options)
    except TimeoutError as error:
        if isinstance(error, HBError) or not guard.expired():
            raise
    raise DeadlineExceeded(f"the request had no answer within its {limit:g} s", maybe_billed=True)


async def ask(llm: LLM, request: Request, options: dict[str, Any]) -> Completion | Embedding | ImageResult:
    """The whole answer of one request."""
    if request.verb == "complete":
        return await llm.acomplete(request.content, **options)
    conceal(options)
    content = content_of(request.verb, request.content, options)
    spec = llm.spec
    if not CONNECTION.isdisjoint(options):
        moved = {name: options.pop(name) for name in CONNECTION & options.keys()}
        spec = llm.kernel.resolver.redirect(spec, moved)
    call = llm.kernel.call(request.verb, spec, with_effort(options), is_async=True, **content)
    answer: Embedding | ImageResult = await llm.kernel.answer(call)
    return answer


def content_of(verb: str, given: Any, options: dict[str, Any]) -> dict[str, Any]:
    """What a call of embed or imagen is about, as its fields; the images are taken out of the options."""
    if verb == "embed":
        return {"inputs": [given] if isinstance(given, str) else to_texts(given, "input")}
    if not isinstance(given, str) or not given.strip():
        raise InputTypeError("the prompt of an image is a text that says something")
    images = options.pop("images", None)
    return {"prompt": given, "images": to_images(images) if images is not None else []}
