"""A bank: models whose every request costs what its prices say, and that tell what they were asked."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, ClassVar

from hb_limits import Budgets
from hb_limits.budgets.amounts import amount_of
from hb_limits.budgets.bounds import bound_of
from hb_testing.caches import ManualClock
from heavenbase.call import Call, WireRequest
from heavenbase.errors import ProviderError
from heavenbase.kernel import Kernel
from heavenbase.ledger import Cost
from heavenbase.llm import LLM
from heavenbase.plugin import Gateway
from heavenbase.resolution import ModelTable
from heavenbase.types import Chunk, Completion, Embedding, Usage

MONDAY = 1_800_000_000.0 - 1_800_000_000.0 % 86400
"""Midnight of a day in UTC, in epoch seconds."""
PRICES = {"dear": ("10", "30"), "cheap": ("0.0375", "0.150001"), "euro": ("1", "2")}
"""Dollars for a million tokens that go in, and that come out."""


class Priced(ModelTable):
    """A table of these prices, which counts a token for each letter, and cents in euros for one model."""

    name = "prices"

    def cost(self, provider: str, model_id: str, usage: Usage, *, at: float) -> Cost | None:
        if model_id not in PRICES or usage.cache_write or usage.audio or usage.image:
            return None
        inner, outer = map(Decimal, PRICES[model_id])
        amount = (inner * (usage.prompt_tokens or 0) + outer * (usage.completion_tokens or 0)) / 1_000_000
        return Cost(amount, "EUR" if model_id == "euro" else "USD", "the bank")

    def count(self, text: str, provider: str, model_id: str) -> tuple[int, int]:
        return len(text), len(text)


@dataclass
class Asked:
    """One request: the most that it may come to, and what it came to, where it came to its end."""

    model: str
    most: Decimal
    most_tokens: int
    usage: Usage | None = None
    error: BaseException | None = None
    is_delivered: bool = False
    """Whether something of its answer was there."""

    @property
    def cost(self) -> Decimal:
        """What it came to; where nobody was told, the most."""
        if self.usage is None:
            is_free = isinstance(self.error, ProviderError) and not (self.error.maybe_billed or self.is_delivered)
            return Decimal(0) if is_free else self.most
        found = Priced().cost("bank", self.model, self.usage, at=0.0)
        assert found is not None
        return found.amount


class Bank(Gateway):
    """Answers with the usage, or raises the error, that `says` gives for a request; by default all that it may be."""

    name = "bank"
    wire: ClassVar[str] = "bank"
    vision: ClassVar[str] = ""

    def __init__(self) -> None:
        self.asked: list[Asked] = []
        self.says: Callable[[Call, Asked], Any] = lambda call, asked: Usage(*_full(call))
        self.before: Callable[[], Any] = lambda: None
        """Called when a request comes, in its thread."""
        self.turns: Callable[[], int] = lambda: 3
        self._lock = threading.Lock()

    def prepare(self, call: Call) -> WireRequest:
        call.context.report.sent(*call.args)
        return WireRequest("POST", "https://bank.invalid/v1", {"model": call.spec.model_id, **call.args})

    def _heard(self, call: Call) -> Asked:
        bound = bound_of(call, 0.0)
        most = bound.cost.amount if bound.cost is not None else Decimal(0)
        noted = Asked(call.spec.model_id, most, bound.tokens)
        with self._lock:
            self.asked.append(noted)
        self.before()
        return noted

    def _said(self, call: Call, asked: Asked) -> Usage | None:
        said = self.says(call, asked)
        if isinstance(said, BaseException):
            asked.error = said
            raise said
        asked.usage = said
        return said  # type: ignore[no-any-return]

    def chat(self, call: Call, request: WireRequest) -> Completion:
        return Completion("yes", finish_reason="stop", usage=self._said(call, self._heard(call)))

    async def achat(self, call: Call, request: WireRequest) -> Completion:
        asked = self._heard(call)
        await self._wait()
        return Completion("yes", finish_reason="stop", usage=self._said(call, asked))

    def stream(self, call: Call, request: WireRequest) -> Iterator[Chunk]:
        asked = self._heard(call)
        asked.is_delivered = True
        yield Chunk(text="ye", usage=Usage(1, 1))
        usage = self._said(call, asked)
        yield Chunk(text="s", finish_reason="stop", usage=usage)

    async def astream(self, call: Call, request: WireRequest) -> AsyncIterator[Chunk]:
        asked = self._heard(call)
        asked.is_delivered = True
        yield Chunk(text="ye", usage=Usage(1, 1))
        await self._wait()
        usage = self._said(call, asked)
        yield Chunk(text="s", finish_reason="stop", usage=usage)

    def embed_batch(self, call: Call, request: WireRequest) -> Embedding:
        return Embedding([[1.0] for _ in call.inputs], usage=self._said(call, self._heard(call)))

    async def aembed_batch(self, call: Call, request: WireRequest) -> Embedding:
        asked = self._heard(call)
        await self._wait()
        return Embedding([[1.0] for _ in call.inputs], usage=self._said(call, asked))

    async def _wait(self) -> None:
        for _ in range(self.turns()):
            await asyncio.sleep(0)


def _full(call: Call) -> tuple[int, int | None]:
    bound = bound_of(call, 0.0)
    return bound.input, bound.output


class House:
    """A kernel whose requests to the bank go through budgets; `time` is its clock, and that of the calendar."""

    def __init__(
        self,
        budgets: Any = None,
        *,
        wall: float = MONDAY,
        config: Any = None,
        table: ModelTable | None = None,
        **options: Any,
    ) -> None:
        self.bank = Bank()
        self.time = ManualClock(wall)
        self.budgets: Any = budgets if isinstance(budgets, Budgets) else Budgets(rules=budgets or [], **options)
        provider = {"base_url": "https://bank.invalid/v1", "gateway": "bank", "api_key": "sk-bank-of-the-house",
                    "allow_unknown_models": True}  # fmt: skip
        settings = {
            "heavenbase.llm.providers.bank": provider,
            "heavenbase.llm.cache.enabled": False,
            "heavenbase.llm.timeouts.total": None,
            **(config or {}),
        }
        time = self.time
        self.kernel = Kernel(
            settings,
            plugins=[self.bank, table or Priced()],
            middleware=[self.budgets],
            clock=time,
            wall=time,
            sleep=time.sleep,
            asleep=time.asleep,
            random=lambda: 0.5,
        )

    def llm(self, model: str = "dear", **options: Any) -> LLM:
        given = {"max_tokens": 1000, "max_retries": 0, **options}
        return LLM(model=f"bank/{model}", kernel=self.kernel, **given)

    def rows(self) -> list[Any]:
        return self.budgets.keeper.rows(self.time())  # type: ignore[no-any-return]

    def spent(self, rule: str | None = None, label: str | None = None) -> Decimal:
        rows = [row for row in self.rows() if rule in (None, row.rule) and label in (None, row.label)]
        return amount_of(sum(row.spent.money for row in rows))

    def reserved(self) -> Decimal:
        return amount_of(sum(row.reserved.money for row in self.rows()))
