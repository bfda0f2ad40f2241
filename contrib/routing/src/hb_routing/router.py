"""The router: the middleware that takes a call to one of several targets."""

from __future__ import annotations

from typing import Any, ClassVar

from hb_routing.answers import answer
from hb_routing.candidates import Fitting, check_verb
from hb_routing.health import Health
from hb_routing.plan import Plan, plan_of
from hb_routing.run import Run
from hb_routing.streams import stream
from heavenbase.call import Call
from heavenbase.errors import FallbackWarning, warn_caller
from heavenbase.middleware import Middleware, Next, Place


class Router(Middleware):
    """Chooses among the targets of a route: fallback, cascade or balance."""

    name = "routing"
    around: ClassVar[Place] = "route"

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.health = Health()
        self.fitting = Fitting()
        self._warned: set[tuple[str, str]] = set()

    async def __call__(self, call: Call, next: Next) -> Any:
        """The answer of the target that is chosen."""
        check_verb(call)
        run = Run(self, call, next)
        return await (stream(run) if call.stream else answer(run))

    def plan(self, call: Call) -> Plan:
        """What a call may come to at worst, and what is wrong with targets that it may never ask. Sends nothing."""
        return plan_of(call, self.fitting)

    def warn(self, wanted: str, served: str, reason: str) -> None:
        """Tell once that a target answers in the place of another."""
        if (wanted, served) not in self._warned:
            self._warned.add((wanted, served))
            text = f"{served} answers in the place of {wanted}: {reason}"
            try:
                warn_caller(text, FallbackWarning)
            except FallbackWarning:  # where warnings are errors; the answer is paid for, and must not be lost
                self.services.logger.warning(text)
