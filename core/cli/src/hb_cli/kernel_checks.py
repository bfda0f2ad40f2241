"""The checks of `hb doctor` about the kernel: whether the settings make one, and what they switch on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hb_cli.checks import Check
from heavenbase.errors import ConfigError, HBError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from hb_cli.state import State
    from heavenbase.config.config import Config

REMEDY = "hb cfg edit"


def check_kernel(state: State) -> Iterator[Check]:
    """Whether a kernel can be made; where not, the checks go on with one that leaves out what is wrong."""
    try:
        kernel = state.kernel
    except Exception as error:
        yield Check("settings", "broken", told(error), REMEDY)
        from heavenbase.config.schema import LLM, defaults
        from heavenbase.kernel import Kernel

        read = {f"heavenbase.llm.{name}": defaults(LLM)[name] for name in ("middleware", "retry", "tool_call_repair")}
        try:
            state.use(kernel := Kernel(state.config.with_layer("hb doctor", read)))
        except HBError as second:
            yield Check("settings", "broken", second.message, REMEDY)
            return
    for path in switched_on(state.config):
        try:
            kernel.stack.switched_on(path, state.config)
        except Exception as error:
            yield Check("middleware", "broken", told(error), REMEDY)
    yield from _settings_of_nothing(state)
    yield _table_of_models(state)


def told(error: Exception) -> str:
    """What an error says; its class too, where it is not of hb."""
    return error.message if isinstance(error, HBError) else f"{type(error).__name__}: {error}"


def switched_on(config: Config) -> Iterator[tuple[str, ...]]:
    """The keys of the settings that switch middlewares on: of all calls, of presets, and among default arguments."""
    from heavenbase.config.values import leaves

    for path, value in leaves(config.section("heavenbase.llm", raw=True), ("heavenbase", "llm")):
        if path[-1] == "middleware" and isinstance(value, list):
            yield path


def _table_of_models(state: State) -> Check:
    """Which table of models is asked."""
    import warnings

    key = "heavenbase.llm.table"
    name = state.config.get(key)
    if name is None:
        return Check("table of models", "info", f"none is asked ({key} is null)")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            table = state.kernel.services.table
        except Exception as error:
            # What is wrong with the table's own settings says so, with file and line.
            remedy = "" if isinstance(error, ConfigError) else f"hb cfg unset {key}"
            return Check("table of models", "broken", told(error), remedy)
    if caught:
        return Check("table of models", "warn", str(caught[-1].message))
    if table is None:
        return Check(
            "table of models", "info", f"{name} is not installed: what calls cost is known where providers say it"
        )
    return Check("table of models", "ok", f"{name} tells prices and abilities")


def _settings_of_nothing(state: State) -> Iterator[Check]:
    """Settings of middlewares, judges and tables of models that nothing installed has."""
    from heavenbase.config.check import meant
    from heavenbase.config.values import join_key
    from heavenbase.discovery.plugin_settings import KINDS, where
    from heavenbase.middleware import kind_of

    registry = state.kernel.registry
    for kind in KINDS:
        stored: Mapping[str, object] = state.config.section(("heavenbase", kind), raw=True)
        known = registry.names(kind)
        for name in stored:
            if name not in known and not (kind == "middleware" and registry.has(kind_of(registry, name), name)):
                path = ("heavenbase", kind, name)
                key = join_key(path)
                detail = f"{where(state.config, path)}{key} is of nothing that is installed{meant(name, known)}"
                yield Check("settings", "warn", detail, f"hb cfg unset {key}")
