"""The command `hb`: its commands by name, those that plugins bring, and how a run ends."""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from hb_cli import failures, output
from hb_cli.lazy import Entry, LazyGroup
from hb_cli.state import State, pass_state

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import NoReturn

HERE = "hb_cli"
COMPLETE_VARIABLE = "_HB_COMPLETE"
TABLE = {
    "chat": Entry(f"{HERE}.chat:chat", "Ask a model and print its answer."),
    "session": Entry(f"{HERE}.session:session", "Talk with a model, turn by turn."),
    "embed": Entry(f"{HERE}.embed:embed", "Print the vectors of texts."),
    "imagen": Entry(f"{HERE}.imagen:imagen", "Generate images and save them."),
    "tokens": Entry(f"{HERE}.operations:tokens", "Count the input tokens of a prompt."),
    "rerank": Entry(f"{HERE}.operations:rerank", "Rank texts by how well they answer a query."),
    "files": Entry(f"{HERE}.files:files", "Upload, list and delete the files that a provider keeps."),
    "explain": Entry(f"{HERE}.explain:explain", "Show what a call would send and why, without sending it."),
    "models": Entry(f"{HERE}.listing:models", "List the models that hb knows."),
    "providers": Entry(f"{HERE}.listing:providers", "List the providers, and whether their key is set."),
    "llm": Entry(f"{HERE}.llm:llm", "The commands about models in one group, with list and status."),
    "prompts": Entry(f"{HERE}.prompts:prompts", "Templates of prompts, listed and shown."),
    "cache": Entry(f"{HERE}.cache:cache", "Look into the response cache, and empty it."),
    "plugins": Entry(f"{HERE}.plugins:plugins", "List, inspect, enable, disable and lock plugins; imports none."),
    "cfg": Entry(f"{HERE}.cfg:cfg", "Read and change settings."),
    "trust": Entry(f"{HERE}.trust:trust", "Let the settings file of a project folder set everything."),
    "doctor": Entry(f"{HERE}.doctor:doctor", "Check the installation and say what is wrong."),
    "completion": Entry(f"{HERE}.completion:completion", "Print the script that completes hb in a shell."),
}
ALIASES = {"config": "cfg", "image": "imagen", "sessions": "session"}


class App(LazyGroup):
    """The root: adds the commands of plugins (entry points of heavenbase.cli), and turns failures into exit codes."""

    def entries(self, ctx: click.Context) -> dict[str, Entry]:
        """Own commands, then those of plugins; which a broken installation must not hide."""
        from heavenbase.discovery.inventory import COMMANDS

        found = dict(self.table)
        try:
            rows = [row for row in ctx.ensure_object(State).inventory.plugins if row.kind == COMMANDS]
        except Exception as error:
            output.warn(f"plugins cannot be listed: {error}; try `hb doctor`")
            return found
        for row in rows:
            found.setdefault(row.name, Entry(row.value, f"Command of {row.distribution}."))
        return found

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """An own command, else one of a plugin, imported now if it may be."""
        found = super().get_command(ctx, cmd_name)
        if found is not None or cmd_name.startswith("-"):
            return found
        return _plugin_command(ctx.ensure_object(State), cmd_name)

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        **extra: Any,
    ) -> Any:
        """Run a command and exit; with `standalone_mode=False` return its value and let exceptions out."""
        if not standalone_mode:
            return super().main(args, prog_name, complete_var, False, **extra)
        name = prog_name or "hb"
        if instruction := os.environ.get(complete_var or COMPLETE_VARIABLE):
            from click.shell_completion import shell_complete

            sys.exit(shell_complete(self, extra, name, complete_var or COMPLETE_VARIABLE, instruction))
        return self._run(list(sys.argv[1:] if args is None else args), name, extra)

    def _run(self, args: list[str], name: str, extra: dict[str, Any]) -> NoReturn:
        state = extra["obj"] = extra.get("obj") or State()
        with _safe_streams():
            try:
                with self.make_context(name, args, **extra) as ctx:
                    result = self.invoke(ctx)
                code = result if isinstance(result, int) else 0
                if sys.stdout is not None:
                    sys.stdout.flush()
            except (Exception, KeyboardInterrupt) as error:
                try:
                    code = failures.report(error, state)
                except BrokenPipeError:
                    code = failures.ERROR
            failures.settle()
        sys.exit(code)


def _use_file(ctx: click.Context, _: click.Parameter, value: str | None) -> None:
    # Not when the group runs: the command of a plugin is looked for before that, and reads the settings.
    ctx.ensure_object(State).config_file = value


@click.group(
    cls=App,
    table=TABLE,
    aliases=ALIASES,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.option(
    "--config",
    type=click.Path(dir_okay=False),
    callback=_use_file,
    expose_value=False,
    help="Use this settings file, not the user's.",
)
@click.option("--debug", is_flag=True, help="Show tracebacks, without secrets (also HB_DEBUG=1).")
@click.option("--version", is_flag=True, help="Print the version; with -v of every hb distribution.")
@click.option("-v", "--verbose", is_flag=True, help="More of what --version prints.")
@pass_state
@click.pass_context
def app(ctx: click.Context, state: State, debug: bool, version: bool, verbose: bool) -> int | None:
    """hb calls language models: one command line for every provider."""
    state.debug = state.debug or debug
    ctx.call_on_close(state.close)
    if not version:
        return None
    _say_version(verbose)
    ctx.exit(0)


def _say_version(verbose: bool) -> None:
    from heavenbase import __version__

    output.say(f"hb {__version__}")
    if not verbose:
        return
    from importlib.metadata import distributions

    output.say(f"Python {sys.version.split()[0]}")
    found = {(str(d.metadata["Name"]), d.version) for d in distributions() if str(d.metadata["Name"]).startswith("hb-")}
    output.say_table(sorted(found))


def _plugin_command(state: State, name: str) -> click.Command | None:
    from heavenbase.discovery.inventory import COMMANDS

    claims = state.inventory.claims(COMMANDS, name)
    if not claims:
        return None
    from heavenbase.discovery.importing import check_allowed, import_entry_point
    from heavenbase.errors import PluginConflict, PluginContractError

    if len(claims) > 1:
        owners = " and ".join(f"{claim.distribution} {claim.version}" for claim in claims)
        raise PluginConflict(f"{owners} both bring the command {name!r}; uninstall one of them")
    info = claims[0]
    settings = state.plugin_settings
    check_allowed(settings, info)
    found = import_entry_point(info, settings.get("import_timeout"))
    if not isinstance(found, click.Command):
        raise PluginContractError(f"{info.key} of {info.distribution} is {type(found).__name__}, not a click command")
    return found


@contextmanager
def _safe_streams() -> Iterator[None]:
    """Streams that take every character, and warnings as lines without source code."""
    import warnings

    output.prepare_streams()

    def show(message: Warning | str, *_: Any, **__: Any) -> None:
        output.warn(str(message))

    before, warnings.showwarning = warnings.showwarning, show
    try:
        yield
    finally:
        warnings.showwarning = before
