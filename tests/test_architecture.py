"""The house rules that a reader cannot see in one file: rooms, laziness, sizes, names. Read from the sources.

A room is a folder of the kernel, or a module that stands at its top; `http.transport` is one of its own."""

from __future__ import annotations

import ast
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from graphlib import TopologicalSorter
from importlib import import_module
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[1]
CORE = ROOT / "core" / "kernel" / "src" / "heavenbase"

ANNOTATIONS_ONLY = {("errors", "types"): "errors hold the ledger and the partial answer, and name their types"}
"""Arrows between rooms that may close a cycle, because they stand under TYPE_CHECKING; each with its reason."""

MODULES_IN_A_ROOM = 16
MODULES_AT_THE_TOP = 22
LINES_OF_A_MODULE = 400
LINES_OF_THE_KERNEL = 29_200
UNTOLD = ("_lazy", "_moved")
"""Modules below all rooms: what a front is made with, and the names of the first release."""

SDKS = {
    *("openai", "anthropic", "litellm", "boto3", "botocore", "ollama", "cohere", "mistralai", "portkey_ai"),
    *("xllamacpp", "llama_cpp", "redis", "transformers", "torch", "opentelemetry", "starlette", "uvicorn"),
}
HEAVY = {
    *("pydantic", "pydantic_core", "asyncio", "pluggy", "httpx2", "httpcore2", "click", "rich", "openai", "tomlkit"),
    *("json_repair", "jsonschema_rs", "dotenv", "filelock"),
}

NAMES = {
    ("config.schema", "openai"): "the documented default gateway",
    ("config.schema", "openrouter"): "the documented default provider",
    ("resolution.resolver", "openai"): "the gateway that takes the place of a missing one",
    ("resolution.resolver", "mock"): "the gateway that answers mock options offline",
    ("wires.parameters", "custom"): "a type of tool, not the provider",
    ("details", "custom"): "a type of tool, not the provider",
    ("plugin", "openai"): "the default image format, and the SDKs that clients are exported from",
    ("plugin", "anthropic"): "the SDK that clients are exported from",
}
"""Names of providers that core may say, because they name something else there."""

KERNEL_PROPER = ("hookspecs", "registry", "colour.drive", "call", "kernel")


class Import(NamedTuple):
    source: str
    target: str
    line: int
    typing: bool
    """Whether it stands under TYPE_CHECKING."""


def modules() -> dict[str, ast.Module]:
    found = {}
    for path in sorted(CORE.rglob("*.py")):
        name = ".".join(path.relative_to(CORE).with_suffix("").parts).removesuffix(".__init__")
        found["" if name == "__init__" else name] = ast.parse(path.read_text(encoding="utf-8"), str(path))
    return found


MODULES = modules()


def room_of(module: str) -> str:
    """The room that a module belongs to."""
    return "http.transport" if module.startswith("http.transport") else module.partition(".")[0]


def imported(node: ast.Import | ast.ImportFrom) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
        return
    assert node.level == 0, "imports are absolute"
    module = node.module or ""
    for alias in node.names:
        inner = f"{module}.{alias.name}".removeprefix("heavenbase.")
        yield f"heavenbase.{inner}" if module.startswith("heavenbase") and inner in MODULES else module


def imports(source: str, tree: ast.AST, typing: bool = False) -> Iterator[Import]:
    """Every import of a module, those in functions and for type checkers included."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            for target in imported(node):
                yield Import(source, target, node.lineno, typing)
        guard = isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"
        yield from imports(source, node, typing or guard)


ALL = [found for name, tree in MODULES.items() if name for found in imports(name, tree)]
OURS = [found._replace(target=found.target.removeprefix("heavenbase.")) for found in ALL
        if found.target.startswith("heavenbase.")]  # fmt: skip


def test_rooms_import_each_other_in_no_cycle() -> None:
    graph: dict[str, set[str]] = {}
    for found in OURS:
        here, there = room_of(found.source), room_of(found.target)
        if here == there or here in UNTOLD or (found.typing and (here, there) in ANNOTATIONS_ONLY):
            continue
        graph.setdefault(here, set()).add(there)
    assert list(TopologicalSorter(graph).static_order()) != []  # CycleError names the rooms of a cycle


def test_the_exceptions_are_all_in_use() -> None:
    assert set(ANNOTATIONS_ONLY) <= {(room_of(f.source), room_of(f.target)) for f in OURS if f.typing}


@pytest.mark.parametrize("folder", sorted({p.parent for p in CORE.rglob("*.py")}), ids=lambda p: p.name)
def test_no_room_holds_more_modules_than_one_takes_in(folder: Path) -> None:
    found = [path.stem for path in folder.glob("*.py") if not path.stem.startswith("_")]
    assert len(found) <= (MODULES_AT_THE_TOP if folder == CORE else MODULES_IN_A_ROOM), found


def test_the_kernel_stays_small() -> None:
    assert sum(path.read_text(encoding="utf-8").count("\n") for path in CORE.rglob("*.py")) <= LINES_OF_THE_KERNEL


@pytest.mark.parametrize("room", sorted(name for name in MODULES if name and (CORE / name.replace(".", "/")).is_dir()))
def test_every_room_has_a_front_that_says_what_it_is(room: str) -> None:
    tree = MODULES[room]
    assert ast.get_docstring(tree)


def test_no_sdk_is_named_in_the_kernel() -> None:
    assert [found for found in ALL if found.target.partition(".")[0] in SDKS] == []


def test_the_kernel_imports_no_plugin() -> None:
    """But for the command line, which `python -m heavenbase` looks for."""
    found = {(found.source, found.target) for found in ALL if found.target.startswith("hb_") or found.target == "hb"}
    assert found == {("__main__", "hb_cli")}


OUTSIDE = sorted(p for folder in ("plugins", "contrib") for p in (ROOT / folder).glob("*/src/**/*.py"))
ROOMS = {name for name in MODULES if name and (CORE / name.replace(".", "/")).is_dir()}
TOP = {name for name in MODULES if name and name not in ROOMS and "." not in name and not name.startswith("_")}


@pytest.mark.parametrize("path", OUTSIDE, ids=lambda p: p.relative_to(ROOT).as_posix())
def test_plugins_import_only_what_a_front_names(path: Path) -> None:
    """A module at the public top, or a name that the front of a room has."""
    wrong = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            wrong += [a.name for a in node.names if a.name.startswith("heavenbase.")]
        elif isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == "heavenbase":
            room = (node.module or "").removeprefix("heavenbase").lstrip(".")
            if room in TOP:
                continue
            public = dir(import_module(node.module or "")) if room in ROOMS or not room else ()
            wrong += [f"{node.module}.{a.name}" for a in node.names if a.name not in public and a.name not in TOP]
    assert wrong == []


@pytest.mark.parametrize("room", sorted(room for room in ROOMS if "front(" in ast.unparse(MODULES[room])))
def test_no_public_name_of_a_front_is_that_of_a_module_beside_it(room: str) -> None:
    """What `from room import name` gives must not depend on what was imported before."""
    beside = {name.rpartition(".")[2] for name in MODULES if name.rpartition(".")[0] == room}
    assert beside.isdisjoint(import_module(f"heavenbase.{room}").__dir__())


def provider_names() -> set[str]:
    models = tomllib.loads((CORE / "data" / "models.toml").read_text(encoding="utf-8"))["models"]
    known = {name for record in models.values() for name in record.get("providers", {})}
    return known | {path.name.removeprefix("provider-") for path in (ROOT / "plugins").glob("provider-*")} - {"local"}


def strings(tree: ast.AST) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.lineno, node.value


def test_no_provider_is_named_in_the_kernel() -> None:
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
def test_no_module_of_the_kernel_passes_four_hundred_lines(module: str) -> None:
    path = CORE.joinpath(*module.split("."))
    path = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    assert len(path.read_text(encoding="utf-8").splitlines()) <= LINES_OF_A_MODULE


def lines(module: str) -> int:
    return len((CORE / f"{module.replace('.', '/')}.py").read_text(encoding="utf-8").splitlines())


def test_the_hook_specs_fit_on_one_screen() -> None:
    assert lines("hookspecs") <= 60


def test_the_kernel_proper_stays_under_eight_hundred_lines() -> None:
    assert sum(map(lines, KERNEL_PROPER)) < 800


def order(name: str) -> tuple[int, str]:
    """Constants, then classes, then the rest: the order that ruff keeps."""
    return (0 if name.isupper() else 1 if name[0].isupper() else 2, name)


def has_all(tree: ast.Module) -> bool:
    return any(isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__" for node in tree.body)


@pytest.mark.parametrize("module", [name for name, tree in MODULES.items() if has_all(tree)])
def test_public_names_are_listed_in_order(module: str) -> None:
    for node in MODULES[module].body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
            names = ast.literal_eval(node.value)
            assert names == sorted(names, key=order)
            assert len(names) == len(set(names))


def test_every_public_name_of_heavenbase_is_there_and_lazy() -> None:
    import heavenbase

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


@pytest.mark.parametrize(
    "module", [name for name in MODULES if name and not name.startswith(("_", "fetch.dial", "fetch.wire"))]
)
def test_every_public_function_and_class_says_what_it_does(module: str) -> None:
    tree = MODULES[module]
    assert ast.get_docstring(tree), f"{module} has no docstring"
    assert list(undocumented(tree, module)) == []
