"""The numbers by which requests are repeated: those of the settings, and the option `retry` over them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from heavenbase.config.check import problems
from heavenbase.config.schema import RETRY
from heavenbase.errors import InputError, InputTypeError, UnknownNameError, check_kinds


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """Numbers of the retry rule: delays in seconds, `budget_ratio` retries earned by each call to a target.

    `jitter` is the share of a delay that is random. `on` are the kinds of errors after which a request is repeated (in
    code also classes, and functions of an error); None leaves it to each error. A `Retry-After` over `max_retry_after`
    ends the call, unless `cap_retry_after` has that waited for instead. `billed_repeats` is how often a request is
    repeated that may have been billed; None leaves it to `max_attempts`.
    """

    max_attempts: int = 3
    base_delay: float = 0.5
    max_delay: float = 8.0
    max_retry_after: float = 60.0
    budget_ratio: float = 0.2
    budget_floor: int = 10
    jitter: float = 1.0
    on: Sequence[Any] | None = None
    cap_retry_after: bool = False
    billed_repeats: int | None = 1

    def __post_init__(self) -> None:
        if self.jitter > 1:
            raise InputError(f"retry.jitter is the share of a delay that is random, at most 1, not {self.jitter:g}")

    @classmethod
    def of(cls, settings: Mapping[str, Any]) -> RetryPolicy:
        """The numbers of `heavenbase.llm.retry`, whose types were checked; UnknownNameError for a kind of error."""
        if settings.get("on") is not None:
            check_kinds("heavenbase.llm.retry.on", settings["on"])
        return cls(**settings)

    def merged(self, option: Any) -> RetryPolicy:
        """These numbers with the option `retry` over them; an error for a name or value that it cannot have."""
        if option is None:
            return self
        if not isinstance(option, Mapping):
            raise InputTypeError(f"retry must be a mapping, not {type(option).__name__}")
        option = {**option}
        for name, value in option.items():
            if name not in RETRY.fields:
                raise UnknownNameError("setting of retry", name, list(RETRY.fields))
            if name == "on" and value is not None:
                option[name] = check_kinds("retry.on", value)
                continue
            for problem in problems(value, RETRY.fields[name], ("retry", name)):
                raise InputError(problem.message)
        policy = replace(self, **option)
        if policy.base_delay > policy.max_delay and {"base_delay", "max_delay"} <= option.keys():
            raise InputError(f"retry: base_delay ({policy.base_delay:g} s) is over max_delay ({policy.max_delay:g} s)")
        return policy
