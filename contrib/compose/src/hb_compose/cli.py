"""`hb compose check FILE` and `hb compose chat FILE PROMPT`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from hb_cli import State, output, pass_state
from hb_compose.settings import FILE, ProviderSettings, build, read_provider
from heavenbase.errors import InputError

if TYPE_CHECKING:
    from hb_compose.requests import CompletionResponse

FILE_ARGUMENT = click.argument("file", type=click.Path(dir_okay=False), default=FILE)


@click.group()
def compose() -> None:
    """Check and use the stack of providers that a heartbit.toml describes."""


@compose.command()
@FILE_ARGUMENT
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@pass_state
def check(state: State, file: str, as_json: bool) -> None:
    """Say what FILE means, and what is wrong with it. Sends nothing."""
    settings = read_provider(file)
    rows = _rows(settings, is_set=bool(state.kernel.config.environ.get(settings.api_key_env or "")))
    if as_json:
        output.say_json({**dict(rows), "remarks": list(settings.remarks)})
    else:
        output.say_table(rows)
        for remark in settings.remarks:
            output.note(f"{file}: {remark}")
    build(settings, state.kernel)


@compose.command()
@FILE_ARGUMENT
@click.argument("prompt", required=False)
@click.option("-s", "--system", help="System prompt.")
@click.option("--stream/--no-stream", default=None, help="Print the answer as it comes [default: on a terminal].")
@click.option("--json", "as_json", is_flag=True, help="Print the whole response as one JSON object.")
@click.option("-v", "--verbose", is_flag=True, help="Say which requests were made, and why.")
@pass_state
def chat(
    state: State, file: str, prompt: str | None, system: str | None, stream: bool | None, as_json: bool, verbose: bool
) -> None:
    """Ask the stack of FILE and print its answer. The prompt is the argument, or what is piped in."""
    settings = read_provider(file)
    if prompt is None:
        prompt = "" if output.is_terminal(sys.stdin) else sys.stdin.read()
    if not prompt.strip():
        raise InputError(f"nothing is asked: hb compose chat {file} PROMPT")

    def told(attempt: int, most: int, delay: float, kind: str) -> None:
        output.note(f"{kind}: retry {attempt} of {most} in {delay:.1f} s", output.DIM)

    provider = build(settings, state.kernel, told if verbose else None)
    if stream is None:
        stream = output.is_terminal(sys.stdout)
    if as_json or not stream:
        response = provider.complete(prompt, system=system)
        if as_json:
            output.say_json(_plain(response))
        else:
            output.say(response.text)
    else:
        written = output.TextStream(sys.stdout)
        try:
            response = provider.stream_complete(prompt, on_text=written.write, system=system)
        finally:
            written.finish()
    _note_ending(response)
    if verbose:
        _note_requests(response)


def _rows(settings: ProviderSettings, *, is_set: bool) -> list[tuple[str, str]]:
    variable, retry = settings.api_key_env, settings.retry
    key = "the provider's own variable" if variable is None else f"{variable} ({'set' if is_set else 'not set'})"
    retries = "none" if retry is None else "{}, after {} to {} ms at most".format(*retry)
    rows = [
        ("provider", settings.name),
        ("model", settings.model),
        ("key", key),
        ("max_tokens", "the model's own" if settings.max_tokens is None else str(settings.max_tokens)),
        ("prompt_caching", "on" if settings.prompt_caching else "off"),
        ("retries", retries),
        ("cascade", " -> ".join((*settings.tiers, settings.model)) if settings.tiers else "none"),
    ]
    if settings.tiers:
        rows.append(("gate", str(settings.made_gate())))
    return rows


def _plain(response: CompletionResponse) -> dict[str, Any]:
    return {
        "text": response.text,
        "tool_uses": [{"id": it.id, "name": it.name, "arguments": it.arguments} for it in response.tool_uses],
        "stop_reason": response.stop_reason,
        "model": response.model,
        "usage": {name: getattr(response.usage, name) for name in response.usage.__dataclass_fields__},
        "attempts": [attempt.to_dict() for attempt in response.attempts],
        "tiers": [{"model": model, "rejected": why or None} for model, why in response.tiers],
    }


def _note_ending(response: CompletionResponse) -> None:
    if response.stop_reason != "end_turn":
        output.note(f"the answer ended by {response.stop_reason}", output.YELLOW)


def _note_requests(response: CompletionResponse) -> None:
    for attempt in response.attempts:
        output.note(f"{attempt.provider}/{attempt.model}: {attempt.error or 'answered'}", output.DIM)
    for model, why in response.tiers:
        output.note(f"{model}: {why or 'answered'}", output.DIM)
