"""Each distribution builds, and its wheel works in a clean environment, alone and in any order."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
CORE = [ROOT / "core", *sorted(p.parent for p in (ROOT / "core").glob("*/pyproject.toml"))]
FOLDERS = [*CORE, *sorted(p.parent for kind in ("plugins", "contrib") for p in (ROOT / kind).glob("*/pyproject.toml"))]
NAMES = {folder: tomllib.loads((folder / "pyproject.toml").read_text())["project"]["name"] for folder in FOLDERS}
PREINSTALLED = {
    *("hb-core", "hb-kernel", "hb-cli", "hb-gateway-openai", "hb-gateway-mock", "hb-provider-openai"),
    *("hb-provider-openrouter", "hb-vision-openai", "hb-cache-sqlite", "hb-wire-openai", "hb-routing"),
}

pytestmark = pytest.mark.slow

NATIVE = sorted(
    folder.name.removeprefix("provider-")
    for folder in FOLDERS
    if folder.name.startswith("provider-")
    and 'entry-points."heavenbase.gateways"' in (folder / "pyproject.toml").read_text()
    if folder.name != "provider-local"  # needs a model: see the README's first command
)
"""Providers with a gateway of their own."""

BUILD = """
import os, sys
from hatchling.build import build_sdist, build_wheel
out, *folders = sys.argv[1:]
for folder in folders:
    os.chdir(folder)
    build_wheel(out)
    build_sdist(out)
"""


def uv(*arguments: str) -> str:
    command = [shutil.which("uv") or str(Path(sys.executable).with_name("uv")), *arguments]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="session")
def wheels(once: Callable[[str, Callable[[Path], None]], Path]) -> Path:
    """A wheel and an sdist of every distribution, built by one process for all workers."""

    def build(out: Path) -> None:
        command = [sys.executable, "-c", BUILD, str(out), *map(str, FOLDERS)]
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr

    return once("wheels", build)


@pytest.fixture
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that is not searched for keys afterwards: it holds the thousands of files of an SDK."""
    return tmp_path_factory.mktemp("environment")


def environment(folder: Path) -> tuple[Path, dict[str, str]]:
    uv("venv", "-q", "--python", sys.executable, str(folder))
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("HEAVENBASE", "HB_", "PYTHON"))}
    return folder / "bin" / "python", {**kept, "HEAVENBASE_HOME": str(folder / "home")}


def install(python: Path, wheels: Path, *names: str) -> None:
    # Not compiled: what is imported here is little, and only once.
    uv("pip", "install", "-q", "--python", str(python), "--find-links", str(wheels), "--no-compile", *names)


def run(python: Path, env: dict[str, str], code: str) -> str:
    done = subprocess.run([str(python), "-W", "error", "-c", code], env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_every_distribution_builds_a_wheel_and_an_sdist_with_metadata_and_types(wheels: Path) -> None:
    assert len(list(wheels.glob("*.whl"))) == len(list(wheels.glob("*.tar.gz"))) == len(FOLDERS)
    for wheel in wheels.glob("*.whl"):
        with zipfile.ZipFile(wheel) as archive:
            names = archive.namelist()
            metadata = archive.read(next(n for n in names if n.endswith("METADATA"))).decode()
        assert wheel.name.startswith("hb_core-") or any(name.endswith("/py.typed") for name in names), wheel.name
        assert not [name for name in names if name.endswith(".pth") or "/tests/" in name], wheel.name
        assert any(name.endswith("licenses/LICENSE") for name in names), wheel.name
        assert "Requires-Python: >=3.11" in metadata
        assert "Description-Content-Type: text/markdown" in metadata
    for sdist in wheels.glob("*.tar.gz"):
        with tarfile.open(sdist) as archive:
            assert any(name.endswith("/README.md") for name in archive.getnames()), sdist.name


def test_core_alone_brings_the_documented_defaults(wheels: Path, folder: Path) -> None:
    python, env = environment(folder / "venv")
    install(python, wheels, "hb-core")
    assert run(python, env, "import heavenbase as hb; print(hb.LLM('mock').chat('hi'))") == "mock response"
    assert (
        run(python, env, "import heavenbase as hb; print(hb.LLM('chat').spec.model_id)") == "deepseek/deepseek-v4-flash"
    )
    providers = run(python, env, "from hb_cli import main; main(['providers'])")
    assert "pip install hb-provider-anthropic" in providers
    gateways = run(python, env, "from hb_cli import main; main(['llm', 'list', 'gateways'])")
    assert "pip install hb-gateway-anthropic" in gateways
    assert hb_names(python) == PREINSTALLED
    assert (python.parent / "hb").exists()


def test_what_a_platform_installs_is_small_and_brings_no_sdk_of_others(wheels: Path, folder: Path) -> None:
    python, env = environment(folder / "venv")
    packages = Path(run(python, env, "import sysconfig; print(sysconfig.get_path('purelib'))"))
    before = size_of(packages)
    # The versions that were tested: what a library weighs changes from release to release.
    install(python, wheels, "-c", str(ROOT / "constraints.txt"), "hb-kernel", "hb-provider-bedrock")
    listed = uv("pip", "list", "--python", str(python), "--format", "freeze")
    names = {line.split("==")[0] for line in listed.splitlines()}
    assert names & {"openai", "click", "rich", "boto3", "hb-cli", "hb-core"} == set()
    assert len(names) <= 25, sorted(names)
    assert size_of(packages) - before <= 50_000_000
    code = (
        "import heavenbase as hb\n"
        "kernel = hb.Kernel()\n"
        "spec = kernel.resolve(model='bedrock/some-model', api_key='key')\n"
        "print(type(kernel.gateway(spec)).__name__)\n"
    )
    assert run(python, env, code) == "BedrockGateway"


def size_of(folder: Path) -> int:
    """The bytes of all files in a folder."""
    return sum(path.lstat().st_size for path in folder.rglob("*") if not path.is_dir())


def hb_names(python: Path) -> set[str]:
    listed = uv("pip", "list", "--python", str(python), "--format", "freeze")
    return {line.split("==")[0] for line in listed.splitlines() if line.startswith("hb-")}


def test_the_kernel_alone_says_what_brings_the_command_line(wheels: Path, folder: Path) -> None:
    python, env = environment(folder / "venv")
    install(python, wheels, "hb-kernel")
    assert hb_names(python) == {"hb-kernel"}
    done = subprocess.run([str(python), "-m", "heavenbase"], env=env, capture_output=True, text=True)
    assert done.returncode == 1
    assert "pip install hb-cli" in done.stderr
    assert "Traceback" not in done.stderr
    install(python, wheels, "hb-cli")
    assert hb_names(python) == {"hb-kernel", "hb-cli"}
    done = subprocess.run([str(python), "-m", "heavenbase", "--version"], env=env, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_provider_without_a_gateway_says_what_brings_one(wheels: Path, folder: Path) -> None:
    python, env = environment(folder / "venv")
    install(python, wheels, "hb-kernel", "hb-provider-groq")
    assert hb_names(python) == {"hb-kernel", "hb-provider-groq"}
    code = (
        "import heavenbase as hb\n"
        "try:\n"
        "    hb.LLM(model='groq/llama-3.1-8b-instant', api_key='key').chat('hi')\n"
        "except hb.errors.PluginLoadError as error:\n"
        "    print(error)\n"
    )
    assert run(python, env, code).endswith("pip install hb-core (or hb-gateway-openai)")


@pytest.mark.parametrize("order", [("hb-core", "hb-provider-deepseek"), ("hb-provider-deepseek", "hb-core")])
def test_a_provider_beside_core_in_any_order(wheels: Path, folder: Path, order: tuple[str, ...]) -> None:
    python, env = environment(folder / "venv")
    for name in order:
        install(python, wheels, name)
    code = "import heavenbase as hb; print(hb.LLM(model='ds-flash', provider='deepseek').spec.model_id)"
    assert run(python, env, code) == "deepseek-v4-flash"


@pytest.mark.parametrize("name", NATIVE)
def test_a_native_provider_needs_nothing_but_itself(wheels: Path, folder: Path, name: str) -> None:
    python, env = environment(folder / "venv")
    install(python, wheels, "hb-core", f"hb-provider-{name}")
    code = (
        "import heavenbase as hb\n"
        "kernel = hb.Kernel()\n"
        f"spec = kernel.resolve(model='{name}/some-model', api_key='key', base_url='https://example.com')\n"
        "print(spec.provider, type(kernel.gateway(spec)).__module__.partition('.')[0])\n"
    )
    assert run(python, env, code) == f"{name} hb_provider_{name}"


def test_every_plugin_installs_into_one_environment_and_loads(wheels: Path, folder: Path) -> None:
    python, env = environment(folder / "venv")
    install(python, wheels, *NAMES.values())
    code = (
        "import heavenbase as hb\n"
        "kernel = hb.Kernel()\n"
        "for info in kernel.registry.inventory.plugins:\n"
        "    if info.kind != 'cli': kernel.registry.load(info.kind, info.name)\n"
        "print(len(kernel.registry.inventory.plugins), kernel.registry.quarantine)"
    )
    count, quarantine = run(python, env, code).split(" ", 1)
    assert int(count) >= len(FOLDERS) - len(CORE)
    assert quarantine == "{}"
