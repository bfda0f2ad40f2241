"""The options that say what is called, shared by every command that makes a call."""

from __future__ import annotations

import json
from functools import update_wrapper
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import click

from hb_cli.state import State
from heavenbase.errors import InputError
from heavenbase.options import CREDENTIALS, TABLE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from click.shell_completion import CompletionItem

    from heavenbase.kernel import Kernel
    from heavenbase.options import Option
    from heavenbase.spec import LLMSpec

    Command = TypeVar("Command", bound=Callable[..., Any])

OWN = {
    "preset": "--preset",
    "model": "--model",
    "provider": "--provider",
    "gateway": "--gateway",
    "system": "--system",
    "images": "--image",
    "stream": "--stream",
    "route": "--route",
}


CHAT = "chat"
"""The preset of conversations."""


class Target(NamedTuple):
    """The names and default arguments that a command line gives; `spec` resolves them.

    `default` is the command's own preset, for where neither preset nor model is named.
    """

    preset: str | None
    model: str | list[str] | None
    provider: str | None
    gateway: str | None
    options: dict[str, Any]
    default: str = CHAT

    def names(self, kernel: Kernel) -> tuple[str | None, Any, str | None, str | None]:
        """Preset, model, provider and gateway, as `LLM` takes them.

        The preset of conversations is the default of the settings, where they name one.
        """
        preset = self.preset
        if preset is None and self.model is None and "route" not in self.options:
            origin = kernel.config.origin("heavenbase.llm.default_preset") if self.default == CHAT else None
            preset = self.default if origin is None or origin.layer == "default" else None
        return preset, self.model, self.provider, self.gateway

    def spec(self, kernel: Kernel, **options: Any) -> LLMSpec:
        """The resolved target; further `options` win over those of the command line."""
        return kernel.resolver.resolve(*self.names(kernel), {**self.options, **options})


def target_options(default_preset: str, *, short_option: bool = True) -> Callable[[Command], Command]:
    """Decorate a command with -p -m -b -g --route -o --cache; it gets one argument `target` for them all.

    Where -o names a file (`short_option` False), arguments of the call have only their long form.
    """

    def decorate(command: Command) -> Command:
        def collected(
            *args: Any,
            preset: str | None,
            model: tuple[str, ...],
            provider: str | None,
            gateway: str | None,
            route: str | None,
            option: tuple[str, ...],
            cache: bool | None,
            **others: Any,
        ) -> Any:
            options = parse_options(option)
            if cache is not None:
                options["cache"] = cache
            if route is not None:
                options["route"] = route
            models = list(model) if len(model) > 1 else model[0] if model else None
            target = Target(preset, models, provider, gateway, options, default_preset)
            return command(*args, target=target, **others)

        found: Any = update_wrapper(collected, command)
        for add in reversed(_options(default_preset, short_option)):
            found = add(found)
        return found  # type: ignore[no-any-return]

    return decorate


def _options(default_preset: str, short_option: bool) -> list[Callable[[Any], Any]]:
    default = f"{default_preset}, or that of the settings" if default_preset == CHAT else default_preset
    return [
        click.option(*("-p", "--preset"), shell_complete=_names("presets"), help=f"Preset [default: {default}]."),
        click.option(
            *("-m", "--model"),
            multiple=True,
            shell_complete=_names("models"),
            help="Model: name, alias, or provider/model. Several are a route: each stands in for the one before it.",
        ),
        click.option("-b", "--provider", shell_complete=_names("providers"), help="Provider (backend)."),
        click.option("-g", "--gateway", shell_complete=_names("gateways"), help="Gateway."),
        click.option("--route", metavar="NAME", shell_complete=_names("routes"), help="Route of the settings."),
        click.option(
            *(("-o", "--option") if short_option else ("--option",)),
            multiple=True,
            metavar="KEY=VALUE",
            shell_complete=_option_names,
            help="Option of the call, as JSON or text: temperature=0.2, seed=null; `hb llm list options` names them. "
            "Repeatable.",
        ),
        click.option("--cache/--no-cache", default=None, help="Use the response cache, or not."),
    ]


def _names(what: str) -> Callable[[click.Context, click.Parameter, str], list[str]]:
    def complete(ctx: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
        import warnings

        state = ctx.find_object(State) or State()
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # for them there is no place either
                names = state.names(what)
        except Exception:
            # A shell that completes has no place for an error; the command itself will tell it.
            return []
        return sorted(name for name in names if name.lower().startswith(incomplete.lower()))

    return complete


def _option_names(ctx: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    from click.shell_completion import CompletionItem

    return [CompletionItem(f"{o.name}=", help=o.help) for o in offered_options() if o.name.startswith(incomplete)]


def offered_options() -> list[Option]:
    """The options that can be given as text, and have no option of the command line of their own."""
    return [o for o in TABLE if o.name not in CREDENTIALS and o.types != "callable"]


def parse_options(pairs: Iterable[str]) -> dict[str, Any]:
    """`key=value` texts as arguments: a value is JSON where it can be read as such, else text. InputError otherwise."""
    options: dict[str, Any] = {}
    for pair in pairs:
        name, found, text = pair.partition("=")
        if not found or not name.strip():
            raise InputError(f"-o {name[:40]!r} is no KEY=VALUE, such as -o temperature=0.2")
        if name in CREDENTIALS:
            raise InputError(
                f"-o {name} would show the credential to every user of this machine and keep it in the history of the "
                "shell; set the variable that `hb explain` names"
            )
        if name in OWN:
            raise InputError(f"-o {name}: use {OWN[name]}")
        options[name] = _value(text)
    return options


def _value(text: str) -> Any:
    try:
        return json.loads(text, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return text


def _refuse(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def make_ready(kernel: Kernel, spec: LLMSpec, yes: bool) -> None:
    """Let the gateway fetch what it needs on this machine; it asks first, unless --yes or HB_YES=1 agreed.

    OSError where there is no standard output to take the answer: before anything is paid.
    """
    import os
    import sys

    from hb_cli.output import check_open, is_terminal

    check_open()
    if spec.route is not None and spec.route.problem is not None:
        return  # the first target cannot be used, and another one answers
    agreed = yes or os.environ.get("HB_YES", "").strip().lower() in ("1", "true", "yes", "on")
    kernel.gateway(spec).ensure(spec, yes=agreed, interactive=is_terminal(sys.stdin) and is_terminal(sys.stderr))


yes_option = click.option("-y", "--yes", is_flag=True, help="Agree to a download that the call needs (also HB_YES=1).")
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
verbose_option = click.option("-v", "--verbose", is_flag=True, help="Print usage and attempts to standard error.")
