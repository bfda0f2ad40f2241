"""What the settings and a call say about the cache: which calls are answered from it, and which answers are kept."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from heavenbase.call import Call
from heavenbase.config.check import problems
from heavenbase.config.schema import CACHE, POLICIES
from heavenbase.config.values import merge
from heavenbase.errors import InputError, InputTypeError, UnknownNameError
from heavenbase.gather import WHOLE
from heavenbase.options import MOCKS
from heavenbase.types import Completion, ImageResult

ROOT = "heavenbase.llm.cache"
NAMESPACES = {"complete": "text", "embed": "embedding", "imagen": "image"}
SAMPLING = ("temperature", "seed", "top_p", "top_k")
NEUTRAL = (None, 0, 1)
"""Values of top_p and top_k that leave the choice of words to the temperature."""
OPTIONS = ("cache", "cache_config", "cache_policy")
OPENING = ("backend", "path", "namespace", "options", "namespaces")
"""Settings that a store is opened with; all others are looked at call by call."""
REMEMBERED = 256


class CacheSettings:
    """The table `heavenbase.llm.cache` as it counts for a call; `table` is plain data that was checked.

    `store_key` is equal for settings that open the same store.
    """

    def __init__(self, table: Mapping[str, Any]) -> None:
        self.table = table
        self.enabled: bool = table["enabled"]
        self.policy: str = table["policy"]
        self.backend = str(table["backend"])
        self.shared: str | None = table.get("namespace") or None
        self.limits: Mapping[str, Mapping[str, Any]] = table["namespaces"]
        opening = {name: table.get(name) for name in OPENING}
        opening["namespaces"] = {
            name: [limits.get("max_entries"), limits.get("max_bytes")] for name, limits in self.limits.items()
        }
        self.store_key = json.dumps(opening, sort_keys=True, default=str)

    def ttl(self, namespace: str) -> float | None:
        """Seconds that an entry lives, None for ever."""
        return self.limits[namespace].get("ttl_seconds")

    def allows(self, verb: str, args: Mapping[str, Any], controls: Mapping[str, Any], *, has_tools: bool) -> bool:
        """Whether such a call may be read from and written to the cache.

        Calls whose tools are run, and those that a script answers, never are; policy "force" asks for nothing else.
        """
        if not self.enabled or has_tools or not self.limits[NAMESPACES[verb]]["enabled"]:
            return False
        if not MOCKS.isdisjoint(controls) and any(controls.get(name) is not None for name in MOCKS):
            return False
        if self.policy != "deterministic":
            return self.policy in ("force", "always")
        return verb == "embed" or is_determined(verb, args)


def is_determined(verb: str, args: Mapping[str, Any]) -> bool:
    """Whether a request asks for one answer: temperature 0 or a seed (images: a seed), top_p and top_k at rest."""
    extra = args.get("extra_body")
    if extra and hasattr(extra, "keys"):  # its fields replace those of the request
        args = {**args, **{name: extra[name] for name in SAMPLING if name in extra}}
    if args.get("seed") is None and (verb == "imagen" or args.get("temperature") != 0):
        return False
    return args.get("top_p") in NEUTRAL and args.get("top_k") in NEUTRAL


def is_complete(call: Call, answer: Any) -> bool:
    """Whether an answer is whole, says something, and came from the target of the call."""
    if not is_of(call, answer) or not isinstance(answer, Completion | ImageResult):
        return False
    says: Any = answer.images
    if isinstance(answer, Completion):
        says = answer.finish_reason in WHOLE and (answer.text or answer.tool_calls or answer.images)
    # Images must be bytes: a provider's URL would be gone when it is wanted.
    return bool(says) and all(image.data is not None for image in answer.images)


def is_of(call: Call, answer: Any) -> bool:
    """Whether the target of the call made the answer, and no other that stepped in for it."""
    spec = call.spec
    if answer.provider not in (None, spec.provider) or answer.gateway not in (None, spec.gateway):
        return False
    last = call.context.attempts[-1] if call.context.attempts else None
    wanted = (None, spec.provider, spec.model_id, spec.gateway)
    return last is None or (last.error, last.provider, last.model, last.gateway) == wanted


class SettingsReader:
    """The settings of a kernel, and those with what a call says over them, each made once."""

    def __init__(self, configured: dict[str, Any]) -> None:
        self._table: dict[str, Any] = configured.copy()  # of a section of the configuration: plain data
        self.configured = CacheSettings(self._table)
        self._known: dict[str, CacheSettings] = {}

    def read(self, controls: Mapping[str, Any]) -> CacheSettings:
        """What counts for a call with these controls: cache, cache_config, cache_policy. Errors name what is wrong."""
        if controls.keys().isdisjoint(OPTIONS):  # as nearly every call
            return self.configured
        given = [controls.get(name) for name in OPTIONS]
        if given == [None, None, None] or (given == [True, None, None] and self.configured.enabled):
            return self.configured
        key = repr(given)
        found = self._known.get(key)
        if found is None:
            if len(self._known) >= REMEMBERED:
                self._known.clear()
            found = self._known[key] = CacheSettings(self._merged(*given))
        return found

    def _merged(self, option: Any, config: Any, policy: Any) -> dict[str, Any]:
        table = self._table
        if config is not None:
            table = merge(table, _checked("cache_config", config))
        if isinstance(option, bool):
            table = {**table, "enabled": option}
        elif option is not None:
            table = merge(table, {"enabled": True}, _checked("cache", option))
        if policy is not None:
            table = {**table, "policy": "off" if policy is False else policy}
        if table["policy"] not in POLICIES:
            raise UnknownNameError("cache policy", table["policy"], POLICIES)
        return table


def _checked(name: str, table: Any) -> dict[str, Any]:
    if not isinstance(table, dict):
        wanted = "True, False or a mapping of settings" if name == "cache" else "a mapping of settings"
        raise InputTypeError(f"{name} must be {wanted}, not {type(table).__name__}")
    for key in table:
        if key not in CACHE.fields:
            raise UnknownNameError("cache setting", key, list(CACHE.fields))
    settings: dict[str, Any] = {**table, "policy": "off"} if table.get("policy") is False else table
    if settings.get("policy") is not None and settings["policy"] not in POLICIES:
        raise UnknownNameError("cache policy", settings["policy"], POLICIES)
    wrong = next(problems(settings, CACHE, tuple(ROOT.split("."))), None)
    if wrong is not None:
        raise InputError(f"{name}: {wrong.message}")
    return settings
