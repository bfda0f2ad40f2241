"""`hb trust`: which project folders may set everything."""

from __future__ import annotations

import click

from hb_cli import output
from hb_cli.target import json_option


@click.command()
@click.argument("folder", required=False, type=click.Path(file_okay=False))
@click.option("--remove", is_flag=True, help="Take the trust back.")
@click.option("--list", "listing", is_flag=True, help="List the trusted folders.")
@json_option
def trust(folder: str | None, remove: bool, listing: bool, as_json: bool) -> None:
    """Let the settings files in FOLDER (default: this one) set everything: endpoints, plugins, middleware.

    Read them first. They could send your credentials elsewhere.
    """
    from heavenbase.config import trusted as config_trust

    if listing:
        folders = config_trust.trusted_folders()
        if as_json:
            output.say_json({"folders": folders})
        for found in () if as_json else folders:
            output.say(found)
    elif remove:
        gone = config_trust.untrust(folder or ".")
        output.note("the folder is not trusted any more" if gone else "the folder was not trusted")
    else:
        output.say(f"{config_trust.trust(folder or '.')} is trusted")
