"""What a command imports is what it costs: sets of modules are checked, and times only generously."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

Run = Callable[..., Any]
CODE = """
import sys
from hb_cli import main
try:
    main(sys.argv[1:])
except SystemExit as done:
    assert not done.code, done.code
print("LOADED", *sorted(sys.modules))
"""
HEAVY = {
    *("openai", "anthropic", "httpx", "httpx2", "pydantic", "rich", "tomlkit", "asyncio", "ssl", "sqlite3", "PIL"),
    *("jsonschema_rs", "filelock", "dotenv"),
}
KERNEL = {"heavenbase.kernel", "heavenbase.registry", "heavenbase.resolution.resolver", "heavenbase.llm", "pluggy"}
CONFIG = {"heavenbase.config.config"}
TABLES = {"hb_prices"}
"""The table of models is asked where it is installed."""


def loaded(process: Run, *args: str) -> set[str]:
    # The first run writes the index of what is installed, which later ones read.
    process(*args, code=CODE)
    code, out, err = process(*args, code=CODE)
    assert code == 0, err
    line = out.splitlines()[-1].split()
    assert line[0] == "LOADED"
    return set(line[1:])


def plugins(modules: set[str]) -> set[str]:
    """The packages of plugins among modules."""
    return {module.partition(".")[0] for module in modules if module.startswith("hb_")} - {"hb_cli"}


def test_help_imports_neither_kernel_nor_config_nor_a_command(process: Run) -> None:
    modules = loaded(process, "--help")
    assert not modules & (HEAVY | KERNEL | CONFIG | {"importlib.metadata"})
    own = {module for module in modules if module.startswith("hb_cli.")}
    assert own == {f"hb_cli.{name}" for name in ("app", "failures", "lazy", "output", "state")}
    assert plugins(modules) == set()


@pytest.mark.parametrize(
    "command",
    [("plugins", "list"), ("models",), ("providers",), ("llm", "status")],
    ids=" ".join,
)
def test_listing_imports_no_plugin_and_no_kernel(process: Run, poisoned: Any, command: tuple[str, ...]) -> None:
    modules = loaded(process, *command)
    table = plugins(modules) & TABLES if command == ("models",) else set()
    assert not modules & (HEAVY | (set() if table else KERNEL) | {"importlib.metadata"})
    assert plugins(modules) - table == set()
    assert "poisoned" not in modules


def test_reading_a_setting_imports_no_editor_of_settings(process: Run) -> None:
    modules = loaded(process, "cfg", "get", "heavenbase.llm.cache.enabled")
    assert not modules & (HEAVY | KERNEL | {"hb_cli.settings_edit"})


def test_hb44_a_mock_chat_imports_the_mock_gateway_and_nothing_heavy(process: Run, poisoned: Any) -> None:
    started = time.perf_counter()
    modules = loaded(process, "llm", "chat", "hi", "-p", "mock")
    assert time.perf_counter() - started < 20
    assert not modules & (HEAVY | {"importlib.metadata"})
    assert plugins(modules) - TABLES == {"hb_gateway_mock"}
    assert "poisoned" not in modules


def test_explain_imports_the_gateway_that_is_asked_and_no_sdk(process: Run, poisoned: Any) -> None:
    modules = loaded(process, "explain", "hi")
    assert not modules & (HEAVY | {"importlib.metadata", "poisoned"})
    # The worst case is reckoned by the package that reckons it for routes.
    assert plugins(modules) - TABLES == {
        *("hb_gateway_openai", "hb_wire_openai", "hb_provider_openrouter", "hb_routing"),
    }


def test_importing_the_package_of_the_command_line_loads_nothing(process: Run) -> None:
    code = "import sys, hb_cli\nprint(*(m for m in sys.modules if m.startswith(('heavenbase', 'hb_', 'click'))))"
    assert process(code=code).out.split() == ["heavenbase._lazy", "heavenbase", "hb_cli"]
