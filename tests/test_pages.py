"""Each page can be followed from the environment that it tells its readers to make, and from no other."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from hb_testing.server import LoopbackServer
from tests import documents
from tests.test_wheels import environment, install, wheels

__all__ = ["wheels"]

ROOT = Path(__file__).parents[1]
FOR_CONTRIBUTORS = ("CONTRIBUTING.md", "where-do-i-change.md")
"""Their environment is the checkout: tests/test_docs.py runs them."""
PAGES = [
    page
    for page in (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")))
    if page.name not in FOR_CONTRIBUTORS and any(block.language in ("sh", "python") for block in documents.blocks(page))
]

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_a_page_can_be_followed_from_the_environment_that_it_tells_to_install(
    page: Path, tmp_path: Path, wheels: Path, once: Callable[[str, Callable[[Path], None]], Path]
) -> None:
    names = documents.installs(page)
    assert names, f"{page.name} has code, and does not say what to install"
    made = once("page-" + "-".join(names).translate({ord(c): "_" for c in '[]",'}), lambda it: _make(it, wheels, names))
    site, work = tmp_path / "site", tmp_path / "work"
    site.mkdir()
    work.mkdir()
    with LoopbackServer() as server, LoopbackServer(strict=False) as lax:
        env = {
            "PATH": os.pathsep.join([str(made / "bin"), os.environ["PATH"]]),
            "HOME": str(tmp_path),
            "HEAVENBASE_HOME": str(tmp_path / "home"),
            "PYTHONPATH": str(site),
            # What pages ask of providers goes to the loopback server; the keys are those that a page tells to set.
            **{f"{name}_BASE_URL": server.url("openai") for name in ("GROQ", "ACME")},
            "OPENAI_BASE_URL": server.url("openai_responses"),  # has the chat wire too, as OpenAI has
            "OPENROUTER_BASE_URL": server.url("openrouter"),
            **{f"{name.upper()}_BASE_URL": server.url(name) for name in ("anthropic", "cohere")},
            "DEEPSEEK_BASE_URL": lax.url("openai"),  # it takes fields that OpenAI's refuses
            **documents.exports(page),
        }
        env |= {name: value for name, value in os.environ.items() if name.startswith(("PIP_", "UV_", "SSL_CERT_"))}
        documents.run_alone(page, work, env, made / "bin" / "python")


def _make(folder: Path, wheels: Path, names: list[str]) -> None:
    python, _ = environment(folder)
    install(python, wheels, *names)
