"""What one pass through a route leaves for later: the targets whose breakers are open, and the wait for the first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from hb_routing.plan import repeats_of
from heavenbase.errors import HBError
from heavenbase.routes import Route, Target

if TYPE_CHECKING:
    from hb_routing.run import Run

POLL: Final = 0.05
"""Shortest wait in seconds for a breaker, so that a probe that is on its way is not asked about without end."""


class Left:
    """The targets that may be asked when their breaker closes, if none of the others answers.

    Those are the ones that were passed over, and those that failed with attempts unspent: in a storm the budget of
    retries is soon used up, and a call that helped to open the breakers must not fare worse than the next one, which
    finds them open. Nobody is asked more often than its attempts allow.
    """

    def __init__(self, run: Run, route: Route) -> None:
        self._run, self._route = run, route
        self._targets: list[Target] = []
        self._made = 0
        self.asked = False
        """Whether a request was sent to any target."""
        self.is_over = False
        """Whether nobody is to be asked any more, as something of an answer was delivered."""

    def passed_over(self, target: Target) -> bool:
        """Whether a target is left for later, as its breaker is open; noted if so."""
        self._made = len(self._run.context.attempts)
        if target.route is not None or self._run.is_free(target):
            return False
        self._targets.append(target)
        self._run.tell(self._run.label(target), "open", "its breaker is open")
        return True

    def failed(self, target: Target, error: HBError) -> None:
        """Note that a target was asked, and failed."""
        run = self._run
        made = len(run.context.attempts) - self._made
        self.asked = self.asked or target.route is None or made > 0
        can_repeat = error.retryable and not error.maybe_billed
        if target.route is not None:  # with others behind it, it did not wait for the breakers of its own targets
            is_left = made == 0 and any(run.health.opens(spec, run.clock()) > 0 for spec in run.specs(target))
        else:
            is_left = can_repeat and made < repeats_of(run.asked)
        if is_left:
            self._targets.append(target)

    async def soonest(self, *, is_last: bool) -> Target | None:
        """The target to ask now, when all others are done: the one whose breaker closes first; None for none.

        It is waited for where that is soon enough. If not, it is asked all the same where nobody was; once, as what
        was asked before is in any case. With others behind this route, a long wait is a hop, and nobody is asked so.
        """
        run, targets, self._targets = self._run, self._targets, []
        if self.asked:  # what failed, and has no open breaker, has had its turn
            targets = [each for each in targets if self._wait(each) > 0] if is_last and not self.is_over else []
        if not targets:
            return None
        left = self._route.max_wait
        if not is_last and self._route.hop_after is not None:
            left = min(left, self._route.hop_after)
        while True:
            waits = [(self._wait(target), target) for target in targets]
            seconds, target = min(waits, key=lambda pair: pair[0])
            if seconds <= 0:
                run.once, run.reason = self.asked, "its breaker closed first"
                return target
            if seconds > left or seconds >= self._time():
                if self.asked or not is_last:
                    return None
                run.once, run.reason = True, "the breakers of all targets are open"
                return target
            seconds = max(seconds, POLL)
            left -= seconds
            await run.call.services.sleep(run.call, seconds)
            run.waited += seconds

    def _time(self) -> float:
        """Seconds until the answer is to be here, or its first content."""
        run = self._run
        left = run.context.remaining()
        ends = [left] if left is not None else []
        ends += [run.first_by - run.clock()] if run.first_by is not None else []
        return min(ends, default=float("inf"))

    def _wait(self, target: Target) -> float:
        run, now = self._run, self._run.clock()
        return min((run.health.opens(spec, now) for spec in run.specs(target)), default=0.0)
