"""`hb explain`: what a call would send and why, without sending anything."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import click

from hb_cli import inputs, output
from hb_cli.failures import scrubber
from hb_cli.money import money
from hb_cli.state import State, pass_state
from hb_cli.story import story_of
from hb_cli.target import Target, json_option, target_options
from heavenbase.secrets import scrubbed

if TYPE_CHECKING:
    from collections.abc import Mapping

VERBS = {"chat": "complete", "embed": "embed", "imagen": "imagen"}
PROMPT = "Hello"
NAMES = {
    "preset": "preset",
    "model": "model",
    "model id": "model_id",
    "provider": "provider",
    "gateway": "gateway",
    "base URL": "base_url",
    "key": "key",
    "provider URL": "provider_url",
    "gateway key": "gateway_key",
}


@click.command()
@click.argument("prompt", required=False)
@click.option("-s", "--system", help="System message.")
@target_options("chat")
@click.option("--verb", type=click.Choice(list(VERBS)), default="chat", show_default=True, help="Kind of call.")
@click.option("--stream", is_flag=True, help="Of a streamed call.")
@json_option
@pass_state
def explain(
    state: State, prompt: str | None, system: str | None, target: Target, verb: str, stream: bool, as_json: bool
) -> int:
    """Show what a call would send and why, without sending it.

    Where each name and argument comes from, what the call goes through, the HTTP request without its credential, what
    becomes of each parameter, and what the cache would do. Of several targets (-m twice, or --route) the plan is shown,
    and the request is that to the first.
    """
    text = inputs.prompt_text(prompt, required=False) or PROMPT
    kernel = state.kernel
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        spec = target.spec(kernel)
    options = {"is_async": False, "stream": stream and verb == "chat"}
    if verb == "chat":
        from heavenbase.prompts import prompted

        messages = prompted(kernel.config, spec, text, {}, system)
        call = kernel.call("complete", spec, {}, messages=messages, **options)
    elif verb == "embed":
        call = kernel.call("embed", spec, {}, inputs=[text], **options)
    else:
        call = kernel.call("imagen", spec, {}, prompt=text, **options)
    story = story_of(kernel, call, [str(warning.message) for warning in caught])
    scrub = scrubber(state, also=[key for key in (spec.api_key, spec.gateway_key) if key is not None])
    if as_json:
        output.say_json(scrubbed(story, scrub))
    else:
        output.say(scrub("\n".join(_lines(story))))
    return 1 if story["request"] is None or story["stack_error"] is not None else 0


def _lines(story: Mapping[str, Any]) -> list[str]:
    lines = _columns(
        [(name, _word(story[key]["value"]), story[key]["origin"]) for name, key in NAMES.items() if key in story],
        indent="",
    )
    lines += [f"warning: {text}" for text in story["warnings"]]
    lines += ["", "arguments"]
    lines += _columns([(name, _word(row["value"]), row["origin"]) for name, row in story["arguments"].items()])
    if story["capabilities"]:
        lines += ["", "capabilities"]
        lines += _columns(
            [(name, _word(value), story["capability_origins"][name]) for name, value in story["capabilities"].items()]
        )
    limits = ", ".join(f"{name} {seconds:g} s" if seconds is not None else f"{name} never"
                       for name, seconds in story["timeouts"].items())  # fmt: skip
    lines += ["", f"time limits: {limits}", f"attempts: {_retry(story['retry'])}", *_worst(story)]
    lines += ["", "stack", *_columns([(row["name"], row["place"], "") for row in story["stack"]])]
    lines += [f"  cannot be made: {story['stack_error']}"] if story["stack_error"] is not None else []
    lines += [*_route(story), "", "request"]
    lines += _request(story)
    if story["parameters"]:
        lines += ["", "parameters"]
        lines += _columns(
            [
                (name, row["outcome"] + _as(name, row.get("wire")), row.get("reason", ""))
                for name, row in story["parameters"].items()
            ]
        )
    cache = story["cache"]
    lines += ["", f"cache: {'yes' if cache['used'] else 'no'}, {cache['reason']}", *_key(cache)]
    return [*lines, "", "surroundings", *_columns([(name, text, "") for name, text in story["surroundings"].items()])]


def _columns(rows: list[tuple[str, str, str]], indent: str = "  ") -> list[str]:
    first = max((len(row[0]) for row in rows), default=0)
    second = min(max((len(row[1]) for row in rows), default=0), 40)
    return [f"{indent}{a:<{first}}  {b:<{second}}  {c}".rstrip() for a, b, c in rows]


def _word(value: Any) -> str:
    return "-" if value is None else output.brief(value)


def _as(name: str, wire: str | None) -> str:
    return f" as {wire}" if wire not in (None, name) else ""


def _retry(retry: Mapping[str, Any]) -> str:
    return (
        f"at most {retry['attempts']}, first after {retry['base_delay']:g} s, later ones after up to "
        f"{retry['max_delay']:g} s; Retry-After up to {retry['max_retry_after']:g} s"
    )


def _worst(story: Mapping[str, Any]) -> list[str]:
    worst = story["worst_case"]
    if worst is None:
        return []
    limit = f"{worst['seconds']:g} s" if worst["seconds"] is not None else "any time"
    cost = money(worst["cost"]) if worst["cost"] is not None else "a cost that is not known"
    cost = cost if worst["unknown"] else f"about {cost}"
    return [f"worst case: {worst['requests']} requests, {limit}, {cost}", *(f"  {text}" for text in worst["unknown"])]


def _route(story: Mapping[str, Any]) -> list[str]:
    if story["route_error"] is not None:
        return ["", f"route: {story['route_error']}"]
    plan = story["route"]
    if plan is None:
        return []
    limit = f"{plan['seconds']:g} s" if plan["seconds"] is not None else "any time"
    named = plan["name"] if plan["name"].startswith(f"{plan['kind']} of ") else f"{plan['name']} ({plan['kind']})"
    own = "".join(f", judge {row['judge']}" for row in plan["judges"] if row["route"] == plan["name"])
    lines = ["", f"route: {named}{own}, at most {plan['requests']} requests in {limit}"]
    rows = []
    for row in plan["targets"]:
        around = f"through {', '.join(row['middleware'])}" if row["middleware"] else ""
        told = "; ".join(filter(None, (around, row["problem"])))
        most = f"at most {row['requests']} requests"
        most += f", {money(row['cost'])}" if row["cost"] is not None else ""
        rows.append((f"{'  ' * row['depth']}{row['target']}", most, told))
    lines += _columns(rows)
    judged = [row for row in plan["judges"] if row["problem"] or row["route"] != plan["name"]]
    return lines + _columns([(f"judge {row['judge']}", f"of {row['route']}", row["problem"]) for row in judged])


def _request(story: Mapping[str, Any]) -> list[str]:
    request = story["request"]
    if request is None:
        return [f"  cannot be made: {story['request_error']}"]
    lines = [f"{request['method']} {request['url']}"]
    lines += [f"{name}: {value}" for name, value in request["headers"].items()]
    body = output.to_json(request["body"], indent=2).split("\n")
    return [f"  {line}".rstrip() for line in [*lines, "", *body]]


def _key(cache: Mapping[str, Any]) -> list[str]:
    return [f"cache key: {cache['key']} ({cache['namespace']}, {cache['backend']})"] if cache["key"] else []
