"""`hb completion`: the script that completes hb in a shell."""

from __future__ import annotations

import click

from hb_cli import output

SHELLS = ("bash", "zsh", "fish")


@click.command()
@click.argument("shell", type=click.Choice(SHELLS))
def completion(shell: str) -> None:
    """Print the script that completes hb in a shell.

    \b
    bash: hb completion bash > ~/.local/share/bash-completion/completions/hb
    zsh:  hb completion zsh > "${fpath[1]}/_hb"
    fish: hb completion fish > ~/.config/fish/completions/hb.fish
    """
    from click.shell_completion import BashComplete, get_completion_class

    from hb_cli.app import COMPLETE_VARIABLE, app

    found = get_completion_class(shell)
    if found is None:
        raise click.UsageError(f"there is no completion for {shell}")
    complete = found(app, {}, "hb", COMPLETE_VARIABLE)
    # Asking bash for its version, as click does first, fails where a script is made for another machine.
    output.say(complete.source_template % complete.source_vars() if found is BashComplete else complete.source())
