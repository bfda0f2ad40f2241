"""What hb would send: the request of a call, made as for sending and not sent. Needs neither key nor network.

sent = prepared("acme/large", temperature=0.5, think=False)
assert sent.body["temperature"] == 0.5
assert sent.report == {"think": "renamed"}
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from heavenbase.call import Verb
    from heavenbase.plugin import Plugin
    from heavenbase.spec import LLMSpec

NOTHING: Mapping[str, Any] = MappingProxyType({})
_OWN = ("temperature", "seed", "timeout")


@dataclass(frozen=True)
class Prepared:
    """One request: its URL, body and public headers, the spec behind it, and the outcome of each argument by name."""

    url: str
    body: Mapping[str, Any]
    headers: Mapping[str, str]
    spec: LLMSpec
    report: Mapping[str, str]


def prepared(
    model: str | None = None,
    *,
    preset: str | None = None,
    provider: str | None = None,
    gateway: str | None = None,
    verb: Verb = "complete",
    content: Mapping[str, Any] = NOTHING,
    defaults: bool = False,
    stream: bool = False,
    environ: Mapping[str, str] = NOTHING,
    settings: Mapping[str, Any] = NOTHING,
    plugins: Iterable[Plugin] = (),
    **options: Any,
) -> Prepared:
    """The request for `options`, given as a caller gives them, in a kernel that sees only `environ` and `settings`.

    `content` replaces the message, input or prompt; `defaults` leaves hb's own default arguments in. What is lost of
    the caller's arguments is reported, never raised.
    """
    from hb_testing.conformance.rig import environment
    from heavenbase.config.config import Config
    from heavenbase.kernel import Kernel

    own = {} if defaults else {f"heavenbase.llm.default_args.{name}": None for name in _OWN}
    config = Config.from_dict({**own, **settings}, environ=environment(**environ))
    words: dict[str, dict[str, Any]] = {
        "complete": {"messages": [{"role": "user", "content": "Hello"}]},
        "embed": {"inputs": ["Hello"]},
        "imagen": {"prompt": "Hello"},
    }
    with Kernel(config, plugins=plugins) as kernel:
        spec = kernel.resolve(preset, model, provider, gateway)
        call = kernel.call(verb, spec, options, is_async=False, stream=stream, **{**words[verb], **content})
        request = kernel.gateway(spec).prepare(call)
        report = {name: entry.outcome for name, entry in call.context.report.entries.items()}
        return Prepared(request.url, request.body, request.headers, spec, report)
