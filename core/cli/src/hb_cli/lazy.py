"""Groups whose commands are imported when they are invoked, and listed without importing any."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import click

if TYPE_CHECKING:
    from collections.abc import Mapping

    from click.shell_completion import CompletionItem


class Entry(NamedTuple):
    """A command: where it is (`module:attribute`), and the line that lists it."""

    target: str
    help: str


class LazyGroup(click.Group):
    """A group over a table of entries. `aliases` are other names of commands; `default` is run when none is named."""

    def __init__(
        self,
        *args: Any,
        table: Mapping[str, Entry],
        aliases: Mapping[str, str] | None = None,
        default: str | None = None,
        **settings: Any,
    ) -> None:
        settings["invoke_without_command"] = True
        super().__init__(*args, **settings)
        self.table = table
        self.aliases = aliases or {}
        self.default = default

    def entries(self, ctx: click.Context) -> dict[str, Entry]:
        """The commands by name, in the order in which they are listed."""
        return dict(self.table)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names without aliases."""
        return list(self.entries(ctx))

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command, imported now."""
        entry = self.table.get(self.aliases.get(cmd_name, cmd_name))
        if entry is None:
            return None
        from importlib import import_module

        module, _, attribute = entry.target.partition(":")
        command: click.Command = getattr(import_module(module), attribute)
        return command

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put the default command in front of options that are its own."""
        own = not args or (args[0].startswith("-") and args[0] not in ctx.help_option_names)
        if self.default is not None and own and not ctx.resilient_parsing:
            args = [self.default, *args]
        return super().parse_args(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the named command; without one, print the help."""
        result = super().invoke(ctx)
        if ctx.invoked_subcommand is None and not ctx.resilient_parsing and result is None:
            click.echo(ctx.get_help())
        return result

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command that the arguments begin with; a usage error names the nearest one."""
        name = args[0]
        command = self.get_command(ctx, name)
        if command is None and not ctx.resilient_parsing:
            import shlex
            from difflib import get_close_matches

            names = [*self.list_commands(ctx), *self.aliases]
            close = get_close_matches(name.lower(), names, n=1, cutoff=0.5)
            hint = f"did you mean {close[0]!r}?" if close else f"commands: {', '.join(self.list_commands(ctx))}"
            if " " in name and "chat" in names:
                hint = f"to ask a model: {ctx.command_path} chat {shlex.quote(name)}"
            raise click.UsageError(f"no command {name!r}; {hint}", ctx)
        return name if command is not None else None, command, args[1:]

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands by their entries."""
        rows = [(name, entry.help) for name, entry in self.entries(ctx).items()]
        if rows:
            with formatter.section("Commands"):
                formatter.write_dl(rows)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Names of commands and options."""
        from click.shell_completion import CompletionItem

        entries = self.entries(ctx).items()
        found = [CompletionItem(name, help=entry.help) for name, entry in entries if name.startswith(incomplete)]
        return [*found, *click.Command.shell_complete(self, ctx, incomplete)]
