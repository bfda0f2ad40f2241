"""Every code block of README and docs is run."""

from __future__ import annotations

import dataclasses
import os
import re
import runpy
import sys
from pathlib import Path

import pytest

from hb_testing.server import LoopbackServer
from heavenbase import errors
from heavenbase.call import Call
from tests import documents
from tests.forks import Forks

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
PROVIDERS = ("OPENAI", "OPENROUTER", "DEEPSEEK", "GROQ")
NATIVE = ("anthropic", "cohere")
"""Those whose own wires the loopback server speaks."""


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_block_of_the_page_runs(page: Path, tmp_path: Path, forks: Forks) -> None:
    site, work = tmp_path / "site", tmp_path / "work"
    site.mkdir()
    work.mkdir()
    # DeepSeek's endpoint takes fields that OpenAI's refuses.
    with LoopbackServer() as server, LoopbackServer(strict=False) as lax:
        env = {
            "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
            "HOME": str(tmp_path),
            "HEAVENBASE_HOME": str(tmp_path / "home"),
            "PYTHONPATH": str(site),
            **{f"{name}_API_KEY": "test-key" for name in PROVIDERS},
            **{f"{name}_BASE_URL": server.url("openai") for name in PROVIDERS},
            "OPENAI_BASE_URL": server.url("openai_responses"),  # has the chat wire too, as OpenAI has
            "OPENROUTER_BASE_URL": server.url("openrouter"),
            **{f"{name.upper()}_API_KEY": "test-key" for name in NATIVE},
            **{f"{name.upper()}_BASE_URL": server.url(name) for name in NATIVE},
            "DEEPSEEK_BASE_URL": lax.url("openai"),
            "ACME_API_KEY": "test-key",
            "ACME_BASE_URL": server.url("openai"),
        }
        env |= {name: value for name, value in os.environ.items() if name.startswith(("PIP_", "UV_", "SSL_CERT_"))}
        env = {**documents.exports(page), **env}
        documents.run(page, work, env, forks)


def test_links_between_the_pages_lead_somewhere() -> None:
    for page in PAGES:
        for target in re.findall(r"\]\((?!https?://|#)([^)#]+)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_what_pages_say_of_the_code_is_what_the_code_says() -> None:
    pages = runpy.run_path(str(ROOT / "docs" / "generate.py"))["PAGES"]
    for name, page in pages.items():
        written = (ROOT / "docs" / name).read_text(encoding="utf-8")
        assert written == page(), f"docs/{name} is behind the code: python docs/generate.py"


@pytest.mark.parametrize(
    "record", sorted((ROOT / "docs/explanation/decisions").glob("[0-9]*.md")), ids=lambda p: p.stem
)
def test_a_decision_has_a_number_of_its_own_a_context_and_a_consequence(record: Path) -> None:
    assert re.fullmatch(r"\d{3}-[a-z0-9-]+\.md", record.name)
    assert len(list(record.parent.glob(f"{record.name[:3]}-*.md"))) == 1
    headings = re.findall(r"^(#+ .+)$", record.read_text(encoding="utf-8"), re.MULTILINE)
    assert headings[1:] == ["## Context", "## Decision", "## Consequence"]


def test_the_reference_has_the_functions_and_all_fields_of_a_call() -> None:
    reference = (ROOT / "docs/reference/heavenbase.md").read_text(encoding="utf-8")
    for name in ("completion", "acompletion", "parse", "aparse", "embed", "aembed"):
        assert f"## {name}\n\n`{name}(model: Any = None, " in reference
    for_authors = (ROOT / "docs/reference/authors.md").read_text(encoding="utf-8")
    fields = for_authors.partition("\n### Call\n")[2].partition("\n## ")[0]
    for field in dataclasses.fields(Call):
        assert re.search(rf"^\| .*`{field.name}`.* \| `.+` \| \w.+ \|$", fields, re.MULTILINE), field.name
    assert "- `replace(**changes: Any) -> Call`: " in fields


def test_the_drawing_of_the_tree_of_errors_is_true() -> None:
    parents: dict[str, str] = {}
    above: list[str] = []
    page = (ROOT / "docs/reference/errors.md").read_text(encoding="utf-8")
    for line in page.split("```")[1].splitlines()[1:]:
        lead, name = re.match(r"([ │├└─]*)(\w+)", line).groups()  # type: ignore[union-attr]
        above = [*above[: len(lead) // 4], name]
        parents[name] = above[-2] if len(above) > 1 else "Exception"
    tree = [cls for cls in vars(errors).values() if isinstance(cls, type) and issubclass(cls, errors.HBError)]
    assert parents == {cls.__name__: cls.__bases__[0].__name__ for cls in tree}
