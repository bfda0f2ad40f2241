"""Write what docs say of the code: `python docs/generate.py`; a test fails when the pages are behind the code."""

from __future__ import annotations

import ast
import inspect
import sys
from collections.abc import Iterator
from importlib import import_module
from itertools import pairwise
from pathlib import Path

import heavenbase as hb
from heavenbase import errors, hookspecs
from heavenbase import options as option_table
from heavenbase.config import schema as config_schema

FOLDER = Path(__file__).parent
KERNEL = Path(hb.__file__).parent
NOTE = "<!-- Generated from the code by docs/generate.py. -->\n\n"
OPTIONS_INTRO = """\
`hb.LLM(...)` takes them as defaults of every call, `chat`, `stream`, `embed`, `imagen` and their async forms for one
call, presets and `default_args` in settings, and `hb ... -o NAME=VALUE`. None keeps a parameter off the wire.

A name that is neither here nor a parameter of the gateway's wire is refused before anything is sent, with the nearest
known name. What a provider has beyond both goes through `extra_body=`, or with `allow_unknown=True` as it is; the
report of the call tells of it as `unknown`. A provider's manifest may list such names under `known_parameters`."""
OPTION_KINDS = {
    "connection": "Where calls go, and with which credential. They never travel as parameters.",
    "control": "What hb does around the request. They never travel.",
    "argument": "Parameters of the request; each gateway brings them onto its wire, and reports what became of each.",
    "extra": "Parts of the request past all parameters.",
}
"""What each kind of option is."""


def configuration() -> str:
    """Every configuration key with type, default and meaning."""
    rows = []
    for path, field in sorted(config_schema.known_keys(), key=lambda row: row[0]):
        if not {"args", "default_args"}.isdisjoint(path[3:]):
            continue  # as in heavenbase.llm.default_args
        default = "" if field.default is config_schema.UNSET else f"`{field.default!r}`"
        rows.append(f"| `{'.'.join(path)}` | {' or '.join(field.types)} | {default} | {field.description} |")
    head = (
        "# Configuration keys\n\nRows take in `args` and `default_args` what `heavenbase.llm.default_args` takes.\n\n"
    )
    head += "| key | type | default | meaning |\n|---|---|---|---|\n"
    return NOTE + head + "\n".join(rows) + "\n"


def options() -> str:
    """Every option of a call, by kind."""
    parts = [f"{NOTE}# Options\n\n{OPTIONS_INTRO}\n"]
    for kind, meaning in OPTION_KINDS.items():
        rows = [option for option in option_table.TABLE if option.kind == kind]
        lines = [f"| `{o.name}` | {_types(o)} | {o.help} | {_notes(o)} |" for o in rows]
        head = f"## {kind.capitalize()}s\n\n{meaning}\n\n| name | value | meaning | notes |\n|---|---|---|---|\n"
        parts.append(head + "\n".join(lines) + "\n")
    return "\n".join(parts)


def _types(option: option_table.Option) -> str:
    words = {"secret": "`hb.Secret`", "callable": "function", "object": "object", "table": "mapping"}
    return " or ".join(words.get(word, word) for word in option.types.split(" | "))


def _notes(option: option_table.Option) -> str:
    found = [f"in {option.unit}"] if option.unit else []
    found += [f"at least {option.least:g}"] if option.least is not None else []
    found += [f"`{option.default!r}` in the packaged settings"] if option.default is not option_table.UNSET else []
    found += ["to lose it is an error"] if option.guarantee else []
    found += ["never shown"] if option.secret else []
    return "; ".join([*found, *(["kept in session files"] if option.saved else [])])


def error_tree() -> str:
    """The tree, and each class with its kind and meaning."""
    tree = "\n".join(_drawn(errors.HBError))
    lines = [f"| `{cls.__name__}` | {cls.kind} | {_yes(cls.retryable)} | {_first(cls)} |" for cls in _classes()]
    table = "| class | kind | retryable | meaning |\n|---|---|---|---|\n" + "\n".join(lines)
    return f"{NOTE}# Errors\n\n```text\n{tree}\n```\n\n{table}\n"


def _drawn(cls: type, lead: str = "") -> Iterator[str]:
    """A class, with the bases of Python's own that it has, and those below it."""
    own = [base.__name__ for base in cls.__bases__ if base.__module__ == "builtins" and base is not Exception]
    yield f"{cls.__name__} ({', '.join(own)})" if own else cls.__name__
    below = [found for found in _classes() if found.__bases__[0] is cls]
    for found in below:
        branch, space = ("└── ", "    ") if found is below[-1] else ("├── ", "│   ")
        first, *rest = _drawn(found)
        yield branch + first
        yield from (space + line for line in rest)


def hooks() -> str:
    """The hook specifications."""
    source = inspect.getsource(hookspecs)
    return f"{NOTE}# Hooks\n\n```text\n{source.strip()}\n```\n"


def api() -> str:
    """The public names of `heavenbase` with their signatures: classes, then functions."""
    parts = [f"{NOTE}# heavenbase\n"]
    for name in hb.__all__:
        found = getattr(hb, name)
        if inspect.isfunction(found):
            parts.append(f"## {name}\n\n`{name}{_signature(found)}`\n\n{_told(found)}\n")
        if not inspect.isclass(found):
            continue
        parts.append(f"## {name}\n\n{inspect.cleandoc(found.__doc__ or '')}\n")
        for method, function in _methods(found):
            parts.append(f"- `{method}{_signature(function)}`: {_first(function)}")
        parts.append("")
    return "\n".join(parts).rstrip() + "\n"


LAID_OPEN = ("call.Call", "call.CallContext")
"""Classes whose fields authors of plugins read."""


def authors() -> str:
    """What plugins may import: the public names of the kernel's rooms and of its top."""
    parts = [
        f"{NOTE}# For authors of plugins\n\nWhat a plugin may import of `heavenbase`, and no more: the public names of"
        " its rooms, each by the room's own path.\nA test holds the plugins of this repository to it.\n"
    ]
    for room in _rooms():
        module = import_module(f"heavenbase.{room}")
        parts.append(f"## heavenbase.{room}\n\n{_first(module)}\n")
        if room == "errors":
            parts.append("The tree, its classes and their kinds: [Errors](errors.md).\n")
            continue
        named = [(name, getattr(module, name)) for name in _public(room)]
        rows = [f"| {_titled(name, value)} | {_says(room, value, name)} |" for name, value in named]
        table = "| name | what it is |\n|---|---|\n" + "\n".join(rows)
        parts.append(f"{table}\n" if rows else "Nothing of it is for plugins.\n")
        parts += [_laid_open(room, value) for name, value in named if f"{room}.{name}" in LAID_OPEN]
    return "\n".join(parts)


def _laid_open(room: str, cls: type) -> str:
    """The fields, properties and methods of a class."""
    rows = []
    found = (node for tree in _trees(room) for node in tree.body)
    body = next(node.body for node in found if isinstance(node, ast.ClassDef) and node.name == cls.__name__)
    waiting: list[ast.AnnAssign] = []  # one string may be for several fields that stand together
    for node, below in pairwise(body):
        if not isinstance(node, ast.AnnAssign):
            continue
        waiting.append(node)
        if meaning := _text(below):
            names = [_code(ast.unparse(field.target)) for field in waiting]
            types = [_code(ast.unparse(field.annotation)) for field in waiting]
            rows.append(f"| {', '.join(names)} | {', '.join(types)} | {meaning} |")
            waiting = []
    assert not waiting, f"a field of {cls.__name__} has no docstring"
    for name, value in vars(cls).items():
        if isinstance(value, property) and not name.startswith("_"):
            rows.append(f"| {_code(name)} | {_code(value.fget.__annotations__['return'])} | {_first(value)} |")
    methods = [f"- `{name}{_signature(function)}`: {_first(function)}" for name, function in _methods(cls)]
    head = f"### {cls.__name__}\n\n{_first(cls)}\n\n| field | type | meaning |\n|---|---|---|\n"
    return head + "\n".join(rows) + "\n\n" + "\n".join(methods) + "\n"


TELLS = ("citations", "logprobs", "choices", "filters", "audio", "rate_limits")
"""The columns of the table of providers."""
TABLE = "<!-- the table of providers -->"


def answers() -> str:
    """The page as it stands, with the table of what each provider tells, as the tests have it."""
    if str(FOLDER.parent) not in sys.path:
        sys.path.append(str(FOLDER.parent))
    from tests.telling import TELLINGS

    rows = []
    for telling in TELLINGS:
        wire = telling.told.name
        name = f"`{telling.provider}`" + (f' over `gateway="{wire}"`' if wire != telling.provider else "")
        rows.append(f"| {name} | " + " | ".join("×" if it in telling.fields else "" for it in TELLS) + " |")
    table = "| provider | " + " | ".join(f"`{it}`" for it in TELLS) + " |\n" + "|---" * (len(TELLS) + 1) + "|\n"
    page = (FOLDER / "how-to/answers.md").read_text(encoding="utf-8")
    return page.partition(TABLE)[0] + TABLE + "\n\n" + table + "\n".join(rows) + "\n"


def how_it_works() -> str:
    """The page as it stands, with the drawing of the rooms as the imports have it."""
    page = (FOLDER / "explanation" / "how-it-works.md").read_text(encoding="utf-8")
    before, _, rest = page.partition("<!-- rooms: written by docs/generate.py -->\n")
    _, _, after = rest.partition("<!-- /rooms -->\n")
    return f"{before}<!-- rooms: written by docs/generate.py -->\n{_drawing()}<!-- /rooms -->\n{after}"


def decisions() -> str:
    """The index of the decision records."""
    rows = []
    for path in sorted((FOLDER / "explanation" / "decisions").glob("[0-9]*.md")):
        title = path.read_text(encoding="utf-8").partition("\n")[0].removeprefix("# ")
        rows.append(f"- {path.name[:3]} [{title}]({path.name})")
    about = "What shaped the house, and why. A record is not rewritten: a later one takes its place."
    return f"{NOTE}# Decisions\n\n{about}\n\n" + "\n".join(rows) + "\n"


def _drawing() -> str:
    """Each room on its layer, which lies above those of all that it imports; then what each one is."""
    graph = {room: set(_imports(room)) - {room} for room in _rooms()}
    heights: dict[str, int] = {}
    while len(heights) < len(graph):
        left = graph.keys() - heights.keys()
        # tests/test_architecture.py allows no circle; until it is mended, what stands in one shares a layer.
        ready = {room for room in left if not graph[room] & left} or left
        height = 1 + max(heights.values(), default=0)
        heights |= dict.fromkeys(ready, height)
    rows, table = [], []
    for height in sorted(set(heights.values()), reverse=True):
        level = sorted(room for room in graph if heights[room] == height)
        rows.append(
            f"{height:>3} \u2502 " + "   ".join(f"{room}/" if _folder(room).is_dir() else room for room in level)
        )
        for room in level:
            below = ", ".join(sorted(graph[room])) or "nothing"
            table.append(f"| `{room}` | {_sentence(import_module(f'heavenbase.{room}'))} | {below} |")
    head = "| room | what it is | imports |\n|---|---|---|\n"
    return "```text\n" + "\n".join(rows) + f"\n```\n\n{head}" + "\n".join(table) + "\n"


def _rooms() -> list[str]:
    """The folders of the kernel that hold code, and the modules of its top."""
    folders = [".".join(path.parent.relative_to(KERNEL).parts) for path in KERNEL.glob("*/**/__init__.py")]
    return sorted(folders) + sorted(path.stem for path in KERNEL.glob("[a-z]*.py"))


def _folder(room: str) -> Path:
    return KERNEL.joinpath(*room.split("."))


def _trees(room: str) -> Iterator[ast.Module]:
    """The modules of a room, without those of rooms inside it."""
    files = sorted(_folder(room).glob("*.py")) if _folder(room).is_dir() else [KERNEL / f"{room}.py"]
    for path in files:
        yield ast.parse(path.read_text(encoding="utf-8"))


def _imports(room: str) -> Iterator[str]:
    """The rooms whose modules a room imports, wherever the import stands."""
    rooms = _rooms()
    for tree in _trees(room):
        # Errors name what they carry in annotations, and in those alone.
        checked = [
            node for node in ast.walk(tree) if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
        ]
        left_out = {id(inner) for node in checked if room == "errors" for inner in ast.walk(node)}
        for node in ast.walk(tree):
            if (
                isinstance(node, ast.ImportFrom)
                and id(node) not in left_out
                and (node.module or "").startswith("heavenbase")
            ):
                for alias in node.names:
                    name = f"{node.module}.{alias.name}".removeprefix("heavenbase.")
                    yield from [each for each in rooms if name == each or name.startswith(f"{each}.")][-1:]


def _public(room: str) -> list[str]:
    """The names of a room's front; of a module its `__all__`, else what it defines."""
    module = import_module(f"heavenbase.{room}")
    if _folder(room).is_dir():
        return [name for name in dir(module) if not name.startswith("_")] if "__dir__" in vars(module) else []
    # Overloads define a name several times.
    defined = dict.fromkeys(name for tree in _trees(room) for node in tree.body for name in _defined(node))
    return [name for name in getattr(module, "__all__", defined) if not name.startswith("_")]


def _defined(node: ast.stmt) -> list[str]:
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return [node.name]
    targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
    return [target.id for target in targets if isinstance(target, ast.Name)]


def _says(room: str, value: object, name: str) -> str:
    """The first line of a name's docstring; of a constant, the string below it."""
    for tree in _trees(room):
        for node, below in zip(tree.body, tree.body[1:], strict=False):
            if name in _defined(node) and (text := _text(below)):
                return text
    return _first(value) if inspect.isclass(value) or inspect.isroutine(value) or inspect.ismodule(value) else ""


def _text(node: ast.stmt) -> str:
    """The text of a string that stands alone, as below a constant or a field; "" for all else."""
    is_text = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    return _cell(str(node.value.value)) if is_text else ""  # type: ignore[attr-defined]


def _titled(name: str, value: object) -> str:
    """A name in code; that of a function with its parameters."""
    return _code(name + _signature(value) if inspect.isfunction(value) else name)


def _code(text: str) -> str:
    return f"`{_cell(text)}`"


def _cell(text: str) -> str:
    return text.replace("\n", " ").replace("|", "\\|")


def _told(thing: object) -> str:
    """A docstring as paragraphs, its sections as lists."""
    lines: list[str] = []
    for line in (inspect.getdoc(thing) or "").splitlines():
        section = line.removesuffix(":") if line in ("Args:", "Raises:") else ""
        name, found, rest = line.strip().partition(": ")
        is_item = line.startswith("    ") and not line.startswith("     ") and found
        lines.append(f"{section}:\n" if section else f"- `{name}`: {rest}" if is_item else line.strip())
    return "\n".join(lines)


def _methods(cls: type) -> Iterator[tuple[str, object]]:
    for name, value in vars(cls).items():
        function = value.__func__ if isinstance(value, classmethod | staticmethod) else value
        if not name.startswith("_") and inspect.isfunction(function):
            yield name, function


def _signature(function: object) -> str:
    """Parameters and result; a default that is no plain value is "...", for its text would be of this machine."""
    found = inspect.signature(function)  # type: ignore[arg-type]
    plain = (str, bytes, int, float, tuple, type(None))
    own = [
        p if p.default is p.empty or isinstance(p.default, plain) else p.replace(default=...)
        for p in found.parameters.values()
    ]
    text = str(found.replace(parameters=own)).replace("'", "").replace("= Ellipsis", "= ...")
    return text.replace("(self, ", "(").replace("(self)", "()").replace("(cls, ", "(")


def _classes() -> list[type[errors.HBError]]:
    found = [value for value in vars(errors).values() if inspect.isclass(value) and issubclass(value, errors.HBError)]
    return list(dict.fromkeys(found))


def _first(thing: object) -> str:
    return _cell((inspect.getdoc(thing) or "").split("\n\n")[0])


def _sentence(thing: object) -> str:
    return _first(thing).partition(". ")[0].rstrip(".:")


def _yes(value: bool) -> str:
    return "yes" if value else ""


PAGES = {
    "reference/authors.md": authors,
    "reference/configuration.md": configuration,
    "reference/options.md": options,
    "reference/errors.md": error_tree,
    "reference/heavenbase.md": api,
    "reference/hooks.md": hooks,
    "explanation/decisions/README.md": decisions,
    "explanation/how-it-works.md": how_it_works,
    "how-to/answers.md": answers,
}


def main() -> None:
    """Write every page."""
    for name, page in PAGES.items():
        (FOLDER / name).write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()
