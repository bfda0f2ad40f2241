"""The checks of `hb doctor` besides plugins. Each says what it found, and what to do about it."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any, NamedTuple

from heavenbase.errors import HBError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hb_cli.state import State

OLDEST = (3, 11)
PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")
AUTHORITIES = ("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")


class Check(NamedTuple):
    """One finding: status is ok, info, warn or broken."""

    name: str
    status: str
    detail: str
    remedy: str = ""


def check_versions() -> Iterator[Check]:
    """Python and hb."""
    from heavenbase import __version__

    version = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info >= OLDEST:
        yield Check("python", "ok", f"{version} ({sys.executable})")
    else:
        yield Check("python", "broken", version, f"hb needs Python {'.'.join(map(str, OLDEST))} or later")
    yield Check("hb-kernel", "ok", __version__)


def check_settings(state: State) -> Iterator[Check]:
    """The files, and whether they can be used together."""
    try:
        paths = state.config.paths()
    except HBError as error:
        yield Check("settings", "broken", error.message, "hb cfg edit, or hb cfg unset KEY")
        return
    for name, file in (("user", paths.user_file), ("project", paths.project_file), (".env", paths.dotenv_file)):
        if file is not None:
            yield Check("settings", "ok", f"{name} file {file}" + ("" if file.exists() else " (none yet)"))
    for name in sorted(os.environ):
        if name.startswith("HEAVENBASE_"):
            yield Check("settings", "info", f"environment variable {name}")


def check_shadows(state: State) -> Iterator[Check]:
    """A distribution `heavenbase` from elsewhere has the same import name, so its files lie over those of hb-kernel."""
    for shadow in state.inventory.shadows:
        yield Check(
            "import name",
            "broken",
            f"the distribution {shadow} is installed too, and has the import name and the command of hb-kernel",
            "pip uninstall heavenbase && pip install --force-reinstall --no-deps hb-kernel",
        )


def check_folders() -> Iterator[Check]:
    """The folders of the cache and of other data: ours alone, and writable."""
    from heavenbase.config.files import user_folder

    for kind in ("cache", "data"):
        folder = user_folder(kind, os.environ)
        if not os.path.lexists(folder):
            yield Check(f"{kind} folder", "ok", f"{folder} (made when it is needed)")
        elif not os.path.isdir(folder):
            yield Check(f"{kind} folder", "broken", f"{folder} is no folder", f"remove or rename {folder}")
        elif not os.access(folder, os.W_OK | os.X_OK):
            yield Check(f"{kind} folder", "broken", f"{folder} cannot be written to", f"chmod u+rwx {folder}")
        elif os.name == "posix" and os.stat(folder).st_mode & 0o022:
            yield Check(f"{kind} folder", "warn", f"other users may write to {folder}", f"chmod go-w {folder}")
        else:
            yield Check(f"{kind} folder", "ok", folder)


def check_network() -> Iterator[Check]:
    """Proxies and certificate authorities that the environment puts between hb and providers."""
    from heavenbase.spec import shown

    for name in [name for proxy in PROXIES for name in (proxy, proxy.lower())]:
        if value := os.environ.get(name):
            yield Check("proxy", "info", f"{name}={shown('http_proxy', value, '***')}")
    for name in AUTHORITIES:
        value = os.environ.get(name)
        if value and not os.path.exists(value):
            yield Check("certificates", "broken", f"{name} names {value}, which does not exist", f"unset {name}")
        elif value:
            yield Check("certificates", "info", f"{name}={value}")


def check_routes(state: State) -> Iterator[Check]:
    """The routes of the settings and of presets: what keeps their targets from being asked."""
    from hb_cli.story import plan_of

    names: list[tuple[str, dict[str, Any]]] = [(name, {"route": name}) for name in sorted(state.names("routes"))]
    presets = state.config.section("heavenbase.llm.presets", raw=True)
    names += [(f"preset {name}", {"preset": name}) for name, it in sorted(presets.items()) if it.get("route")]
    for name, given in names:
        try:
            spec = state.kernel.resolve(**given)
            said = [{"role": "user", "content": "Hello"}]
            plan = plan_of(state.kernel.call("complete", spec, {}, is_async=False, messages=said))
        except HBError as error:
            yield Check("route", "broken", f"{name}: {error.message}")
            continue
        problems = [row for row in plan["targets"] if row["problem"]]
        for row in problems:
            yield Check("route", "warn", f"{name}: {row['target']}: {row['problem']}", "`hb explain` shows the route")
        judges = [row for row in plan["judges"] if row["problem"]]
        for row in judges:
            detail = f"{name}: judge {row['judge']}: {row['problem']}"
            yield Check("route", "broken", detail, "`hb explain` shows the route")
        if not (problems or judges):
            yield Check("route", "ok", f"{name}: {len(plan['targets'])} targets, at most {plan['requests']} requests")


def check_keys(state: State) -> Iterator[Check]:
    """Which providers have a key, by the name of its variable; a malformed one is broken. Values are never shown."""
    from hb_cli.listing import provider_rows
    from heavenbase.secrets import Secret

    environ = state.config.environ
    for row in provider_rows(state):
        if not row["installed"]:
            continue
        problem = ""
        for variable in row["key_variables"]:
            if value := environ.get(variable):
                try:
                    Secret.check(value, variable)
                except HBError as error:
                    problem = error.message
                break
        if problem:
            yield Check("key", "broken", f"{row['provider']}: {problem}")
        else:
            yield Check("key", "ok" if row["key"].startswith("set") else "info", f"{row['provider']}: {row['key']}")
