"""LLMSpec: the resolved, immutable, hashable result of a resolution; the time limits of a call, and its request."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, astuple, dataclass, field, replace
from fnmatch import fnmatchcase
from types import MappingProxyType
from typing import Any
from urllib.parse import unquote

from heavenbase.errors import InputError, InputTypeError, UnknownNameError
from heavenbase.options import CREDENTIALS, PROXIES, may_hold_secret
from heavenbase.secrets import Hidden, Secret, hide, is_secret_header, mapped, mask

EMPTY: Mapping[str, Any] = MappingProxyType({})
REDACTED = "<redacted>"
_PUBLIC_HEADER = re.compile(r"^(user-agent|accept.*|content-type|(http-)?referer|x-title|.*-(beta|version))$", re.I)
_SCHEME = re.compile("bearer|basic|token|digest|negotiate|api-?key", re.IGNORECASE)
_LEAST = 8
"""Characters of a value whose name says nothing of a credential; shorter ones are words that messages are made of."""


def empty() -> Mapping[str, Any]:
    """The shared empty mapping, as the default of fields."""
    return EMPTY


_LONGEST = 1e9


def check_seconds(what: str, value: Any) -> float | None:
    """A time limit in seconds, or None; InputError for what is none."""
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InputTypeError(f"{what} must be seconds or None, not {type(value).__name__}")
    if not 0 < value <= _LONGEST:  # what is more, the clocks of the system do not count
        raise InputError(f"{what} must be a positive number of seconds, at most {_LONGEST:g}; None is no limit")
    return value


@dataclass(frozen=True, slots=True)
class Timeouts:
    """The separate clocks of a call, in seconds; None switches a clock off.

    `connect` until the connection stands, `pool` until one is free, `first_token` until the first content,
    `idle` between bytes after it, `stall` between content while bytes flow, `total` over all attempts.
    """

    connect: float | None = 5.0
    first_token: float | None = 120.0
    idle: float | None = 60.0
    stall: float | None = 120.0
    total: float | None = 600.0
    pool: float | None = 30.0

    def merged(self, option: object) -> Timeouts:
        """These limits with the `timeout` option over them: a number is the total, a mapping names clocks."""
        if option is None:
            return self
        if isinstance(option, Timeouts):
            return option
        if isinstance(option, bool) or not isinstance(option, int | float | dict):
            raise InputTypeError(f"timeout must be seconds or a mapping of clocks, not {type(option).__name__}")
        named = option if isinstance(option, dict) else {"total": option}
        for name, seconds in named.items():
            if name not in self.__dataclass_fields__:
                raise UnknownNameError("clock of timeout", name, self.__dataclass_fields__)
            check_seconds(f"timeout {name!r}", seconds)
        return replace(self, **named)


@dataclass(frozen=True, slots=True, eq=False)
class LLMSpec:
    """Where a call goes and with what defaults.

    `model` is the canonical name, `model_id` the provider's own; `args` the merged default arguments, request
    parameters and controls together, where None means "not on the wire"; `explicit` the names that the caller gave.
    `requested_gateway` differs from `gateway` after a fallback. Behind a gateway that routes, `base_url` and
    `gateway_key` are the gateway's, `provider_url` and `api_key` the provider's. The three records are the resolved
    tables of provider, gateway and model; `origins` says where each value came from.
    """

    preset: str | None
    model: str
    model_id: str
    provider: str
    gateway: str
    requested_gateway: str
    base_url: str | None = None
    api_key: Secret | None = None
    headers: Mapping[str, str] = field(default_factory=empty, repr=False)
    args: Mapping[str, Any] = field(default_factory=empty, repr=False)
    explicit: frozenset[str] = frozenset()
    timeouts: Timeouts = field(default_factory=Timeouts)
    provider_record: Mapping[str, Any] = field(default_factory=empty, repr=False)
    gateway_record: Mapping[str, Any] = field(default_factory=empty, repr=False)
    model_record: Mapping[str, Any] = field(default_factory=empty, repr=False)
    origins: Mapping[str, str] = field(default_factory=empty, repr=False)
    gateway_key: Secret | None = None
    provider_url: str | None = None
    unknown: frozenset[str] = frozenset()
    """Names among `args` that neither hb nor the wire knows, and that are sent all the same (`allow_unknown`)."""
    route: Any = None
    """The `Routing` of a spec that stands for several targets, of which it is the first; None for one target."""
    untrusted: Any = None
    """The `Origin` of an address that a file chose which nobody has vouched for: no credential of others goes there."""
    _keys: dict[str, Any] = field(default_factory=dict, init=False, repr=False)
    """What was worked out from the other fields, kept; `dataclasses.replace` begins with an empty one."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, LLMSpec) and self.hash_key() == other.hash_key()

    def __hash__(self) -> int:
        return hash(self.hash_key())

    def hash_key(self) -> str:
        """SHA-256 (64 hex digits) over identity, default arguments and connection: equal keys mean equal requests."""
        known: str | None = self._keys.get("spec")
        return known or self._key("spec", {**self._identity(), "args": self.args, "client": self.client_key()})

    def client_key(self) -> str:
        """SHA-256 (64 hex digits) over what an SDK client is built from.

        Gateway, API keys, base URLs, headers, proxies, timeouts and retries.
        """
        known: str | None = self._keys.get("client")
        return known or self._key(
            "client",
            {
                "gateway": self.gateway,
                # A gateway that routes is told the provider with every request.
                "provider": self.provider if self.gateway_record.get("routes") else None,
                "keyless": self.api_key is None and bool(self.provider_record.get("api_key_optional")),
                "places": self._places(),
                "headers": self.headers,
                "timeouts": astuple(self.timeouts),
                **{name: self.args.get(name) for name in ("max_retries", *PROXIES)},
            },
        )

    def target_key(self) -> str:
        """SHA-256 (64 hex digits) over address and credential: what shares rate limits and a retry budget."""
        known: str | None = self._keys.get("target")
        return known or self._key("target", {"provider": self.provider, "places": self._places()})

    def _places(self) -> list[str | None]:
        """The addresses and the credentials that go there."""
        keys = [key.reveal() if key is not None else None for key in (self.api_key, self.gateway_key)]
        return [self.base_url, self.provider_url, *keys]

    @property
    def dim(self) -> int | None:
        """The length of the model's vectors where the configuration says it."""
        found = self.args.get("dim", self.model_record.get("dim"))
        return int(found) if found is not None else None

    def batch_size(self, count: int, asked: int | None = None) -> int:
        """How many of so many inputs of an embedding go into one request; `asked` is what the caller wants."""
        size, limit = asked or count or 1, self.capability("embedding_batch_limit")
        return max(1, min(size, int(limit)) if limit else size)

    def provider_value(self, name: str, default: Any = None, *, gateway: str | None = None) -> Any:
        """A value of the provider's record; from a table keyed by gateway, the entry of this one or `default`."""
        found = self.provider_record.get(name, default)
        if isinstance(found, dict):
            return found.get(gateway or self.gateway, found.get("default", default))
        return found

    def provider_backend(self, gateway: str | None = None) -> str:
        """The provider's slug as routing gateways know it."""
        return str(self.provider_value("backend", self.provider, gateway=gateway))

    def parameter_rules(self, wire: Mapping[str, Any] = EMPTY) -> list[dict[str, Any]]:
        """The provider's rules about parameters (`[[provider.parameters]]`) for this model and gateway, in order.

        Before them stands one that drops what the model refuses (`refused_parameters`), but for names of which a rule
        about this model says more.
        `wire` are the arguments as they would be sent: a rule's `when` and `unless` pair a name with values of them.
        """
        return self._rules("parameters", wire)

    def message_rules(self, wire: Mapping[str, Any] = EMPTY) -> list[dict[str, Any]]:
        """The provider's rules about messages (`[[provider.messages]]`), chosen as those about parameters are."""
        return self._rules("messages", wire)

    def _rules(self, kind: str, wire: Mapping[str, Any]) -> list[dict[str, Any]]:
        found: tuple[list[dict[str, Any]], bool] | None = self._keys.get(kind)
        if found is None:
            own = [
                rule
                for rule in self.provider_record.get(kind) or ()
                if any(fnmatchcase(self.model_id, pattern) for pattern in rule.get("models", ["*"]))
                and self.gateway in rule.get("gateways", (self.gateway,))
            ]
            if kind == "parameters" and (drop := self._refused(own)):
                own.insert(0, {"drop": drop})  # before a rule of the endpoint gives them other names
            found = self._keys[kind] = own, any("when" in rule or "unless" in rule for rule in own)
        rules, depends = found
        return [rule for rule in rules if _applies(rule, wire)] if depends else [*rules]

    def _refused(self, rules: Iterable[Mapping[str, Any]]) -> dict[str, str]:
        own = [rule for rule in rules if "models" in rule]
        said = {name for rule in own for way in ("drop", "rename", "clamp") for name in rule.get(way, ())}
        return {name: "the model refuses it" for name in self.capability("refused_parameters", ()) if name not in said}

    def thinking_control(self) -> str | None:
        """How thinking is asked for on the wire: the model's word, else the provider's, else the gateway's."""
        found: str | None = self._keys.get("thinking")
        if found is None:
            own = self.model_record.get("thinking_control")
            if isinstance(own, dict):
                own = own.get(self.gateway, own.get("default"))
            said = own if own is not None else self.provider_value("thinking_control")
            found = self._keys["thinking"] = str(said or self.gateway_record.get("thinking_control") or "")
        return found or None

    def capability(self, name: str, default: Any = None) -> Any:
        """What model or provider declare about an ability; None when neither says anything."""
        declared: dict[str, Any] | None = self._keys.get("capabilities")
        if declared is None:
            records = (self.provider_record, self.model_record)
            said = (item for record in records for item in record.get("capabilities", EMPTY).items())
            declared = self._keys["capabilities"] = {name: value for name, value in said if value is not None}
        return declared.get(name, default)

    def with_args(self, **args: Any) -> LLMSpec:
        """The same target with other default arguments over these."""
        merged = MappingProxyType({**self.args, **args})
        timeouts = self.timeouts.merged(args["timeout"]) if "timeout" in args else self.timeouts
        return replace(self, args=merged, explicit=self.explicit | args.keys(), timeouts=timeouts)

    def secrets(self, *given: Mapping[str, Any]) -> list[str]:
        """What must not appear in what is told of its calls: its keys, and what was given to go along.

        `given` are the options of a call, which count too. What may be a credential stands `Hidden` among headers and
        arguments; headers that a plugin brings are known to everybody.
        """
        found: list[str] | None = self._keys.get("secrets")
        if found is None:
            named = [key.reveal() for key in (self.api_key, self.gateway_key) if key is not None]
            named = [key for key in named if key != self.provider_record.get("placeholder_key")]
            named += delicate_texts({"headers": self.headers})
            found = self._keys["secrets"] = hide([*named, *delicate_texts(self.args)])
        return [*found, *(text for options in given for text in delicate_texts(options))] if given else found

    def to_dict(self) -> dict[str, Any]:
        """The spec as plain data; credentials and headers that may hold one are redacted."""
        return {
            **self._identity(),
            "requested_gateway": self.requested_gateway,
            "base_url": self.base_url,
            "api_key": REDACTED if self.api_key is not None else None,
            "gateway_key": REDACTED if self.gateway_key is not None else None,
            "provider_url": self.provider_url,
            "headers": dict.fromkeys(self.headers, REDACTED),
            "args": {name: shown(name, value) for name, value in self.args.items() if name not in CREDENTIALS},
            "timeouts": asdict(self.timeouts),
            "origins": dict(self.origins),
        }

    def _identity(self) -> dict[str, Any]:
        names = ("preset", "model", "model_id", "provider", "gateway")
        return {name: getattr(self, name) for name in names}

    def _key(self, what: str, data: Mapping[str, Any]) -> str:
        from hashlib import sha256

        text = json.dumps(data, sort_keys=True, separators=(",", ":"), default=_canonical)
        found = self._keys[what] = sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
        return found


def call_secrets(spec: LLMSpec) -> list[Secret | str]:
    """What must not appear in what is told of a call of this spec: `Call.secrets` knows of the call's own too."""
    return [*filter(None, (spec.api_key, spec.gateway_key)), *spec.secrets()]


def delicate_texts(options: Mapping[str, Any]) -> Iterator[str]:
    """The texts among headers, query, body and proxies that may be credentials, and that nothing may repeat.

    Known headers, short words and whole sentences are left out, as they would only garble messages.
    """
    for name, value in options.items():
        if may_hold_secret(name):
            yield from _delicate(name, value, is_header=name.endswith("headers"))


def _delicate(name: str, value: Any, *, is_header: bool) -> Iterator[str]:
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from _delicate(str(key), item, is_header=is_header)
    elif isinstance(value, list):
        for item in value:
            yield from _delicate(name, item, is_header=is_header)
    elif not isinstance(value, str):
        return
    elif name in PROXIES:
        user = value.rpartition("://")[2].rpartition("@")[0]
        yield from filter(None, (user, unquote(user), user.partition(":")[2], unquote(user.partition(":")[2])))
    elif is_secret_header(name):
        yield from (value, value.rpartition(" ")[2])
    elif isinstance(value, Hidden) and len(value) >= _LEAST:
        scheme, _, rest = value.partition(" ")
        if rest and " " not in rest and _SCHEME.fullmatch(scheme):
            yield from (value, rest)
        elif not (_PUBLIC_HEADER.search(name) if is_header else rest):
            yield value


def _applies(rule: Mapping[str, Any], wire: Mapping[str, Any]) -> bool:
    if "when" in rule and not all(wire.get(name) in values for name, values in rule["when"].items()):
        return False
    return "unless" not in rule or not any(wire.get(name) in values for name, values in rule["unless"].items())


def shown(name: str, value: Any, instead: str = REDACTED) -> Any:
    """An argument as it may be shown, with `instead` in place of what may hold a credential."""
    if name in PROXIES and isinstance(value, str):
        scheme, found, rest = value.rpartition("://")
        _, user, place = rest.rpartition("@")
        return f"{scheme}{found}{instead if user else ''}{user}{place}"
    if may_hold_secret(name):
        return mapped(value, lambda leaf: leaf if leaf is None or isinstance(leaf, bool) else instead)
    return mask(value, instead)


def _canonical(value: Any) -> Any:
    if isinstance(value, MappingProxyType):
        return dict(value)
    if isinstance(value, set | frozenset):
        return sorted(value, key=str)
    if isinstance(value, bytes):
        return value.hex()
    if callable(value):
        # Two callables are the same default only when they are the same object.
        return f"{getattr(value, '__module__', '')}.{getattr(value, '__qualname__', '')}@{id(value):x}"
    return repr(value)


@dataclass(frozen=True, slots=True)
class WireRequest:
    """One request as the wire will carry it: what `Gateway.prepare` makes without any I/O, and `hb explain` prints.

    `headers` hold no credential: the gateway's client adds it when it sends.
    """

    method: str
    url: str
    body: Mapping[str, Any]
    headers: Mapping[str, str] = field(default_factory=dict)
    auth: str | None = None
    """How the credential travels, such as "Authorization: Bearer"; None without one."""
    content: Any = field(default=None, repr=False)
    """Bytes in place of a body of JSON, or the file of a form whose other fields are the body's."""

    def __repr__(self) -> str:  # callers put credentials of their own into headers and into the query
        return f"WireRequest({self.method} {self.url.partition('?')[0]}, body={self.body!r})"
