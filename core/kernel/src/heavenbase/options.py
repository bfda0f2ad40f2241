"""The table of options: all that a caller may pass beside names and content, one line each.

Everything that treats options by their names reads this table: which of them travel, the checks, configuration keys,
session files, the command line, `docs/reference/options.md`, and by a test the TypedDict `heavenbase.Options`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping
from functools import lru_cache, partial
from typing import Any, Final, NamedTuple

from heavenbase.errors import InputError, UnknownNameError
from heavenbase.secrets import Hidden, hide, is_secret_header, veiled

UNSET: Final = "(unset)"
ROUTE_TABLES: Final = 12
"""Tables and lists that a route as a caller gives it may hold in each other: three for each of its four levels."""


class Option(NamedTuple):
    """One option.

    `kind`: a connection says where calls go, a control steers hb and never travels, an argument is a parameter of the
    request that each gateway brings onto its wire, an extra goes past all parameters. `types` are the words of
    configuration files, and `secret`, `callable`, `object` for what only code can give; None is allowed everywhere.
    `least` is the smallest number, `default` what the packaged settings say. Only those that are `free` may be set by a
    project that nobody has vouched for: they move nothing, cost little and say nothing to the model. To lose a
    `guarantee` is an error; session files hold those that are `saved`.
    """

    name: str
    types: str
    help: str
    kind: str = "extra"
    unit: str = ""
    least: float | None = None
    default: Any = UNSET
    secret: bool = False
    free: bool = False
    guarantee: bool = False
    saved: bool = False


_connection = partial(Option, kind="connection")
_control = partial(Option, kind="control")
_argument = partial(Option, kind="argument", saved=True)
_tuning = partial(_argument, free=True)

STEPS = ("none", "minimal", "low", "medium", "high", "xhigh", "max")
"""Steps of thinking, weakest first."""
TABLE: tuple[Option, ...] = (
    _connection("base_url", "str", "address of the endpoint"),
    _connection("api_key", "str | secret", "credential of the provider", secret=True),
    _connection("auth_token", "str | secret", "bearer token of the provider", secret=True),
    _connection("headers", "table", "HTTP headers of every request", secret=True),
    _connection("gateway_key", "str | secret", "credential of a gateway that routes", secret=True),
    _connection("provider_url", "str", "the provider's address behind a gateway that routes"),
    # Steering
    _control(
        "timeout", "float | table | object", "seconds in all, or a table of clocks", unit="s", least=0.001, free=True
    ),
    _control("max_retries", "int", "how often a failed request is tried again", least=0),
    _control("retry", "table", "settings of heavenbase.llm.retry for these calls"),
    _control("on_retry", "callable", "told before a request is repeated: number, most retries, seconds to wait, error"),
    _control("middleware", "list | object", "further middlewares of these calls, by name or as objects"),
    _control("tenant", "str", "whose call it is, for limits and budgets by tenant", saved=True),
    _control("session", "str", "the conversation that it is of, for budgets by session; LLMSession says it itself"),
    _control("by_provider", "table", "provider name -> options for calls that go there", secret=True),
    _control("on_lossy", "str | table", "what to do about parameters that the wire cannot carry: error, warn, allow"),
    _control("allow_unknown", "bool", "send parameters that neither hb nor the wire knows", saved=True),
    _control("http_proxy", "str", "proxy of http:// endpoints; '' for none", default=None),
    _control("https_proxy", "str", "proxy of https:// endpoints; '' for none", default=None),
    _control("no_proxy", "str", "hosts reached without a proxy, comma-separated", default=None),
    _control("cache", "bool | table", "whether the answer may come from the cache, or the cache's settings"),
    _control("cache_config", "table", "settings of the cache over those of the configuration"),
    _control("cache_policy", "str | bool", "which answers may be cached: deterministic, force, always, off"),
    _control("stream_chat", "bool", "ask for whole answers as streams", free=True),
    _control("structured_stream", "bool", "false asks for answers with a form without a stream", free=True),
    _control("enforce_non_stream_structured", "bool", "never stream answers with a form", default=False, free=True),
    _control("structured_retries", "int", "how often an answer that does not fit is asked again", least=0),
    _control("max_tool_turns", "int", "rounds of tools in one call", least=0, saved=True),
    _control("tool_timeout", "float", "seconds that one tool may run", unit="s", saved=True),
    _control("tool_concurrency", "int", "tools that run at once", least=1, saved=True),
    _control("confirm", "callable", "asked before a tool runs"),
    _control("on_round", "callable", "told of every round of tools"),
    _control("repair_tool_calls", "bool | table | object", "repair malformed arguments of tools", saved=True),
    _control("tool_call_repair", "bool | table | object", "the same, under its name in the configuration"),
    _control("embedding_batch_size", "int", "inputs in one embedding request", least=1, default=256, free=True),
    _control("embedding_max_workers", "int", "embedding requests in flight at once", least=1, default=8),
    _control("dim", "int", "length of the vectors, where the configuration must say it", least=1, free=True),
    _control("prompt_template", "str | object", "template that the text of a chat fills: its name, or itself"),
    _control("prompt_values", "table", "values of the parameters of that template"),
    _control("mock", "any | callable", "answer offline by this script"),
    _control("mock_text", "str", "answer offline with this text"),
    _control("mock_chat", "any | callable", "answer chats offline by this script"),
    _control("mock_embed", "any | callable", "answer embeddings offline by this script"),
    _control("mock_imagen", "any | callable", "answer image generations offline by this script"),
    _control("mock_chunk_chars", "int", "characters in a chunk of an offline answer"),
    _control("mock_pause", "float | list", "seconds before each chunk of an offline answer", unit="s"),
    _control("mock_seed", "int", "seed of what is random in offline answers"),
    # Sampling and limits
    _tuning("temperature", "float", "sampling temperature; null sends none", least=0, default=0),
    _tuning("seed", "int", "sampling seed; null sends none", default=42),
    _tuning("top_p", "float", "share of the likeliest tokens that are sampled from", least=0),
    _tuning("top_k", "int", "number of the likeliest tokens that are sampled from", least=0),
    _tuning("min_p", "float", "least probability, relative to the likeliest token", least=0),
    _tuning("frequency_penalty", "float", "penalty that grows with each use of a token"),
    _tuning("presence_penalty", "float", "penalty for tokens that were used"),
    _tuning("repetition_penalty", "float", "factor against repeated tokens"),
    _argument("logit_bias", "table", "bias by token id"),
    _tuning("max_tokens", "int", "most tokens of the answer", unit="tokens", least=1, guarantee=True),
    _tuning("max_completion_tokens", "int", "the same, thoughts included", unit="tokens", least=1, guarantee=True),
    _tuning("stop", "str | list[str]", "texts that end the answer", guarantee=True),
    _argument("n", "int", "number of answers or images", least=1),
    _tuning("logprobs", "bool | int", "log probabilities of the answer's tokens"),
    _tuning("top_logprobs", "int", "so many likeliest tokens at each place", least=0),
    # Thinking
    _tuning("think", "bool | str", "whether the model thinks first; a step, as Ollama has it, is its reasoning_effort"),
    _tuning("reasoning_effort", "str", "how hard it thinks: none, minimal, low, medium, high, xhigh, max"),
    _tuning("reasoning_max_tokens", "int", "most tokens of thinking", unit="tokens", least=0),
    _tuning("reasoning_exclude", "bool", "leave the thoughts out of the answer"),
    # Tools and form
    _argument("tools", "list | object", "tools that the model may call", guarantee=True, saved=False),
    _argument("tool_choice", "str | table | object", "auto, none, required, or one tool", guarantee=True, saved=False),
    _argument("parallel_tool_calls", "bool", "whether several tools may be called at once"),
    _argument("response_format", "str | table | object", "form of the answer: a type or a schema", guarantee=True),
    _tuning("verbosity", "str", "length of the answer: low, medium, high"),
    _argument("modalities", "list[str]", "what the answer is made of: text, audio, image"),
    _argument("audio", "table", "voice and format of spoken answers"),
    _argument("prediction", "table", "what the answer will mostly say"),
    _argument("web_search_options", "table", "settings of the provider's web search"),
    _argument("stream_options", "table", "what a stream tells beside the answer"),
    _argument("wire_include", "str | list[str]", "the field `include` of the Responses wire: more parts of an answer"),
    # Accounts
    _argument("service_tier", "str", "priority of the request"),
    _argument("store", "bool", "whether the provider keeps the answer"),
    _argument("metadata", "table", "labels that the provider keeps with the answer"),
    _argument("user", "str", "who is served, for the provider's abuse checks"),
    _argument("safety_identifier", "str", "the same, on newer wires"),
    _argument("prompt_caching", "bool | str | table", "mark long prompts for the provider's cache"),
    _argument("prompt_cache_key", "str", "prompts with one key share the provider's cache"),
    # Embeddings
    _tuning("dimensions", "int", "length of the vectors", least=1),
    _tuning("encoding_format", "str", "how vectors travel: float, base64"),
    _tuning("input_type", "str", "what the texts are for: query, document"),
    _tuning("task_type", "str", "the same, in other words"),
    _tuning("truncate", "str | bool", "which end of a long text is cut off"),
    # Images
    _tuning("size", "str", "width x height, or auto", unit="pixels"),
    _tuning("aspect_ratio", "str", "width to height, such as 16:9"),
    _tuning("quality", "str", "quality of the image"),
    _tuning("style", "str", "style of the image"),
    _argument("background", "str | bool", "of an image: transparent, opaque, auto; True: answer in the background"),
    _argument("moderation", "str | table", "strictness of the provider's filter, or how it moderates"),
    _tuning("output_format", "str | table", "png, jpeg, webp; of a chat, a schema as one wire has it"),
    _tuning("output_compression", "int", "compression", unit="%", least=0),
    _tuning("input_fidelity", "str", "how closely references are kept"),
    _argument("negative_prompt", "str", "what the image must not show"),
    _argument("mask", "str | object", "which part of a reference is made anew"),
    # Past all parameters
    Option("extra_body", "table", "fields laid over the request as they are", secret=True),
    Option("extra_query", "table", "query of the address", secret=True),
    Option("extra_headers", "table", "further HTTP headers", secret=True),
    Option("default_headers", "table", "the same; extra_headers win", secret=True),
)

OPTIONS: Mapping[str, Option] = {option.name: option for option in TABLE}


def named(chosen: Callable[[Option], object]) -> frozenset[str]:
    """The names of those options."""
    return frozenset(option.name for option in TABLE if chosen(option))


KNOWN = frozenset(OPTIONS)
CONNECTION = named(lambda option: option.kind == "connection")
"""Options that say how to connect; they are never default arguments of a request."""
CONTROLS = named(lambda option: option.kind in ("connection", "control"))
"""Options that steer hb and never reach the wire."""
EXTRAS = named(lambda option: option.kind == "extra")
"""Arguments that are parts of the request, and no parameters."""
GUARANTEES = named(lambda option: option.guarantee)
"""Parameters that a caller relies on: losing one is an error unless `on_lossy` says otherwise."""
SAVED = named(lambda option: option.saved)
SECRETS = named(lambda option: option.secret)
"""Options that are or may hold a credential: never shown, and bound to the endpoint that they were given for."""
FREE = named(lambda option: option.free)
"""Options that anybody's settings may give."""
CREDENTIALS = named(lambda option: option.secret and "secret" in option.types)
PROMPTED = frozenset({"prompt_template", "prompt_values"})
"""Controls that make the messages of a chat."""
MOCKS = named(lambda option: option.name.startswith("mock"))
"""Controls that answer offline, whatever the gateway."""
REASONING = frozenset({"think", "reasoning_effort", "reasoning_max_tokens", "reasoning_exclude"})
"""Options about thinking; each gateway translates them to its wire."""
PREPARED = frozenset({"tools", "tool_choice", "response_format", "stop", "background"})
"""Arguments that callers give in many forms."""
ADDRESSES = ("base_url", "provider_url")
_ADDRESS = re.compile(r"[^@?#]+://[^@?#]+")
"""Those without a password, which a query may hold too."""
PROXIES = ("http_proxy", "https_proxy", "no_proxy")
COUNTS = {o.name: int(o.least) for o in TABLE if o.kind == "control" and o.types == "int" and o.least is not None}
"""Controls that are whole numbers, with the least allowed one."""
TARGET = frozenset({"preset", "model", "provider", "gateway", "kernel", "route"})
"""Arguments of `LLM` beside the options."""
CONTENT = frozenset({"system", "images", "include", "reduce", "stream"})
"""Arguments of its methods beside the options."""
NO_SLIPS = frozenset(
    {
        *("image", "max_new_tokens", "min_tokens", "mode", "reasoning_format", "repeat_penalty", "search_options"),
        *("speed", "timeout_ms", "top_a", "top_n"),
    }
)
"""Parameters of wires that resemble options of hb."""


@lru_cache(maxsize=1024)
def may_hold_secret(name: str) -> bool:
    """Whether the value of an option may hold a credential; of a name that hb does not know, by its words."""
    return name in SECRETS or name in PROXIES or (name not in OPTIONS and is_secret_header(name))


def conceal(options: dict[str, Any]) -> None:
    """Hide what may hold a credential among the options that a caller gave, where they stand."""
    for name, value in options.items():
        if may_hold_secret(name):
            options[name] = hide(value)
        elif name in ADDRESSES and isinstance(value, str) and not _ADDRESS.fullmatch(value):
            options[name] = Hidden(value)
        elif name == "tools" and type(value) in (list, tuple):
            options[name] = [_concealed(tool) if type(tool) is dict else tool for tool in value]


def concealed_route(given: Any, depth: int = 0) -> Any:
    """A route or a list of models as a caller gave it, with the credentials of its targets hidden.

    InputError for one that is nested deeper than routes may be, which has no end where a list or table holds itself.
    """
    if type(given) not in (list, tuple, dict):
        return given
    if depth > ROUTE_TABLES:
        raise InputError("a route is nested too deeply, or holds itself")
    if type(given) is not dict:
        return type(given)(concealed_route(each, depth + 1) for each in given)
    route = {name: value if name == "args" else concealed_route(value, depth + 1) for name, value in given.items()}
    if "keys" in given:
        route["keys"] = hide(given["keys"])
    if type(args := given.get("args")) is dict:
        hidden = {name: value for name, value in args.items() if isinstance(name, str)}
        conceal(hidden)
        route["args"] = {**args, **hidden}
    return route


def with_effort(options: Mapping[str, Any]) -> Mapping[str, Any]:
    """The options with a step of thinking in `think` as `reasoning_effort`; InputError for a text that is none."""
    step = options.get("think")
    if not isinstance(step, str):
        return options
    if step not in STEPS:
        raise InputError(f"think must be True, False or a step of thinking ({', '.join(STEPS)}), not {step!r}")
    if options.get("reasoning_effort") not in (step, None):
        raise InputError(f"think={step!r} and reasoning_effort={options['reasoning_effort']!r} say two things")
    return {**options, "think": True, "reasoning_effort": step}


def secret_options(options: Mapping[str, Any]) -> set[str]:
    """The options that take something along that may be a credential; that of a proxy stays with the proxy."""
    return {name for name, value in options.items() if name not in PROXIES and (may_hold_secret(name) or veiled(value))}


def _concealed(tool: dict[str, Any]) -> dict[str, Any]:
    """A tool of the provider's own, which may bring headers and tokens for a server."""
    return {n: hide(value) if n == "headers" or is_secret_header(n) else value for n, value in tool.items()}


def split_options(options: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Merged options as (may reach the wire, controls); a None on the wire side is left out."""
    args: dict[str, Any] = {}
    controls: dict[str, Any] = {}
    for name, value in options.items():
        if name in CONTROLS:
            controls[name] = value
        elif value is not None:
            args[name] = value
    return args, controls


def check_slips(what: str, given: Iterable[Any], known: Collection[str], others: Collection[str] = ()) -> None:
    """UnknownNameError for one of the given names that is none of the known ones or the others, but close to one."""
    for name in (it for it in given if isinstance(it, str) and it not in known and it not in others):
        from difflib import get_close_matches

        if near := get_close_matches(name.lower(), known, 3, 0.8):
            raise UnknownNameError(what, name, near)


def unknown_options(
    given: Collection[str], wire: Collection[str] | None, *, allowed: bool = False, origins: Mapping[str, str] = {}
) -> frozenset[str]:
    """Those of the given names that neither hb nor the wire knows, where they are allowed.

    UnknownNameError where they are not, and for a slip: a name that is close to a known one. `wire` are the names of
    its parameters; None means that nobody has listed them, and then slips of hb's own names alone are found. `origins`
    tell where "args.NAME" was given.
    """
    strange = [name for name in given if name not in KNOWN and (wire is None or name not in wire)]
    if not strange:
        return frozenset()
    from difflib import get_close_matches

    known = sorted({*KNOWN, *TARGET, *CONTENT, *(wire or ())})
    for name in strange:
        where = origins.get(f"args.{name}", "argument")
        hint = "" if where == "argument" else f"it comes from {where}"
        if name in TARGET | CONTENT:
            place = "hb.LLM(), which makes the target of every call" if name in TARGET else "chat() and the other verbs"
            raise UnknownNameError("option", name, hint=f"pass it to {place}")
        near = [] if name in NO_SLIPS else get_close_matches(name.lower(), known, 3, 0.8)
        if near or (wire is not None and not allowed):
            way = "pass it in extra_body" if near else "pass it in extra_body, or with allow_unknown=True"
            hint = hint or f"to send it all the same, {way}"
            raise UnknownNameError("option", name, near or get_close_matches(name.lower(), known, 3, 0.6), hint=hint)
    return frozenset(strange) if wire is not None else frozenset()
