"""From the name of a role to what it comes to in one call."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from hb_roles.errors import EnvVarMissingError, UnknownRoleError
from hb_roles.models import ResolvedCall, RoleConfig, RuntimeConfig
from heavenbase.config import interpolate
from heavenbase.errors import InputError, InputTypeError, MissingCredential
from heavenbase.options import PROMPTED
from heavenbase.resolution import fold

_OF_THE_ROLE = "is a key of the role itself, and no parameter"
_OF_THE_CALL = "is what each call gives, and no parameter"
RESERVED: Mapping[str, str] = {
    **dict.fromkeys(("model", "provider", "mode"), _OF_THE_ROLE),
    **dict.fromkeys(("messages", "input", "inputs", "prompt", "images", "role"), _OF_THE_CALL),
    **dict.fromkeys(("preset", "gateway", "kernel", "include", "reduce"), "is no parameter of a call by role"),
    "system": "is no parameter; give it as the first of the messages, with the role system",
    "env_key": "is a key of the provider, and no parameter",
}
"""Names that cannot stand among parameters, and why."""

CHAT_ALONE = frozenset({"stream", *PROMPTED})
"""Parameters of chats alone, which say how a call is made and never travel."""

_MARKS = re.compile(r"[-_.:\s]+")
_SLIP = 2
"""How many letters may be wrong, missing, too many or swapped in a name of a role that is a slip of another."""
_SHORT = 5
"""Names with fewer letters than this are slips with one wrong letter at most."""


def resolve_role(
    config: RuntimeConfig,
    role: str,
    params_override: Mapping[str, Any] | None = None,
    *,
    environ: Mapping[str, str] | None = None,
) -> ResolvedCall:
    """What a role comes to; the configuration stays as it is.

    Args:
        config: The roles.
        role: The name of one. A name that is none stands for `defaults`, unless it is a slip of one.
        params_override: Parameters over those of the role: tables are laid over tables, anything else takes the place
            of what was there, a table with a `type` too; None takes a parameter away.
        environ: The variables that `${env:NAME}` refers to; those of the process by default.

    Raises:
        UnknownRoleError: There is no such role, and no defaults; or the name is close to that of a role.
        EnvVarMissingError: A variable that the role refers to is not set.
    """
    found, uses_defaults = find_role(config, role)
    check_override(params_override)
    where = "defaults" if uses_defaults else f"roles.{role}"
    variables = os.environ if environ is None else environ
    params = filled(found.params, f"{where}.params", variables)
    try:
        params = merged(params, params_override or {})
    except RecursionError:
        raise InputError("params_override is nested too deeply, or holds itself") from None
    return ResolvedCall(
        role=role,
        provider=filled(found.provider, f"{where}.provider", variables),
        model=filled(found.model, f"{where}.model", variables),
        mode=found.mode,
        params={name: value for name, value in params.items() if value is not None},
        uses_defaults=uses_defaults,
    )


def find_role(config: RuntimeConfig, role: str) -> tuple[RoleConfig, bool]:
    """The role of this name, and whether it is `defaults` in its place; UnknownRoleError where there is none."""
    if not isinstance(role, str):
        raise InputTypeError(f"role must be a str, not {type(role).__name__}")
    if (found := config.roles.get(role)) is not None:
        return found, False
    if config.defaults is None:
        raise UnknownRoleError(role, config.roles)
    if (meant := slip_of(role, config.roles)) is not None:
        raise UnknownRoleError(role, [meant], hint="defaults stand in for names alone that are close to no role's")
    if not role.strip():
        raise UnknownRoleError(role, config.roles)
    return config.defaults, True


def slip_of(name: str, known: Iterable[str]) -> str | None:
    """The name that another is a slip of: written otherwise, without its first words, or with a letter or two wrong.

    Names that differ in their digits alone are names of their own.
    """
    plain = fold(name)
    for other in known:
        right = fold(other)
        words = _MARKS.split(other.lower())
        ends = {fold(" ".join(words[place:])) for place in range(len(words))}
        if plain == right or plain in ends:
            return other
        if re.sub(r"\d+", "#", plain) == re.sub(r"\d+", "#", right):
            continue
        if _distance(plain, right) <= (_SLIP if min(len(plain), len(right)) >= _SHORT else 1):
            return other
    return None


def _distance(left: str, right: str) -> int:
    """How many letters have to be changed, put in, left out or swapped with their neighbour; or more than `_SLIP`."""
    if abs(len(left) - len(right)) > _SLIP:
        return _SLIP + 1
    before: list[int] = []
    row = list(range(len(right) + 1))
    for i, a in enumerate(left, 1):
        last, row = row, [i]
        for j, b in enumerate(right, 1):
            best = min(last[j] + 1, row[j - 1] + 1, last[j - 1] + (a != b))
            if before and j > 1 and a == right[j - 2] and left[i - 2] == b:
                best = min(best, before[j - 2] + 1)
            row.append(best)
        before = last
    return row[-1]


def check_override(params_override: object) -> None:
    """InputError for what cannot lie over the parameters of a role."""
    if params_override is None:
        return
    if not isinstance(params_override, Mapping):
        raise InputTypeError(f"params_override must be a mapping, not {type(params_override).__name__}")
    for name in params_override:
        if not isinstance(name, str):
            raise InputTypeError(f"a parameter's name must be a str, not {type(name).__name__}")
        if reason := RESERVED.get(name):
            raise InputError(f"params_override.{name} {reason}")


def merged(params: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Parameters with others over them; neither is changed.

    A table is laid over a table, as in `extra_body` and `metadata`. One with a `type` is one value (a form of the
    answer, the choice of a tool), which half of another would spoil.
    """
    found = {name: copied(value) for name, value in params.items()}
    for name, value in over.items():
        old = found.get(name)
        is_laid = _is_open(old) and _is_open(value)
        found[name] = merged(old, value) if is_laid else copied(value)  # type: ignore[arg-type]
    return found


def _is_open(value: object) -> bool:
    return isinstance(value, Mapping) and "type" not in value


def copied(value: Any) -> Any:
    """Plain data anew; objects as they are, as a client or a tool has no copy."""
    if type(value) is dict:
        return {name: copied(item) for name, item in value.items()}
    return [copied(item) for item in value] if type(value) is list else value


def filled(value: Any, where: str, environ: Mapping[str, str]) -> Any:
    """Plain data with its `${env:NAME,default}` filled in; EnvVarMissingError with the path of one that is not set."""
    if isinstance(value, str):
        try:
            return interpolate(value, where, environ)
        except MissingCredential as error:
            raise EnvVarMissingError.of(error, variables=unset(value, environ)) from None
    if isinstance(value, Mapping):
        return {name: filled(item, f"{where}.{name}", environ) for name, item in value.items()}
    return [filled(item, where, environ) for item in value] if isinstance(value, list) else value


_REFERENCE = re.compile(r"(\$)?\$\{\s*env:\s*([A-Za-z_][A-Za-z0-9_]*)\s*\}")


def unset(value: Any, environ: Mapping[str, str]) -> Iterator[str]:
    """The variables without a default that plain data refer to and that are not set, or are empty."""
    if isinstance(value, str):
        yield from (name for mark, name in _REFERENCE.findall(value) if not mark and not environ.get(name))
    elif isinstance(value, Mapping | list):
        for item in value.values() if isinstance(value, Mapping) else value:
            yield from unset(item, environ)
