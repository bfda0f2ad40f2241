"""Tables of models: what is known of a model beside its provider's manifest, its prices and its abilities."""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from heavenbase.config.abilities import ABILITIES
from heavenbase.config.check import accepts
from heavenbase.config.schema import CAPABILITIES
from heavenbase.config.values import join_key
from heavenbase.errors import ConfigError, InputError, PluginError, PluginFallbackWarning, warn_caller
from heavenbase.middleware import Configured
from heavenbase.secrets import told
from heavenbase.spec import EMPTY

if TYPE_CHECKING:
    from heavenbase.config import Config
    from heavenbase.details import Usage
    from heavenbase.ledger.costs import Cost
    from heavenbase.registry import Registry

SETTING = "heavenbase.llm.table"
"""The key with the name of the table that is asked."""


class ModelTable(Configured):
    """Base of tables of models (entry points `heavenbase.tables`). All methods are pure, without a network.

    A model is named by its provider and its id there. What a table does not know it does not guess.
    """

    kind = "tables"

    def facts(self, provider: str, model_id: str) -> Mapping[str, Any]:
        """Abilities by the names that `capabilities` have; {} for unknown ones.

        Manifests and settings win over them; over a false one, which refuses requests, only settings of the model.
        """
        return {}

    def prices(self, provider: str, model_id: str, *, at: float) -> Mapping[str, Any] | None:
        """What is shown of a model's prices at a time in epoch seconds: Decimals by bucket, for a million tokens."""
        return None

    def cost(self, provider: str, model_id: str, usage: Usage, *, at: float) -> Cost | None:
        """What a usage cost at a time in epoch seconds; None where a price or a count is not known."""
        return None

    def count(self, text: str, provider: str, model_id: str) -> tuple[int, int] | None:
        """How many tokens a text has, and how many it has at most; None without a vocabulary for the model."""
        return None


class Tables:
    """The one table that a kernel asks, loaded on first use."""

    def __init__(self, config: Config, registry: Registry) -> None:
        self._config = config
        self._registry = registry
        self._found: list[ModelTable | None] = []

    @property
    def table(self) -> ModelTable | None:
        """The table, or None; a PluginLoadError where one that somebody asked for is not installed."""
        if not self._found:
            self._found.append(self._load())
        return self._found[0]

    def abilities(
        self, provider: str, model_id: str, record: Mapping[str, Any], configured: Mapping[str, Any] = EMPTY
    ) -> dict[str, Any]:
        """What is said of a model at a provider: by the table, over it by the provider's record.

        What the table says that this one model has not stands over the record, which speaks for the whole endpoint, but
        below what the user's settings say, `configured`.
        """
        is_blind = any(fnmatchcase(model_id.lower(), pattern) for pattern in record.get("text_only", ()))
        said = {**record.get("capabilities", {}), **({"vision": False} if is_blind else {})}
        facts = self._facts(provider, model_id)
        lacking = {name: value for name, value in facts.items() if value is False}
        return {**facts, **said, **lacking, **configured.get("capabilities", {})}

    def _facts(self, provider: str, model_id: str) -> dict[str, Any]:
        table = self.table
        if table is None:
            return {}
        try:
            found = table.facts(provider, model_id)
            return {name: value for name, value in found.items() if name in ABILITIES and _fits(name, value)}
        except Exception as error:  # who only tells keeps nobody from calling
            table.services.logger.error("table %s failed: %s", table.name, told(error))
            return {}

    def cost(self, provider: str, model_id: str, usage: Usage, at: float) -> Cost | None:
        """What the table says that a usage cost; None where it fails, which is logged."""
        from heavenbase.ledger.costs import Cost

        table = self.table
        if table is None:
            return None
        try:
            found = table.cost(provider, model_id, usage, at=at)
            if found is None or isinstance(found, Cost):
                return found
            raise TypeError(f"its cost is no Cost, but {type(found).__name__}")
        except Exception as error:  # no answer is lost over its price
            table.services.logger.error("table %s failed: %s", table.name, told(error))
            return None

    def _load(self) -> ModelTable | None:
        from heavenbase.discovery.plugin_settings import settings_of, where

        name = self._config.get(SETTING)
        origin = self._config.origin(SETTING)
        is_asked_for = origin is not None and origin.layer != "default"
        if name is None or not (is_asked_for or self._registry.has("tables", name)):
            return None
        try:
            found: ModelTable = self._registry.load("tables", name)
        except PluginError as error:
            if is_asked_for:
                raise
            warn_caller(f"the table of models {name!r} is not used: {error}", PluginFallbackWarning)
            return None
        try:
            found.configure(settings_of(self._config, "tables", found))
        except InputError as error:  # what a setting holds is for the table to check
            key = ("heavenbase", "tables", name, *getattr(error, "key", ()))
            raise ConfigError(f"{where(self._config, key)}{error.message} ({join_key(key)})") from error
        return found


def _fits(name: str, value: Any) -> bool:
    """Whether an ability is of its type; ValueError where it is not, as a call would fail at it."""
    field: Any = CAPABILITIES.fields[name]
    if accepts(field, value):
        return True
    raise ValueError(f"{name} is {ABILITIES[name][0]}, not {value!r:.40}")
