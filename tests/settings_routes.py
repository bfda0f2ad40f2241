"""The proofs of the keys of routes, middlewares, judges, and of those of retries that have to do with them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from tests.settings_proofs import FAILING, TOOLS, Proof, both, count, got, path, said
from tests.settings_rig import Act, Seen

ZETA = {"gateway": "openai", "base_url": "ORIGIN/elsewhere/v1", "api_key": "sk-zeta-000", "allow_unknown_models": True}
DUO: Mapping[str, Any] = {
    "llm.providers.zeta": ZETA,
    "llm.presets.house.route": "duo",
    "llm.routes.duo.targets": ["acme/tiny-1", "zeta/z-1"],
    "llm.retry.max_attempts": 1,
}
"""A preset whose route has two targets at two providers."""
TWICE_ACME: Mapping[str, Any] = {
    **DUO,
    "llm.routes.duo.targets": ["acme/tiny-1", "acme/tiny-1"],
    "llm.routes.duo.max_wait": 0,
}
"""The same, with one target twice: the second is asked as long as its breaker is closed, which nobody waits for."""
AT_ONCE = {**TWICE_ACME, "llm.routes.duo.breaker": {"failures": 1}}
NO = {"status": 500, "text": "broken"}
OK = {"text": "here is an answer of some length"}
BREAKS = {**DUO, "llm.providers.acme.base_url": "ORIGIN/f/E2.3/acme/v1"}
"""The streams of the first target break behind their first content."""


def places(*providers: str) -> Callable[[Seen], bool]:
    """The requests went to these providers' paths, in order."""
    return lambda seen: [request.path.split("/")[1] for request in seen.requests] == list(providers)


def routed(*replies: Mapping[str, Any], **more: Any) -> Act:
    """A chat with the preset of the route; `settings` go over those of DUO."""
    settings = {**DUO, **more.pop("settings", {})}
    return Act(replies=replies, settings=settings, **more)


def shared(**of_route: Any) -> Act:
    """Two rounds of one call with a tool: each asks the route again, in one kernel."""
    settings = {**DUO, "llm.routes.duo.targets": [{"model": "acme/tiny-1"}, {"model": "zeta/z-1", "weight": 0}]}
    return replace(TOOLS, settings={**settings, **{f"llm.routes.duo.{name}": it for name, it in of_route.items()}})


ROUTES: Mapping[str, Proof] = {
    "targets": Proof(["zeta/z-1", "acme/tiny-1"], places("elsewhere"), routed(OK)),
    "kind": Proof("cascade", places("acme", "elsewhere"), routed({"text": "I'm not sure how to answer that"}, OK)),
    "on": Proof(["rejected"], places("acme", "elsewhere"), routed({"status": 400, "text": "odd"}, OK)),
    "judge": Proof("finish", places("acme", "elsewhere"), routed({"text": "cut", "finish_reason": "length"}, OK)),
    "hop_after": Proof(
        0.001,
        places("acme", "elsewhere"),
        routed(
            {"status": 429, "text": "later", "headers": {"retry-after-ms": "20"}},
            OK,
            settings={"llm.retry.max_attempts": 2},
        ),
    ),
    "stream_fallback": Proof(
        "user_turn", lambda seen: "cut off" in str(seen.body), Act("stream", replies=({}, OK), settings=BREAKS)
    ),
    "stream_prompt": Proof(
        "Say the rest.",
        lambda seen: "Say the rest." in str(seen.body),
        Act("stream", replies=({}, OK), settings={**BREAKS, "llm.routes.duo.stream_fallback": "user_turn"}),
    ),
    "on_foreign": Proof("strip", places("acme", "elsewhere"), routed(NO, OK, options={"extra_body": {"field": 1}})),
    "by": Proof("latency", places("acme", "elsewhere"), shared(kind="balance")),
    "affinity": Proof("session", places("acme", "acme"), shared(kind="balance", by="latency")),
    "max_wait": Proof(
        0,
        both(count(3), said("broken")),
        Act(
            settings={
                **DUO,
                "llm.retry.max_attempts": 2,
                "llm.routes.duo": {"targets": ["acme/tiny-1"]},
                "llm.routes.outer": {
                    "targets": ["acme/tiny-1", {"route": "duo"}],
                    "breaker": {"failures": 1, "cooldown": 0.02},
                },
                "llm.presets.house.route": "outer",
            },
            replies=(NO, NO, NO, OK),
        ),
    ),
    "breaker.failures": Proof(1, count(1), routed(NO, OK, settings=TWICE_ACME)),
    "breaker.cooldown": Proof(0, count(2), routed(NO, OK, settings=AT_ONCE)),
    "breaker.max_cooldown": Proof(0, count(2), routed(NO, OK, settings=AT_ONCE)),
    "breaker.quota_cooldown": Proof(0, count(2), routed({"status": 401, "text": "who"}, OK, settings=TWICE_ACME)),
    "description": Proof(
        "a route of words",
        got("a route of words"),
        Act("read", settings=DUO),
        hb=Act("list", args=("cfg", "list", "heavenbase.llm.routes"), settings=DUO),
        why="words for people to read",
    ),
}
PROOFS: dict[str, Proof] = {f"llm.routes.<name>.{name}": proof for name, proof in ROUTES.items()}
PROOFS |= {
    "llm.presets.<name>.route": Proof(
        ["zeta/z-1"], path("^/elsewhere/"), Act(settings={"llm.providers.zeta": ZETA})
    ),
    "llm.presets.<name>.middleware": Proof(["loud"], both(count(1), said("loud heard the call")), site=True),
    "llm.retry.jitter": Proof(
        0,
        said(r"would start in 1000000000\.00 s"),
        replace(
            FAILING,
            settings={"llm.timeouts.total": 10, "llm.retry.base_delay": 1e9, "llm.retry.max_delay": 1e9},
        ),
    ),
    "llm.retry.on": Proof(["rejected"], count(2), Act(replies=({"status": 400, "text": "odd"}, OK))),
    "llm.retry.cap_retry_after": Proof(
        True,
        count(2),
        Act(
            replies=({"status": 429, "text": "later", "headers": {"retry-after": "3600"}}, OK),
            settings={"llm.retry.max_retry_after": 0.001},
        ),
    ),
    "middleware.<name>.<name>": Proof(
        "so it heard", said("so it heard"), Act(settings={"llm.middleware": ["echo"]}), at="echo/words", site=True
    ),
    "tables.<name>.<name>": Proof(
        "my list", said("priced by my list"), Act(settings={"llm.table": "priced"}),
        at="priced/source", site=True,
    ),
    "judges.<name>.<name>": Proof(
        ["some length"], places("acme", "elsewhere"), routed(OK, OK, settings={"llm.routes.duo.kind": "cascade"}),
        at="heuristic/patterns",
    ),
}  # fmt: skip

# Abilities that a route asks for

TINY = {"model": "tiny", "provider": "acme"}
SHORT = routed(NO, OK, settings={"llm.routes.duo.targets": ["zeta/z-1", TINY, "zeta/z-2"]})
GOES_ON = Act(
    "stream",
    replies=({}, OK),
    settings={
        **DUO,
        "llm.providers.zeta": {**ZETA, "base_url": "ORIGIN/f/E2.3/elsewhere/v1"},
        "llm.routes.duo": {"targets": ["zeta/z-1", TINY], "stream_fallback": "prefill"},
    },
)
for place in ("models.<name>", "models.<name>.providers.<name>", "providers.<name>"):
    PROOFS[f"llm.{place}.capabilities.context_window"] = Proof(1, places("elsewhere", "elsewhere"), SHORT)
    PROOFS[f"llm.{place}.capabilities.prefill"] = Proof(
        True, lambda seen: [m["role"] for m in seen.body.get("messages", ())][-1:] == ["assistant"], GOES_ON
    )
