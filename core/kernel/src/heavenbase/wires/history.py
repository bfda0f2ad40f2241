"""Messages of hb as the turns of a wire: roles told apart, turns of one role joined, losses reported. Pure.

With it reasoning parts: what a model wrote that only its provider can read, kept and given back to it verbatim. A part
is `{"provider", "model", "field", "value"}`: whose it is, where on the wire it stands, and the opaque value. Parts of
another provider stay behind, and the report says so.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from heavenbase.errors import InputError, InputTypeError, UnsupportedError
from heavenbase.types import FREE_TEXT
from heavenbase.wires.attributes import Taken, fit_message
from heavenbase.wires.calls import parsed_arguments
from heavenbase.wires.order import SYSTEM, note_history, ordered

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from heavenbase.call import Call
    from heavenbase.spec import LLMSpec
    from heavenbase.types import Message, ParameterReport

UNSIGNED = "thoughts without the provider's signature stay behind"
UNNAMED = "thoughts that do not say whose they are stay behind"
FOREIGN = "thoughts of another provider stay behind"
BEGIN = "(The conversation begins with the answer.)"
"""What the user says where a wire wants him to begin."""
BLANK = "(blank)"
"""What stands for a message of blanks alone."""
_MARK = "[ERROR] "
_FAILED = ('{"ok": false', '{"ok":false')
"""How the result of a tool begins that hb ran and that failed."""


class History:
    """The turns of one conversation while they are written; a wire adds what becomes of the messages of each role.

    `system` are the blocks of the system prompt, `turns` the messages of the wire, whose blocks stand in `blocks`;
    `results` are the roles whose messages are results of tools, `taken` what the wire takes beside contents.
    System messages behind the first turn are lifted into the system prompt, or with `takes_late` put behind the turn
    of the user that they follow, where they may have `late_fields` and blocks that are `tool_changes`; the report tells
    of what has moved.
    """

    blocks: ClassVar[str] = "content"
    taken = Taken({})
    results: ClassVar[tuple[str, ...]] = ("tool",)
    prompt: ClassVar[str] = "system prompt"
    late_fields: ClassVar[frozenset[str]] = frozenset()
    tool_changes: ClassVar[frozenset[str]] = frozenset()
    takes_late: bool = False

    def __init__(self, call: Call) -> None:
        self.call = call
        self.spec = call.spec
        self.report = call.context.report
        self.system: list[dict[str, Any]] = []
        self.turns: list[Message] = []
        self._messages: list[Message] = []
        self._late: Message = {}
        self._is_asked = False

    def write(self) -> None:
        """Take the messages of the call."""
        takers = {
            "system": self.add_system,
            "developer": self.add_system,
            "assistant": self.add_answer,
            "user": self.add_user,
            **dict.fromkeys(self.results, self.add_result),
        }
        self._messages = ordered(self.call, read=self.read_part, lifts=False)
        self.taken = self.taken.of(self.spec)
        for place, message in enumerate(self._messages):
            role = message["role"]
            if role not in takers:
                raise InputError(
                    f"message {place} has the role {role!r}, whose results name no call; use the role tool"
                )
            is_system = role in SYSTEM
            if len(message) > 2 or type(message["content"]) is not str:
                more = self.late_fields if is_system else frozenset()
                taken = self.taken._replace(messages=self.taken.messages | more) if more else self.taken
                message = fit_message(message, place, taken, self.report)
            if role == "assistant":
                self._is_asked = False
            elif self._late and not is_system:
                note_history(self.report, "late system messages move behind the turn of the user that comes next")
            takers[role](message, place)
            if message.get("name") and role not in self.results:
                self.report.dropped("name", "the wire has no names of speakers")

    def read_part(self, part: dict[str, Any]) -> Any:
        """The blocks of a part; an error for one that the wire has not."""
        raise NotImplementedError

    def system_blocks(self, message: Message, place: int) -> list[dict[str, Any]]:
        """The blocks of a message of the system or the developer; InputError for what cannot stand in one."""
        raise NotImplementedError

    def add_system(self, message: Message, place: int) -> None:
        """Take a message of the system or the developer: into the prompt, or to its place where the wire has one."""
        blocks = self.system_blocks(message, place)
        fields = {name: message[name] for name in self.late_fields if message.get(name) is not None}
        if not blocks:
            return
        if self.turns:
            self._is_asked = self.turns[-1]["role"] != "user"
        if not self.turns or not self.takes_late:
            self._refuse_changes(blocks, f"message {place}")
            for name in fields:
                self.report.dropped(f"messages[{place}].{name}", f"the {self.prompt} has no such attribute")
            self.lift(blocks, is_late=bool(self.turns))
            return
        before = self._late or {self.blocks: []}
        if any(before.get(name, value) != value for name, value in fields.items()):
            raise InputError(f"message {place} (role {message['role']}) says otherwise than the one that it joins")
        self._late = {**before, **fields, self.blocks: [*before[self.blocks], *blocks]}

    def lift(self, blocks: list[dict[str, Any]], *, is_late: bool) -> None:
        """Put the blocks of a system message into the system prompt."""
        self.system += blocks
        if is_late:
            self.report.emulated("system", f"late system messages are lifted into the {self.prompt}")

    def place_late(self) -> None:
        """Put system messages that wait behind the last turn, if that is one which they may follow; else lift them."""
        late, self._late = self._late, {}
        if not late:
            return
        if self.turns[-1]["role"] == "user" or self.is_paused(self.turns[-1]):
            self.turns.append({"role": "system", **late})
            return
        self._refuse_changes(late[self.blocks], "a system message between two answers")
        for name in late.keys() - {self.blocks}:
            self.report.dropped(name, f"the {self.prompt} has no such attribute")
        self.lift(late[self.blocks], is_late=True)

    def _refuse_changes(self, blocks: list[dict[str, Any]], what: str) -> None:
        if any(self.is_change(block) for block in blocks):
            raise UnsupportedError(
                f"{what} changes the tools; only a system message behind a turn of the user can, for a model that "
                "takes it there; change tools= instead"
            )

    def is_change(self, block: dict[str, Any]) -> bool:
        """Whether a block of a system message changes the tools."""
        return not self.tool_changes.isdisjoint((str(block.get("type")), *block))

    def is_paused(self, turn: Message) -> bool:
        """Whether a turn of the model is not at its end, so that the model goes on with it by itself."""
        return False

    def go_on(self, block: dict[str, Any]) -> None:
        """End the conversation: with a turn of the user where a system message behind an answer asks for more."""
        if self._is_asked and self.turns[-1]["role"] != "user" and not self.is_paused(self.turns[-1]):
            self.turns.append({"role": "user", self.blocks: [block]})
            note_history(self.report, "a system message asks for more behind an answer; the user says to go on")
        self.place_late()

    def add_answer(self, message: Message, place: int) -> None:
        """Take an answer of the model."""
        raise NotImplementedError

    def add_result(self, message: Message, place: int) -> None:
        """Take the result of a tool."""
        raise NotImplementedError

    def add_user(self, message: Message, place: int) -> None:
        """Take what the user says."""
        raise NotImplementedError

    def begin_with_user(self, block: dict[str, Any]) -> None:
        """Put a turn of the user before an answer that opens the conversation, for wires that want one there."""
        if self.turns and self.turns[0]["role"] != "user":
            self.turns.insert(0, {"role": "user", self.blocks: [block]})
            note_history(self.report, "the wire wants the user to begin; a turn that says so is put first")

    def blank(self, message: Message, place: int) -> str:
        """What stands for a message of the user that says nothing: "" where its turn has more; InputError at the end.

        An earlier one has been answered, maybe by another provider: it must not stop the conversation for good.
        """
        after = [later["role"] for later in self._messages[place + 1 :] if later["role"] not in SYSTEM]
        if (self.turns and self.turns[-1]["role"] == "user") or "user" in after[:1]:
            note_history(self.report, "blank messages are left out")
            return ""
        if not after:
            raise InputError(f"message {place} (role user) is empty or blank; this wire takes none such")
        note_history(self.report, f"a blank message that was answered travels as {BLANK}")
        return BLANK

    def note_blanks(self, message: Message) -> None:
        """Report blank texts among the parts of a message, which are left out."""
        content = message["content"]
        if isinstance(content, list) and any(not str(it.get("text", "x")).strip() for it in content):
            note_history(self.report, "blank texts are left out")

    def append(
        self, role: str, blocks: list[dict[str, Any]], is_result: Callable[[dict[str, Any]], bool] | None = None
    ) -> None:
        """Put blocks at the end, into the last turn where that is of the same role.

        With `is_result` the results of tools stand first in their turn, in the order in which they came.
        """
        last = self.turns[-1] if self.turns else None
        if last is None or last["role"] != role:
            self.turns.append({"role": role, self.blocks: list(blocks)})
            return
        before = last[self.blocks]
        if is_result is not None and is_result(blocks[0]):
            place = sum(map(is_result, before))
            last[self.blocks] = [*before[:place], *blocks, *before[place:]]
        else:
            last[self.blocks] = [*before, *blocks]


def content_parts(content: Any, place: int) -> list[dict[str, Any]]:
    """The parts of a message's content, which is text, nothing or parts; InputTypeError for anything else."""
    if content is None or content == "":
        return []
    if isinstance(content, str):
        return [{"type": "text", "text": content}]
    if not isinstance(content, list):
        raise InputTypeError(f"the content of message {place} must be text or a list of parts")
    return content


def unencoded_image(place: int) -> InputTypeError:
    """The error for an image part in hb's own shape."""
    return InputTypeError(f"message {place} has an image that no image format has encoded")


def meaning(message: Message) -> tuple[str, list[tuple[str, str, Any]]] | None:
    """What an answer says now, to be compared with what the model wrote: (text, [(id, name, arguments)]).

    None where that cannot be told: it has other parts than text, or arguments that are no JSON.
    """
    content = message.get("content")
    if isinstance(content, list):
        if any(part.get("type") != "text" for part in content):
            return None
        content = "".join(part["text"] for part in content)
    calls = []
    for call in message.get("tool_calls") or ():
        function = call["function"]
        is_text = call.get("type") == FREE_TEXT
        given = function["arguments"] if is_text else parsed_arguments(function["arguments"])
        if given is None:
            return None
        calls.append((call["id"], function["name"], given))
    return content or "", calls


def is_failed(message: Message) -> bool:
    """Whether the result of a tool says that the tool failed."""
    content = message["content"]
    return bool(message.get("is_error")) or (isinstance(content, str) and content.startswith(_FAILED))


def with_error_mark(message: Message) -> Message:
    """A tool's result for wires that have no field for a failed one: `is_error` becomes a mark before its text."""
    if "is_error" not in message:
        return message
    marked = {name: value for name, value in message.items() if name != "is_error"}
    if message["is_error"]:
        content = message.get("content")
        if isinstance(content, list):
            marked["content"] = [{"type": "text", "text": _MARK.strip()}, *content]
        else:
            marked["content"] = f"{_MARK}{content or ''}"
    return marked


def reasoning_part(spec: LLMSpec, field: str, value: Any, *, is_kept: bool = False) -> dict[str, Any]:
    """One part of an answer of this spec, with its provenance.

    `is_kept` is for parts that are more than thoughts, such as calls of the provider's own tools: the next turn needs
    them also where the caller wants no thoughts.
    """
    part = {"provider": spec.provider, "model": spec.model_id, "field": field, "value": value}
    return {**part, "is_kept": True} if is_kept else part


def own_parts(
    message: Message, spec: LLMSpec, fields: Mapping[str, type], *, by_model: bool = False
) -> tuple[list[dict[str, Any]], dict[str, None]]:
    """(the parts that go back to this spec's provider, whose were lost): see `note_lost`.

    Args:
        message: An answer of earlier in the conversation.
        spec: Where it goes now.
        fields: The fields that the wire takes back, and the type of value of each.
        by_model: Whether only the model itself can read what it wrote.
    """
    found: list[dict[str, Any]] = []
    lost: dict[str, None] = {}
    for part in message.get("reasoning_parts") or ():
        kind = fields.get(str(part.get("field")))
        if part.get("provider") != spec.provider or kind is None or not isinstance(part.get("value"), kind):
            lost[str(part.get("provider", "unknown"))] = None
        elif by_model and part.get("model") != spec.model_id:
            lost[str(part.get("model"))] = None
        else:
            found.append(part)
    return found, lost


def note_lost(lost: Iterable[str], report: ParameterReport, reason: str = FOREIGN) -> None:
    """Report the parts that stay behind, by whose they are."""
    if lost:
        report.dropped("reasoning_parts", f"{reason} ({', '.join(lost)})")


def note_unnamed(message: Message, report: ParameterReport, reason: str) -> None:
    """Report thoughts that came without provenance, as plain text, for a wire that takes none such."""
    if message.get("reasoning_parts") is None:
        for name in ("reasoning_content", "reasoning"):
            if message.get(name):
                report.dropped(name, reason)
