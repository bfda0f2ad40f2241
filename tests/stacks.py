"""Random stacks for test_stacks: routes in each other, what each target does wrong, and what the caller gives.

Each target is a model of its own (`m0`, `m1`, ...) at one of five addresses, so that every request says whom it is for.
Answers are numbered words (`m0.0 m0.1 ...`): who is sent the beginning of one goes on from there.
"""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from itertools import count
from random import Random
from typing import Any

from hb_routing import balance, cascade, fallback
from hb_testing.server import (
    LAST_CHUNK,
    Action,
    AnthropicWire,
    Exchange,
    LoopbackServer,
    OpenAIWire,
    Reply,
    chunk,
    head,
)
from hb_testing.server.answers import Answer

WIRES: dict[str, type[OpenAIWire] | type[AnthropicWire]] = {}
ADDRESSES = ("one", "two", "three", "four", "five")
PROVIDERS = ADDRESSES[:-1]
SECOND = "five"
"""A second address of the provider `one`."""
HAS_SECOND = True
"""Whether targets of one provider may have two addresses."""
WORDS = 6
KINDS = {"fallback": fallback, "cascade": cascade, "balance": balance}
MODES = ("fail", "restart", "user_turn", "prefill")
BREAKS = ("reset", "end", "event")
UNASKED = {"openai": ("temperature", "seed", "stream_options"), "anthropic": ("temperature",)}
"""What hb sends by itself, and a target may refuse."""
EVERY, LIMIT = 9, 100
"""Refuses all of them, and a limit of tokens above this one, or none."""
WORD = re.compile(r"\bm(\d+)\.(\d+)\b")
FILE, ID, BODY, HEADER, MORE, KEY = (f"given-{word}" for word in ("file", "id", "body", "header", "more", "key"))
GIVEN = (FILE, ID, BODY, HEADER, MORE, KEY)
"""What callers give, each with its own name as a value, so that it is known wherever it comes to."""
FORMS = ("complete", "acomplete", "stream", "astream")


def picky(call: Any, answer: Any) -> str | None:
    """A judge of the caller's own, who takes no hedging."""
    return "it hedges" if "cannot" in answer.text else None


async def broken(call: Any, answer: Any) -> str | None:
    """A judge that fails: an answer that is paid for is not lost by it."""
    raise RuntimeError("no judgement today")


JUDGES: dict[Any, tuple[Any, frozenset[str]]] = {
    None: (None, frozenset()),
    "finish": ("finish", frozenset({"length", "empty"})),
    "heuristic": ("heuristic", frozenset({"length", "hedge"})),
    "picky": (picky, frozenset({"hedge"})),
    "broken": (broken, frozenset()),
}
"""By name: the judge, and the acts that it refuses."""


@dataclass
class Leaf:
    """One target: the model m`number` at an address, and what it does with one request after the other.

    An act is a status, `("cut", pieces, how)`, or a word; the last one is done again and again. One that is `choosy`
    refuses so many of the arguments that nobody gave, one after the other, before it does anything else.
    """

    number: int
    address: str
    keys: int
    acts: tuple[Any, ...]
    choosy: int

    @property
    def provider(self) -> str:
        return "one" if self.address == SECOND else self.address

    @property
    def model(self) -> str:
        return f"m{self.number}"

    def credentials(self) -> list[str]:
        """Its own keys, else that of its address."""
        return [f"key-of-{self.model}-{place}" for place in range(self.keys)] or [f"key-of-{self.address}"]

    def target(self, urls: dict[str, str]) -> Any:
        table: dict[str, Any] = {"model": f"{self.provider}/{self.model}"}
        if self.address == SECOND:
            table["args"] = {"base_url": urls[SECOND], "api_key": f"key-of-{SECOND}"}
        if self.keys:
            table["keys"] = self.credentials()
        return table


@dataclass
class Node:
    """A route of the stack; its `judge` is a name of JUDGES."""

    kind: str
    targets: list[Leaf | Node]
    judge: str | None
    settings: dict[str, Any]

    @property
    def depth(self) -> int:
        return 1 + max((target.depth for target in self.targets if isinstance(target, Node)), default=0)

    def leaves(self) -> Iterator[Leaf]:
        for target in self.targets:
            yield from target.leaves() if isinstance(target, Node) else [target]

    def refused(self, above: frozenset[str] = frozenset()) -> Iterator[tuple[Leaf, frozenset[str]]]:
        """Each target with the acts that none of the judges around it lets pass."""
        judge = self.judge or ("heuristic" if self.kind == "cascade" else None)
        for target in self.targets:
            is_judged = self.kind != "cascade" or target is not self.targets[-1]
            acts = above | (JUDGES[judge][1] if is_judged else frozenset())
            if isinstance(target, Node):
                yield from target.refused(acts)
            else:
                yield target, acts

    def route(self, urls: dict[str, str]) -> Any:
        targets = [each.route(urls) if isinstance(each, Node) else each.target(urls) for each in self.targets]
        return KINDS[self.kind](*targets, judge=JUDGES[self.judge][0], **self.settings)


@dataclass
class Case:
    """One stack, and how it is called. `given` are those of the caller's things that are given, by name.

    Calls after the first one, so many seconds later, find what that one learned: breakers, turns of keys, refusals.
    """

    route: Node
    form: str
    retries: int | None
    given: frozenset[str]
    is_given_per_call: bool
    middleware: int
    timeout: float | None
    calls: int
    pause: float

    @property
    def leaves(self) -> list[Leaf]:
        return list(self.route.leaves())

    @property
    def is_stream(self) -> bool:
        return "stream" in self.form

    def options(self) -> tuple[dict[str, Any], dict[str, Any], Any]:
        """What is given to the LLM, to its call, and the messages."""
        shared: dict[str, Any] = {}
        if KEY in self.given:
            shared["api_key"] = KEY
        if HEADER in self.given:
            shared["headers"] = {"x-given": HEADER}
        if BODY in self.given:
            shared["extra_body"] = {"user": BODY}
        if MORE in self.given:
            shared["extra_headers"] = {"x-more": MORE}
        if ID in self.given:
            shared |= {"previous_response_id": ID, "allow_unknown": True}
        own: dict[str, Any] = {"timeout": self.timeout} if self.timeout else {}
        if self.retries is not None:
            own["max_retries"] = self.retries
        content: Any = "hi"
        if FILE in self.given:
            content = [{"type": "text", "text": "hi"}, {"type": "file", "file": {"file_id": FILE}}]
        messages = [{"role": "user", "content": content}]
        return ({**own, "on_lossy": "allow"}, shared, messages) if self.is_given_per_call else (
            {**own, **shared, "on_lossy": "allow"}, {}, messages)  # fmt: skip


# By chance


def case_of(random: Random) -> Case:
    """A case of one of three styles: anything, streams that break, targets that are asked as often as they may be."""
    style = random.choices(("any", "broken", "harsh"), (5, 4, 1.5))[0]
    mode = random.choice(MODES if style == "any" else MODES[1:])
    route = _node(random, count(), random.choice((1, 1, 2, 2, 3, 4)), mode, style)
    has_given = style != "harsh" and random.random() < (0.6 if style == "any" else 0.2)
    given = [name for name in GIVEN if has_given and random.random() < 0.3]
    return Case(
        route,
        form=random.choice(FORMS if style == "any" else FORMS[2:]),
        retries=random.choice((None, 0, 1, 2)),
        given=frozenset(given),
        is_given_per_call=random.random() < 0.5,
        middleware=random.randrange(3),
        timeout=random.choice((None, None, 50.0)) if style == "any" else None,
        calls=random.choice((1, 1, 2, 3)) if style == "any" else 1,
        pause=random.choice((0.0, 4.0, 400.0)),
    )


def _node(random: Random, numbers: Iterator[int], depth: int, mode: str, style: str) -> Node:
    settings = {
        "stream_fallback": mode,
        "hop_after": None if style == "harsh" else random.choice((None, 0.1, 2.0)),
        "max_wait": 0.0 if style == "harsh" else random.choice((0.0, 10.0)),
        "on_foreign": random.choice(("skip", "strip", "pin")),
        "on": None if random.random() < 0.6 else ["provider", "missing_credential"],
        "breaker": {"failures": 5 if style == "harsh" else random.choice((1, 5))},
    }
    many = random.choice((2, 2, 3) if style == "broken" or depth == 1 else (1, 2, 2))
    deepest = random.randrange(many) if depth > 1 else None
    targets: list[Leaf | Node] = []
    for place in range(many):
        if place == deepest:
            targets.append(_node(random, numbers, depth - 1, mode, style))
        else:
            targets.append(_leaf(random, next(numbers), style))
    # What is judged is no stream on its way to hb.
    is_judged = style == "any" or random.random() < 0.15
    kind = random.choice(("fallback", "balance", *(("cascade", "fallback") if is_judged else ())))
    return Node(kind, targets, random.choice((None, *JUDGES)) if is_judged else None, settings)


def _leaf(random: Random, number: int, style: str) -> Leaf:
    addresses = ADDRESSES if HAS_SECOND else PROVIDERS
    if style == "harsh":  # the other wire has fewer things to refuse
        addresses = tuple(name for name in addresses if name != "four")
    address = random.choice(addresses)
    keys = random.choice((0, 0, 0, 2, 3) if style != "harsh" else (0, 2)) if address != SECOND else 0
    if style == "harsh":
        status = 429 if keys else random.choice((429, 503))
        return Leaf(number, address, keys, (status,), random.choice((EVERY, EVERY, 0)))
    if style == "broken":
        acts: list[Any] = [("cut", random.randrange(1, WORDS + 1), random.choice(BREAKS))]
        acts = acts if random.random() < 0.6 else ["ok"]
    else:
        acts = [_act(random) for _ in range(random.choice((0, 1, 1, 2, 3)))]
        if random.random() < 0.6:
            acts.append("ok")
    return Leaf(number, address, keys, tuple(acts), random.choice((0, 0, 0, 1, EVERY)))


def _act(random: Random) -> Any:
    chosen = random.random()
    if chosen < 0.25:
        return ("cut", random.randrange(WORDS), random.choice(BREAKS))
    if chosen < 0.55:
        return random.choice((429, 429, 500, 503, 401, 402, 400, 404, 529))
    return random.choice(("ok", *("length", "hedge") * 3, "wait", "json", "filter", "slow", "lost"))


# Servers


@dataclass
class Seen:
    """One request as it came, and what became of it. `start` is the number of words that it was sent."""

    leaf: Leaf
    address: str
    headers: dict[str, str]
    body: dict[str, Any]
    outcome: str
    start: int
    status: int | None = None
    usage: int = 0

    @property
    def is_good(self) -> bool:
        """Whether it was answered, well or not."""
        return self.outcome in ("ok", "length", "hedge", "slow", "empty")

    @property
    def credential(self) -> str:
        return self.headers.get("x-api-key") or self.headers.get("authorization", "").removeprefix("Bearer ")


@dataclass
class World:
    """The servers, one log of all that they are sent, and the clock."""

    servers: dict[str, LoopbackServer] = field(default_factory=dict)
    case: Case | None = None
    log: list[Seen] = field(default_factory=list)
    now: float = 1000.0
    _done: Counter[int] = field(default_factory=Counter)

    @property
    def urls(self) -> dict[str, str]:
        return {name: server.url(name) for name, server in self.servers.items()}

    def prepare(self, case: Case) -> None:
        self.case, self.log, self.now, self._done = case, [], 1000.0, Counter()

    def sleep(self, seconds: float) -> None:
        # Whole seconds, so that what a deadline leaves is none on the sockets or enough.
        self.now += math.ceil(seconds)

    async def asleep(self, seconds: float) -> None:
        self.sleep(seconds)

    def config(self) -> dict[str, Any]:
        providers = {
            name: {
                "base_url": self.servers[name].url(name),
                "api_key": f"key-of-{name}",
                "wire": WIRES[name].family,
                "gateway": WIRES[name].family,
                "headers": {"x-owner": name},
                "capabilities": {"prefill": name == "three"},
            }
            for name in PROVIDERS
        }
        return {"heavenbase.llm.providers": providers, "heavenbase.llm.cache.enabled": False}

    def answer(self, wire: Any, exchange: Exchange, handle: Callable[[Exchange], Answer]) -> Answer:
        """What the target says to one request; kept in the log."""
        assert self.case is not None
        body = exchange.json()
        leaf = self.case.leaves[int(body["model"][1:])]
        said = " ".join(_texts(each) for each in body["messages"] if each["role"] == "assistant")
        seen = Seen(leaf, wire.name, exchange.request.headers, body, "ok", len(WORD.findall(said)))
        self.log.append(seen)
        refused = next((name for name in UNASKED[wire.family][: leaf.choosy] if name in body), None)
        if refused is not None:
            return self._fail(seen, wire, "unasked", 400, f"Unsupported parameter: '{refused}'")
        limit = body.get("max_tokens", body.get("max_completion_tokens"))
        if leaf.choosy == EVERY and (limit is None or limit > LIMIT):
            return self._fail(seen, wire, "unasked", 400, f"max_tokens must be at most {LIMIT} for this model")
        place = self._done[leaf.number]
        self._done[leaf.number] += 1
        act = leaf.acts[min(place, len(leaf.acts) - 1)] if leaf.acts else "ok"
        return self._act(seen, wire, exchange, handle, act)

    def _act(self, seen: Seen, wire: Any, exchange: Exchange, handle: Callable[[Exchange], Answer], act: Any) -> Answer:
        if isinstance(act, int):
            return self._fail(seen, wire, "status", act, "no")
        if act == "wait":
            reply = self._fail(seen, wire, "status", 429, "no")
            reply.headers = {**reply.headers, "retry-after": "3"}
            return reply
        if act == "filter":
            return self._fail(seen, wire, "filter", 400, "blocked by our content management policy")
        if act == "lost":
            seen.outcome = "lost"
            return [Action.RESET]
        if act == "json":
            seen.outcome = "json"
            return Reply(body=b"{no json", headers={"content-type": "application/json"})
        if act == "slow":
            self.now += 30.0
        words = [f"{seen.leaf.model}.{number} " for number in range(seen.start, WORDS)]
        # Who is to go on with what is whole has nothing to say.
        seen.outcome = (act if act in ("length", "slow") or words else "empty") if isinstance(act, str) else "ok"
        if act == "hedge" and words:
            words[0] = f"I cannot {words[0]}"
        options = seen.body.get("stream_options") or {}
        if wire.family == "anthropic" or not seen.body.get("stream") or options.get("include_usage"):
            seen.usage = 10 + len(self.log)
        finish = {"openai": "length", "anthropic": "max_tokens"}[wire.family] if act == "length" else None
        usage = {"prompt_tokens": 3, "completion_tokens": seen.usage}
        exchange.given = Reply("".join(words), chunks=words, usage=usage, finish_reason=finish)
        answer = handle(exchange)
        return self._cut(seen, wire, answer, act[1], act[2]) if isinstance(act, tuple) else answer

    def _cut(self, seen: Seen, wire: Any, answer: Any, pieces: int, how: str) -> Answer:
        seen.outcome = "cut"
        if isinstance(answer, Reply):
            whole = json.dumps(answer.body).encode()
            opened = head(200, {"content-type": "application/json", "content-length": str(len(whole))})
            return [opened + whole[: len(whole) // 2], Action.RESET]
        opened = head(200, {"content-type": answer.content_type, "transfer-encoding": "chunked"})
        events = [*answer.opening, *answer.content[:pieces]]
        if how == "event" and wire.has_error_events:
            events.append(wire.error_event(503, "broken"))
        sent = opened + b"".join(map(chunk, events))
        return [sent, Action.RESET] if how == "reset" else [sent + LAST_CHUNK, Action.KEEP_OPEN]

    def _fail(self, seen: Seen, wire: Any, outcome: str, status: int, text: str) -> Reply:
        seen.outcome, seen.status = outcome, status
        reply: Reply = wire.error(status, text)
        return reply


def _texts(message: dict[str, Any]) -> str:
    content = message["content"]
    return content if isinstance(content, str) else " ".join(part.get("text", "") for part in content)


@contextmanager
def world() -> Iterator[World]:
    """The servers, running."""
    made = World()

    class OpenAIDouble(OpenAIWire):
        cacheable = False

        def handle(self, exchange: Exchange) -> Answer:
            return made.answer(self, exchange, super().handle)

    class AnthropicDouble(AnthropicWire):
        def handle(self, exchange: Exchange) -> Answer:
            return made.answer(self, exchange, super().handle)

    with ExitStack() as stack:
        for name in ADDRESSES:
            kind = AnthropicDouble if name == "four" else OpenAIDouble
            WIRES[name] = kind
            wire = kind(name=name, base="" if name == "four" else "/v1")
            made.servers[name] = stack.enter_context(LoopbackServer(wires=[wire], strict=False, record=False))
        yield made
