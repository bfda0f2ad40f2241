"""What is told of a batch without sending anything: how far it is, and what a file of requests may come to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from hb_batch.folder import Folder, Manifest
from hb_batch.index import Index, Place
from hb_batch.journal import rows_of
from hb_batch.lines import States, lines_of, opened
from hb_batch.requests import CONTENT, Request, Targets
from hb_batch.rows import BadRow, key_of, line_of, read_row, status_of
from hb_batch.runs.pricing import Expected, expected, price
from hb_batch.runs.settings import Settings
from hb_batch.runs.tally import Tally
from heavenbase.errors import HBError
from heavenbase.kernel import Kernel
from heavenbase.ledger import Cost
from heavenbase.options import unknown_options
from heavenbase.resolution import check_options


@dataclass(frozen=True, slots=True)
class Status:
    """How far a batch is. `left` are lines without a row that stays, `rate` rows in a second of the run that goes on.

    `cost` is in dollars, of the rows whose cost is known; `is_cost_known` says whether that is all.
    """

    manifest: Manifest
    counts: dict[str, int]
    left: int
    is_running: bool
    cost: Decimal
    is_cost_known: bool
    tokens: int
    rate: float | None
    command: str | None
    """What goes on with it, where that is to do."""
    failures: Sequence[str] = ()
    """Why rows failed."""


def status(output: str, now: float) -> Status:
    """How far the batch of an output file is; `now` in epoch seconds."""
    folder = Folder(output)
    manifest = folder.read()
    states, tally = States(), Tally(lambda: 0.0, None, {})
    for _, row in rows_of(folder.output):
        line = line_of(row, manifest.source.lines)
        if line is not None:
            states[line] = status_of(row)
            tally.add_cost(row)
            tally.failures.add(row)
    counts = states.counts()
    is_running = folder.is_locked
    left = max(0, manifest.source.requests - sum(counts.values()) + counts.get("cancelled", 0))
    since = now - float(manifest.extra.get("resumed", manifest.started))
    rows = sum(counts.values()) - int(manifest.extra.get("resumed_rows", 0))
    rate = rows / since if is_running and since > 0 else None
    command = None
    if not is_running and left:
        command = f"hb batch resume {output}"
    elif not is_running and (counts.get("error") or counts.get("expired")):
        command = f"hb batch retry-failed {output}"
    told = (tally.cost, tally.is_cost_known, tally.tokens, rate, command, tally.failures.told())
    return Status(manifest, counts, left, is_running, *told)


@dataclass(slots=True)
class Estimate:
    """What a file may come to: requests and tokens likely and at most, and what they cost.

    A cost is None where one of the requests has no known price, and `unpriced` counts those; `output_most` is None
    where nothing limits an answer. `problems` has the first lines that are invalid, with what is wrong.
    """

    requests: int = 0
    invalid: int = 0
    input: int = 0
    input_most: int = 0
    output: int = 0
    output_most: int | None = 0
    cost: Decimal | None = Decimal(0)
    cost_most: Decimal | None = Decimal(0)
    unpriced: int = 0
    unknown_prices: set[str] = field(default_factory=set)
    """The models that those ask."""
    uncounted: int = 0
    """Requests whose tokens are estimated from letters, for want of the model's vocabulary."""
    models: Counter[str] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)
    price_source: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """All of it as plain data."""
        found = {name: getattr(self, name) for name in self.__dataclass_fields__}
        told = {name: f"{found[name]:f}" if found[name] is not None else None for name in ("cost", "cost_most")}
        return {**found, **told, "models": dict(self.models), "unknown_prices": sorted(self.unknown_prices)}


PROBLEMS = 20
"""Invalid lines that are told one by one."""


def estimate(kernel: Kernel, path: str, settings: Settings, tier: str | None = None) -> Estimate:
    """What a file of requests may come to, by the prices of a tier. Reads it line by line, and sends nothing."""
    found = Estimate()
    targets = Targets(kernel, None, settings.target)
    targets.check()
    with opened(path) as file, Index() as index:
        for line in lines_of(file):
            try:
                row = read_row(line.data, line.number)
                unknown_options(row.options.keys() - CONTENT, None)
                check_options(row.options)
                earlier = index.add(key_of(row.custom_id, line.number), Place(0, line.number))
                if earlier is not None:
                    raise BadRow(f"line {line.number} has the custom_id of line {earlier.offset}", line=line.number)
                named = {} if settings.model is not None or row.model is None else {"model": row.model}
                llm, options = targets.of(Request(row.verb, row.content, named, row.options))
                _add(found, kernel, llm.spec, expected(kernel, llm.spec, row, options), tier)
            except HBError as error:
                found.invalid += 1
                if len(found.problems) < PROBLEMS:
                    told = error.message
                    found.problems.append(told if told.startswith("line ") else f"line {line.number}: {told}")
    return found


def _add(found: Estimate, kernel: Kernel, spec: Any, tokens: Expected, tier: str | None) -> None:
    found.requests += 1
    found.models[f"{spec.provider}/{spec.model_id}"] += 1
    found.uncounted += not tokens.is_counted
    found.input += tokens.input
    found.input_most += tokens.input_most
    found.output += tokens.output
    if found.output_most is not None:
        found.output_most = found.output_most + tokens.output_most if tokens.output_most is not None else None
    likely, most = (price(kernel.services, spec, usage, tier) for usage in (tokens.usage, tokens.most))
    if likely is None:
        found.unpriced += 1
        found.unknown_prices.add(f"{spec.provider}/{spec.model_id}")
    found.cost = _sum(found.cost, likely)
    found.cost_most = _sum(found.cost_most, most)
    if likely is not None and found.price_source is None:
        found.price_source = f"{likely.source}{f' of {likely.date}' if likely.date else ''}"


def _sum(so_far: Decimal | None, cost: Cost | None) -> Decimal | None:
    if so_far is None or cost is None or cost.currency != "USD":
        return None
    return so_far + cost.amount
