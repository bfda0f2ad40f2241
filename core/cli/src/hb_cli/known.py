"""What is known of models beside their names: abilities of manifests, settings and the table of models, and prices."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from hb_cli import output
from hb_cli.money import figure

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from hb_cli.state import State
    from heavenbase.resolution import ModelTable

TABLE = "heavenbase.llm.table"
SHOWN = ("tools", "vision", "embeddings", "images", "rerank")
"""Abilities that are listed by name."""
NUMBERS = ("context_window", "max_output_tokens")
ABOUT = ("currency", "source", "date")
COLUMNS = ("context", "output", "in/M", "out/M", "abilities")


class Known(NamedTuple):
    """What is known of one model at one provider; `prices` by bucket, for a million tokens."""

    capabilities: Mapping[str, Any]
    prices: Mapping[str, Any] | None = None

    def to_dict(self) -> dict[str, Any]:
        """Both as plain data, prices as decimal texts."""
        return {"capabilities": dict(self.capabilities), "prices": _plain(self.prices)}

    def cells(self) -> list[str]:
        """One cell for each of COLUMNS."""
        numbers = [self.capabilities.get(name) for name in NUMBERS]
        prices = [_price((self.prices or {}).get(name)) for name in ("input", "output")]
        able = ", ".join(name for name in SHOWN if self.capabilities.get(name) is True)
        return [*(short(number) for number in numbers), *prices, able]


class Knowledge:
    """What is known of models. Imports the table that the settings name, where it is installed, and nothing else."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._table = _table(state)

    def of(
        self, provider: str, model_id: str, provider_record: Mapping[str, Any], *records: Mapping[str, Any]
    ) -> Known:
        """Of a model at a provider; `records` are those of the model, and of the model there.

        What a provider says of all its models alike is left out, but for the numbers.
        """
        said: dict[str, Any] = dict(provider_record.get("capabilities") or {})
        own = {*NUMBERS}
        if self._table is not None:
            tables = self._state.kernel.resolver.tables
            own |= tables.abilities(provider, model_id, {}).keys()
            configured = self._state.kernel.resolver.catalog.configured_providers.get(provider, {})
            said = tables.abilities(provider, model_id, provider_record, configured)
        for record in records:
            stated = record.get("capabilities") or {}
            own |= stated.keys()
            said.update(stated)
        known = {name: value for name, value in said.items() if value is not None and name in own}
        return Known(known, self._prices(provider, model_id))

    def _prices(self, provider: str, model_id: str) -> Mapping[str, Any] | None:
        if self._table is None:
            return None
        try:
            return self._table.prices(provider, model_id, at=self._state.kernel.services.wall())
        except Exception as error:  # a listing is no worse without prices
            from heavenbase.secrets import told

            self._state.kernel.services.logger.error("table %s failed: %s", self._table.name, told(error))
            return None


def _table(state: State) -> ModelTable | None:
    """The table that is asked; None, with a warning, for one that cannot be used."""
    from heavenbase.errors import HBError

    name = state.config.get(TABLE)
    if name is None or name not in state.names("tables"):
        return None
    try:
        found: ModelTable | None = state.kernel.services.table
    except HBError as error:
        output.warn(error.message)
        return None
    return found


def cells(rows: Sequence[Known]) -> tuple[list[list[str]], list[str]]:
    """The cells of several rows, and the headings of those columns that have any."""
    found = [row.cells() for row in rows]
    used = [place for place in range(len(COLUMNS)) if any(row[place] for row in found)]
    return [[row[place] for place in used] for row in found], [COLUMNS[place] for place in used]


def legend(found: Iterable[Mapping[str, Any] | None]) -> str:
    """What prices mean: their currencies, whose they are and of which day, as far as they say; "" for no prices."""
    prices = [each for each in found if each]
    told = [dict.fromkeys(each[name] for each in prices if each.get(name)) for name in ABOUT]
    about = "; ".join(", ".join(each) for each in told if each)
    return f"prices are for a million tokens{f': {about}' if about else ''}" if prices else ""


def short(number: Any) -> str:
    """A number of tokens in few letters: 128k, 1M; "" for none."""
    if not isinstance(number, int):
        return ""
    for size, letter in ((1_000_000, "M"), (1_000, "k")):
        if number >= size:
            return f"{number / size:.4g}{letter}"
    return str(number)


def _price(price: Any) -> str:
    """A price in words; one that rises with the length of the prompt has a + behind its lowest."""
    if isinstance(price, tuple | list):
        return f"{_price(price[0])}+" if price else ""
    return "" if price is None else figure(price)


def _plain(value: Any) -> Any:
    if hasattr(value, "items"):
        return {name: _plain(item) for name, item in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    return value if value is None or isinstance(value, bool | int) else f"{value}"
