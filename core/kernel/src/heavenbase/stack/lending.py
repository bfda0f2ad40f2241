"""What a whole kernel does for middlewares: the same request to another target, waiting, looking into the cache."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from heavenbase.call import Call
from heavenbase.errors import DeadlineExceeded, HBError
from heavenbase.flow.answers import annotate
from heavenbase.flow.preparing import prepare
from heavenbase.middleware import call_sleep
from heavenbase.options import CONNECTION, MOCKS, PREPARED, split_options, with_effort
from heavenbase.resolution.arguments import check_options, check_parameters
from heavenbase.resolution.slips import check_providers
from heavenbase.spec import LLMSpec


class Lending:
    """The services that need the parts of a kernel: its resolver, registry, cache and stack, once they are there."""

    def __init__(
        self, kernel: Any, *, sleep: Callable[[float], Any], asleep: Callable[[float], Any], random: Callable[[], float]
    ) -> None:
        self._kernel = kernel
        self._sleep = sleep
        self._asleep = asleep
        self.random = random

    def resolve(self, preset: Any, model: Any, provider: Any, gateway: Any, **options: Any) -> LLMSpec:
        """The spec for these names and default arguments."""
        return self._kernel.resolver.resolve(preset, model, provider, gateway, options)  # type: ignore[no-any-return]

    def is_cached(self, call: Call) -> bool:
        """Whether the cache is asked for a call."""
        return self._kernel.cache.allows(call)  # type: ignore[no-any-return]

    def annotate(self, call: Call, error: HBError) -> HBError:
        """The error with target and ledger of the call on it, and without what it must not tell."""
        return annotate(call, error)

    def load(self, kind: str, name: str, options: Mapping[str, Any] | None) -> Any:
        """A plugin by kind and name, with its settings."""
        return self._kernel.stack.configured(kind, name, options)

    def tables(self) -> Any:
        """What is known of models beside their manifests."""
        return self._kernel.resolver.tables

    async def sleep(self, call: Call, seconds: float) -> None:
        """Wait in the colour of the call; DeadlineExceeded where its deadline would pass meanwhile."""
        context = call.context
        if context.deadline is not None and context.clock() + seconds >= context.deadline:
            raise DeadlineExceeded(
                f"a wait of {seconds:.2f} s would pass the total limit of {context.timeouts.total} s",
                attempts=context.attempts,
            )
        await call_sleep(call, seconds, self._sleep, self._asleep)
        context.waited += seconds

    async def recall(self, call: Call) -> tuple[Any, Call]:
        """What the cache keeps for a call, and the call that need not be looked up again."""
        return await self._kernel.cache.recall(call)  # type: ignore[no-any-return]

    def for_provider(self, spec: LLMSpec, options: Mapping[str, Any]) -> tuple[LLMSpec, Mapping[str, Any]]:
        """The spec and the options of a call, with what `by_provider` says for its provider over them."""
        given = options if "by_provider" in options else spec.args
        check_providers(given["by_provider"], self._kernel.resolver.catalog)
        if spec.route is not None:
            return spec, options  # each of its targets has its own
        spec, own = self._connected(spec, by_provider(given, spec))
        return spec, {**options, **own}

    def _connected(self, spec: LLMSpec, own: Mapping[str, Any]) -> tuple[LLMSpec, Mapping[str, Any]]:
        """The spec with address and credentials that are among the options of its provider, and the others."""
        if CONNECTION.isdisjoint(own):
            return spec, own
        moved = self._kernel.resolver.redirect(spec, {name: own[name] for name in CONNECTION & own.keys()})
        return moved, {name: value for name, value in own.items() if name not in CONNECTION}

    def retarget(self, call: Call, spec: LLMSpec) -> Call:
        """The same request to another target: its own defaults, then what the caller gave."""
        before = call.spec
        spec, own = self._connected(spec, by_provider(call.controls, spec))
        given = {**call.args, **call.controls}
        # What callers and middlewares gave, as opposed to the defaults of the target that the call was made for.
        carried = {name: given[name] for name in given if name in call.explicit or name not in before.args}
        gone = {name for name in before.explicit if before.args.get(name) is not None} - given.keys()
        defaults = {name: value for name, value in spec.args.items() if name not in carried and name not in gone}
        merged = {**defaults, **carried, **own}
        context = call.context.fork()
        report = context.report
        check_parameters(spec, self._kernel.registry, {**carried, **own}, merged, report)
        if any(merged[name] is not None for name in MOCKS.intersection(merged)):
            spec = self._kernel.resolver.offline(spec)
        if "timeout" not in carried:
            context.timeouts = spec.timeouts
        if "timeout" in own:
            context.timeouts = timeouts = context.timeouts.merged(own["timeout"])
            ends = [at for at in (context.deadline, timeouts.total and context.clock() + timeouts.total) if at]
            context.deadline = min(ends, default=None)
        args, controls = split_options(merged)
        fresh = {name: args[name] for name in PREPARED.intersection(args) if name not in carried}
        changes: dict[str, Any] = {}
        if fresh:
            changes = prepare(call.verb, spec, fresh, controls, fresh, report, is_async=call.is_async)
            args |= fresh
        if "tools" in carried and call.args.get("tools"):
            from heavenbase.tools.options import fitted_tools

            args["tools"] = fitted_tools(call.args["tools"], spec, report)
        return call.replace(
            spec=spec,
            context=context,
            args=args,
            controls=controls,
            explicit=(call.explicit - before.explicit) | spec.explicit | own.keys(),
            missed=None,
            **changes,
        )


def by_provider(controls: Mapping[str, Any], spec: LLMSpec) -> Mapping[str, Any]:
    """The options that a call has for the provider of this spec alone."""
    found = (controls.get("by_provider") or {}).get(spec.provider)
    if not found:
        return {}
    check_options(options := with_effort(found))
    return options
