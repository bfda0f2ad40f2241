"""`hb batch`: requests from a file, answers to a file; run, resumed, repeated for what failed, merged, estimated."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from hb_cli import output
from hb_cli.state import State, pass_state
from hb_cli.target import Target, json_option, parse_options, target_options

if TYPE_CHECKING:
    from hb_batch.runs import FileRun, Finished, Settings

    Command = TypeVar("Command", bound=Callable[..., Any])

EXISTING = click.Path(dir_okay=False, exists=True, allow_dash=True)
FILE = click.Path(dir_okay=False)


@click.group("batch")
def group() -> None:
    """Many requests from a file, in OpenAI's batch format.

    A run may be interrupted, or killed: resume goes on where it ended. Each request gets one row. The exit code is 0
    where all succeeded, 1 where some failed or are left, 130 after Ctrl-C and 143 after SIGTERM.
    """


def run_options(command: Command) -> Command:
    """The options of everything that sends requests."""
    for add in reversed(
        (
            click.option(
                "--concurrency", type=click.IntRange(1), metavar="N", help="Requests in flight [default: 16]."
            ),
            click.option("--timeout", type=click.FloatRange(0, min_open=True), help="Seconds for each request."),
            click.option("--max-cost", metavar="USD", help="Send nothing that could pass this amount, as in 5.00."),
            click.option(
                "--unknown-cost",
                type=click.Choice(["refuse", "allow"]),
                help="Under --max-cost, what to do where a price is not known [default: refuse].",
            ),
            click.option("--quiet", is_flag=True, help="Show no progress."),
        )
    ):
        command = add(command)
    return command


def native_options(command: Command) -> Command:
    """The options of `--mode native`."""
    for add in reversed(
        (
            click.option("--poll", type=float, metavar="SECONDS", help="Native: first wait for a job [default: 5]."),
            click.option("--part-requests", "most_requests", type=int, metavar="N", help="Native: requests of a job."),
            click.option("--part-bytes", "most_bytes", type=int, metavar="N", help="Native: bytes of a job."),
            click.option(
                "--settle",
                type=float,
                metavar="SECONDS",
                help="Native: how long a job is looked for that may be there [default: 600].",
            ),
            click.option(
                "--keep-files/--delete-files",
                default=None,
                help="Native: leave files and results at the provider [default: delete them].",
            ),
        )
    ):
        command = add(command)
    return command


@group.command()
@click.argument("file", metavar="IN.jsonl", type=EXISTING)
@click.option("-o", "--output", "target_file", required=True, metavar="OUT.jsonl", type=FILE, help="File of the rows.")
@click.option(
    "--mode",
    type=click.Choice(["sync", "native"]),
    default="sync",
    help="sync: call by call; native: the provider's own batches, in its own time, at its lower price.",
)
@target_options("chat", short_option=False)
@run_options
@native_options
@json_option
@pass_state
def run(
    state: State, /, file: str, target_file: str, mode: str, target: Target, quiet: bool, as_json: bool, **given: Any
) -> int:
    """Answer every request of IN.jsonl with a row in OUT.jsonl.

    Each row names its model, unless -m says who is asked. Beside OUT.jsonl there will be a folder OUT.jsonl.hb, which
    knows how to go on after an interrupt.
    """
    own = _checked(mode, given)
    settings = _settings(target, given)
    if mode == "native":
        from hb_batch.native import NativeSettings
        from hb_batch.native.commands import finish

        native = NativeSettings(**own)
        return finish(state, target_file, quiet, as_json, lambda runs: runs.begin(file, target_file, settings, native))
    return _finish(state, target_file, quiet, as_json, lambda runs: runs.begin(file, target_file, settings))


@group.command()
@click.argument("target_file", metavar="OUT.jsonl", type=FILE)
@click.option("--option", multiple=True, metavar="KEY=VALUE", help="Option of the calls, over those of the run.")
@click.option("--resubmit", is_flag=True, default=None, help="Native: send again what may have been sent unheard.")
@run_options
@native_options
@json_option
@pass_state
def resume(state: State, /, target_file: str, option: tuple[str, ...], quiet: bool, as_json: bool, **given: Any) -> int:
    """Go on with a run that was interrupted, killed, or stopped at its cap."""
    own, changes = _checked(mode := _mode_of(target_file), given), _changes(option, given)
    if mode == "native":
        from hb_batch.native.commands import finish

        return finish(state, target_file, quiet, as_json, lambda runs: runs.resume(target_file, **changes, **own))
    return _finish(state, target_file, quiet, as_json, lambda runs: runs.resume(target_file, **changes))


@group.command("retry-failed")
@click.argument("target_file", metavar="OUT.jsonl", type=FILE)
@click.option("--option", multiple=True, metavar="KEY=VALUE", help="Option of the calls, over those of the run.")
@run_options
@native_options
@json_option
@pass_state
def retry_failed(
    state: State, /, target_file: str, option: tuple[str, ...], quiet: bool, as_json: bool, **given: Any
) -> int:
    """Ask again what failed or expired; a newer row takes the place of an older one.

    So are invalid requests, as a plugin or a setting may be there that they lacked; those of native batches are left.
    """
    own, changes = _checked(mode := _mode_of(target_file), given), _changes(option, given)
    if mode == "native":
        from hb_batch.native.commands import finish

        return finish(
            state, target_file, quiet, as_json, lambda runs: runs.resume(target_file, again=True, **changes, **own)
        )
    return _finish(state, target_file, quiet, as_json, lambda runs: runs.retry_failed(target_file, **changes))


@group.command()
@click.argument("target_file", metavar="OUT.jsonl", type=FILE)
@click.option("--option", multiple=True, metavar="KEY=VALUE", help="Option of the calls, over those of the run.")
@json_option
@pass_state
def cancel(state: State, target_file: str, option: tuple[str, ...], as_json: bool) -> int:
    """Have the provider stop a native batch; resume then writes the rows of what was answered."""
    from hb_batch.native.commands import finish

    changes = _changes(option, {})
    return finish(state, target_file, True, as_json, lambda runs: runs.cancel(target_file, **changes))


@group.command()
@click.argument("target_file", metavar="OUT.jsonl", type=FILE)
@json_option
def status(target_file: str, as_json: bool) -> None:
    """Say how far a run is, whether it goes on now, and what to do next."""
    from hb_batch.runs.tally import cost_told, rate_told
    from hb_batch.runs.telling import status as status_of_file

    found = status_of_file(target_file, time.time())
    if as_json:
        told = {"counts": found.counts, "left": found.left, "running": found.is_running, "tokens": found.tokens}
        cost = f"{found.cost:f}" if found.cost or found.is_cost_known else None
        told |= {"cost": cost, "cost_known": found.is_cost_known, "rate": found.rate, "next": found.command}
        told |= {"failures": list(found.failures), "jobs": dict(_jobs(target_file, found.manifest.mode))}
        output.say_json({**told, "input": found.manifest.source.path, "mode": found.manifest.mode})
        return
    rows = [(name, str(count)) for name, count in found.counts.items()]
    rows += [("left", str(found.left))] if found.left else []
    rows += [("tokens", str(found.tokens)), ("cost", cost_told(found.cost, found.is_cost_known))]
    rows += [("rate", rate_told(found.rate))] if found.rate is not None else []
    rows += _jobs(target_file, found.manifest.mode)
    output.say_table([("state", "running" if found.is_running else "at rest"), *rows])
    for why in found.failures:
        output.say(why)
    if found.command is not None:
        output.say(f"next: {found.command}")


@group.command()
@click.argument("files", nargs=-1, required=True, metavar="IN.jsonl OUT.jsonl...", type=EXISTING)
@click.option("-o", "--output", "target_file", required=True, metavar="ALL.jsonl", type=FILE, help="File to write.")
@json_option
def merge(files: tuple[str, ...], target_file: str, as_json: bool) -> int:
    """Put rows into the order of the requests in IN.jsonl: the best one of each, from one file or several.

    A success is better than a failure, and a later row than an earlier one; a request without any is `missing`.
    """
    from hb_batch.merging import merge as merge_files

    if len(files) < 2:
        raise click.UsageError("name the file of requests, and at least one file of rows")
    counts = merge_files(files[0], files[1:], target_file)
    _say_counts(counts, as_json)
    return int(any(status != "success" for status in counts))


@group.command()
@click.argument("file", metavar="IN.jsonl", type=EXISTING)
@click.option("--mode", type=click.Choice(["sync", "native"]), default="sync", help="Prices: of calls, or of batches.")
@target_options("chat", short_option=False)
@json_option
@pass_state
def estimate(state: State, file: str, mode: str, target: Target, as_json: bool) -> int:
    """Say how many requests, tokens and dollars a file may come to; sends nothing."""
    from hb_batch.runs.telling import estimate as estimate_file

    found = estimate_file(state.kernel, file, _settings(target, {}), "batch" if mode == "native" else None)
    if as_json:
        output.say_json(found.to_dict())
        return int(found.invalid > 0)
    most = str(found.output_most) if found.output_most is not None else "unknown"
    rows = [
        ("requests", str(found.requests), f"{found.invalid} invalid" if found.invalid else ""),
        ("input tokens", str(found.input), f"at most {found.input_most}"),
        ("output tokens", f"about {found.output}", f"at most {most}"),
        ("cost", _usd(found.cost), f"at most {_usd(found.cost_most)}"),
    ]
    output.say_table(rows)
    if found.unpriced:
        models = ", ".join(sorted(found.unknown_prices)[:5])
        told = f"the price of {found.unpriced} requests is not known ({models}); "
        if state.kernel.services.table is None:
            output.note(f"{told}pip install hb-prices knows those of many")
        else:
            output.note(f"{told}say one in heavenbase.tables.prices.models")
    if found.price_source is not None:
        output.note(f"prices: {found.price_source}", output.DIM)
    for problem in found.problems:
        output.note(problem)
    if found.invalid > len(found.problems):
        output.note(f"and {found.invalid - len(found.problems)} more invalid lines")
    return int(found.invalid > 0)


_SYNC = ("concurrency", "timeout", "max_cost", "unknown_cost")
_NATIVE = ("poll", "most_requests", "most_bytes", "settle", "keep_files", "resubmit")


def _checked(mode: str, given: dict[str, Any]) -> dict[str, Any]:
    """What was given for native batches, taken out of it; UsageError for what the mode has no use for."""
    own = {name: value for name in _NATIVE if (value := given.pop(name, None)) is not None}
    if mode == "native" and (named := [name for name in _SYNC if given.get(name) is not None]):
        raise click.UsageError(f"--{named[0].replace('_', '-')} is for mode sync: a provider's batch has its own pace")
    if mode != "native" and own:
        raise click.UsageError("these are for mode native: --poll, --part-*, --settle, --keep-files, --resubmit")
    return own


def _mode_of(target_file: str) -> str:
    from hb_batch.folder import Folder

    return Folder(target_file).read().mode


def _jobs(target_file: str, mode: str) -> list[tuple[str, str]]:
    if mode != "native":
        return []
    from hb_batch.native.files import jobs_of

    return jobs_of(target_file)


def _usd(amount: Any) -> str:
    from hb_batch.runs.tally import usd

    return usd(amount) if amount is not None else "unknown"


def _settings(target: Target, given: dict[str, Any]) -> Settings:
    from hb_batch.runs import Settings

    known = {name: value for name, value in given.items() if value is not None}
    return Settings(target.preset, target.model, target.provider, target.gateway, target.options, **known)


def _changes(option: tuple[str, ...], given: dict[str, Any]) -> dict[str, Any]:
    known = {name: value for name, value in given.items() if value is not None}
    return {**known, "options": parse_options(option)} if option else known


def _finish(state: State, target_file: str, quiet: bool, as_json: bool, work: Callable[[FileRun], Finished]) -> int:
    from hb_batch.runs import FileRun
    from hb_batch.runs.meter import meter

    with meter(quiet) as (shown, interval):
        found = work(FileRun(state.kernel, meter=shown, interval=interval, told=output.note))
    for why in () if quiet else found.failures:
        output.note(why)
    if found.stopped not in (None, "interrupt"):
        output.warn(f"stopped: {found.stopped}")
    if not found.is_complete:
        output.note(f"go on with: hb batch resume {os.path.abspath(target_file)}")
    elif found.counts.get("error") or found.counts.get("expired"):
        output.note(f"to ask those again that failed: hb batch retry-failed {target_file}")
    told = {"elapsed": round(found.elapsed, 3), "complete": found.is_complete, "failures": list(found.failures)}
    cost = f"{found.cost:f}" if found.cost or found.is_cost_known else None
    _say_counts(dict(found.counts), as_json, {**told, "cost": cost, "cost_known": found.is_cost_known})
    return found.code


def _say_counts(counts: dict[str, int], as_json: bool, more: dict[str, Any] | None = None) -> None:
    if as_json:
        output.say_json({"counts": counts, **(more or {})})
        return
    output.say(", ".join(f"{count} {status}" for status, count in counts.items()) or "no rows yet")
