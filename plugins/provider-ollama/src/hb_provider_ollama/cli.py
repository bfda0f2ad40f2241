"""`hb ollama`: the models of an Ollama server, and fetching more."""

from __future__ import annotations

from typing import Any

import click

from hb_cli import output
from hb_cli.state import State, pass_state

host_option = click.option("--host", metavar="URL", help="The server (default: OLLAMA_HOST, or this machine's).")


@click.group("ollama", help="The models of an Ollama server.")
def group() -> None:
    pass


@group.command("list", help="List the models that the server has.")
@host_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@pass_state
def list_models(state: State, host: str | None, as_json: bool) -> None:
    """Print one line a model."""
    from hb_provider_ollama.library import models

    found = models(_client(state, host))
    if as_json:
        output.say_json(found)
        return
    if not found:
        output.say("no models yet; fetch one: hb ollama pull llama3.2")
        return
    output.say_table(
        [
            (model["name"], _size(model["size"]), model["parameters"] or "", model["quantization"] or "")
            for model in found
        ]
    )


@group.command(help="Fetch a model onto the server, such as llama3.2 or qwen3:8b.")
@click.argument("model")
@host_option
@pass_state
def pull(state: State, model: str, host: str | None) -> None:
    """Fetch a model and show how far it is."""
    from hb_provider_ollama.library import pull as steps

    with output.progress() as show:
        for step in steps(_client(state, host), model):
            show(step.status, step.done, step.total)
    output.say(f"{model} is there; try: hb chat -m ollama/{model} hello")


def _client(state: State, host: str | None) -> Any:
    kernel = state.kernel
    options = {"base_url": host if "://" in host else f"http://{host}"} if host else {}
    spec = kernel.resolve(model="any", provider="ollama", gateway="ollama", **options)
    return kernel.gateway(spec).to_client(spec)


def _size(size: int) -> str:
    return f"{size / 1e9:.1f} GB" if size >= 1e9 else f"{size / 1e6:.0f} MB"
