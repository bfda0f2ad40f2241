"""The health of targets: which are left alone for a while after failures, how busy and how fast each is.

What failed decides whose breaker opens: no connection and failing servers that of the origin, an overloaded server that
of origin and model, refused credentials and used-up limits that of the credential, too many requests that of credential
and model.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, TypeAlias
from urllib.parse import urlsplit

from heavenbase.errors import (
    AuthError,
    CallTimeout,
    HBError,
    Overloaded,
    QuotaExhausted,
    RateLimitError,
    ServerError,
    TransportError,
)
from heavenbase.routes import Breaker
from heavenbase.spec import LLMSpec

KEPT: Final = 4096
"""Breakers and targets that are remembered."""
PROBE: Final = 60.0
"""Seconds after which a call that tries a target again no longer keeps others from trying: it may have been dropped."""
SMOOTHING: Final = 0.3
"""Weight of the latest answer in the mean latency of a target."""
Probed: TypeAlias = tuple[str, ...]
"""The keys of the breakers that a call tries."""


@dataclass(slots=True)
class _State:
    failures: int = 0
    opened: int = 0
    until: float = 0.0
    probing: float | None = None
    """When a probe began, while one is out."""


class Health:
    """What one kernel knows of its targets. Times are monotonic seconds."""

    def __init__(self) -> None:
        self._states: dict[str, _State] = {}
        self._busy: dict[tuple[str, str], int] = {}
        self._latency: dict[tuple[str, str], float] = {}
        self._lock = threading.Lock()

    @property
    def is_known(self) -> bool:
        """Whether any target failed of late."""
        return bool(self._states)

    def opens(self, spec: LLMSpec, now: float) -> float:
        """Seconds until this target may be asked again; 0 where it may be now, or where a probe may."""
        if not self._states:  # as on most days
            return 0.0
        with self._lock:
            found = (self._states.get(key) for key in _keys(spec))
            return max((_wait(state, now) for state in found if state is not None), default=0.0)

    def enter(self, spec: LLMSpec, now: float) -> Probed:
        """Note that a call goes to a target; the breakers whose cooldown is over, as this call is their probe."""
        name = target_of(spec)
        with self._lock:
            self._busy[name] = self._busy.get(name, 0) + 1
            if not self._states:
                return ()
            found = {key: state for key in _keys(spec) if (state := self._states.get(key)) is not None}
            probed = {key: state for key, state in found.items() if state.opened and _wait(state, now) <= 0}
            for state in probed.values():
                state.probing = now
            return tuple(probed)

    def leave(self, spec: LLMSpec, now: float, seconds: float | None = None, error: BaseException | None = None,
              rules: Breaker = Breaker(), probed: Probed = ()) -> None:  # noqa: B008  # fmt: skip
        """Note how it ended: after so many `seconds` well, with an `error`, or (neither) that it was given up.

        `probed` are the breakers that it was the probe of, as `enter` said.
        """
        name = target_of(spec)
        with self._lock:
            left = self._busy.get(name, 1) - 1
            if left > 0:
                self._busy[name] = left
            else:
                self._busy.pop(name, None)
            for key in probed:
                if (state := self._states.get(key)) is not None:
                    state.probing = None
            if seconds is not None:
                before = self._latency.get(name, seconds)
                self._latency[name] = before + SMOOTHING * (seconds - before)
                for key in _keys(spec) if self._states else ():
                    self._states.pop(key, None)
            elif isinstance(error, HBError):
                self._fail(spec, error, now, rules, probed)
            if len(self._states) > KEPT or len(self._latency) > KEPT:
                self._trim()

    def busy(self, spec: LLMSpec) -> int:
        """Calls on their way to a target."""
        return self._busy.get(target_of(spec), 0)

    def latency(self, spec: LLMSpec) -> float | None:
        """The mean of the latest latencies of a target, in seconds; None where it was never asked."""
        return self._latency.get(target_of(spec))

    def _fail(self, spec: LLMSpec, error: HBError, now: float, rules: Breaker, probed: Probed) -> None:
        origin, model, credential, credential_model = _keys(spec)
        if isinstance(error, QuotaExhausted | AuthError):
            self._open(credential, now + max(rules.quota_cooldown, error.retry_after or 0.0))
        elif isinstance(error, RateLimitError):
            if error.is_local:
                return  # a limit of a caller's own says nothing of the target
            if error.retry_after:
                self._open(credential_model, now + error.retry_after)
            else:
                self._count(credential_model, now, rules, probed)
        elif error.status == 408 or (  # the server's own word for a timeout
            isinstance(error, Overloaded | CallTimeout) and not error.kind.startswith("connect")
        ):
            self._count(model, now, rules, probed)
        elif isinstance(error, ServerError | TransportError | CallTimeout):
            self._count(origin, now, rules, probed)

    def _count(self, key: str, now: float, rules: Breaker, probed: Probed) -> None:
        state = self._states.setdefault(key, _State())
        if state.opened and key not in probed:
            return  # sent before it opened, or in spite of it: what that comes to says nothing new
        state.failures += 1
        # A probe that fails opens it at once, and for longer each time.
        if state.failures >= rules.failures or state.opened:
            wait = min(rules.cooldown * 2**state.opened, rules.max_cooldown)
            state.opened, state.until, state.failures = min(state.opened + 1, 30), now + wait, 0

    def _open(self, key: str, until: float) -> None:
        state = self._states.setdefault(key, _State())
        state.opened, state.until = max(state.opened, 1), max(state.until, until)

    def _trim(self) -> None:
        while len(self._states) > KEPT:
            del self._states[next(iter(self._states))]
        while len(self._latency) > KEPT:
            del self._latency[next(iter(self._latency))]


def _wait(state: _State, now: float) -> float:
    if state.until > now:
        return state.until - now
    if state.probing is not None and now - state.probing < PROBE:
        return 0.05  # its probe is on its way; soon more is known
    return 0.0


def target_of(spec: LLMSpec) -> tuple[str, str]:
    """What is one target for its health: address and credential, and model."""
    return spec.target_key(), spec.model_id


def _keys(spec: LLMSpec) -> tuple[str, str, str, str]:
    """The keys of its breakers: origin, origin and model, credential, credential and model."""
    return _named(spec.base_url or spec.provider, spec.target_key(), spec.model_id)


@lru_cache(maxsize=1024)
def _named(place: str, credential: str, model: str) -> tuple[str, str, str, str]:
    parts = urlsplit(place)
    origin = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}" if parts.netloc else place
    return origin, f"{origin} {model}", credential, f"{credential} {model}"
