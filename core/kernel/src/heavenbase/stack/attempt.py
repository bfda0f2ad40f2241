"""One attempt: images encoded, the gateway's hook asked, its answer lifted into the flow, the ledger written."""

from __future__ import annotations

from typing import Any

from heavenbase.call import Call
from heavenbase.errors import HBError, PluginContractError, PoolTimeout, ProviderError
from heavenbase.flow import answers
from heavenbase.flow.preparing import encode_images, has_images
from heavenbase.operations.asking import perform
from heavenbase.registry import Registry
from heavenbase.services import Services
from heavenbase.types import Attempt, Completion


class Attempting:
    """The end of every chain: asks the gateway of a call, once."""

    def __init__(self, registry: Registry, services: Services) -> None:
        self._registry = registry
        self._services = services

    async def __call__(self, call: Call) -> Any:
        """The gateway's answer; of a stream its chunks, in the colour of the call."""
        context, spec = call.context, call.spec
        context.remaining()
        if has_images(call):
            call = await encode_images(call, self._registry, self._services.setting)
        services = self._services
        attempt = Attempt.of_ledger(spec.provider, spec.model_id, spec.gateway, services.wall(), services.cost)
        if context.reason or context.waited:
            attempt.reason, attempt.waited = context.reason or None, context.waited or None
            context.reason, context.waited = "", 0.0
        context.began = started = context.clock()
        try:
            hook = getattr(self._registry.hook, call.verb, None)
            answer = hook(call=call) if hook is not None else perform(self._registry, call)
            if answer is None:
                raise PluginContractError(f"no loaded gateway answers {call.verb} for {spec.gateway!r}")
            answers.check_colour(call, answer)
            if call.stream:
                context.attempts.append(attempt)
                return answers.guarded(call, answer)
            if call.is_async:
                answer = await answer
                answers.check_value(call, answer)
        except Exception as error:
            answers.clean(call, error)
            failure = error if isinstance(error, HBError) else answers.foreign(call, error)
            if isinstance(failure, ProviderError) and not isinstance(failure, PoolTimeout):
                context.attempts.append(attempt)
                context.failed(failure, attempt)
            if failure is error:
                raise
            raise failure from error
        except BaseException:  # cancelled: it may have been sent, and be paid for
            attempt.error, attempt.maybe_billed = "cancelled", True
            context.attempts.append(attempt)
            raise
        finally:
            attempt.elapsed = context.clock() - started
        if call.args.get("think") is False and isinstance(answer, Completion):
            from heavenbase.wires.thoughts import strip_tags

            strip_tags(answer)
        attempt.usage = answer.usage
        context.attempts.append(attempt)
        return answer
