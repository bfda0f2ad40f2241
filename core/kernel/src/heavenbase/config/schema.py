"""Every configuration key: its types, its default and what it means.

This is the one list of keys. The packaged defaults, the checks, the trust rules, `hb cfg` and the reference
pages are all read from it. The check is a light walk of our own (`config_check`) and not pydantic, whose import alone
costs more than the whole start-up budget of `import heavenbase`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from heavenbase import options
from heavenbase.config.field import ANY, UNSET, Field, Table

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from heavenbase.config.field import Node
    from heavenbase.options import Option


class Found(NamedTuple):
    """The schema's word on one key; the flags are inherited from the tables around it."""

    node: Node
    secret: bool
    guarded: bool


def _text(description: str) -> Field:
    return Field("str", description=description)


def _open(description: str) -> Table:
    return Table(description=description, rows=ANY)


def _by_gateway(description: str, *, guarded: bool = False) -> Table:
    return Table(
        description=description + "; a table gives one per gateway, with a `default`",
        rows=Field("str", description="the value for this gateway"),
        short=Field("str | null"),
        guarded=guarded,
    )


def _headers(description: str = "extra HTTP headers") -> Table:
    return Table(description=description, rows=Field("str | null"), secret=True, guarded=True)


def _options(description: str) -> Table:
    # Open-ended, so it may hold an endpoint or a key that we cannot tell from a setting.
    return Table(description=description, rows=ANY, secret=True, guarded=True)


def _argument(option: Option, *, packaged: bool) -> Field | Table:
    if option.secret and option.types == "table":
        return _headers(option.help)
    types = [word for word in option.types.split(" | ") if word not in ("secret", "object")]
    return Field(
        " | ".join([*types, "null"]),
        option.default if packaged and option.default is not options.UNSET else UNSET,
        option.help,
        minimum=option.least,
        secret=option.secret,
        guarded=option.guarded,
    )


def _arguments(*, packaged: bool = False) -> Table:
    """Request arguments: any name, but the values of those that hb itself reads are checked."""
    known = {
        option.name: _argument(option, packaged=packaged)
        for option in options.TABLE
        if option.default is not options.UNSET or option.kind not in ("argument", "extra") or option.secret
        if "callable" not in option.types and not option.name.startswith("mock")
    }
    return Table(known, "arguments sent with every request; later layers and the call win", rows=ANY)


_DROPPED = Field("list[str]", description="default arguments that must not go on the wire")


def _namespace(what: str) -> Table:
    return Table(
        {
            "enabled": Field("bool", True, f"whether {what} are cached"),
            "ttl_seconds": Field("float | null", None, "seconds that an entry lives; null for ever", minimum=0),
            "max_entries": Field("int | null", None, "entries kept; null for no limit", minimum=1),
            "max_bytes": Field("int | null", None, "bytes kept; null for no limit", minimum=1),
        },
        f"the cache of {what}",
    )


PRESET = Table(
    {
        "model": _text("canonical model name, alias or native id"),
        "provider": Field("str | null", description="provider to use; null lets the model decide"),
        "gateway": Field("str | null", description="gateway to use; null lets the provider decide"),
        "args": _arguments(),
        "default_args": _arguments(),
        "unset": _DROPPED,
        "description": _text("one line for people"),
    },
    "a name for model, provider, gateway and default arguments",
)

MODEL = Table(
    {
        "aliases": Field("list[str]", description="other names of the model"),
        "default_provider": Field("str | null", description="provider when none is asked for"),
        "providers": Table(
            description="provider name -> the model's native id there, or a table",
            rows=Table(
                {
                    "id": _text("the model's native id at this provider"),
                    "default_args": _arguments(),
                    "unset": _DROPPED,
                    "capabilities": _open("what the model can do at this provider"),
                    "options": _options("settings that only this provider's plugin reads"),
                },
                "how one provider serves the model",
                short=Field("str | null"),
            ),
        ),
        "default_args": _arguments(),
        "unset": _DROPPED,
        "capabilities": _open("what the model can do"),
        "dim": Field("int | null", description="length of its embedding vectors", minimum=1),
        "thinking_control": _by_gateway("how thinking is asked for on the wire"),
        "description": _text("one line for people"),
    },
    "a model: canonical name, aliases, native ids",
)

PROVIDER = Table(
    {
        "title": _text("its name for people"),
        "gateway": Field("str | null", description="gateway that speaks to it"),
        "base_url": _by_gateway("address of the endpoint", guarded=True),
        "api_key": Field("str | null", description="credential, best as ${env:NAME}", secret=True),
        "auth_token": Field("str | null", description="bearer token, best as ${env:NAME}", secret=True),
        "auth_mode": _by_gateway("how the credential is sent"),
        "headers": _headers(),
        "backend": _by_gateway("the provider's name at routing gateways"),
        "base_url_env": _by_gateway("variable that overrides base_url", guarded=True),
        "host_env": Field("str", description="variable that moves base_url to another host", guarded=True),
        "api_key_env": Field("list[str]", description="variables that may hold the credential", guarded=True),
        "api_key_optional": Field("bool", description="whether it also answers without a credential"),
        "placeholder_key": Field("str | null", description="what is sent where a credential is not needed"),
        "allow_http": Field("bool", description="send the credential over http:// to other machines", guarded=True),
        "wire": _text("wire format that the endpoint speaks"),
        "vision": _by_gateway("image format of its wire"),
        "image_endpoint": Field("str", description="how images are generated", choices=("images", "chat")),
        "parameters": Field("list[table]", description="rules by model pattern: rename, drop, clamp"),
        "known_parameters": Field("list[str]", description="parameters that only its endpoint takes"),
        "models": Table(description="canonical model name -> native id here", rows=Field("str | null")),
        "prefixes": Field("list[str]", description="prefixes of native ids that mean this provider"),
        "aliases": Field("list[str]", description="other names of the provider"),
        "allow_unknown_models": Field("bool", description="send model names that no catalogue lists"),
        "require_base_url": Field("bool", description="refuse to run without a base_url of the user's"),
        "require_model_override": Field("bool", description="refuse the placeholder model"),
        "placeholder_model": Field("str | null", description="the model name that stands for none"),
        "default_args": _arguments(),
        "unset": _DROPPED,
        "portkey_custom_host": Field("bool", description="whether Portkey is told its address"),
        "capabilities": _open("what the endpoint can do"),
        "thinking_control": _by_gateway("how thinking is asked for on the wire"),
        "description": _text("one line for people"),
        "docs_url": _text("page about its API"),
        "keys_url": _text("page where credentials are issued"),
        "models_url": _text("page that lists its models"),
        "options": _options("settings that only this provider's plugin reads"),
    },
    "an endpoint: address, credentials, native ids, capabilities",
)

GATEWAY = Table(
    {
        "base_url": Field("str | null", description="address of the gateway's own endpoint", guarded=True),
        "base_url_env": Field("str | null", description="variable that overrides base_url", guarded=True),
        "api_key_env": Field("list[str]", description="variables that may hold the credential", guarded=True),
        "api_key": Field("str | null", description="credential of the gateway itself", secret=True),
        "auth_token": Field("str | null", description="bearer token of the gateway itself", secret=True),
        "allow_http": Field(
            "bool", description="allow its key and the providers' to travel in clear text", guarded=True
        ),
        "headers": _headers(),
        "default_args": _arguments(),
        "unset": _DROPPED,
        "thinking_control": Field("str | null", description="how thinking is asked for on the wire"),
        "max_connections": Field("int | null", description="connections open at once to one place", minimum=1),
        "ca_file": Field("str | null", description="authorities to trust instead of the system's", guarded=True),
        "options": _options("settings that only this gateway's plugin reads"),
    },
    "an adapter that owns an SDK and a wire",
)

CACHE = Table(
    {
        "enabled": Field("bool", True, "whether answers are cached"),
        "backend": Field("str", "sqlite", "cache plugin that stores them", guarded=True),
        "policy": Field(
            "str",
            "deterministic",
            "which answers may be cached",
            choices=("deterministic", "force", "always", "off", "none", "false"),
        ),
        "namespace": Field(
            "str | null", None, "name shared by those who may share entries; null separates credentials", guarded=True
        ),
        "path": Field(
            "str | null", None, "where the backend keeps its file; null for the cache directory", guarded=True
        ),
        "options": _options("settings that only the cache plugin reads"),
        "namespaces": Table(
            {
                "text": _namespace("chat completions"),
                "embedding": _namespace("embedding vectors"),
                "image": _namespace("generated images"),
            },
            "limits of each kind of entry",
        ),
    },
    "the response cache",
)

_LOSSY = ("error", "warn", "allow")

LLM = Table(
    {
        "default_gateway": Field("str", "openai", "gateway when nothing names one"),
        "default_provider": Field("str", "openrouter", "provider when nothing names one"),
        "default_preset": Field("str", "system", "preset when neither preset nor model is given"),
        "model_mismatch": Field(
            "str",
            "raise",
            "what to do with a model that the provider does not list",
            choices=("raise", "warn", "ignore"),
        ),
        "image_url_timeout": Field("float", 120, "seconds that fetching an image URL may take", minimum=0.001),
        "image_allow_hosts": Field(
            "list[str]", [], "hosts whose images are fetched from private addresses", guarded=True
        ),
        "strict_plugins": Field("bool", False, "raise instead of falling back when a gateway is missing", guarded=True),
        "middleware": Field("list", [], "middleware around every verb, outermost first", guarded=True),
        "default_args": _arguments(packaged=True),
        "cache": CACHE,
        "tool_call_repair": Table(
            {
                "enabled": Field("bool", False, "repair malformed tool-call arguments"),
                "strict": Field("bool", False, "raise when arguments cannot be repaired"),
            },
            "repair of tool-call arguments",
        ),
        "timeouts": Table(
            {
                "connect": Field("float | null", 5, "seconds to make a connection", minimum=0.001),
                "first_token": Field("float | null", 120, "seconds until the first content", minimum=0.001),
                "idle": Field("float | null", 60, "seconds without a byte", minimum=0.001),
                "stall": Field("float | null", 120, "seconds with bytes but no content", minimum=0.001),
                "total": Field("float | null", 600, "seconds over all attempts", minimum=0.001),
                "pool": Field("float | null", 30, "seconds to wait for a free connection", minimum=0.001),
            },
            "the clocks of a call; null stops one",
        ),
        "retry": Table(
            {
                "max_attempts": Field("int", 3, "requests on the wire for one call and target", minimum=1),
                "base_delay": Field("float", 0.5, "seconds before the first retry, doubled each time", minimum=0),
                "max_delay": Field("float", 8, "seconds that a retry waits at most", minimum=0),
                "budget_ratio": Field(
                    "float", 0.2, "retries allowed per call, over all calls to one target", minimum=0
                ),
                "budget_floor": Field("int", 10, "retries allowed before the ratio counts", minimum=0),
                "max_retry_after": Field("float", 60, "longest Retry-After that is waited for, in seconds", minimum=0),
            },
            "the one retry owner",
        ),
        "on_lossy": Table(
            {
                "guarantees": Field("str", "error", "tools, schema, stop, max_tokens that are lost", choices=_LOSSY),
                "tuning": Field("str", "warn", "sampling settings that are lost", choices=_LOSSY),
            },
            "what to do when the wire cannot carry a parameter; one word stands for both",
            short=Field("str", choices=_LOSSY),
        ),
        "presets": Table(description="presets by name", rows=PRESET),
        "models": Table(description="models by canonical name", rows=MODEL),
        "providers": Table(description="providers by name", rows=PROVIDER),
        "gateways": Table(description="gateways by name", rows=GATEWAY),
    },
    "calling language models",
)

SCHEMA = Table(
    {
        "heavenbase": Table(
            {
                "llm": LLM,
                "plugins": Table(
                    {
                        "allow": Field("list[str] | null", None, "the only plugins that may load; null for all"),
                        "disabled": Field("list[str]", [], "plugins that never load"),
                        "lock": Field("str | null", None, "file with the plugin versions that may load"),
                        "import_timeout": Field("float", 30, "seconds that importing a plugin may take", minimum=0.001),
                    },
                    "which plugins may load",
                    guarded=True,
                ),
                "local": Table(
                    {"model": Field("str | null", None, "model file or name that the local provider runs")},
                    "the model that runs in this process",
                ),
                "dotenv": Field("bool", False, "read variables that are not set from a .env file", guarded=True),
            },
            "every setting of hb",
        )
    }
)


def look_up(path: Sequence[str]) -> Found | None:
    """Find what the schema says of a key, or None when there is no such key."""
    node: Node = SCHEMA
    secret = guarded = False
    for name in path:
        child = _child(node, name)
        if child is None:
            return None
        node = child
        secret = secret or node.secret
        guarded = guarded or node.guarded
    return Found(node, secret, guarded)


def _child(node: Node, name: str) -> Node | None:
    if isinstance(node, Table):
        return node.fields.get(name, node.rows)
    return ANY if "any" in node.types or "table" in node.types else None


def is_secret(path: Sequence[str]) -> bool:
    """Say whether the value of a key must never be shown."""
    found = look_up(path)
    return found is not None and found.secret


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
                yield (*path, name), Field(" | ".join(child.short.types), UNSET, child.description)
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
