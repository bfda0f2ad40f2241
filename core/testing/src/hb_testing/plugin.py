"""The pytest plugin: `--hb-plugin KIND:NAME` collects a contract, `--hb-report FILE` writes what was found as JSON."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from hb_testing.report import Report
from heavenbase.errors import HBError

if TYPE_CHECKING:
    from collections.abc import Iterable

MODULE = Path(__file__).with_name("conformance") / "installed.py"
LEFT_OUT = "hb_left_out"
REPORT = pytest.StashKey[Report]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Two options."""
    group = parser.getgroup("heavenbase", "conformance of hb plugins")
    group.addoption(
        "--hb-plugin",
        action="append",
        default=[],
        metavar="KIND:NAME",
        help="check an installed plugin, such as gateways:openai; may be given several times",
    )
    group.addoption("--hb-report", metavar="FILE", help="write what the checks found as JSON")


def pytest_configure(config: pytest.Config) -> None:
    """Add the collected module to the arguments, or let it be the only one when there are none."""
    config.stash[REPORT] = Report()
    if not config.option.hb_plugin:
        return
    from hb_testing.conformance.choice import parse

    for text in config.option.hb_plugin:
        try:
            parse(text)
        except HBError as error:
            raise pytest.UsageError(f"--hb-plugin: {error}") from None
    if str(MODULE) not in config.args:
        given = config.args if config.args_source is pytest.Config.ArgsSource.ARGS else []
        config.args = [*given, str(MODULE)]


@pytest.hookimpl(tryfirst=True)
def pytest_pycollect_makemodule(module_path: Path, parent: Any) -> pytest.Module | None:
    """The module that stands for the asked plugins."""
    return InstalledModule.from_parent(parent, path=module_path) if module_path == MODULE else None


class InstalledModule(pytest.Module):
    """One class per asked plugin."""

    def collect(self) -> Iterable[pytest.Item | pytest.Collector]:
        """Make the contracts of the asked plugins."""
        from hb_testing.conformance.choice import contract_for, parse

        for text in dict.fromkeys(self.config.option.hb_plugin):
            setattr(self.obj, text, contract_for(parse(text)))
            yield InstalledClass.from_parent(self, name=text)


class InstalledClass(pytest.Class):
    """A contract, whatever names the project around it gives to its own tests."""

    def funcnamefilter(self, name: str) -> bool:
        """The checks are called test_…, also where python_functions says otherwise."""
        return name.startswith("test_")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out the checks that do not apply to their plugin, and keep the reasons for the report."""
    from hb_testing.conformance.needs import why_not

    left_out = []
    for item in items:
        reason = why_not(item)
        if reason:
            left_out.append(item)
            config.stash[REPORT].leave_out(item.user_properties, item.nodeid, reason)
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        gone = set(left_out)
        items[:] = [item for item in items if item not in gone]


def pytest_itemcollected(item: pytest.Item) -> None:
    """Note on each check which plugin it is about."""
    from hb_testing.report import PROPERTY, subject_of

    subject = subject_of(getattr(item, "cls", None))
    if subject is not None:
        item.user_properties.append((PROPERTY, subject))


class _Results:
    """What hears the results; only where the summary is written."""

    def __init__(self, report: Report, file: str | None) -> None:
        self.report = report
        self.file = file

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Keep a result."""
        self.report.add(report)

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """Take over what a worker of pytest-xdist left out."""
        for properties, nodeid, reason in getattr(node, "workeroutput", {}).get(LEFT_OUT, ()):
            self.report.leave_out(properties, nodeid, reason)

    def pytest_sessionfinish(self) -> None:
        """Write the file."""
        if self.file:
            self.report.write(Path(self.file))

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """One line per plugin."""
        lines = self.report.lines()
        if lines:
            terminalreporter.section("hb conformance")
            for line in lines:
                terminalreporter.write_line(line)
            if self.file:
                terminalreporter.write_line(f"report: {self.file}")


def pytest_sessionstart(session: pytest.Session) -> None:
    """Listen, but not in the workers of pytest-xdist, whose results come to their controller."""
    config = session.config
    if hasattr(config, "workerinput") or not (config.option.hb_plugin or config.option.hb_report):
        return
    config.pluginmanager.register(_Results(config.stash[REPORT], config.option.hb_report), "heavenbase-results")


def pytest_sessionfinish(session: pytest.Session) -> None:
    """In a worker of pytest-xdist: send what was left out to the controller."""
    output = getattr(session.config, "workeroutput", None)
    if output is not None:
        output[LEFT_OUT] = session.config.stash[REPORT].left_out
