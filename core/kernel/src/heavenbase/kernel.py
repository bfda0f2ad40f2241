"""The kernel: owns plugins, configuration, clients and clocks, and runs the flows of the three verbs."""

from __future__ import annotations

import random
import time
from collections.abc import AsyncGenerator, Callable, Coroutine, Generator, Iterable, Mapping, Sequence
from typing import Any, Self

from heavenbase.cache.middleware import CacheMiddleware
from heavenbase.call import Call, CallContext, Services, new_call
from heavenbase.clients import ClientPool
from heavenbase.colour import drive as drive
from heavenbase.config.config import Config, concealed
from heavenbase.config.layers import Origin
from heavenbase.discovery.inventory import Inventory, discover
from heavenbase.errors import HBError, KernelClosed, StreamTruncated
from heavenbase.flow import answers
from heavenbase.flow.preparing import prepare
from heavenbase.flow.refusals import Refusals
from heavenbase.flow.retry import Retry, RetryPolicy
from heavenbase.gather import Gathering
from heavenbase.middleware import Middleware, sleep_async
from heavenbase.options import KNOWN, MOCKS, PREPARED, secret_options, split_options, with_effort
from heavenbase.plugin import Gateway, Plugin
from heavenbase.projection import warn_cut
from heavenbase.registry import Registry
from heavenbase.resolution.arguments import check_options, check_parameters, plain_options, unasked_arguments
from heavenbase.resolution.resolver import Resolver
from heavenbase.spec import LLMSpec
from heavenbase.stack.attempt import Attempting
from heavenbase.stack.composing import Stack
from heavenbase.stack.lending import Lending
from heavenbase.types import Chunk, Completion, Message


class Kernel:
    """One independent set of plugins, configuration, clients and clocks; several live side by side in a process.

    `config` is a Config or a mapping over the defaults; None loads the user's files and the environment. With a mapping
    the kernel is embedded: it reads and writes nothing of the process's surroundings but the variables in `environ`
    (`os.environ` gives those of the process, its proxies, home folder and identity). `plugins` are added to the
    installed ones, which `discover_plugins=False` leaves out. `middleware` runs around every call, first outermost.
    `clock` is monotonic seconds, `wall` epoch seconds, `random` yields floats in [0, 1), `transport` replaces the
    sockets of gateways that support it (`heavenbase.http.transport.protocol`).
    """

    def __init__(
        self,
        config: Config | Mapping[str, Any] | None = None,
        *,
        environ: Mapping[str, str] | None = None,
        plugins: Iterable[Plugin] = (),
        middleware: Sequence[Middleware] = (),
        discover_plugins: bool = True,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
        sleep: Callable[[float], Any] = time.sleep,
        asleep: Callable[[float], Any] = sleep_async,
        random: Callable[[], float] = random.random,
        transport: Any = None,
    ) -> None:
        config, environ = concealed(config), concealed(environ)
        self.config = config = Config.of(config, environ)
        self.clock = clock
        self.wall = wall
        self.clients = ClientPool()
        self._lending = lending = Lending(self, sleep=sleep, asleep=asleep, random=random)
        self.services = Services(self.clients.get, config.get, clock, wall, transport, config.environ, lending)
        inventory = discover(config.paths().cache_dir) if discover_plugins else Inventory((), {}, {})
        self.registry = Registry(inventory, config.plugins(), self.services, plugins)
        self.resolver = Resolver(config, self.registry)
        self.cache = CacheMiddleware(config, self.registry, clock, wall)
        self.tool_call_repair = dict(config.section("heavenbase.llm.tool_call_repair"))
        policy = RetryPolicy.of(config.section("heavenbase.llm.retry"))
        refusals = Refusals(lambda spec: unasked_arguments(spec, config))
        self._retry = Retry(policy, sleep=sleep, asleep=asleep, random=random, refusals=refusals)
        end = Attempting(self.registry, self.services)
        self.stack = Stack(self.registry, config, middleware, self.cache, self._retry, end)
        self._closed = False

    # Building a call

    def resolve(
        self,
        preset: str | None = None,
        model: Any = None,
        provider: str | None = None,
        gateway: str | None = None,
        **options: Any,
    ) -> LLMSpec:
        """The spec for these names and default arguments; `model` may be a list, as in `LLM`. Sends nothing."""
        return self.resolver.resolve(preset, model, provider, gateway, options)

    def call(
        self,
        verb: Any,
        spec: LLMSpec,
        options: Mapping[str, Any],
        *,
        is_async: bool,
        stream: bool = False,
        **content: Any,
    ) -> Call:
        """A frozen call of this kernel: the spec's defaults with `options` over them, its clocks started."""
        if self._closed:
            raise KernelClosed("this kernel is closed; make a new one")
        if options:
            check_options(options := with_effort(options))
        if "by_provider" in options or "by_provider" in spec.args:
            spec, options = self._lending.for_provider(spec, options)
        if options and spec.untrusted is not None and secret_options(options):
            self.config.endpoint_trust(spec.untrusted, Origin("call"))
        timeouts = spec.timeouts.merged(options["timeout"]) if "timeout" in options else spec.timeouts
        started = self.clock()
        deadline = started + timeouts.total if timeouts.total is not None else None
        context = CallContext(self.clock, timeouts, started, self.wall(), deadline, services=self.services)
        if not options and (plain := plain_options(spec)):
            args, controls = plain[0].copy(), plain[1].copy()
        else:
            merged = {**spec.args, **options}
            if "middleware" in options and spec.args.get("middleware"):
                merged["middleware"] = [*spec.args["middleware"], *(options["middleware"] or ())]
            if "extra_body" in merged or not KNOWN.issuperset(merged):
                check_parameters(spec, self.registry, options, merged, context.report)
            if any(merged[name] is not None for name in MOCKS.intersection(merged)):
                spec = self.resolver.offline(spec)
            args, controls = split_options(merged)
            if options.get("reasoning_effort") is not None and "think" not in options:
                args["think"] = True
            if not PREPARED.isdisjoint(args):
                content |= prepare(verb, spec, args, controls, options, context.report, is_async=is_async)
        explicit = spec.explicit.union(options) if options else spec.explicit
        return new_call(verb, spec, context, is_async, stream, args, controls, explicit, **content)

    def gateway(self, spec: LLMSpec) -> Gateway:
        """The loaded gateway plugin of a spec."""
        return self.registry.load("gateways", spec.gateway)  # type: ignore[no-any-return]

    # Running a call: sync calls are driven without a loop, async ones are awaited

    def run(self, call: Call) -> Any:
        """The answer of a sync call: Completion, Embedding or ImageResult."""
        return drive.run(self.answer(call))

    def text(self, spec: LLMSpec, messages: list[Message]) -> str:
        """The text that answers a chat with nothing but the defaults of its spec, in sync colour.

        Where no middleware wants to see every call, one that is kept costs a tenth of a call.
        """
        key, route = None, spec.route
        is_plain = not spec.args.get("middleware") and (route is None or route.is_plain)
        if is_plain and not (self.stack.sees_calls or self._closed):
            text, key = self.cache.text(spec, messages)
            if text is not None:
                return text
        answer: Completion = self.run(self.call("complete", spec, {}, is_async=False, messages=messages, missed=key))
        warn_cut(answer, ["text"], 3)
        return answer.text

    def iterate(self, call: Call) -> Generator[Chunk, None, None]:
        """The chunks of a sync stream; the last is of kind "end" and holds the whole answer in `completion`."""
        return drive.iterate(self.chunks(call))

    def answer(self, call: Call) -> Coroutine[Any, Any, Any]:
        """The flow of a call that is not streamed to the caller."""
        if call.tools or call.resumed is not None:
            from heavenbase.flow.tool_loop import answer_with_tools

            return answer_with_tools(call, self.answer_once)
        return self.answer_once(call)

    async def answer_once(self, call: Call) -> Any:
        """Like `answer`, but for the tools: the model's calls are left to the caller."""
        try:
            if call.verb == "complete" and call.controls.get("stream_chat"):
                return [chunk async for chunk in self.chunks_once(call.replace(stream=True))][-1].completion
            answer = await self.stack.chain(call)(call)
            answers.check_answer(call, answer)
            if not call.is_async:
                return answers.stamp(call, answer, self.tool_call_repair)
            return await answers.stamped(call, answer, self.tool_call_repair)
        except HBError as error:
            raise answers.annotate(call, error) from error.__cause__

    def chunks(self, call: Call) -> AsyncGenerator[Chunk, None]:
        """The flow of a streamed call; a stream without the provider's terminal marker is an error.

        The last chunk is of kind "end" and holds the whole answer in `completion`.
        """
        if call.tools or call.resumed is not None:
            from heavenbase.flow.tool_loop import stream_with_tools

            return stream_with_tools(call, self.chunks_once)
        return self.chunks_once(call)

    async def chunks_once(self, call: Call) -> AsyncGenerator[Chunk, None]:
        """Like `chunks`, but for the tools: the model's calls are left to the caller."""
        gathering = Gathering()
        feed = gathering.feed
        hides_thoughts = call.args.get("think") is False
        source: Any = None
        structured: Any = None
        try:
            source = await self.stack.chain(call)(call)
            answers.check_answer(call, source)
            async for chunk in source:
                if chunk.kind == "end":
                    structured = chunk.completion.structured if call.format is not None else None
                    continue
                if hides_thoughts and (chunk.reasoning or chunk.reasoning_parts):
                    if chunk.reasoning_parts:
                        feed(Chunk(reasoning_parts=chunk.reasoning_parts))  # the next turn needs them
                    chunk = answers.without_thoughts(chunk)
                    if chunk is None:
                        continue
                feed(chunk)
                yield chunk
            if not gathering.finished:
                truncated = StreamTruncated("the stream ended without a finish reason", maybe_billed=True)
                call.context.failed(truncated)
                raise truncated
            # What was delivered is the answer, also where middleware changed it on its way.
            served = call.context.served
            answer = gathering.completion(call if served is None else call.replace(spec=served))
            answer.structured = structured
            if call.context.attempts:
                last = call.context.attempts[-1]
                last.usage, last.elapsed = last.usage or answer.usage, self.clock() - call.context.began
            answer = await answers.stamped(call, answer, self.tool_call_repair)
            yield Chunk(kind="end", completion=answer)
        except HBError as error:
            raise answers.annotate(call, error, gathering) from error.__cause__
        finally:
            await drive.aclose(source)

    # Closing

    def close(self) -> None:
        """Close clients, caches and plugins. A closed kernel takes no calls."""
        if not self._closed:
            self._closed = True
            self.clients.close()
            self.cache.close()
            self.registry.close()

    async def aclose(self) -> None:
        """Like `close`, and waits for the async clients of the running loop."""
        if not self._closed:
            self._closed = True
            await self.clients.aclose()
            self.cache.close()
            self.registry.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()
