"""Windows: the hours, days and months of UTC that budgets are for. Pure."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple

SPANS: Final = ("hour", "day", "month")


class Window(NamedTuple):
    """From when to before when, in whole epoch seconds; None for no end."""

    start: int = 0
    end: int | None = None

    def __str__(self) -> str:
        return "for ever" if self.end is None else f"{_text(self.start)} to {_text(self.end)}"

    @property
    def ends(self) -> str:
        """When it ends, for people."""
        return "" if self.end is None else _text(self.end)


FOR_EVER: Final = Window()


def window_at(every: str | None, now: float) -> Window:
    """The window of a moment, in epoch seconds."""
    if every is None:
        return FOR_EVER
    moment = datetime.fromtimestamp(now, UTC).replace(minute=0, second=0, microsecond=0)
    if every == "hour":
        return _window(moment, moment + timedelta(hours=1))
    day = moment.replace(hour=0)
    if every == "day":
        return _window(day, day + timedelta(days=1))
    first = day.replace(day=1)
    return _window(first, (first + timedelta(days=32)).replace(day=1))


def _window(start: datetime, end: datetime) -> Window:
    return Window(int(start.timestamp()), int(end.timestamp()))


def _text(seconds: int) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%MZ}"
