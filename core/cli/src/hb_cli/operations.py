"""What endpoints do beside calls: `hb tokens`, `hb rerank`, and `hb models --live`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from hb_cli import inputs, output
from hb_cli.state import State, pass_state
from hb_cli.target import Target, json_option, target_options

if TYPE_CHECKING:
    from heavenbase.llm import LLM


@click.command()
@click.argument("prompt", required=False)
@click.option("-s", "--system", help="System message.")
@click.option("--estimate", is_flag=True, help="Estimate at once, without asking the provider.")
@target_options("chat")
@json_option
@pass_state
def tokens(state: State, prompt: str | None, system: str | None, estimate: bool, target: Target, as_json: bool) -> None:
    """Count the input tokens of a prompt.

    The provider counts, where it does that; else hb estimates, which is told on standard error. Text that is piped in
    is added to the prompt.
    """
    text = inputs.prompt_text(prompt)
    found = _llm(state, target).count_tokens(text, system=system, estimate=estimate or None)
    if as_json:
        told = {"method": found.method, "reason": found.reason, "model": found.model, "provider": found.provider}
        output.say_json({"tokens": found.tokens, **told})
        return
    output.say(str(found.tokens))
    if found.method == "estimate" and not estimate:
        output.note(f"an estimate: {found.reason}")


@click.command()
@click.argument("query")
@click.argument("documents", nargs=-1, metavar="[DOCUMENT]...")
@click.option("-n", "--top", type=click.IntRange(1), help="Print the best of them alone.")
@target_options("chat")
@json_option
@pass_state
def rerank(
    state: State, query: str, documents: tuple[str, ...], top: int | None, target: Target, as_json: bool
) -> None:
    """Rank texts by how well they answer a query, best first.

    Without texts every line that is piped in is one. Name a model for it, such as -m cohere/rerank-v3.5.
    """
    texts = list(documents) or [line for line in inputs.piped_text().splitlines() if line.strip()]
    if not texts:
        raise click.UsageError("there are no texts; give some as arguments, or pipe lines in")
    found = _llm(state, target).rerank(query, texts, top_n=top)
    if as_json:
        rows = [{"index": one.index, "score": one.score, "document": one.document} for one in found]
        usage = found.usage.to_dict() if found.usage is not None else None
        told = {"model": found.model, "provider": found.provider, "usage": usage, "search_units": found.search_units}
        output.say_json({"results": rows, **told})
        return
    output.say_table([[f"{one.score:.6g}", str(one.index), output.one_line(one.document)] for one in found])


def say_models(state: State, provider: str, limit: int | None, as_json: bool) -> None:
    """Print the models that a provider lists now, with what is known of them beside."""
    from hb_cli.known import Knowledge, cells
    from hb_cli.listing import provider_records

    found = llm_at(state, provider).models(**({"limit": limit} if limit is not None else {}))
    name = found.provider or provider
    knowledge, record = Knowledge(state), provider_records(state).get(name, {})
    told = [{"context_window": model.context_window, "max_output_tokens": model.max_output} for model in found]
    known = [
        # What the endpoint says now stands before all that was written down.
        knowledge.of(name, model.id, record, {"capabilities": {key: it for key, it in said.items() if it is not None}})
        for model, said in zip(found, told, strict=True)
    ]
    if as_json:
        rows = [{**model.to_dict(), "known": it.to_dict()} for model, it in zip(found, known, strict=True)]
        output.say_json({"provider": found.provider, "models": rows, "has_more": found.has_more})
        return
    more, headings = cells(known)
    listed = [[m.id, m.owner or "", date(m.created), *each] for m, each in zip(found, more, strict=True)]
    output.say_table(listed, ("model", "owner", "created", *headings))
    if found.has_more:
        output.note(f"there are more than these {len(found)}; --limit says how many are read")


def llm_at(state: State, provider: str) -> LLM:
    """An LLM at a provider, whatever its model."""
    from heavenbase.errors import InputError
    from heavenbase.llm import LLM

    try:
        return LLM(provider=provider, kernel=state.kernel)
    except InputError:  # it has no default model, and what is asked here needs none
        return LLM(model="models", provider=provider, kernel=state.kernel)


def date(seconds: float | None) -> str:
    """The day of these epoch seconds, "" for none."""
    from datetime import UTC, datetime

    return datetime.fromtimestamp(seconds, UTC).date().isoformat() if seconds is not None else ""


def _llm(state: State, target: Target) -> LLM:
    from heavenbase.llm import LLM

    options: dict[str, Any] = target.options
    return LLM(*target.names(state.kernel), kernel=state.kernel, **options)
