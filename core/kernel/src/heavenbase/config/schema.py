"""Every configuration key: its types, its default and what it means.

This is the one list of keys. The packaged defaults, the checks, the trust rules, `hb cfg` and the reference
pages are all read from it. The check is a light walk of our own (`config.check`) and not pydantic, whose import alone
costs more than the whole start-up budget of `import heavenbase`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

from heavenbase.config.abilities import ABILITIES
from heavenbase.options import FREE, PROXIES, TABLE, Option, may_hold_secret
from heavenbase.options import UNSET as UNSET

POLICIES = ("deterministic", "force", "always", "off", "none", "false")
"""When answers may be cached."""
LOSSY_ACTIONS = ("error", "warn", "allow")


class Field(NamedTuple):
    """One value. `secret`: never shown. `free`: a project that nobody has vouched for may set it too.

    `words` are its types, as in `float | null`; `table` is a table of any content, `any` whatever TOML can hold.
    """

    words: str
    default: Any = UNSET
    description: str = ""
    choices: tuple[str, ...] = ()
    minimum: float | None = None
    secret: bool = False
    free: bool = False

    @property
    def types(self) -> tuple[str, ...]:
        """The types that it may have."""
        return tuple(self.words.split(" | "))


class Table(NamedTuple):
    """A table: `fields` are its known keys, `rows` what any other key holds, `short` a value that may stand for it.

    `free` are the names of rows that a project may set which nobody has vouched for.
    """

    fields: Mapping[str, Field | Table] = {}
    description: str = ""
    rows: Field | Table | None = None
    short: Field | None = None
    secret: bool = False
    free: Collection[str] = ()


Node = Field | Table
ANY = Field("any")


class Found(NamedTuple):
    """The schema's word on one key: whether it is secret, as all in a secret table is, and whether it is free."""

    node: Node
    secret: bool
    free: bool


_text = partial(Field, "str", UNSET)
_optional = partial(Field, "str | null", UNSET)
_texts = partial(Field, "list[str]", UNSET)
_flag = partial(Field, "bool", UNSET)
_clock = partial(Field, "float | null", minimum=0.001, free=True)
_free = partial(Field, "str", UNSET, free=True)
_free_optional = partial(Field, "str | null", UNSET, free=True)


def _table(description: str, /, **fields: Node) -> Table:
    return Table(fields, description)


def _by_gateway(description: str) -> Table:
    description += "; a table gives one per gateway, with a `default`"
    return Table({}, description, _text("the value for this gateway"), Field("str | null"))


def _headers(description: str = "extra HTTP headers") -> Table:
    return Table(description=description, rows=Field("str | null"), secret=True)


def _options(description: str) -> Table:
    # Open-ended, so it may hold an endpoint or a key that we cannot tell from a setting.
    return Table(description=description, rows=ANY, secret=True)


def _argument(option: Option, *, packaged: bool) -> Field | Table:
    if option.secret and option.types == "table":
        return _headers(option.help) if option.name.endswith("headers") else _options(option.help)
    words = " | ".join([*(word for word in option.types.split(" | ") if word not in ("secret", "object")), "null"])
    default = option.default if packaged else UNSET
    return Field(words, default, option.help, (), option.least, option.secret)


def _arguments(*, packaged: bool = False) -> Table:
    """Request arguments: any name, but the values of those that hb itself reads are checked."""
    known = {
        option.name: _argument(option, packaged=packaged)
        for option in TABLE
        if option.default is not UNSET or option.kind not in ("argument", "extra") or option.secret
        if "callable" not in option.types and not option.name.startswith("mock")
    }
    return Table(known, "arguments sent with every request; later layers and the call win", rows=ANY, free=FREE)


_DEFAULTS: Mapping[str, Node] = {
    "default_args": _arguments(),
    "unset": _texts("default arguments that must not go on the wire"),
}

KEPT = {"text": "chat completions", "embedding": "embedding vectors", "image": "generated images"}
"""The namespaces of the cache."""


def _namespace(what: str) -> Table:
    return _table(
        f"the cache of {what}",
        enabled=Field("bool", True, f"whether {what} are cached", free=True),
        ttl_seconds=Field("float | null", None, "seconds that an entry lives; null for ever", minimum=0),
        max_entries=Field("int | null", None, "entries kept; null for no limit", minimum=1),
        max_bytes=Field("int | null", None, "bytes kept; null for no limit", minimum=1),
    )


CAPABILITIES = Table(
    {name: Field(f"{words} | null", description=what, free=True) for name, (words, what) in ABILITIES.items()}
)

STAND_INS = {"chat": "a chat", "embed": "an embedding", "image": "an image"}
"""Kinds of default models that providers have."""

PRESET = _table(
    "a name for model, provider, gateway and default arguments",
    model=_free("canonical model name, alias or native id"),
    provider=_free_optional("provider to use; null lets the model decide"),
    gateway=_optional("gateway to use; null lets the provider decide"),
    args=_arguments(),
    **_DEFAULTS,
    stand_in=Field(
        "str | null",
        description="default model of a provider that may stand in where none has a key for the preset's: "
        "chat, embed or image",
        choices=tuple(STAND_INS),
    ),
    description=_free("one line for people"),
)

MODEL_AT_PROVIDER = Table(
    {
        "id": _free("the model's native id at this provider"),
        **_DEFAULTS,
        "capabilities": CAPABILITIES._replace(description="what the model can do at this provider"),
        "options": _options("settings that only this provider's plugin reads"),
    },
    "how one provider serves the model",
    short=_free_optional(),
)

MODEL = _table(
    "a model: canonical name, aliases, native ids",
    aliases=Field("list[str]", description="other names of the model", free=True),
    default_provider=_free_optional("provider when none is asked for"),
    providers=Table(description="provider name -> the model's native id there, or a table", rows=MODEL_AT_PROVIDER),
    **_DEFAULTS,
    capabilities=CAPABILITIES._replace(description="what the model can do"),
    dim=Field("int | null", description="length of its embedding vectors", minimum=1, free=True),
    thinking_control=_by_gateway("how thinking is asked for on the wire"),
    description=_free("one line for people"),
)

PROVIDER = _table(
    "an endpoint: address, credentials, native ids, capabilities",
    title=_text("its name for people"),
    gateway=_optional("gateway that speaks to it"),
    base_url=_by_gateway("address of the endpoint"),
    api_key=_optional("credential, best as ${env:NAME}", secret=True),
    auth_token=_optional("bearer token, best as ${env:NAME}", secret=True),
    auth_mode=_by_gateway("how the credential is sent"),
    headers=_headers(),
    backend=_by_gateway("the provider's name at routing gateways"),
    base_url_env=_by_gateway("variable that overrides base_url"),
    host_env=_text("variable that moves base_url to another host"),
    api_key_env=_texts("variables that may hold the credential"),
    account_env=_texts("variables that show an account where the credential is found otherwise"),
    api_key_optional=_flag("whether it also answers without a credential"),
    placeholder_key=_optional("what is sent where a credential is not needed"),
    allow_http=_flag("send the credential over http:// to other machines"),
    wire=_text("wire format that the endpoint speaks"),
    vision=_by_gateway("image format of its wire"),
    image_endpoint=_text("how images are generated", choices=("images", "chat")),
    parameters=Field("list[table]", description="rules by model pattern: rename, drop, clamp"),
    messages=Field(
        "list[table]",
        description="rules about messages and tools: roles, take, fill, prefill, own_tools",
    ),
    known_parameters=_texts("parameters that only its endpoint takes"),
    errors=Table(description="code of an error of its own -> kind of error, as in `error.kind`", rows=Field("str")),
    models=Table(description="canonical model name -> native id here", rows=Field("str | null")),
    default_models=Table(
        {name: _optional(f"model of the provider for {what} that names none") for name, what in STAND_INS.items()},
        "models for calls that name the provider alone",
    ),
    prefixes=_texts("prefixes of native ids that mean this provider"),
    native_ids=_texts("patterns of ids of its own, which no alias stands for; @ first: only where it is named"),
    aliases=_texts("other names of the provider"),
    allow_unknown_models=_flag("send model names that no catalogue lists"),
    require_base_url=_flag("refuse to run without a base_url of the user's"),
    require_model_override=_flag("refuse the placeholder model"),
    placeholder_model=_optional("the model name that stands for none"),
    **_DEFAULTS,
    portkey_custom_host=_flag("whether Portkey is told its address"),
    capabilities=CAPABILITIES._replace(description="what the endpoint can do"),
    thinking_control=_by_gateway("how thinking is asked for on the wire"),
    description=_text("one line for people"),
    docs_url=_text("page about its API"),
    keys_url=_text("page where credentials are issued"),
    models_url=_text("page that lists its models"),
    options=_options("settings that only this provider's plugin reads"),
)

GATEWAY = _table(
    "an adapter that owns an SDK and a wire",
    base_url=_optional("address of the gateway's own endpoint"),
    base_url_env=_optional("variable that overrides base_url"),
    api_key_env=_texts("variables that may hold the credential"),
    api_key=_optional("credential of the gateway itself", secret=True),
    auth_token=_optional("bearer token of the gateway itself", secret=True),
    allow_http=_flag("allow its key and the providers' to travel in clear text"),
    headers=_headers(),
    **_DEFAULTS,
    thinking_control=_optional("how thinking is asked for on the wire"),
    max_connections=Field("int | null", description="connections open at once to one place", minimum=1),
    ca_file=_optional("authorities to trust instead of the system's"),
    options=_options("settings that only this gateway's plugin reads"),
)

CACHE = _table(
    "the response cache",
    enabled=Field("bool", True, "whether answers are cached", free=True),
    backend=Field("str", "sqlite", "cache plugin that stores them"),
    policy=Field("str", "deterministic", "which answers may be cached", POLICIES),
    namespace=Field("str | null", None, "name shared by those who may share entries; null separates credentials"),
    path=Field("str | null", None, "where the backend keeps its file; null for the cache directory"),
    options=_options("settings that only the cache plugin reads"),
    namespaces=Table({name: _namespace(what) for name, what in KEPT.items()}, "limits of each kind of entry"),
)

LLM = _table(
    "calling language models",
    default_gateway=Field("str", "openai", "gateway when nothing names one"),
    default_provider=Field("str", "openrouter", "provider when nothing names one", free=True),
    default_preset=Field("str", "system", "preset when neither preset nor model is given", free=True),
    model_mismatch=Field(
        "str",
        "raise",
        "a model that the provider does not list: raise (where it lists all it has), warn, match (take the nearest), "
        "ignore",
        ("raise", "warn", "match", "ignore"),
    ),
    image_url_timeout=Field("float", 120, "seconds that fetching an image URL may take", minimum=0.001),
    image_allow_hosts=Field("list[str]", [], "hosts whose images are fetched from private addresses"),
    strict_plugins=Field("bool", False, "raise instead of falling back when a gateway is missing"),
    middleware=Field("list", [], "middleware around every verb, outermost first"),
    default_args=_arguments(packaged=True),
    cache=CACHE,
    tool_call_repair=_table(
        "repair of tool-call arguments",
        enabled=Field("bool", False, "repair malformed tool-call arguments"),
        strict=Field("bool", False, "raise when arguments cannot be repaired"),
    ),
    timeouts=_table(
        "the clocks of a call; null stops one",
        connect=_clock(5, "seconds to make a connection"),
        first_token=_clock(120, "seconds until the first content"),
        idle=_clock(60, "seconds without a byte"),
        stall=_clock(120, "seconds with bytes but no content"),
        total=_clock(600, "seconds over all attempts"),
        pool=_clock(30, "seconds to wait for a free connection"),
    ),
    retry=_table(
        "the one retry owner",
        max_attempts=Field("int", 3, "requests on the wire for one call and target", minimum=1),
        base_delay=Field("float", 0.5, "seconds before the first retry, doubled each time", minimum=0),
        max_delay=Field("float", 8, "seconds that a retry waits at most", minimum=0),
        budget_ratio=Field("float", 0.2, "retries allowed per call, over all calls to one target", minimum=0),
        budget_floor=Field("int", 10, "retries allowed before the ratio counts", minimum=0),
        max_retry_after=Field("float", 60, "longest Retry-After that is waited for, in seconds", minimum=0),
    ),
    on_lossy=Table(
        {
            "guarantees": Field("str", "error", "tools, schema, stop, max_tokens that are lost", LOSSY_ACTIONS),
            "tuning": Field("str", "warn", "sampling settings that are lost", LOSSY_ACTIONS),
        },
        "what to do when the wire cannot carry a parameter; one word stands for both",
        short=Field("str", choices=LOSSY_ACTIONS),
    ),
    presets=Table(description="presets by name", rows=PRESET),
    models=Table(description="models by canonical name", rows=MODEL),
    providers=Table(description="providers by name", rows=PROVIDER),
    gateways=Table(description="gateways by name", rows=GATEWAY),
)

PLUGINS = Table(
    {
        "allow": Field("list[str] | null", None, "the only plugins that may load; null for all"),
        "disabled": Field("list[str]", [], "plugins that never load"),
        "lock": Field("str | null", None, "file with the plugin versions that may load"),
        "import_timeout": Field("float", 30, "seconds that importing a plugin may take", minimum=0.001),
    },
    "which plugins may load",
)
SETTINGS: Mapping[str, Node] = {
    "llm": LLM,
    "plugins": PLUGINS,
    "local": _table(
        "the model that runs in this process",
        model=Field("str | null", None, "model file or name that the local provider runs"),
    ),
    "dotenv": Field("bool", False, "read variables that are not set from a .env file"),
}
SCHEMA = Table({"heavenbase": Table(SETTINGS, "every setting of hb")})


def look_up(path: Sequence[str]) -> Found | None:
    """Find what the schema says of a key, or None when there is no such key."""
    node: Node = SCHEMA
    secret = free = False
    for name in path:
        if isinstance(node, Table):
            child, free = node.fields.get(name, node.rows), free or name in node.free
            # Of a request's arguments any name may be given, that of a credential too.
            secret = secret or (node.free is FREE and name not in PROXIES and may_hold_secret(name))
        else:
            child, free = ANY if "any" in node.types or "table" in node.types else None, free or node.free
        if child is None:
            return None
        node = child
        secret = secret or node.secret
    field = node if isinstance(node, Field) else node.short
    return Found(node, secret, free or (field is not None and field.free))


def is_secret(path: Sequence[str], value: object = None) -> bool:
    """Say whether a value must never be shown, or that of a key: of an unknown key none, and no URL with a password."""
    found = look_up(path)
    if found is None or found.secret:
        return found is not None or value is not None
    return isinstance(value, str) and ("://" in value or path[-1] in PROXIES) and ("@" in value or "?" in value)


def known_keys(node: Table = SCHEMA, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Field]]:
    """Yield every known key with its field; `<name>` stands for the name of a row."""
    children: list[tuple[str, Node]] = list(node.fields.items())
    if node.rows is not None:
        children.append(("<name>", node.rows))
    for name, child in children:
        if isinstance(child, Field):
            yield (*path, name), child
        else:
            if child.short is not None:
                yield (*path, name), child.short._replace(description=child.description)
            yield from known_keys(child, (*path, name))


def defaults(node: Table = SCHEMA) -> dict[str, Any]:
    """Build the packaged defaults, a new nested dict each time."""
    values: dict[str, Any] = {}
    for name, child in node.fields.items():
        if isinstance(child, Table):
            if nested := defaults(child):
                values[name] = nested
        elif child.default is not UNSET:
            values[name] = list(child.default) if isinstance(child.default, list) else child.default
    return values
