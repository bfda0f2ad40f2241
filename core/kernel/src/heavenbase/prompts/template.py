"""PromptTemplate: messages with placeholders, `{{ name }}`, and nothing else that could be evaluated.

A placeholder is a bare name. Each value is inserted once: one that holds `{{ x }}` stays as it is. `{{{{` stands for
the characters `{{`; single braces, and so JSON, need nothing.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

from heavenbase.errors import InputError, InputTypeError, UnknownNameError
from heavenbase.messages import to_messages
from heavenbase.options import check_slips
from heavenbase.prompts.parameter import Parameter, as_table, as_text, shown

if TYPE_CHECKING:
    from heavenbase.config.config import Config
    from heavenbase.types import Message

ROLES = ("system", "developer", "user", "assistant")
INPUT = "input"
"""The parameter that the text of a call fills, where a template is the prompt of a preset."""
_MARK = re.compile(r"\{\{\{\{|\{\{(?!\{)(?:([^{}]*)\}\})?")


class Slot(NamedTuple):
    """The place of a value."""

    name: str


class Part(NamedTuple):
    """One message of a template: literal texts and places of values in turn."""

    role: str
    pieces: tuple[str | Slot, ...]

    @property
    def names(self) -> set[str]:
        """The placeholders."""
        return {piece.name for piece in self.pieces if isinstance(piece, Slot)}


class PromptTemplate:
    """A prompt with parameters: `hb.PromptTemplate("Say {{ word }}.")(word="hello")` is a list of messages.

    `user` and `system` are texts with placeholders, or `messages` has several with their roles (`{"role", "content"}`).
    `parameters` says of a name its type (str, int, float, bool, list, "image") or a table of type, default, description
    and choices; a placeholder that it does not name is text that must be given. Templates never change. InputError for
    a placeholder that is none and a parameter that nothing uses, UnknownNameError for a slip.
    """

    __slots__ = ("_parts", "description", "name", "parameters")

    name: str
    description: str
    parameters: Mapping[str, Parameter]
    """All of them by name, in the order in which they are declared or used."""
    _parts: tuple[Part, ...]

    def __init__(
        self,
        user: str | None = None,
        *,
        system: str | None = None,
        messages: Iterable[Mapping[str, str]] | None = None,
        parameters: Mapping[str, Any] | None = None,
        name: str = "prompt",
        description: str = "",
    ) -> None:
        if messages is not None and user is not None:
            raise InputError("a template has user or messages, not both")
        if messages is not None and (isinstance(messages, str | Mapping) or not isinstance(messages, Iterable)):
            raise InputTypeError(f"messages of a template must be a list of them, not {type(messages).__name__}")
        rows: list[Any] = [{"role": "system", "content": system}] if system is not None else []
        rows += [{"role": "user", "content": user}] if user is not None else () if messages is None else messages
        if not rows:
            raise InputError("a template needs a text: user, system or messages")
        parts = tuple(_part(row) for row in rows)
        tables = as_table("parameters of a template", parameters) if parameters is not None else {}
        declared = {given: Parameter.of(given, about) for given, about in tables.items()}
        # A dictionary, as a set has no order.
        used = {piece.name: None for part in parts for piece in part.pieces if isinstance(piece, Slot)}
        check_slips("placeholder", used, declared, (INPUT,))
        for given in declared:
            if given not in used:
                raise UnknownNameError("parameter", given, used, hint="no placeholder has this name")
        for found in used:
            declared.setdefault(found, Parameter(found))
        for part in parts:
            if part.role != "user" and any(declared[found].type == "image" for found in part.names):
                raise InputError(f"only a user's message shows images, not one of role {part.role}")
        told = {"name": as_text("name of a template", name), "description": as_text("description of one", description)}
        for field, value in {**told, "parameters": declared, "_parts": parts}.items():
            object.__setattr__(self, field, value)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> PromptTemplate:
        """The template of a file: `.toml`, or `.md` and `.txt`, whose text is the user's message.

        ConfigError, with file and line, for a file that cannot be used; it may hold a megabyte of UTF-8 text.
        """
        from heavenbase.prompts.files import load_prompt

        return load_prompt(path)

    @classmethod
    def from_config(cls, name: str, config: Config) -> PromptTemplate:
        """The template `heavenbase.llm.prompts.NAME`; UnknownNameError with the nearest name, or ConfigError."""
        from heavenbase.prompts.files import configured

        return configured(name, config)

    def render(self, values: Mapping[str, Any] | None = None, /, **named: Any) -> list[Message]:
        """The messages with these values, as `LLM.chat` takes them.

        UnknownNameError for a name that the template has not, InputError for one that is missing, InputTypeError for a
        value of another type.
        """
        given = {**(as_table("values of a prompt", values) if values is not None else {}), **named}
        for name in given:
            if name not in self.parameters:
                raise UnknownNameError(f"parameter of prompt {self.name!r}", name, self.parameters)
        missing = [name for name, known in self.parameters.items() if name not in given and known.is_required]
        if missing:
            raise InputError(f"prompt {self.name!r} needs a value for {', '.join(map(repr, missing))}")
        filled = {
            name: known.check(given[name]) if name in given else known.default
            for name, known in self.parameters.items()
        }
        return [{"role": part.role, "content": self._content(part, filled)} for part in self._parts]

    __call__ = render

    def __iter__(self) -> Iterator[Message]:
        """The messages of a template whose parameters all have defaults, so that it can stand for messages."""
        return iter(self.render())

    @property
    def texts(self) -> list[tuple[str, str]]:
        """Role and text of each message, with its placeholders."""
        return [
            (
                part.role,
                "".join(p.replace("{{", "{{{{") if isinstance(p, str) else f"{{{{ {p.name} }}}}" for p in part.pieces),
            )
            for part in self._parts
        ]

    def apply(self, messages: Sequence[Message], values: Mapping[str, Any]) -> list[Message]:
        """The messages of a call with the template put before them.

        The text of the last message of the user fills `input`; the last message of the template that has it takes the
        place of that message, and what stands before it in the template comes first of all.
        """
        messages, values = to_messages(messages), as_table("values of a prompt", values)
        place = max((at for at, message in enumerate(messages) if message["role"] == "user"), default=None)
        if INPUT not in self.parameters or place is None:
            return [*self.render(values), *messages]
        if INPUT in values:
            raise InputError(
                f"the text of the call fills {INPUT!r} of prompt {self.name!r}; leave it out of the values"
            )
        content = messages[place]["content"]
        shown_parts = [] if isinstance(content, str) else [part for part in content if part.get("type") != "text"]
        texts = [content] if isinstance(content, str) else [p["text"] for p in content if p.get("type") == "text"]
        rendered = self.render({**values, INPUT: "\n\n".join(texts)})
        at = max((n for n, part in enumerate(self._parts) if part.role == "user" and INPUT in part.names), default=None)
        if at is None:
            return [*rendered, *messages]
        made = rendered[at]["content"]
        if shown_parts:
            made = [*([{"type": "text", "text": made}] if isinstance(made, str) else made), *shown_parts]
        asked = {**messages[place], "content": made}
        return [*rendered[:at], *messages[:place], asked, *messages[place + 1 :], *rendered[at + 1 :]]

    def _content(self, part: Part, values: Mapping[str, Any]) -> Any:
        pieces = [values[piece.name] if isinstance(piece, Slot) else piece for piece in part.pieces]
        images = {
            at for at, p in enumerate(part.pieces) if isinstance(p, Slot) and self.parameters[p.name].type == "image"
        }
        if not images:
            return "".join(map(shown, pieces))
        from heavenbase.image.image import LLMImage

        content: list[dict[str, Any]] = []
        for at, piece in enumerate(pieces):
            if at in images:
                content.append({"type": "image", "image": LLMImage.from_any(piece)})
            elif content and content[-1]["type"] == "text":
                content[-1]["text"] += shown(piece)
            else:
                content.append({"type": "text", "text": shown(piece)})
        return [part for part in content if part.get("text") != ""]

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(f"a template never changes, and has no {name!r} to set")

    def __reduce__(self) -> tuple[Any, ...]:
        return _again, (self.texts, dict(self.parameters), self.name, self.description)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, PromptTemplate) and self.__reduce__() == other.__reduce__()

    def __hash__(self) -> int:
        return hash((self.name, self._parts))

    def __repr__(self) -> str:
        return f"PromptTemplate({self.name!r}, parameters={list(self.parameters)!r})"


def malformed(text: str) -> str | None:
    """The first mark in a text that is no placeholder; None where all are."""
    for match in _MARK.finditer(text):
        if match.group() != "{{{{" and not (match.group(1) or "").strip().isidentifier():
            return match.group()
    return None


def _again(texts: list[tuple[str, str]], parameters: Mapping[str, Any], name: str, about: str) -> PromptTemplate:
    rows = [{"role": role, "content": text} for role, text in texts]
    return PromptTemplate(messages=rows, parameters=parameters, name=name, description=about)


def _part(row: Any) -> Part:
    if not isinstance(row, Mapping):
        raise InputTypeError(f"a message of a template is a mapping with role and content, not {type(row).__name__}")
    for field in (row := as_table("a message of a template", row)):
        if field not in ("role", "content"):
            raise UnknownNameError("field of a template's message", field, ("role", "content"))
    role = as_text("the role of a template's message", row.get("role"))
    if role not in ROLES:
        raise UnknownNameError("role of a template's message", role, ROLES)
    text = as_text("the content of a template's message", row.get("content"))
    if not text.strip():
        raise InputError(f"the template's message of role {role} is empty")
    if (mark := malformed(text)) is not None:
        hint = "a bare name such as {{ name }}, closed by }}; write {{{{ for the characters {{"
        raise InputError(f"{mark[:60]!r} is no placeholder: {hint}")
    pieces: list[str | Slot] = []
    end = 0
    for match in _MARK.finditer(text):
        pieces += [text[end : match.start()], "{{" if match.group(1) is None else Slot(match.group(1).strip())]
        end = match.end()
    return Part(role, tuple(piece for piece in (*pieces, text[end:]) if piece != ""))
