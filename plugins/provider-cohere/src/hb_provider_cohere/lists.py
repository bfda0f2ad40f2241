"""Cohere's list of models, and its rankings. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from heavenbase.http import as_list, as_object
from heavenbase.operations import ModelInfo, id_of, number_of, ranking
from heavenbase.wires import first_text, object_or_empty

if TYPE_CHECKING:
    from heavenbase.call import Call
    from heavenbase.operations import Ranking


def model_page(call: Call, decoded: Any) -> tuple[list[ModelInfo], str | None]:
    """(the models of a page, the cursor of the next one)."""
    page = as_object(call, decoded, "the list")
    rows = as_list(call, page.get("models"), "`models`")
    return [_model(call, as_object(call, row, "a model")) for row in rows], first_text(page, "next_page_token")


def _model(call: Call, row: dict[str, Any]) -> ModelInfo:
    return ModelInfo(id_of(call, row, "name"), context_window=number_of(row, "context_length"), raw=row)


def read_ranking(call: Call, decoded: Any) -> Ranking:
    """A ranking, with the units that it is billed by."""
    units = object_or_empty(object_or_empty(object_or_empty(decoded).get("meta")).get("billed_units"))
    return ranking(call, decoded, number_of(units, "input_tokens"), number_of(units, "search_units"))
