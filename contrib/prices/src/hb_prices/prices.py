"""The table of models that hb asks: `heavenbase.llm.table = "prices"`, which it is where this package is installed."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from hb_prices.overrides import CONFIGURED, Override, override_of, read_overrides
from hb_prices.providers import seller_of
from hb_prices.refused import refused_parameters
from hb_prices.table import Row, Table
from heavenbase.config import has_home, user_folder
from heavenbase.errors import ConfigError, InputError
from heavenbase.middleware import Setting
from heavenbase.resolution import ModelTable

if TYPE_CHECKING:
    from heavenbase.ledger import Cost
    from heavenbase.types import Usage

URL = "https://raw.githubusercontent.com/pydantic/genai-prices/refs/heads/main/prices/new_data/v2/data.json"
"""What genai-prices publishes between its releases."""
REFRESHED = "prices.jsonl"
PACKAGED = Path(__file__).parent / "data" / "table.jsonl"


MINUTE = 60
REMEMBERED = 1024


class Sure(NamedTuple):
    """Prices that count for a model, and the row that they are of."""

    row: Row
    currency: str
    prices: Mapping[str, Any]


class Prices(ModelTable):
    """Prices by bucket and tier, context windows, output limits and abilities, from genai-prices' data.

    What is listed is shown; a cost is told only where the listed price is surely the one that is billed.
    """

    name = "prices"
    settings: ClassVar[Mapping[str, Setting]] = {
        "models": Setting("table", {}, 'by "provider/id", a pattern: prices of a million tokens, limits, or `like`'),
        "list_prices": Setting("bool", False, "models that several hosts answer for cost what is listed, not None"),
        "file": Setting("str | null", None, "a table that is used in place of the packaged and the refreshed one"),
        "url": Setting("str", URL, "where `hb prices refresh` fetches genai-prices' data"),
        "timeout": Setting("float", 30.0, "seconds that a refresh may take", minimum=0.001),
        "max_bytes": Setting("int", 20_000_000, "most bytes that a refresh reads", minimum=1),
        "allow_hosts": Setting("list[str]", [], "hosts of `url` with private addresses, such as a mirror's"),
    }

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._overrides: tuple[Override, ...] = ()
        self._table: Table | None = None
        self._known: dict[tuple[Any, ...], Sure | None] = {}
        self._missed: set[str] = set()
        self.configure(self.options)

    def configure(self, options: Mapping[str, Any]) -> None:
        """Take settings; InputError, with the key, for what is said of a model and for a file that is no table."""
        super().configure(options)
        self._overrides = read_overrides(options["models"])
        self._known = {}
        try:
            self._table = Table.read(os.path.expanduser(options["file"])) if options["file"] else None
        except ConfigError as error:
            problem = InputError(error.message)
            problem.key = ("file",)  # type: ignore[attr-defined]  # the kernel tells file and line of it
            raise problem from error

    @property
    def table(self) -> Table:
        """The table in use: the file of the settings, else the newer one of the refreshed and the packaged one."""
        if self._table is None:
            self._table = self._newest()
        return self._table

    @property
    def refreshed(self) -> str | None:
        """Where `hb prices refresh` keeps its table; None for an embedded kernel, which reads no files of a user."""
        services = getattr(self, "services", None)
        environ: Mapping[str, str] = os.environ if services is None else services.environ
        return os.path.join(user_folder("data", environ), REFRESHED) if has_home(environ) else None

    def _newest(self) -> Table:
        packaged, path = Table.read(PACKAGED), self.refreshed
        if path is None or not os.path.exists(path):
            return packaged
        try:
            refreshed = Table.read(path)
        except ConfigError as error:  # it is only newer: what it was made over is still there
            from logging import getLogger

            getLogger("heavenbase").warning("the refreshed table is not used: %s", error)
            return packaged
        return refreshed if refreshed.header.date >= packaged.header.date else packaged

    def facts(self, provider: str, model_id: str) -> Mapping[str, Any]:
        """The context window, the most tokens of an answer, what it surely has not, which parameters it refuses."""
        override, row = self._look_up(provider, model_id)
        found = dict(row.facts) if row is not None else {}
        like = override.like if override is not None else None
        if row is not None and (refused := refused_parameters(like[1] if like is not None else model_id)):
            found["refused_parameters"] = refused
        return {**found, **(override.row.facts if override is not None else {})}

    def prices(self, provider: str, model_id: str, *, at: float) -> Mapping[str, Any] | None:
        """Prices in force: a Decimal for each bucket, or with tiers (first, (tokens of the prompt above, price), …).

        They are for a million tokens; `web_searches` and `requests` for a thousand. Beside the buckets stand
        `currency`, `source` and `date`, and under `tiers` the prices of other services, such as "batch" and "flex".
        """
        from hb_prices.reckoning import prices_at, shown

        row, currency = self._priced(provider, model_id)
        found = prices_at(row, at) if row is not None else None
        if row is None or not found or not (told := shown(found)):
            return None
        tiers = {
            name: shown(changed)
            for name in dict.fromkeys(each["tier"] for each in row.variants)
            if (changed := prices_at(row, at, name)) and changed != found
        }
        about = {"currency": currency, "source": row.source, "date": row.date}
        return {**told, **({"tiers": tiers} if tiers else {}), **about}

    def cost(self, provider: str, model_id: str, usage: Usage, *, at: float) -> Cost | None:
        """What a usage cost; None where the model, a count or a price is not known."""
        from hb_prices.reckoning import reckon
        from heavenbase.ledger import Cost

        sure = self._sure(provider, model_id, usage.tier, at)
        if sure is None or ("-search" in model_id and usage.web_searches is None and sure.row.source != CONFIGURED):
            return None
        seller = seller_of(provider)
        is_at_text = seller is None or seller.hears_at_text or sure.row.source == CONFIGURED
        if usage.audio and not is_at_text and "audio" not in sure.prices:
            return None
        amount = reckon(sure.prices, usage)
        if amount is None:
            return None
        return Cost(amount.amount, sure.currency, sure.row.source, sure.row.date, amount.at_least)

    def count(self, text: str, provider: str, model_id: str) -> tuple[int, int] | None:
        """How many tokens a text has, and at most; None where the package with vocabularies is not installed."""
        from hb_prices.tokens import counted

        return counted(text, provider, model_id)

    def status(self) -> Mapping[str, Any]:
        """The table in use."""
        header = self.table.header
        return {"source": header.source, "date": header.date, "file": self.table.name}

    def is_by_host(self, provider: str, model_id: str) -> bool:
        """Whether several hosts answer for a model, so that the listed price is that of one of them."""
        seller, (row, _) = seller_of(provider), self._priced(provider, model_id)
        if seller is None or seller.by_host is None or row is None or row.source == CONFIGURED:
            return False
        return seller.by_host.match(model_id.lower()) is not None

    def _sure(self, provider: str, model_id: str, tier: str | None, at: float) -> Sure | None:
        """The prices that are surely billed, remembered, for a minute where they change; None where there are none."""
        key = (provider, model_id, tier, int(at // MINUTE))
        steady = (provider, model_id, tier, None)
        for each in (steady, key):
            if each in self._known:
                return self._known[each]
        from hb_prices.reckoning import is_dated, prices_at

        row, currency = self._priced(provider, model_id)
        is_sure = self.options["list_prices"] or not self.is_by_host(provider, model_id)
        found = prices_at(row, at, tier) if row is not None and is_sure else None
        seller = seller_of(provider)
        if found and seller is not None and not seller.searches:
            found = {name: price for name, price in found.items() if name != "web_searches"}
        sure = Sure(row, currency, found) if row is not None and found is not None else None
        if len(self._known) >= REMEMBERED:
            self._known.clear()
        self._known[key if row is not None and is_dated(row) else steady] = sure
        return sure

    def _priced(self, provider: str, model_id: str) -> tuple[Row | None, str]:
        """The row whose prices count, and their currency."""
        override, row = self._look_up(provider, model_id)
        if override is not None and override.row.prices:
            return override.row, override.currency
        return row, "USD"

    def _look_up(self, provider: str, model_id: str) -> tuple[Override | None, Row | None]:
        """What the settings say of a model, and its row in the table."""
        override = override_of(self._overrides, provider, model_id) if self._overrides else None
        if override is not None and override.like is not None:
            provider, model_id = override.like
        seller = seller_of(provider)
        row = self.table.find(seller.name, model_id, exact=seller.exact) if seller is not None else None
        if row is None and override is not None and override.like is not None:
            self._miss(override)
        return override, row

    def _miss(self, override: Override) -> None:
        """Say once that the table lacks the model which another one is said to be like."""
        if override.pattern not in self._missed:
            self._missed.add(override.pattern)
            from logging import getLogger

            text = 'heavenbase.tables.prices.models."%s": the table has no %s to be like'
            getLogger("heavenbase").warning(text, override.pattern, "/".join(override.like or ()))
