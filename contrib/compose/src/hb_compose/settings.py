"""`heartbit.toml`: the table [provider] read, every mistake in it named with its line, and the stack that it means."""

from __future__ import annotations

import os
import re
import tomllib
from bisect import bisect
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from operator import itemgetter
from typing import TYPE_CHECKING, Any, NamedTuple

from hb_compose.backoff import OnRetry
from hb_compose.cascading import CascadingProvider
from hb_compose.direct import AnthropicProvider, DirectProvider, OpenRouterProvider
from hb_compose.gates import HeuristicGate
from hb_compose.requests import MOST
from hb_compose.retrying import RetryingProvider
from heavenbase.config import line_index
from heavenbase.errors import ConfigError, HBError, InputError, InputTypeError, MissingCredential, known_kinds
from heavenbase.secrets import Secret

if TYPE_CHECKING:
    from hb_compose.providers import Provider
    from heavenbase.kernel import Kernel

FILE = "heartbit.toml"
MOST_BYTES = 1 << 20
PROVIDERS: Mapping[str, type[DirectProvider]] = {"anthropic": AnthropicProvider, "openrouter": OpenRouterProvider}
KEYS: Mapping[str, Mapping[str, type]] = {
    "provider": {
        "name": str,
        "model": str,
        "api_key_env": str,
        "max_tokens": int,
        "prompt_caching": bool,
        "retry": dict,
        "cascade": dict,
    },
    "provider.retry": {"max_retries": int, "base_delay_ms": int, "max_delay_ms": int},
    "provider.cascade": {"enabled": bool, "tiers": list, "gate": dict, "escalate_on": list},
    "provider.cascade.tiers": {"model": str},
    "provider.cascade.gate": {
        "type": str,
        "min_output_tokens": int,
        "accept_tool_calls": bool,
        "escalate_on_max_tokens": bool,
        "refusal_patterns": list,
        "escalate_on_refusal": bool,
        "refusal_window": int,
    },
}
HEURISTIC = "heuristic"
"""The gate that is ours; others are judges of hb."""
_WORDS = {str: "text", int: "a whole number", bool: "true or false", dict: "a table", list: "a list"}
_PLACE = re.compile(r"\s*\(at (?:line (\d+), column \d+|end of document)\)")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,99}")


class Retries(NamedTuple):
    """The numbers of [provider.retry]."""

    max_retries: int = 3
    base_delay_ms: int = 500
    max_delay_ms: int = 30_000


@dataclass(frozen=True, slots=True)
class ProviderSettings:
    """What a file says of its provider; `retry` and `cascade` are None where the file wants none.

    `tiers` are the models of a cascade before the last, which is `model`. `remarks` are what a reader should know.
    """

    path: str
    name: str
    model: str
    api_key_env: str | None = None
    max_tokens: int | None = None
    prompt_caching: bool = False
    retry: Retries | None = None
    tiers: tuple[str, ...] = ()
    gate: Mapping[str, Any] | None = None
    gate_line: int = 1
    escalate_on: tuple[str, ...] | None = None
    remarks: tuple[str, ...] = ()

    def made_gate(self) -> Any:
        """The gate of the cascade: a HeuristicGate, or the table of a judge of hb."""
        table = {"type": HEURISTIC, **(self.gate or {})}
        if table["type"] != HEURISTIC:
            return table
        return HeuristicGate(**{name: value for name, value in table.items() if name != "type"})

    def key(self, environ: Mapping[str, str]) -> Secret | None:
        """The key in the file's variable, None where it names none; MissingCredential where that is not set."""
        if self.api_key_env is None:
            return None
        found = environ.get(self.api_key_env)
        if not found or not found.strip():
            told = f"{self.path}: provider.api_key_env names {self.api_key_env}, which is"
            raise MissingCredential(f"{told} {'not set' if found is None else 'empty'}", provider=self.name)
        return Secret(found)


def load_provider(
    path: str | os.PathLike[str] = FILE, *, kernel: Kernel | None = None, on_retry: OnRetry | None = None
) -> Provider:
    """The stack of providers that a TOML file describes.

    Each key has the meaning of its name: `api_key_env` is the variable that holds the key, `max_tokens` the limit of
    answers. Without [provider.retry] nothing is tried again. With a cascade, `model` is the last tier, and a tier that
    is the same model is not tried twice.

    Args:
        path: The file.
        kernel: The kernel to use instead of the default one; its variables are those that are read.
        on_retry: As in RetryingProvider.

    Raises:
        ConfigError: For a file that is wrong, with the line of every mistake.
        MissingCredential: Where the variable of the key is not set.
    """
    from heavenbase.functions import kernel_of

    return build(read_provider(path), kernel_of(kernel), on_retry)


def build(settings: ProviderSettings, kernel: Kernel, on_retry: OnRetry | None = None) -> Provider:
    """The stack that settings describe."""
    key = settings.key(kernel.config.environ)

    def tier(model: str) -> Provider:
        made: DirectProvider = PROVIDERS[settings.name](key, model, max_tokens=settings.max_tokens, kernel=kernel)
        if settings.prompt_caching:
            made = made.with_prompt_caching()
        return made if settings.retry is None else RetryingProvider(made, *settings.retry, on_retry)

    if not settings.tiers:
        return tier(settings.model)
    tiers = [tier(model) for model in (*settings.tiers, settings.model)]
    try:
        return CascadingProvider(tiers, settings.made_gate(), escalate_on=settings.escalate_on)
    except HBError as error:  # of a judge, whose settings only it knows
        raise ConfigError(f"{settings.path}:{settings.gate_line}: provider.cascade.gate: {error}") from error


def read_provider(path: str | os.PathLike[str] = FILE) -> ProviderSettings:
    """What a TOML file says of its provider; ConfigError with the line of every mistake."""
    if not isinstance(path, str | os.PathLike) or not isinstance(where := os.fspath(path), str):
        raise InputTypeError(f"the file of a provider is a path, not {type(path).__name__}")
    try:
        with open(where, "rb") as file:
            content = file.read(MOST_BYTES + 1)
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ConfigError(f"{where}:{line}: is not UTF-8 text") from error
    except FileNotFoundError as error:
        raise ConfigError(f"{where}: there is no such file") from error
    except OSError as error:  # a folder, or what may not be read
        raise ConfigError(f"{where}: {error.strerror or error}") from error
    except ValueError as error:
        raise ConfigError(f"{where!r}: no file has such a name") from error
    if len(content) > MOST_BYTES:
        raise ConfigError(f"{where}: is larger than {MOST_BYTES} bytes")
    return parse_provider(text, where)


def parse_provider(text: str, path: str = FILE) -> ProviderSettings:
    """As `read_provider`, from text; `path` is what errors call it."""
    return _Reader(text, path).settings()


class _Reader:
    """Reads one file, and collects what is wrong with it."""

    def __init__(self, text: str, path: str) -> None:
        self.text = text.removeprefix("\ufeff").replace("\r\n", "\n")
        self.path = path
        self.values = _parsed(self.text, path)
        self.lines = line_index(self.text)
        self.rows = self.text.split("\n")
        self.starts = sorted(set(self.lines.values()))
        self.wrong: list[tuple[int, str]] = []
        self.remarks: list[str] = []

    def settings(self) -> ProviderSettings:
        provider = self._table(self.values, ("provider",))
        if provider is None:
            near = get_close_matches("provider", self.values, 1)
            hint = f"; did you mean [provider] where line {self._line((near[0],))} says [{near[0]}]?" if near else ""
            raise ConfigError(f"{self.path}: has no table [provider]{hint}")
        unread = [f"[{name}]" for name in self.values if name != "provider"]
        if unread:
            self.remarks.append(f"not read: {', '.join(unread)}")
        self._provider(provider)
        retry = self._retry(self._table(provider, ("provider", "retry")))
        tiers, cascade = self._cascade(provider, self._table(provider, ("provider", "cascade")))
        if self.wrong:
            told = [f"{self.path}:{line}: {text}" for line, text in sorted(self.wrong, key=itemgetter(0))]
            raise ConfigError("\n".join(told))
        return ProviderSettings(
            self.path,
            provider["name"],
            provider["model"],
            provider.get("api_key_env"),
            provider.get("max_tokens"),
            provider.get("prompt_caching", False),
            retry,
            tiers,
            cascade.get("gate"),
            self.lines.get(("provider", "cascade", "gate"), 1),
            tuple(cascade["escalate_on"]) if "escalate_on" in cascade else None,
            tuple(self.remarks),
        )

    def _provider(self, table: dict[str, Any]) -> None:
        here = ("provider",)
        for name in ("name", "model"):
            if name not in table:
                self._say(here, f"[provider] has no {name}")
            elif _is_blank(table[name]):
                self._say((*here, name), f"provider.{name} is empty")
        given = table.get("name")
        if isinstance(given, str) and not _is_blank(given) and given not in PROVIDERS:
            self._say((*here, "name"), _unknown("provider", given, PROVIDERS))
        variable = table.get("api_key_env")
        if isinstance(variable, str) and not _VARIABLE.fullmatch(variable):
            # It may be the key itself, put in the wrong place, which no message repeats.
            self._say((*here, "api_key_env"), "provider.api_key_env is the name of a variable, and this is no name")
        self._least(table, "provider", {"max_tokens": 1})

    def _retry(self, table: dict[str, Any] | None) -> Retries | None:
        if table is None:
            return None
        self._least(table, "provider.retry", dict.fromkeys(Retries._fields, 0))
        found = Retries(**{name: value for name, value in table.items() if name in Retries._fields})
        base, most = found.base_delay_ms, found.max_delay_ms
        if _is_of(base, int) and _is_of(most, int) and MOST > base > most:
            place = "base_delay_ms" if "base_delay_ms" in table else "max_delay_ms"
            told = f"provider.retry.base_delay_ms ({base}) is more than provider.retry.max_delay_ms ({most})"
            self._say(("provider", "retry", place), told)
        return found

    def _cascade(
        self, provider: dict[str, Any], table: dict[str, Any] | None
    ) -> tuple[tuple[str, ...], dict[str, Any]]:
        here = ("provider", "cascade")
        if table is None:
            return (), {}
        tiers = table.get("tiers")
        models = self._tiers(tiers) if isinstance(tiers, list) else []
        self._gate(table.get("gate"))
        words, kinds = table.get("escalate_on"), sorted(known_kinds())
        for word in words if isinstance(words, list) else ():
            if not isinstance(word, str):
                told = f"provider.cascade.escalate_on must be a list of texts; {_kind(word)} is none"
                self._say((*here, "escalate_on"), told)
            elif word not in kinds:
                self._say(
                    (*here, "escalate_on"),
                    _unknown("kind of error in provider.cascade.escalate_on", word, kinds),
                )
        if table.get("enabled") is not True:
            if models:
                self.remarks.append("the cascade is not enabled: its tiers are not asked")
            return (), {}
        if not models and isinstance(tiers, list | None):
            self._say(
                (*here, "tiers" if "tiers" in table else "enabled"), "provider.cascade is enabled and has no tiers"
            )
        main = provider.get("model")
        if main in models:
            self.remarks.append(f"tier {main!r} is the model itself, which is the last tier: it is asked once")
        return tuple(model for model in models if model != main), table

    def _tiers(self, tiers: list[Any]) -> list[str]:
        found: dict[str, None] = {}
        lines = self._tier_lines()
        for place, tier in enumerate(tiers):
            line = lines[place] if place < len(lines) else self.lines.get(("provider", "cascade", "tiers"), 1)
            told = f"tier {place + 1} of provider.cascade"
            if not isinstance(tier, dict):
                self._say(("provider", "cascade", "tiers"), f"{told} must be a table, as in {{ model = ... }}")
                continue
            self._check(tier, ("provider", "cascade", "tiers"), line)
            model = tier.get("model")
            if "model" not in tier:
                self.wrong.append((line, f"{told} has no model"))
            elif _is_blank(model):
                self.wrong.append((line, f"the model of {told} is empty"))
            elif model in found:
                self.wrong.append((line, f"{told} is {model!r} again"))
            elif isinstance(model, str):
                found[model] = None
        return list(found)

    def _gate(self, table: Any) -> None:
        here = ("provider", "cascade", "gate")
        if not isinstance(table, dict):
            return  # what is no table is told of already
        kind = table.get("type", HEURISTIC)
        if not isinstance(kind, str):
            self._say((*here, "type"), f"{'.'.join(here)}.type must be text, not {_kind(kind)}")
        elif not kind.strip():
            self._say((*here, "type"), f"{'.'.join(here)}.type is empty")
        if kind != HEURISTIC:
            return  # the settings of a judge, which only it knows
        self._check(table, here)
        known = KEYS[".".join(here)]
        for name, value in table.items():
            if name == "type" or not _is_of(value, known.get(name)):
                continue
            try:
                HeuristicGate(**{name: value})
            except InputError as error:
                self._say((*here, name), f"{'.'.join(here)}: {error}")

    # What all tables share

    def _table(self, holder: dict[str, Any], path: tuple[str, ...]) -> dict[str, Any] | None:
        """A table that is inside another, with its keys checked; None where there is none, or no table."""
        found = holder.get(path[-1])
        if not isinstance(found, dict):
            if found is not None and len(path) == 1:
                told = f"{path[0]} must be a table, not {_kind(found)}"
                if isinstance(found, list):
                    told += f"; write [{path[0]}] once, with one pair of brackets"
                raise ConfigError(f"{self.path}:{self._line(path)}: {told}")
            return None
        self._check(found, path)
        return found

    def _check(self, table: dict[str, Any], path: tuple[str, ...], line: int | None = None) -> None:
        known = KEYS[".".join(path)]
        for name, value in table.items():
            place = line or self._line((*path, name))
            if name not in known:
                self.wrong.append((place, _unknown(f"key in [{'.'.join(path)}]", name, known)))
            elif not _is_of(value, known[name]):
                told = f"{'.'.join((*path, name))} must be {_WORDS[known[name]]}, not {_kind(value)}"
                self.wrong.append((place, told))

    def _least(self, table: dict[str, Any], where: str, numbers: Mapping[str, int]) -> None:
        for name, least in numbers.items():
            value = table.get(name)
            if not isinstance(value, int) or isinstance(value, bool):
                continue
            if not -MOST < value < MOST:
                self._say((*where.split("."), name), f"{where}.{name} must be less than {MOST:g}")
            elif value < least:
                self._say((*where.split("."), name), f"{where}.{name} must be at least {least}, not {value}")

    def _say(self, path: tuple[str, ...], text: str) -> None:
        self.wrong.append((self._line(path), text))

    def _line(self, path: tuple[str, ...]) -> int:
        """The line of a key; inside a statement of several lines, the first that spells it."""
        known = max((n for n in range(1, len(path) + 1) if path[:n] in self.lines), default=0)
        start = self.lines.get(path[:known], 1)
        spelled = re.compile(rf"(?<![\w-])[\"']?{re.escape(path[-1])}[\"']?\s*=")
        later = bisect(self.starts, start)
        end = self.starts[later] if later < len(self.starts) else len(self.rows) + 1
        return next((n for n in range(start, end) if spelled.search(self.rows[n - 1])), start)

    def _tier_lines(self) -> list[int]:
        """The lines where tiers begin: their braces, or their headers."""
        start = self.lines.get(("provider", "cascade", "tiers"), 1)
        mark = "[[" if self.rows[start - 1].lstrip().startswith("[[") else "{"
        return [n for n in range(start, len(self.rows) + 1) for _ in range(self.rows[n - 1].count(mark))]


def _parsed(text: str, path: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except RecursionError:
        told = f"{path}: is nested too deeply"
    except ValueError as error:
        found = _PLACE.search(str(error))
        line = int(found[1]) if found and found[1] else text.rstrip("\n").count("\n") + 1
        told = f"{path}:{line}: {_PLACE.sub('', str(error))}; this is no valid TOML"
    # Raised here, so that the parser's error, which may hold the whole text, is no part of ours.
    raise ConfigError(told)


def _is_of(value: object, kind: type | None) -> bool:
    return kind is not None and isinstance(value, kind) and (kind is bool or not isinstance(value, bool))


def _is_blank(value: object) -> bool:
    return isinstance(value, str) and not value.strip()


def _kind(value: object) -> str:
    """A value in words; a number is shown, as it may be one of the wrong kind."""
    return str(value) if type(value) is float else _WORDS.get(type(value), f"a {type(value).__name__}")


def _unknown(what: str, name: object, known: Iterable[str]) -> str:
    close = get_close_matches(str(name).lower(), known, 1, 0.5)
    return f"unknown {what}: {name!r}; " + (f"did you mean {close[0]!r}?" if close else f"known: {', '.join(known)}")
