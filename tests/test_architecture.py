"""The house rules that a reader cannot see in one file: layers, laziness, sizes, names. Read from the sources."""

from __future__ import annotations

import ast
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[1]
CORE = ROOT / "core" / "kernel" / "src" / "heavenbase"

EXCEPTIONS = {("errors", "types")}
"""Arrows between rooms that point back for a reason: errors name Attempt and Completion in annotations."""

SDKS = {
    *("openai", "anthropic", "litellm", "boto3", "botocore", "ollama", "cohere", "mistralai", "portkey_ai"),
    *("xllamacpp", "llama_cpp", "redis", "transformers", "torch", "opentelemetry", "starlette", "uvicorn"),
}
HEAVY = {"pydantic", "asyncio", "pluggy", "httpx2", "httpcore2", "click", "rich", "openai", "tomlkit", "json_repair"}

NAMES = {
    ("config.schema", "openai"): "the documented default gateway",
    ("config.schema", "openrouter"): "the documented default provider",
    ("resolution.resolver", "openai"): "the gateway that takes the place of a missing one",
    ("resolution.resolver", "mock"): "the gateway that answers mock options offline",
    ("wires.tools", "custom"): "a type of tool, not the provider",
    ("plugin", "openai"): "the default image format, and the SDKs that clients are exported from",
    ("plugin", "anthropic"): "the SDK that clients are exported from",
}
"""Names of providers that core may say, because they name something else there."""

KERNEL_PROPER = ("hookspecs", "registry", "colour/drive", "call", "kernel")


class Import(NamedTuple):
    source: str
    target: str
    line: int
    inside: bool
    checked: bool


def modules() -> dict[str, ast.Module]:
    found = {}
    for path in sorted(CORE.rglob("*.py")):
        name = ".".join(path.relative_to(CORE).with_suffix("").parts).removesuffix(".__init__")
        found["" if name == "__init__" else name] = ast.parse(path.read_text(encoding="utf-8"), str(path))
    return found


MODULES = modules()


def room_of(module: str) -> str:
    """The folder that a module lives in, or the module itself at the top; http.transport is a room of its own."""
    top, _, rest = module.partition(".")
    return "http.transport" if (top, rest.partition(".")[0]) == ("http", "transport") else top


def imported(node: ast.Import | ast.ImportFrom) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
        return
    assert node.level == 0, "imports are absolute"
    module = node.module or ""
    for alias in node.names:
        inner = f"{module}.{alias.name}".removeprefix("heavenbase.")
        yield f"heavenbase.{inner}" if module.startswith("heavenbase") and inner in MODULES else module


def imports(source: str, tree: ast.AST, inside: bool = False, checked: bool = False) -> Iterator[Import]:
    """Every import: at module level, `inside` functions, and (`checked`) for type checkers alone."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            for target in imported(node):
                yield Import(source, target, node.lineno, inside, checked)
        alone = isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        function = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        yield from imports(source, node, inside or function, checked or alone)


ALL = [found for name, tree in MODULES.items() if name for found in imports(name, tree)]
OURS = [found._replace(target=found.target.removeprefix("heavenbase.")) for found in ALL
        if found.target.startswith("heavenbase.")]  # fmt: skip


def in_one_direction(arrows: Iterator[tuple[str, str]]) -> None:
    graph: dict[str, set[str]] = {}
    for source, target in arrows:
        if source != target:
            graph.setdefault(source, set()).add(target)
    assert list(TopologicalSorter(graph).static_order()) != []


def test_modules_import_each_other_in_no_circle() -> None:
    in_one_direction((found.source, found.target) for found in OURS if not found.inside and not found.checked)


@pytest.mark.xfail(strict=False, reason="the last arrows that point back are being turned")
def test_rooms_import_each_other_in_one_direction_imports_in_functions_and_for_types_counted() -> None:
    arrows = ((room_of(found.source), room_of(found.target)) for found in OURS)
    in_one_direction(arrow for arrow in arrows if arrow not in EXCEPTIONS)


def test_no_folder_holds_more_modules_than_a_reader_takes_in() -> None:
    for folder in {path.parent for path in CORE.rglob("*.py")}:
        held = [path.stem for path in folder.glob("*.py") if path.stem not in ("__init__", "__main__")]
        assert len([name for name in held if not name.startswith("_")]) <= (22 if folder == CORE else 16), folder


def test_no_sdk_is_named_in_core() -> None:
    assert [found for found in ALL if found.target.partition(".")[0] in SDKS] == []


def test_core_imports_no_plugin() -> None:
    outside = {(found.source, found.target) for found in ALL if found.target.partition("_")[0] == "hb"}
    assert outside == {("__main__", "hb_cli")}, "the command `hb` alone looks for another distribution"


def provider_names() -> set[str]:
    models = tomllib.loads((CORE / "data" / "models.toml").read_text(encoding="utf-8"))["models"]
    known = {name for record in models.values() for name in record.get("providers", {})}
    return known | {path.name.removeprefix("provider-") for path in (ROOT / "plugins").glob("provider-*")} - {"local"}


def strings(tree: ast.AST) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.lineno, node.value


def test_no_provider_is_named_in_core() -> None:
    names = provider_names()
    assert len(names) > 10
    found = [
        f"{module}:{line} says {text!r}"
        for module in MODULES
        for line, text in strings(MODULES[module])
        if text in names and (module, text) not in NAMES
    ]
    assert found == []


def test_importing_heavenbase_loads_nothing_heavy() -> None:
    code = "import sys; import heavenbase; print('\\n'.join(sys.modules))"
    run = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True, check=True)
    loaded = set(run.stdout.split())
    assert loaded & HEAVY == set()
    assert {name for name in loaded if name.startswith("heavenbase")} == {"heavenbase", "heavenbase._lazy"}
    assert run.stderr == ""


@pytest.mark.parametrize("module", sorted(name for name in MODULES if name))
def test_no_module_of_core_passes_four_hundred_lines(module: str) -> None:
    path = CORE.joinpath(*module.split("."))
    path = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 400


def lines(module: str) -> int:
    return len((CORE / f"{module}.py").read_text(encoding="utf-8").splitlines())


def test_the_hook_specs_fit_on_one_screen() -> None:
    assert lines("hookspecs") <= 60


def test_the_kernel_proper_stays_under_eight_hundred_lines() -> None:
    assert sum(map(lines, KERNEL_PROPER)) < 800


def order(name: str) -> tuple[int, str]:
    """Constants, then classes, then the rest: the order that ruff keeps."""
    return (0 if name.isupper() else 1 if name[0].isupper() else 2, name)


@pytest.mark.parametrize("module", [name for name, tree in MODULES.items() if "__all__" in ast.unparse(tree)])
def test_public_names_are_listed_in_order(module: str) -> None:
    for node in MODULES[module].body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
            names = ast.literal_eval(node.value)
            assert names == sorted(names, key=order)
            assert len(names) == len(set(names))


def test_every_public_name_of_heavenbase_is_there_and_lazy() -> None:
    import heavenbase

    assert set(heavenbase._HOME) | {"__version__"} == set(heavenbase.__all__)
    for name in heavenbase.__all__:
        assert getattr(heavenbase, name) is not None
    assert dir(heavenbase) == sorted(heavenbase.__all__)
    with pytest.raises(AttributeError, match="no attribute 'Lllm'"):
        heavenbase.Lllm  # noqa: B018


def undocumented(tree: ast.AST, path: str) -> Iterator[str]:
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) and not node.name.startswith("_"):
            where = f"{path}.{node.name}"
            overload = any(ast.unparse(d) == "overload" or ".setter" in ast.unparse(d) for d in node.decorator_list)
            declared = ast.unparse(node.body[-1]) == "..."  # a protocol's method; its class says what it does
            if ast.get_docstring(node) is None and not overload and not declared:
                yield where
            if isinstance(node, ast.ClassDef):
                yield from undocumented(node, where)


TOLD = [name for name in MODULES if name and not name.rpartition(".")[2].startswith("_") and name != "fetch.dial"]
"""What readers come to; the dialler keeps the names of the library's own."""


@pytest.mark.parametrize("module", TOLD)
def test_every_public_function_and_class_says_what_it_does(module: str) -> None:
    tree = MODULES[module]
    assert ast.get_docstring(tree), f"{module} has no docstring"
    assert list(undocumented(tree, module)) == []
