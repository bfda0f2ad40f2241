"""A rig: one kernel with controlled clocks and environment, in one colour, usually against one loopback server."""

from __future__ import annotations

import atexit
import os
import time
from functools import lru_cache
from tempfile import TemporaryDirectory
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import pytest

from heavenbase.config.config import Config
from heavenbase.errors import HBError
from heavenbase.kernel import Kernel
from heavenbase.llm import LLM
from heavenbase.spec import Timeouts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from hb_testing.conformance.colours import Colour
    from hb_testing.server import LoopbackServer
    from heavenbase.call import Call, WireRequest
    from heavenbase.plugin import Gateway, Plugin
    from heavenbase.types import ParameterReport

# Put together here, so that a search for the key in installed files finds leaks alone.
KEY = "-".join(("sk", "canary", "0123456789abcdef"))
"""The credential of every check, easy to find wherever it leaks to."""
LIMITS = Timeouts(connect=20.0, first_token=20.0, idle=20.0, stall=20.0, total=25.0, pool=20.0)
"""Seconds. Nothing takes so long, even on a busy machine; a gateway that loses a connection must not stop the kit."""
PATIENCE = 30.0
"""Seconds after which the server of a check drops everything, for gateways that keep no time limit."""
NOTHING: Mapping[str, str] = MappingProxyType({})
PROMPT = "Say hello to the kit."


class Clock:
    """Monotonic seconds that go on by themselves, and jump instead of sleeping."""

    def __init__(self) -> None:
        self._ahead = 0.0
        self.slept: list[float] = []

    def __call__(self) -> float:
        return time.monotonic() + self._ahead

    def sleep(self, seconds: float) -> None:
        """Note the wait and be that much later at once."""
        self.slept.append(seconds)
        self._ahead += seconds

    async def asleep(self, seconds: float) -> None:
        """Async form of `sleep`."""
        self.sleep(seconds)


@lru_cache(maxsize=1)
def home() -> str:
    """A folder for hb's own files, one per process: the index of plugins is made once, the user's stays as it is."""
    folder = TemporaryDirectory(prefix="hb-conformance-")
    atexit.register(folder.cleanup)
    return folder.name


def environment(**variables: str) -> dict[str, str]:
    """The environment of a check: what Python needs, no credential and no proxy of the user's, and `variables`."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "SYSTEMROOT", "TMPDIR", "TEMP") if name in os.environ}
    return {**kept, "HEAVENBASE_HOME": home(), **variables}


def make_kernel(
    clock: Clock,
    *,
    settings: Mapping[str, Any] | None = None,
    environ: Mapping[str, str] | None = None,
    plugins: Iterable[Plugin] = (),
) -> Kernel:
    """A kernel without cache and default arguments, on this clock; `settings` are dotted keys of the configuration."""
    config = Config.from_dict(
        {
            "heavenbase.llm.cache.enabled": False,
            "heavenbase.llm.default_args.temperature": None,
            "heavenbase.llm.default_args.seed": None,
            "heavenbase.llm.default_args.timeout": None,
            **(settings or {}),
        },
        environ=environment() if environ is None else environ,
    )
    return Kernel(
        config,
        plugins=plugins,
        clock=clock,
        sleep=clock.sleep,
        asleep=clock.asleep,
        random=lambda: 0.5,
    )


class Rig:
    """What a check works with.

    `target` are the names for LLM (model, provider, gateway), `models` the verbs that ask another model, and
    `connect(url)` the options that lead to a base URL; `wire` is the server's wire, "" without a server. The key of
    every call is `KEY`.
    """

    def __init__(
        self,
        colour: Colour,
        kernel: Kernel,
        clock: Clock,
        target: Mapping[str, Any],
        *,
        server: LoopbackServer | None = None,
        wire: str = "",
        connect: Callable[[str], Mapping[str, Any]] | None = None,
        models: Mapping[str, str] = NOTHING,
    ) -> None:
        self.colour = colour
        self.kernel = kernel
        self.clock = clock
        self.target = target
        self.wire = wire
        self.models = models
        self._server = server
        self._connect = connect or (lambda url: {})

    @property
    def server(self) -> LoopbackServer:
        """The server of a rig that has one."""
        assert self._server is not None, "this rig has no server"
        return self._server

    @property
    def is_wired(self) -> bool:
        """Whether there is a server."""
        return self._server is not None

    @property
    def gateway(self) -> Gateway:
        """The gateway of the target."""
        name = self.target.get("gateway") or self.llm().spec.gateway
        found: Gateway = self.kernel.registry.load("gateways", name)
        return found

    def close(self) -> None:
        """Close the kernel in its colour; the server stays."""
        self.colour.close_kernel(self.kernel)

    # Calls

    def llm(self, fault: str = "", **options: Any) -> LLM:
        """An LLM of one attempt a call whose requests go to the server; there all requests meet `fault` from now on."""
        merged = {**self.target, "max_retries": 0, "timeout": LIMITS}
        if self.is_wired:
            # Not in the URL: a client of its own for each fault would take longer than all the calls.
            self.server.strike(fault or None, self.wire)
            merged.update(self._connect(self.server.url(self.wire)))
        merged.update(options)
        return LLM(kernel=self.kernel, **merged)

    def llm_for(self, verb: str, fault: str = "") -> LLM:
        """An LLM for a verb (chat, stream, complete, embed, imagen), with the model that this one asks."""
        return self.llm(fault, **({"model": self.models[verb]} if verb in self.models else {}))

    def call(self, verb: str, fault: str = "", *, llm: LLM | None = None, content: Any = None, **options: Any) -> Any:
        """The answer of one verb (chat, stream, embed, imagen) in the rig's colour; `options` belong to the call."""
        target = llm if llm is not None else self.llm_for(verb, fault)
        if content is None:
            content = ["one", "two", "three"] if verb == "embed" else PROMPT
        return getattr(self.colour, verb)(target, content, **options)

    def error(self, verb: str, fault: str = "", **options: Any) -> HBError:
        """The error of hb that a call ends with; fails the check when it ends otherwise."""
        try:
            answer = self.call(verb, fault, **options)
        except HBError as error:
            return error
        except Exception as error:
            pytest.fail(f"{verb} under {fault or 'no fault'} raised {type(error).__name__}, which is no error of hb")
        pytest.fail(f"{verb} under {fault or 'no fault'} answered {shortened(answer)} instead of raising an error")

    def make_call(self, verb: str, *, llm: LLM | None = None, stream: bool = False, **options: Any) -> Call:
        """A call as the kernel hands it to the gateway, not sent."""
        by_verb: dict[str, dict[str, Any]] = {
            "complete": {"messages": [{"role": "user", "content": PROMPT}], "stream": stream},
            "embed": {"inputs": ["one", "two", "three"]},
            "imagen": {"prompt": PROMPT},
        }
        content = by_verb[verb]
        spec = (llm or self.llm_for(verb)).spec
        is_async = self.colour.name == "async"
        content.update({name: options.pop(name) for name in tuple(content) if name in options})
        return self.kernel.call(verb, spec, options, is_async=is_async, **content)

    def prepare(self, verb: str, **options: Any) -> tuple[WireRequest, ParameterReport]:
        """The request for a call, and the report of its parameters."""
        call = self.make_call(verb, **options)
        return self.gateway.prepare(call), call.context.report


class LazyRig(Rig):
    """A rig that is opened when a check first uses it: most of those that are skipped never do."""

    def __init__(self, opening: Callable[[], Rig]) -> None:
        self._opening = opening

    def __getattr__(self, name: str) -> Any:
        # Only what the rig itself would set is missing here.
        if name.startswith("__") or "kernel" in vars(self):
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        vars(self).update(vars(self._opening()))
        return getattr(self, name)


def shortened(value: object, limit: int = 200) -> str:
    """A value for a message."""
    text = repr(value)
    return text if len(text) <= limit else f"{text[:limit]}…"
