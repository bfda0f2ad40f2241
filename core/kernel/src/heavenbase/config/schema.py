"""Every configuration key: its types, its default and what it means.

This is the one list of keys. The packaged defaults, the checks, the trust rules, `hb cfg` and the reference
pages are all read from it. The check is a light walk of our own (`config.check`) and not pydantic, whose import alone
costs more than the whole start-up budget of `import heavenbase`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from heavenbase.config.abilities import ABILITIES
from heavenbase.config.nodes import ANY as ANY
from heavenbase.config.nodes import Field as Field
from heavenbase.config.nodes import Found as Found
from heavenbase.config.nodes import Node as Node
from heavenbase.config.nodes import Table as Table
from heavenbase.config.nodes import (
    arguments,
    by_gateway,
    clock,
    flag,
    free_optional,
    free_text,
    headers_table,
    open_table,
    optional,
    table,
    text,
    texts,
)
from heavenbase.config.prompts import PROMPT as PROMPT
from heavenbase.config.routing import RETRY as RETRY
from heavenbase.config.routing import ROUTE as ROUTE
from heavenbase.config.routing import a_route
from heavenbase.options import FREE, PROXIES, may_hold_secret
from heavenbase.options import UNSET as UNSET

POLICIES = ("deterministic", "force", "always", "off", "none", "false")
"""When answers may be cached."""
LOSSY_ACTIONS = ("error", "warn", "allow")

_DEFAULTS: Mapping[str, Node] = {
    "default_args": arguments(),
    "unset": texts("default arguments that must not go on the wire"),
}

KEPT = {"text": "chat completions", "embedding": "embedding vectors", "image": "generated images"}
"""The namespaces of the cache."""


def _namespace(what: str) -> Table:
    return table(
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

PRESET = table(
    "a name for model, provider, gateway and default arguments",
    model=free_text("canonical model name, alias or native id"),
    provider=free_optional("provider to use; null lets the model decide"),
    gateway=optional("gateway to use; null lets the provider decide"),
    args=arguments(),
    route=a_route("route of its calls: a name, a table, or a list of models"),
    middleware=Field("list[str]", description="further middlewares of its calls, outermost first"),
    **_DEFAULTS,
    prompt=optional("template that is put before what a call says, whose text fills its parameter `input`"),
    stand_in=Field(
        "str | null",
        description="default model of a provider that may stand in where none has a key for the preset's: "
        "chat, embed or image",
        choices=tuple(STAND_INS),
    ),
    description=free_text("one line for people"),
)

MODEL_AT_PROVIDER = Table(
    {
        "id": free_text("the model's native id at this provider"),
        **_DEFAULTS,
        "capabilities": CAPABILITIES._replace(description="what the model can do at this provider"),
        "options": open_table("settings that only this provider's plugin reads"),
    },
    "how one provider serves the model",
    short=free_optional(),
)

MODEL = table(
    "a model: canonical name, aliases, native ids",
    aliases=Field("list[str]", description="other names of the model", free=True),
    default_provider=free_optional("provider when none is asked for"),
    providers=Table(description="provider name -> the model's native id there, or a table", rows=MODEL_AT_PROVIDER),
    **_DEFAULTS,
    capabilities=CAPABILITIES._replace(description="what the model can do"),
    dim=Field("int | null", description="length of its embedding vectors", minimum=1, free=True),
    thinking_control=by_gateway("how thinking is asked for on the wire"),
    description=free_text("one line for people"),
)

PROVIDER = table(
    "an endpoint: address, credentials, native ids, capabilities",
    title=text("its name for people"),
    gateway=optional("gateway that speaks to it"),
    base_url=by_gateway("address of the endpoint"),
    api_key=optional("credential, best as ${env:NAME}", secret=True),
    auth_token=optional("bearer token, best as ${env:NAME}", secret=True),
    auth_mode=by_gateway("how the credential is sent"),
    headers=headers_table(),
    backend=by_gateway("the provider's name at routing gateways"),
    base_url_env=by_gateway("variable that overrides base_url"),
    host_env=text("variable that moves base_url to another host"),
    api_key_env=texts("variables that may hold the credential"),
    account_env=texts("variables that show an account where the credential is found otherwise"),
    api_key_optional=flag("whether it also answers without a credential"),
    placeholder_key=optional("what is sent where a credential is not needed"),
    allow_http=flag("send the credential over http:// to other machines"),
    wire=text("wire format that the endpoint speaks"),
    vision=by_gateway("image format of its wire"),
    image_endpoint=text("how images are generated", choices=("images", "chat")),
    parameters=Field("list[table]", description="rules by model pattern: rename, drop, clamp"),
    messages=Field(
        "list[table]",
        description="rules about messages and tools: roles, take, fill, prefill, own_tools",
    ),
    known_parameters=texts("parameters that only its endpoint takes"),
    errors=Table(description="code of an error of its own -> kind of error, as in `error.kind`", rows=Field("str")),
    models=Table(description="canonical model name -> native id here", rows=Field("str | null")),
    default_models=Table(
        {name: optional(f"model of the provider for {what} that names none") for name, what in STAND_INS.items()},
        "models for calls that name the provider alone",
    ),
    prefixes=texts("prefixes of native ids that mean this provider"),
    native_ids=texts("patterns of ids of its own, which no alias stands for; @ first: only where it is named"),
    aliases=texts("other names of the provider"),
    allow_unknown_models=flag("send model names that no catalogue lists"),
    require_base_url=flag("refuse to run without a base_url of the user's"),
    require_model_override=flag("refuse the placeholder model"),
    placeholder_model=optional("the model name that stands for none"),
    **_DEFAULTS,
    portkey_custom_host=flag("whether Portkey is told its address"),
    capabilities=CAPABILITIES._replace(description="what the endpoint can do"),
    text_only=texts("patterns of ids, in lower case, of models that see no images; a model's own record wins"),
    thinking_control=by_gateway("how thinking is asked for on the wire"),
    description=text("one line for people"),
    docs_url=text("page about its API"),
    keys_url=text("page where credentials are issued"),
    models_url=text("page that lists its models"),
    options=open_table("settings that only this provider's plugin reads"),
)

GATEWAY = table(
    "an adapter that owns an SDK and a wire",
    base_url=optional("address of the gateway's own endpoint"),
    base_url_env=optional("variable that overrides base_url"),
    api_key_env=texts("variables that may hold the credential"),
    api_key=optional("credential of the gateway itself", secret=True),
    auth_token=optional("bearer token of the gateway itself", secret=True),
    allow_http=flag("allow its key and the providers' to travel in clear text"),
    headers=headers_table(),
    **_DEFAULTS,
    thinking_control=optional("how thinking is asked for on the wire"),
    max_connections=Field("int | null", description="connections open at once to one place", minimum=1),
    ca_file=optional("authorities to trust instead of the system's"),
    options=open_table("settings that only this gateway's plugin reads"),
)

CACHE = table(
    "the response cache",
    enabled=Field("bool", True, "whether answers are cached", free=True),
    backend=Field("str", "sqlite", "cache plugin that stores them"),
    policy=Field("str", "deterministic", "which answers may be cached", POLICIES),
    namespace=Field("str | null", None, "name shared by those who may share entries; null separates credentials"),
    path=Field("str | null", None, "where the backend keeps its file; null for the cache directory"),
    options=open_table("settings that only the cache plugin reads"),
    namespaces=Table({name: _namespace(what) for name, what in KEPT.items()}, "limits of each kind of entry"),
)

LLM = table(
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
    table=Field("str | null", "prices", "table of models that tells prices and abilities, if installed; null for none"),
    default_args=arguments(packaged=True),
    cache=CACHE,
    tool_call_repair=table(
        "repair of tool-call arguments",
        enabled=Field("bool", False, "repair malformed tool-call arguments"),
        strict=Field("bool", False, "raise when arguments cannot be repaired"),
    ),
    timeouts=table(
        "the clocks of a call; null stops one",
        connect=clock(5, "seconds to make a connection"),
        first_token=clock(120, "seconds until the first content"),
        idle=clock(60, "seconds without a byte"),
        stall=clock(120, "seconds with bytes but no content"),
        total=clock(600, "seconds over all attempts"),
        pool=clock(30, "seconds to wait for a free connection"),
    ),
    retry=RETRY,
    on_lossy=Table(
        {
            "guarantees": Field("str", "error", "tools, schema, stop, max_tokens that are lost", LOSSY_ACTIONS),
            "tuning": Field("str", "warn", "sampling settings that are lost", LOSSY_ACTIONS),
        },
        "what to do when the wire cannot carry a parameter; one word stands for both",
        short=Field("str", choices=LOSSY_ACTIONS),
    ),
    presets=Table(description="presets by name", rows=PRESET),
    routes=Table(description="routes by name", rows=ROUTE),
    prompts=Table(description="templates of prompts by name", rows=PROMPT),
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
    "middleware": Table(description="settings of middlewares by name", rows=open_table("what this middleware reads")),
    "judges": Table(description="settings of judges by name", rows=open_table("what this judge reads")),
    "tables": Table(description="settings of tables of models by name", rows=open_table("what this table reads")),
    "local": table(
        "the model that runs in this process",
        model=Field("str | null", None, "model file or name that the local provider runs"),
    ),
    "dotenv": Field("bool | null", None, "read the nearest .env file: true all of it, false none; null: hb takes keys"),
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
            child, free = node.child(name), free or node.free
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
    return isinstance(value, str) and is_address_with_secret(value, "" if path[-1] in PROXIES else "://")


def is_address_with_secret(text: str, mark: str = "://") -> bool:
    """Whether a text is an address that may hold a password, or a query with one."""
    return mark in text and ("@" in text or "?" in text)


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
