"""The loop of `hb session`: read an entry, answer it as it comes, or carry out a command."""

from __future__ import annotations

import sys
from contextlib import closing
from typing import TYPE_CHECKING, Any

from hb_cli import answers, failures, output
from hb_cli.commands import run_command
from hb_cli.markdown import answer_stream
from hb_cli.tools import agreement
from hb_cli.waiting import begun
from heavenbase.errors import HBError

if TYPE_CHECKING:
    from collections.abc import Callable

    from hb_cli.lines import Lines
    from hb_cli.state import State
    from heavenbase.image.image import LLMImage
    from heavenbase.llm import LLM
    from heavenbase.session.session import LLMSession


class Repl:
    """A session with a person, or with a pipe. `connect` makes an LLM of the name of a preset or model."""

    def __init__(
        self,
        session: LLMSession,
        lines: Lines,
        state: State,
        *,
        connect: Callable[[str], LLM],
        think: bool = False,
        allow_tools: bool = False,
    ) -> None:
        self.session = session
        self.lines = lines
        self.connect = connect
        self.images: list[LLMImage] = []
        self.is_over = False
        self._state = state
        self._think = think
        self._allow_tools = allow_tools

    def run(self, first: str | None) -> None:
        """Answer `first` and then entry after entry, to the end of the input or until told to stop."""
        if first:
            self._guarded(lambda: self.ask(first))
        while not self.is_over:
            try:
                entry = self.lines.read()
            except EOFError:
                break
            except KeyboardInterrupt:
                if not self.lines.is_interactive:
                    raise
                output.note("")  # drops the line, as in a shell
                continue
            if entry.strip():
                self._guarded(lambda entry=entry: self._entry(entry))  # type: ignore[misc]

    def _entry(self, entry: str) -> None:
        if entry.startswith("/") and not entry.startswith("//"):
            run_command(self, entry[1:])
        else:
            self.ask(entry[1:] if entry.startswith("//") else entry)

    def _guarded(self, work: Callable[[], None]) -> None:
        """Tell a person what failed, and go on; a pipe ends with the error."""
        try:
            work()
        except KeyboardInterrupt:
            output.note("\nstopped", output.DIM)
            if not self.lines.is_interactive:
                raise
        except (HBError, OSError) as error:
            if not self.lines.is_interactive or isinstance(error, BrokenPipeError):
                raise
            failures.report(error, self._state)

    def ask(self, prompt: Any, **options: Any) -> None:
        """Ask, and print the answer as it comes; images that wait go with the prompt."""
        if self.images:
            options["images"] = self.images
        if self.session.tools and not self._allow_tools:
            options["confirm"] = agreement(self.lines.line if self.lines.is_interactive else None, "hb session")
        chunks: Any = self.session.stream(prompt, "chunk", **options)
        text = answer_stream()
        reasoning = output.TextStream(sys.stderr, output.DIM)
        with closing(chunks):
            try:
                for chunk in begun(chunks, "waiting for the answer"):
                    answers.show_chunk(chunk, text, reasoning, think=self._think)
            finally:
                reasoning.finish()
                text.finish()
        self.images = []
        if self.session.last is not None:
            answers.note_ending(self.session.last)

    def again(self, seed: int | None) -> None:
        """Ask the last question again; the old answer stays when that fails."""
        before = list(self.session.messages)
        question = self.session.take_back()
        try:
            self.ask(question, seed=seed, cache=False)
        except BaseException:
            if len(self.session.messages) < len(before):
                self.session.messages = before
            raise
