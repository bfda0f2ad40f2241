"""The methods of `LLM` for answers in the background, each in both colours over one flow."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from heavenbase.colour import drive as drive
from heavenbase.operations import background as background

if TYPE_CHECKING:
    from heavenbase.operations.results import Job
    from heavenbase.spec import LLMSpec
    from heavenbase.types import Completion


class Jobs:
    """Answers that the provider makes in the background: sent once, then looked up by their ids."""

    spec: LLMSpec

    def submit(self, messages: Any, *, system: str | None = None, images: Any = None, **options: Any) -> Job:
        """Have a chat answered in the background, as `complete(..., background=True)` does: sent once, for `poll`."""
        return drive.run(background.submit(self, messages, system, images, options, is_async=False))

    async def asubmit(self, messages: Any, *, system: str | None = None, images: Any = None, **options: Any) -> Job:
        """Async form of `submit`."""
        return await background.submit(self, messages, system, images, options, is_async=True)

    def poll(
        self, job: Job | str, *, timeout: float | None = 3600.0, interval: float | None = None, **options: Any
    ) -> Completion:
        """The answer of a job, or of one with this id, when it is done: looked up every `interval` seconds.

        Without it the waits grow from 1 to 15 seconds. DeadlineExceeded after `timeout` seconds; the job goes on then.
        A job that failed or was cancelled raises why. `response_format` gives form to an answer known by its id.
        """
        return drive.run(background.poll(self, job, timeout, interval, options, is_async=False))

    async def apoll(
        self, job: Job | str, *, timeout: float | None = 3600.0, interval: float | None = None, **options: Any
    ) -> Completion:
        """Async form of `poll`."""
        return await background.poll(self, job, timeout, interval, options, is_async=True)

    def retrieve(self, job: Job | str, **options: Any) -> Job:
        """A job as it is now, by itself or by its id; with its answer if it is done."""
        return drive.run(background.look_up(self, job, "background.retrieve", options, is_async=False))

    async def aretrieve(self, job: Job | str, **options: Any) -> Job:
        """Async form of `retrieve`."""
        return await background.look_up(self, job, "background.retrieve", options, is_async=True)

    def cancel(self, job: Job | str, **options: Any) -> Job:
        """Have a job stopped; the job as it is then."""
        return drive.run(background.look_up(self, job, "background.cancel", options, is_async=False))

    async def acancel(self, job: Job | str, **options: Any) -> Job:
        """Async form of `cancel`."""
        return await background.look_up(self, job, "background.cancel", options, is_async=True)

    def _in_background(self, options: dict[str, Any]) -> bool:
        return options.get("background", self.spec.args.get("background")) is True
