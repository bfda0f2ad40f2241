"""Every plugin of the workspace keeps the contract of its kind.

Gateways bring a test of their own, since theirs takes seconds; so may others. The rest is checked here.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from hb_testing.conformance.choice import CHECKED, contract_for, parse
from hb_testing.conformance.contract import find_plugins

ROOT = Path(__file__).parents[1]
CONTRACTS = {
    "gateways": "Contract",
    "providers": "ProviderContract",
    "caches": "CacheContract",
    "vision": "VisionContract",
    "middleware": "MiddlewareContract",
    "judges": "JudgeContract",
    "tables": "TableContract",
}
"""How the names of the contracts end."""


def declared() -> Iterator[tuple[Path, str, str]]:
    """Folder, kind and name of every plugin in the workspace."""
    for file in sorted(file for folder in ("plugins", "contrib") for file in (ROOT / folder).glob("*/pyproject.toml")):
        groups = tomllib.loads(file.read_text(encoding="utf-8"))["project"].get("entry-points", {})
        for kind in CHECKED:
            for name in groups.get(f"heavenbase.{kind}", {}):
                yield file.parent, kind, name


def has_its_own(folder: Path, kind: str) -> bool:
    """Whether a test of the plugin's inherits the contract of this kind."""
    inherits = re.compile(rf"^class Test\w*\(\w*{CONTRACTS[kind]}\)", re.MULTILINE)
    return any(inherits.search(file.read_text(encoding="utf-8")) for file in (folder / "tests").glob("test_*.py"))


for _folder, _kind, _name in declared():
    if _kind != "gateways" and not has_its_own(_folder, _kind) and find_plugins(_kind, _name):
        _contract = contract_for(parse(f"{_kind}:{_name}"))
        globals()[_contract.__name__] = _contract


@pytest.mark.parametrize(
    ("folder", "kind", "name"), [pytest.param(*row, id=f"{row[1]}:{row[2]}") for row in declared()]
)
def test_every_plugin_is_installed_and_checked(folder: Path, kind: str, name: str) -> None:
    assert find_plugins(kind, name), f"{kind}:{name} is not installed here: pip install -e {folder}"
    assert f"Test_{kind}_{name}" in globals() or has_its_own(folder, kind), (
        f"no test in {folder.name} inherits GatewayContract"
    )
