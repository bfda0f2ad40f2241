"""The store of one machine: a file of SQLite, which processes share and which outlives them.

Every change is one transaction, which takes the file for itself before it reads.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, TypeVar

from hb_limits.budgets.accounts import LATE, Refusal, Reserved, Row, Spent, StoreError, Want, is_over
from hb_limits.budgets.windows import Window
from hb_limits.forks import Lock

if TYPE_CHECKING:
    import sqlite3

T = TypeVar("T")
BUSY: Final = 2.0
"""Seconds for which another process may hold the file."""
SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS account (
    key TEXT PRIMARY KEY, rule TEXT NOT NULL, label TEXT NOT NULL, start INTEGER NOT NULL, end INTEGER,
    money TEXT NOT NULL, tokens INTEGER NOT NULL, kept_until REAL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS forgotten ON account (kept_until) WHERE kept_until IS NOT NULL;
CREATE TABLE IF NOT EXISTS held (
    name TEXT NOT NULL, key TEXT NOT NULL, money TEXT NOT NULL, tokens INTEGER NOT NULL, ends REAL NOT NULL,
    PRIMARY KEY (name, key)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS over ON held (ends);
"""
"""Money is text: it may have more digits than an integer of SQLite."""

_left_alone: Final[list[Any]] = []


class SQLiteStore:
    """Accounts in a file, for all processes of a machine. It opens the file on first use, for its owner only."""

    is_blocking = True

    def __init__(self, path: str, lease: float) -> None:
        self.path = path
        self._lease = lease
        self._connection: sqlite3.Connection | None = None
        self._process = 0
        self._lock = Lock(self._drop)

    def reserve(
        self, name: str, wants: Callable[[float], Sequence[Want]], now: float, *, is_spent: bool = False
    ) -> Reserved:
        """Set aside what a request wants of all accounts, or of none."""
        wanted = wants(now)

        def step(db: sqlite3.Connection) -> Reserved:
            db.execute("DELETE FROM account WHERE kept_until <= ?", (now,))
            db.execute("DELETE FROM held WHERE ends <= ?", (now - LATE,))
            if db.execute("SELECT 1 FROM held WHERE name = ?", (name,)).fetchone():
                return Reserved(wanted)  # asked again, as nobody knew whether it was written
            used = [_used(db, want.account.key) for want in wanted]
            refused = [
                Refusal(want.account, want.most, spent)
                for want, spent in zip(wanted, used, strict=True)
                if not is_spent and is_over(want, spent)
            ]
            if not refused:
                for want, spent in zip(wanted, used, strict=True):
                    self._hold(db, name, want, spent, now)
            return Reserved(wanted, refused)

        return self._write(step)

    def _hold(self, db: sqlite3.Connection, name: str, want: Want, used: Spent, now: float) -> None:
        account, most = want
        window = account.window
        db.execute(
            "INSERT INTO account VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (key) DO UPDATE SET"
            " money = excluded.money, tokens = excluded.tokens, kept_until = excluded.kept_until",
            (account.key, account.rule.name, account.label, window.start, window.end,
             str(used.money + most.money), used.tokens + most.tokens, account.kept_until(now)),
        )  # fmt: skip
        ends = now + self._lease
        db.execute("INSERT INTO held VALUES (?, ?, ?, ?, ?)", (name, account.key, str(most.money), most.tokens, ends))

    def settle(self, name: str, wants: Sequence[Want], came_to: Sequence[Spent], now: float) -> None:
        """Note what a request came to."""

        def step(db: sqlite3.Connection) -> None:
            for want, spent in zip(wants, came_to, strict=True):
                key = want.account.key
                gone = db.execute("DELETE FROM held WHERE name = ? AND key = ?", (name, key)).rowcount
                if gone and spent != want.most:
                    used, most = _used(db, key), want.most
                    db.execute(
                        "UPDATE account SET money = ?, tokens = ? WHERE key = ?",
                        (str(used.money + spent.money - most.money), used.tokens + spent.tokens - most.tokens, key),
                    )

        self._write(step)

    def rows(self, now: float) -> list[Row]:
        """All accounts."""

        def step(db: sqlite3.Connection) -> list[Row]:
            held = _held(db, now)
            found = db.execute("SELECT key, rule, label, start, end, money, tokens FROM account WHERE"
                               " kept_until IS NULL OR kept_until > ? ORDER BY rule, start, label", (now,))  # fmt: skip
            return [
                _row(Row(key, rule, label, Window(start, end), Spent(int(money), tokens), held.get(key, Spent())))
                for key, rule, label, start, end, money, tokens in found
            ]

        return self._write(step)

    def reset(self, keys: Sequence[str], now: float) -> None:
        """Take back what was spent of these accounts."""

        def step(db: sqlite3.Connection) -> None:
            db.execute("DELETE FROM held WHERE ends <= ?", (now,))
            held = _held(db, now)
            for key in keys:
                spent = held.get(key, Spent())
                db.execute("UPDATE account SET money = ?, tokens = ? WHERE key = ?",
                           (str(spent.money), spent.tokens, key))  # fmt: skip

        self._write(step)

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._drop()

    # The file

    def _write(self, step: Callable[[sqlite3.Connection], T]) -> T:
        import sqlite3

        with self._lock:
            try:
                db = self._open()
                db.execute("BEGIN IMMEDIATE")
                try:
                    found = step(db)
                    db.execute("COMMIT")
                    return found
                except BaseException:
                    if db.in_transaction:
                        with suppress(sqlite3.Error):
                            db.execute("ROLLBACK")
                    raise
            except (sqlite3.Error, OSError, ValueError) as error:  # ValueError: somebody else wrote an amount
                self._drop()
                raise StoreError(f"the budgets in {self.path} cannot be read or written: {error}") from error

    def _open(self) -> sqlite3.Connection:
        if self._connection is not None and self._process == os.getpid():
            return self._connection
        import sqlite3

        _make_private(self.path)
        if self._connection is not None:  # it came along through a fork, and is the parent's: it is not even closed
            _left_alone.append(self._connection)
        db = sqlite3.connect(self.path, timeout=BUSY, isolation_level=None, check_same_thread=False)
        try:
            db.execute("PRAGMA journal_mode = WAL")
            db.execute("PRAGMA synchronous = NORMAL")
            db.executescript(SCHEMA)
        except BaseException:
            db.close()
            raise
        self._connection, self._process = db, os.getpid()
        return db

    def _drop(self) -> None:
        db, self._connection = self._connection, None
        if db is not None and self._process == os.getpid():
            db.close()


def _used(db: sqlite3.Connection, key: str) -> Spent:
    found = db.execute("SELECT money, tokens FROM account WHERE key = ?", (key,)).fetchone()
    return Spent(int(found[0]), found[1]) if found is not None else Spent()


def _held(db: sqlite3.Connection, now: float) -> dict[str, Spent]:
    found: dict[str, Spent] = {}
    for key, money, tokens in db.execute("SELECT key, money, tokens FROM held WHERE ends > ?", (now,)):
        before = found.get(key, Spent())
        found[key] = Spent(before.money + int(money), before.tokens + tokens)
    return found


def _row(row: Row) -> Row:
    """The row of which what is reserved was counted as spent."""
    spent, reserved = row.spent, row.reserved
    return row._replace(spent=Spent(spent.money - reserved.money, spent.tokens - reserved.tokens))


def _make_private(path: str) -> None:
    folder = os.path.dirname(os.path.abspath(path))
    missing: list[Any] = []
    while not os.path.isdir(folder):
        missing.append(folder)
        folder = os.path.dirname(folder)
    for each in reversed(missing):
        with suppress(FileExistsError):
            os.mkdir(each, 0o700)
    # SQLite gives its other files the mode of this one. Exclusive, as to close a file that it has open drops its locks.
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
