"""The keys of retries and of routes: which targets a call may go to, in which order, and when it goes on."""

from __future__ import annotations

from heavenbase.config.nodes import Field, Node, Table, arguments, optional, table, text

RETRY = table(
    "the one retry owner",
    max_attempts=Field("int", 3, "requests on the wire for one call and target", minimum=1),
    base_delay=Field("float", 0.5, "seconds before the first retry, doubled each time", minimum=0),
    max_delay=Field("float", 8, "seconds that a retry waits at most", minimum=0),
    budget_ratio=Field("float", 0.2, "retries allowed per call, over all calls to one target", minimum=0),
    budget_floor=Field("int", 10, "retries allowed before the ratio counts", minimum=0),
    max_retry_after=Field("float", 60, "longest Retry-After that is waited for, in seconds", minimum=0),
    cap_retry_after=Field("bool", False, "wait that long for a longer Retry-After, and then ask again"),
    billed_repeats=Field(
        "int | null", 1, "how often a request is repeated that may have been billed; null: as any other", minimum=0
    ),
    jitter=Field("float", 1, "share of a delay that is random; 0 for none", minimum=0),
    on=Field("list[str] | null", None, "kinds of errors after which a request is repeated; null: each error knows"),
)

KINDS_OF_ROUTES = ("fallback", "cascade", "balance")
RECOVERIES = ("fail", "restart", "prefill", "user_turn")
_TARGET: dict[str, Node] = {
    "model": optional("model to call"),
    "provider": optional("its provider"),
    "gateway": optional("its gateway"),
    "preset": optional("preset to call"),
    "args": arguments(),
    "weight": Field("float", 1, "share of the calls of a balance", minimum=0),
    "first_token": Field("float | null", None, "seconds until its first content", minimum=0.001),
    "share": Field("float | null", None, "share of the time left that it may take, of 1", minimum=0.001),
    "keys": Field("list[str]", [], "credentials taken in turn, each best as ${env:NAME}", secret=True),
}
TARGET = Table(_TARGET, "one target of a route; a text is the name of a model")
ROUTE = table(
    "a choice among targets",
    kind=Field("str", "fallback", "fallback (in order), cascade (a judge decides), balance", KINDS_OF_ROUTES),
    targets=Field("list", [], "names of models, or tables of targets", items=TARGET),
    on=Field("list[str] | null", None, "kinds of errors after which the next target is asked; null: those of its kind"),
    judge=Field("str | table | null", None, "who judges answers: a name, or a table with name and settings"),
    hop_after=Field("float | null", 2, "longest wait in seconds before a target is asked again; null: any", minimum=0),
    stream_fallback=Field("str", "fail", "what follows a stream that breaks behind its first content", RECOVERIES),
    stream_prompt=Field("str | null", None, "what the next target is told with stream_fallback user_turn"),
    on_foreign=Field(
        "str",
        "skip",
        "targets that cannot take what is another provider's: skip, strip (ask without it), pin (ask nobody else)",
        ("skip", "strip", "pin"),
    ),
    by=Field("str", "weights", "how balance chooses", ("weights", "least_busy", "latency")),
    affinity=Field("str", "none", "what stays at one target: session, prefix, none", ("none", "session", "prefix")),
    max_wait=Field("float", 10, "longest wait in seconds for a breaker where no target answers", minimum=0),
    breaker=table(
        "when a target that fails is left alone",
        failures=Field("int", 5, "failures in a row that open it", minimum=1),
        cooldown=Field("float", 5, "seconds until one call may try again, doubled each time", minimum=0),
        max_cooldown=Field("float", 60, "longest of these, in seconds", minimum=0),
        quota_cooldown=Field("float", 300, "seconds without requests where quota or key fail", minimum=0),
    ),
    description=text("one line for people"),
)


def a_route(description: str) -> Field:
    """A route where it stands: its name, its table, or the list of its targets."""
    return Field("str | table | list | null", description=description, inner=ROUTE, items=TARGET)


# A target may be a route, whose targets are such tables again.
_TARGET["route"] = a_route("another route in the place of one target")
