"""The settings of a run: plain data that the manifest keeps, to go on with it; nothing of it is secret."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from decimal import Decimal, InvalidOperation
from math import inf
from typing import Any, Final

from hb_batch.memory import CONCURRENCY
from heavenbase.errors import InputError
from heavenbase.options import may_hold_secret

UNKNOWN_COST: Final = ("refuse", "allow")


@dataclass(frozen=True, slots=True)
class Settings:
    """Who is asked, with which options, and how.

    `model` (a name, or several for a route) is asked in the place of what the rows name. `timeout` are the seconds of
    one request from when it is begun, `max_cost` an amount in dollars that the run does not pass, `unknown_cost` what
    to do with a request under such a limit whose price is not known: "refuse" or "allow". `grace` are the seconds that
    requests in flight get when a run is interrupted.
    """

    preset: str | None = None
    model: str | list[str] | None = None
    provider: str | None = None
    gateway: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    concurrency: int = CONCURRENCY
    timeout: float | None = None
    max_cost: str | None = None
    unknown_cost: str = "refuse"
    grace: float = 10.0

    def __post_init__(self) -> None:
        if isinstance(self.concurrency, bool) or not isinstance(self.concurrency, int) or self.concurrency < 1:
            raise InputError(f"concurrency must be a whole number from 1, not {self.concurrency!r}")
        if self.timeout is not None and not 0 < self.timeout < inf:
            raise InputError(f"timeout must be seconds above 0, not {self.timeout!r}")
        if self.unknown_cost not in UNKNOWN_COST:
            raise InputError(f"unknown_cost must be {' or '.join(UNKNOWN_COST)}, not {self.unknown_cost!r}")
        if self.max_cost is not None and not self.cap > 0:
            raise InputError(f"max_cost must be an amount above 0, such as 5.00, not {self.max_cost!r}")

    @property
    def cap(self) -> Decimal:
        """The limit of the cost."""
        try:
            found = Decimal(self.max_cost or "Infinity")
        except InvalidOperation:
            found = Decimal(0)
        return found if found == found else Decimal(0)  # NaN is no amount

    @property
    def target(self) -> dict[str, Any]:
        """Names and options, as `LLM` takes them."""
        names = {name: getattr(self, name) for name in ("preset", "model", "provider", "gateway")}
        limit = {"timeout": self.timeout} if self.timeout is not None else {}
        return {**self.options, **limit, **{name: value for name, value in names.items() if value is not None}}

    def kept(self) -> dict[str, Any]:
        """What the manifest keeps; of options that may hold a credential, the names alone."""
        secret = sorted(name for name in self.options if may_hold_secret(name))
        options = {name: value for name, value in self.options.items() if name not in secret}
        for name, value in options.items():
            try:
                json.dumps(value)
            except (TypeError, ValueError) as error:
                raise InputError(
                    f"{name} is no plain data, which is all that the manifest keeps for a later run; give it in the "
                    "configuration, or to the kernel"
                ) from error
        return {**asdict(replace(self, options=options)), "not_kept": secret}

    @classmethod
    def of(cls, kept: Mapping[str, Any], changes: Mapping[str, Any]) -> Settings:
        """The settings that a manifest keeps, with changes over them; InputError where one must be given again."""
        found = dict(kept)
        missing = [name for name in found.pop("not_kept", ()) if name not in changes.get("options", {})]
        if missing:
            raise InputError(f"{', '.join(missing)} may hold a credential and was not kept; give it again")
        found["options"] = {**found.get("options", {}), **changes.get("options", {})}
        return cls(**{**found, **{name: value for name, value in changes.items() if name != "options"}})
