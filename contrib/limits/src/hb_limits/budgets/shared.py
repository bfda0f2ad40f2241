"""The store that machines share: accounts on a Redis server, at the server's own time."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final

from hb_limits.budgets import scripts
from hb_limits.budgets.accounts import SESSION, NotAsked, Refusal, Reserved, Row, Spent, StoreError, Want
from hb_limits.budgets.amounts import PARTS
from hb_limits.budgets.windows import Window
from hb_limits.server.circuit import Circuit
from hb_limits.server.connections import LeftAlone, Server, ServerError

if TYPE_CHECKING:
    from hb_limits.server.settings import ServerSettings

TRIES: Final = 4
"""How often a request is asked for, where the time of the server is in another window than was thought."""


class SharedStore:
    """Accounts that machines share. A server that failed often is left alone for a while."""

    is_blocking = True

    def __init__(self, settings: ServerSettings, lease: float, clock: Callable[[], float]) -> None:
        self._server = Server(settings)
        self._lease = max(int(lease), 1)
        self._tag = f"hb:budgets:{{{settings.namespace}}}:"
        self._index = self._key("index")
        self._circuit = Circuit(clock)
        self._ahead = 0.0
        """Seconds that the server's clock is ahead of this machine's."""

    def reserve(
        self, name: str, wants: Callable[[float], Sequence[Want]], now: float, *, is_spent: bool = False
    ) -> Reserved:
        """Set aside what a request wants of all accounts, or of none."""
        for _ in range(TRIES):
            wanted = wants(now + self._ahead)
            keys = [self._index, *self._keys([want.account.key for want in wanted])]
            asked = {"lease": self._lease, "is_spent": is_spent, "wants": [_asked(want) for want in wanted]}
            members = [_member(name, want.most) for want in wanted]
            verdict, time, *more = self._run(scripts.RESERVE, keys, [json.dumps(asked), *members])
            if verdict == 2:
                self._ahead = float(time) - now
                continue
            if verdict == 0:
                return Reserved(wanted)
            refused = [(wanted[place - 1], units, parts, tokens) for place, units, parts, tokens in more[0]]
            return Reserved(wanted, [
                Refusal(want.account, want.most, Spent(int(units) * PARTS + int(parts), int(tokens)))
                for want, units, parts, tokens in refused
            ])  # fmt: skip
        raise StoreError("the time of the server cannot be told")

    def settle(self, name: str, wants: Sequence[Want], came_to: Sequence[Spent], now: float) -> None:
        """Note what a request came to."""
        args: list[Any] = []
        for want, spent in zip(wants, came_to, strict=True):
            units, parts = divmod(spent.money - want.most.money, PARTS)
            args += [_member(name, want.most), units, parts, spent.tokens - want.most.tokens]
        self._run(scripts.SETTLE, self._keys([want.account.key for want in wants]), args)

    def rows(self, now: float) -> list[Row]:
        """All accounts."""
        found = self._run(scripts.LIST, [self._index], [self._key("")])
        rows = [_row(name.decode(), row, held) for name, row, held in found]
        return sorted(rows, key=lambda row: (row.rule, row.window.start, row.label))

    def reset(self, keys: Sequence[str], now: float) -> None:
        """Take back what was spent of these accounts."""
        self._run(scripts.RESET, self._keys(keys), [])

    def close(self) -> None:
        """Close the connections."""
        self._server.close()

    def _key(self, name: str) -> bytes:
        return f"{self._tag}{name}".encode("utf-8", "surrogatepass")

    def _keys(self, names: Sequence[str]) -> list[bytes]:
        return [self._key(f"{name}{end}") for name in names for end in ("", ":held")]

    def _run(self, script: str, keys: list[bytes], args: list[Any]) -> Any:
        try:
            found = self._server.run(script, keys, args, self._circuit)
        except ServerError as error:
            kind = NotAsked if isinstance(error, LeftAlone) else StoreError
            raise kind(str(error)) from error
        self._circuit.succeeded()
        return found


def _asked(want: Want) -> dict[str, Any]:
    account, most = want
    rule, window = account.rule, account.window
    units, parts = divmod(most.money, PARTS)
    found: dict[str, Any] = {"name": account.key, "units": units, "parts": parts, "tokens": most.tokens}
    if rule.money is not None:
        found["units_most"], found["parts_most"] = divmod(rule.money, PARTS)
    if rule.tokens is not None:
        found["tokens_most"] = rule.tokens
    if window.end is not None:
        found |= {"start": window.start, "ends": window.end, "kept_until": int(account.kept_until(0.0) or 0)}
    elif rule.per == "session":
        found["kept"] = SESSION
    found["about"] = json.dumps([rule.name, account.label, window.start, window.end])
    return found


def _member(name: str, most: Spent) -> str:
    units, parts = divmod(most.money, PARTS)
    return f"{name}:{units}:{parts}:{most.tokens}"


def _row(name: str, row: Sequence[bytes], held: Sequence[bytes]) -> Row:
    units, parts, tokens = map(int, row[:3])
    rule, label, start, end = json.loads(row[3])
    money = count = 0
    for member in held:
        more_units, more_parts, more = map(int, member.decode().rsplit(":", 3)[1:])
        money, count = money + more_units * PARTS + more_parts, count + more
    spent = Spent(units * PARTS + parts - money, tokens - count)
    return Row(name, rule, label, Window(start, end), spent, Spent(money, count))
