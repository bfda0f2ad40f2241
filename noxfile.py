"""Every task of the repository. `nox` runs what CI runs; `nox -l` lists the rest.

Sessions use uv when it is installed, else virtualenv and pip.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
import tempfile
from pathlib import Path

import nox

ROOT = Path(__file__).parent
FACTOR = f"py{sys.version_info.major}{sys.version_info.minor}"
"""tox's name of the Python that runs."""
PYTHONS = ["3.11", "3.12", "3.13", "3.14"]
# Behind a proxy that inspects TLS only the system knows the certificate; pip asks the system by itself, uv when told.
for _variable in ("UV_SYSTEM_CERTS", "UV_NATIVE_TLS"):  # the second is what uv before 0.11 calls it
    os.environ.setdefault(_variable, "true")
nox.options.default_venv_backend = "uv|virtualenv"
nox.options.sessions = ["lint", "typing", "tests", "docs", "bench"]
nox.options.reuse_existing_virtualenvs = True

DISTRIBUTIONS = [
    ROOT / "core",
    *sorted(p.parent for folder in ("core", "plugins", "contrib") for p in (ROOT / folder).glob("*/pyproject.toml")),
]
PACKAGES = [p.parent.name for d in DISTRIBUTIONS for p in d.glob("src/*/py.typed")]
SOURCES = ["core", "plugins", "contrib", "tests", "bench", "docs", "examples", "noxfile.py"]


def install_workspace(session: nox.Session, *extra: str) -> None:
    """Install every distribution of the workspace editable, in one resolution."""
    editable = [argument for folder in DISTRIBUTIONS for argument in ("-e", str(folder.relative_to(ROOT)))]
    session.install(*editable, *extra)


def run_suite(session: nox.Session, *arguments: str) -> None:
    """pytest over the whole suite, in parallel."""
    # Much of the suite waits for servers and processes of its own: on two cores, three workers keep both busy.
    session.run("pytest", "-n", os.environ.get("HB_TEST_WORKERS", "3"), "--dist", "loadgroup", *arguments)


def group(name: str) -> list[str]:
    """The requirements of a dependency group of the root pyproject."""
    return list(nox.project.dependency_groups(nox.project.load_toml("pyproject.toml"), name))


@nox.session
def lint(session: nox.Session) -> None:
    """Style and likely mistakes."""
    session.install(*[r for r in group("lint") if r.startswith("ruff")])
    paths = [path for path in SOURCES if (ROOT / path).exists()]
    session.run("ruff", "check", *paths)
    session.run("ruff", "format", "--check", *paths)


@nox.session
def typing(session: nox.Session) -> None:
    """mypy --strict over every package, and what users' checkers see of hb."""
    install_workspace(session, *group("lint"), *group("types"), *group("test"))
    session.run("mypy", *[argument for package in PACKAGES for argument in ("-p", package)])
    session.run("mypy", "core/kernel/src/heavenbase/llm.py")  # for which users read a stub
    session.run("pytest", "-q", "tests/test_typing.py")


@nox.session
def tests(session: nox.Session) -> None:
    """The whole suite, in parallel, but for the pages in environments of their own; pass pytest arguments after --."""
    install_workspace(session, *group("test"))
    run_suite(session, "--ignore=tests/test_pages.py", *session.posargs)


@nox.session(python=PYTHONS)
def matrix(session: nox.Session) -> None:
    """The whole suite on each Python that hb supports: `nox -s matrix-3.14`, or `nox -s matrix` for all."""
    install_workspace(session, *group("test"))
    run_suite(session, *session.posargs)


@nox.session
def coverage(session: nox.Session) -> None:
    """The suite once more, counting lines and branches; the report is in htmlcov/."""
    install_workspace(session, *group("test"), *group("coverage"))
    packages = [f"--cov={package}" for package in PACKAGES]
    reports = ["--cov-report=html", "--cov-report=term:skip-covered"]
    run_suite(session, *packages, *reports, "-m", "not slow", *session.posargs)


@nox.session
def litellm(session: nox.Session) -> None:
    """The litellm gateway on the real SDK, which takes the openai package's major 2: an environment of its own."""
    needed = ["openai", "openrouter", "deepseek", "anthropic", "grok", "vllm"]
    needed = ["core", "core/kernel", "core/cli", "core/testing", *(f"plugins/provider-{name}" for name in needed)]
    needed += [f"plugins/{name}" for name in ("wire-openai", "gateway-openai", "gateway-mock", "gateway-anthropic")]
    needed += [f"plugins/{name}" for name in ("vision-openai", "vision-anthropic", "cache-sqlite")]
    editable = [argument for folder in needed for argument in ("-e", folder)]
    session.install(*editable, "-e", "plugins/gateway-litellm[litellm]", *group("test"))
    # LiteLLM keeps clients for the whole process and closes them never.
    unclosed = "ignore::pytest.PytestUnraisableExceptionWarning"
    session.run("pytest", "-W", unclosed, "plugins/gateway-litellm/tests", *session.posargs)


@nox.session
def bench(session: nox.Session) -> None:
    """Quick form of the benchmarks: fails only where a goal is missed by more than twice."""
    install_workspace(session, "openai[aiohttp]", *group("test"))
    env: dict[str, str | None] = {}
    if os.environ.get("PYTHONDONTWRITEBYTECODE"):
        # Users' Python keeps compiled modules; here they are kept away from the sources, as conftest.py does for tests.
        folder = Path(session.virtualenv.location, "bytecode").resolve()
        env = {"PYTHONDONTWRITEBYTECODE": None, "PYTHONPYCACHEPREFIX": str(folder)}
    session.run("python", "-m", "bench", *(session.posargs or ["--quick", "--check"]), env=env)


@nox.session
def contract(session: nox.Session) -> None:
    """The conformance kit over every plugin of the workspace."""
    install_workspace(session, *group("test"))
    files = ["tests/test_conformance.py", *sorted(map(str, ROOT.glob("plugins/*/tests/test_conformance.py")))]
    session.run("pytest", "-n", "2", *files, *session.posargs)


@nox.session
def fuzz(session: nox.Session) -> None:
    """Broken answers on every wire, and stacks of routes: 2,000 of each; HB_FUZZ_SEED is any text, for other ones."""
    install_workspace(session, *group("test"))
    env = {"HB_FUZZ_CASES": os.environ.get("HB_FUZZ_CASES", "2000")}
    paths = ["tests/fuzz", "tests/test_stacks.py"]
    session.run("pytest", "-n", os.environ.get("HB_TEST_WORKERS", "2"), *paths, *session.posargs, env=env)


@nox.session
def downstream(session: nox.Session) -> None:
    """Render the template for authors of plugins, and run its tox as they would, on wheels of this workspace."""
    session.install("uv", "tox>=4.30")
    folder = Path(session.virtualenv.location)
    shutil.rmtree(folder / "wheels", ignore_errors=True)
    names = [
        "wire-openai",
        "gateway-openai",
        "gateway-mock",
        "provider-openai",
        "provider-openrouter",
        "vision-openai",
        "cache-sqlite",
    ]
    for distribution in ("core", "core/kernel", "core/cli", "core/testing", *(f"plugins/{name}" for name in names)):
        session.run("uv", "build", "-q", "--wheel", "--out-dir", str(folder / "wheels"), str(ROOT / distribution))
    found = [os.environ.get("PIP_FIND_LINKS", ""), str((folder / "wheels").resolve())]
    env = {"PIP_FIND_LINKS": " ".join(found).strip()}
    # Outside the repository, whose settings of pytest are not those of an author.
    with tempfile.TemporaryDirectory() as plugin:
        session.run("python", str(ROOT / "contrib/plugin-template/render.py"), "nimbus", plugin)
        session.run("tox", "-c", plugin, "-e", f"{FACTOR}-newest", *session.posargs, env=env)


@nox.session
def release(session: nox.Session) -> None:
    """Build every distribution as wheel and sdist into dist/, and check them; pass a version to insist on it."""
    version = session.posargs[0] if session.posargs else ""
    session.install("uv", *(each for each in group("release") if each.startswith("twine")))
    shutil.rmtree(ROOT / "dist", ignore_errors=True)
    for folder in DISTRIBUTIONS:
        session.run("uv", "build", "-q", "--out-dir", "dist", str(folder.relative_to(ROOT)))
    built = sorted(path for path in (ROOT / "dist").iterdir() if path.suffix in (".whl", ".gz"))
    strange = [path.name for path in built if f"-{version}" not in path.name]
    if strange or len(built) != 2 * len(DISTRIBUTIONS):
        session.error(f"dist/ is not {len(DISTRIBUTIONS)} wheels and sdists of {version or 'one version'}: {strange}")
    session.run("twine", "check", "--strict", *map(str, built))


@nox.session(venv_backend="none")
def bump(session: nox.Session) -> None:
    """Give every distribution the version that is passed, and let the core pin its parts to it."""
    (version,) = session.posargs
    for folder in DISTRIBUTIONS:
        path = folder / "pyproject.toml"
        text = re.sub(
            r'^version = ".*"$', f'version = "{version}"', path.read_text("utf-8"), count=1, flags=re.MULTILINE
        )
        path.write_text(re.sub(r'"(hb-[a-z]+)==[^"]*"', rf'"\1=={version}"', text), encoding="utf-8")


@nox.session
def changelog(session: nox.Session) -> None:
    """Show the next release's part of CHANGELOG.md; with a version, write it and remove its fragments."""
    session.install(*(each for each in group("release") if each.startswith("towncrier")))
    arguments = ["--yes", "--version", *session.posargs] if session.posargs else ["--draft", "--version", "next"]
    session.run("towncrier", "build", *arguments)


@nox.session
def constraints(session: nox.Session) -> None:
    """Write constraints.txt: the versions that the suite was run with."""
    install_workspace(session, *group("test"), *group("lint"))
    python = ("--python", session.virtualenv.location)
    frozen = session.run("uv", "pip", "freeze", "--exclude-editable", *python, silent=True, external=True)
    head = "# The versions that the suite was run with: pip install -c constraints.txt hb-core\n"
    (ROOT / "constraints.txt").write_text(head + str(frozen), encoding="utf-8")


@nox.session
def docs(session: nox.Session) -> None:
    """Follow each page of README and docs from the environment that it tells its readers to install."""
    install_workspace(session, *group("test"))
    session.run("pytest", "tests/test_pages.py", "-n", "2", *session.posargs)
