"""Routes for hb: fallback, cascade and balance, with breakers, judges and the recovery of streams.

import heavenbase as hb
from hb_routing import cascade

llm = hb.LLM(route=cascade("gpt-4o-mini", "gpt-4o", judge="heuristic"))
"""

from __future__ import annotations

from typing import Any

from hb_routing.judges import Finish, Heuristic, Structured
from hb_routing.plan import Plan
from hb_routing.router import Router
from heavenbase.routes import Route, to_route

__all__ = ["Finish", "Heuristic", "Plan", "Router", "Structured", "balance", "cascade", "fallback"]


def fallback(*targets: Any, **settings: Any) -> Route:
    """A route whose targets are asked in order, each when the one before it failed.

    Args:
        targets: Names of models, tables of a target, other routes.
        settings: The keys of `heavenbase.llm.routes.NAME`: on, judge, hop_after, stream_fallback and the others.

    Raises:
        InputError: A setting or target that is none; UnknownNameError with the nearest name for a slip.
    """
    return to_route(list(targets), _unnamed, kind="fallback", **settings)


def cascade(*targets: Any, **settings: Any) -> Route:
    """A route whose targets are asked in order, cheapest first, until a judge accepts the answer of one.

    The last one is not judged. Arguments and errors are those of `fallback`; `judge` is "heuristic" by default.
    """
    return to_route(list(targets), _unnamed, kind="cascade", **settings)


def balance(*targets: Any, **settings: Any) -> Route:
    """A route that divides calls among its targets, by `by` and `affinity`; one that fails is followed by the next.

    Arguments and errors are those of `fallback`.
    """
    return to_route(list(targets), _unnamed, kind="balance", **settings)


def _unnamed(name: str) -> Any:
    from heavenbase.errors import InputError

    raise InputError(f"a route by its name ({name!r}) is found by hb.LLM(route=), which knows the settings")
