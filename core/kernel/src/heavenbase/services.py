"""What a kernel lends to its plugins and to the middlewares of its calls."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from heavenbase.config.layers import Environ, live
from heavenbase.errors import HBError, PluginContractError

if TYPE_CHECKING:
    from logging import Logger

    from heavenbase.details import Usage
    from heavenbase.ledger.costs import Cost
    from heavenbase.spec import LLMSpec


class KernelServices(Protocol):
    """What of the services only a whole kernel can do. `call` is a `heavenbase.call.Call`, which holds these."""

    def resolve(self, preset: Any, model: Any, provider: Any, gateway: Any, **options: Any) -> LLMSpec: ...
    def retarget(self, call: Any, spec: LLMSpec) -> Any: ...
    async def sleep(self, call: Any, seconds: float) -> None: ...
    async def recall(self, call: Any) -> tuple[Any, Any]: ...
    def random(self) -> float: ...
    def annotate(self, call: Any, error: HBError) -> HBError: ...
    def is_cached(self, call: Any) -> bool: ...
    def load(self, kind: str, name: str, options: Mapping[str, Any] | None) -> Any: ...
    def tables(self) -> Any: ...


@dataclass(frozen=True, slots=True)
class Services:
    """What a kernel lends to its plugins.

    `client(key, factory, is_async)` keeps one SDK client per key (and, for async ones, per running event loop) and
    process, bounded, closed with the kernel. `transport` is the injected way to the wire or None; `setting(key,
    default)` reads the configuration; `clock` is monotonic seconds, `wall` epoch seconds. `environ` are the variables
    that may be read; where it `is_embedded`, nothing else of the process's surroundings may, not even who it is.
    """

    client: Callable[[str, Callable[[], Any], bool], Any]
    setting: Callable[..., Any]
    clock: Callable[[], float]
    wall: Callable[[], float]
    transport: Any = None
    environ: Environ = field(default_factory=live)
    kernel: KernelServices | None = field(default=None, repr=False)

    @property
    def _of_kernel(self) -> KernelServices:
        if self.kernel is None:
            raise PluginContractError("these services belong to no kernel, and cannot resolve, retarget or sleep")
        return self.kernel

    def resolve(
        self,
        preset: str | None = None,
        model: Any = None,
        provider: str | None = None,
        gateway: str | None = None,
        **options: Any,
    ) -> LLMSpec:
        """The spec for these names and default arguments, as `LLM` takes them. Sends nothing."""
        return self._of_kernel.resolve(preset, model, provider, gateway, **options)

    def retarget(self, call: Any, spec: LLMSpec) -> Any:
        """The same request to another target: its own defaults, then what the caller gave.

        Deadline, ledger and messages go along; report and credentials are those of the new target. UnknownNameError
        and UnsupportedError for what the new target has no place for.
        """
        return self._of_kernel.retarget(call, spec)

    async def sleep(self, call: Any, seconds: float) -> None:
        """Wait in the colour of the call; DeadlineExceeded before, where its deadline would pass."""
        await self._of_kernel.sleep(call, seconds)

    async def recall(self, call: Any) -> tuple[Any, Any]:
        """What the cache keeps for a call, or None; and the call that need not be looked up again."""
        return await self._of_kernel.recall(call)

    def is_cached(self, call: Any) -> bool:
        """Whether the cache is asked for a call, and keeps its answer."""
        return self._of_kernel.is_cached(call)

    def annotate(self, call: Any, error: HBError) -> HBError:
        """The error with target and ledger of the call on it, and without what it must not tell.

        For who goes on behind it: an error that leaves the kernel is treated so anyway.
        """
        return self._of_kernel.annotate(call, error)

    def random(self) -> float:
        """A number in [0, 1), from the kernel's source of them."""
        return self._of_kernel.random()

    def load(self, kind: str, name: str, options: Mapping[str, Any] | None = None) -> Any:
        """A plugin by kind (such as "judges") and name; with `options`, one of its own with these settings."""
        return self._of_kernel.load(kind, name, options)

    @property
    def table(self) -> Any:
        """The table of models that is asked for prices and abilities, a `heavenbase.resolution.ModelTable`, or None."""
        return self.kernel.tables().table if self.kernel is not None else None

    def cost(self, provider: str, model_id: str, usage: Usage | None, at: float) -> Cost | None:
        """What a usage cost at a time, in epoch seconds; the provider's own figure wins. None where nobody knows."""
        if usage is None:
            return None
        if usage.cost is None:
            return self.kernel.tables().cost(provider, model_id, usage, at) if self.kernel is not None else None
        from heavenbase.ledger.costs import reported

        return reported(usage, at)

    @property
    def logger(self) -> Logger:
        """The logger `heavenbase`."""
        from logging import getLogger

        return getLogger("heavenbase")
