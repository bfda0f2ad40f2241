"""What is done to the rows of one connection. Writing functions are called inside a transaction.

Times are integers of microseconds since the epoch. A namespace is a number made from its name, so that no process
has to look it up, and the same after the file was replaced.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING, TypeAlias
from zlib import crc32

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Mapping

    from hb_cache_sqlite.settings import Limits

PAGE_ROWS = 256
STEP_ROWS = 64
STEP_BYTES = 1 << 20
"""How much one transaction deletes at most, so that it holds the write lock for milliseconds."""

GET = "SELECT id, expires, checksum, value FROM entries WHERE namespace = ? AND key = ?"
_FIELDS = "SELECT id, namespace, key, size, created, accessed, expires FROM entries"

Row: TypeAlias = "tuple[int, int, bytes, int, int, int, int | None]"
"""id, namespace, key, size, created, accessed, expires."""


def encode_name(name: str) -> bytes:
    """A name as stored; any str has one, lone surrogates included."""
    return name.encode("utf-8", "surrogatepass")


def namespace_id(name: str) -> int:
    """The number of a namespace: 64 bits of a hash, signed as SQLite's integers are."""
    return int.from_bytes(blake2b(encode_name(name), digest_size=8).digest(), "big", signed=True)


def checksum_seed(namespace: int) -> int:
    """Where the checksums of a namespace start.

    The checksum of a value is crc32(value, crc32(key, seed)): it tells a value whose bits changed, and one that
    belongs to another key. SQLite itself checks no content.
    """
    return namespace & 0xFFFFFFFF


def put(
    connection: sqlite3.Connection,
    namespace: int,
    name: bytes,
    key: bytes,
    value: bytes,
    now: int,
    expires: int | None,
) -> tuple[int, int]:
    """Store one value; the entries and bytes that the namespace has now."""
    size = len(value)
    check = crc32(value, crc32(key, checksum_seed(namespace)))
    old = connection.execute(
        "SELECT id, size FROM entries WHERE namespace = ? AND key = ?", (namespace, key)
    ).fetchone()
    if old is None:
        added = 1
        connection.execute(
            "INSERT INTO entries (namespace, key, created, accessed, expires, size, checksum, value)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (namespace, key, now, now, expires, size, check, value),
        )
    else:
        added = 0
        size -= old[1]
        connection.execute(
            "UPDATE entries SET created = ?, accessed = ?, expires = ?, size = ?, checksum = ?, value = ? WHERE id = ?",
            (now, now, expires, len(value), check, value, old[0]),
        )
    if not _count(connection, namespace, added, size):
        connection.execute("INSERT INTO namespaces VALUES (?, ?, ?, ?)", (namespace, name, added, size))
    return totals(connection, namespace)


def totals(connection: sqlite3.Connection, namespace: int) -> tuple[int, int]:
    """Entries and bytes of a namespace."""
    row = connection.execute("SELECT entries, bytes FROM namespaces WHERE id = ?", (namespace,)).fetchone()
    return (row[0], row[1]) if row else (0, 0)


def all_totals(connection: sqlite3.Connection) -> dict[str, tuple[int, int]]:
    """Entries and bytes by name of namespace."""
    rows = connection.execute("SELECT name, entries, bytes FROM namespaces ORDER BY name").fetchall()
    return {name.decode("utf-8", "surrogatepass"): (entries, size) for name, entries, size in rows}


def drop(connection: sqlite3.Connection, namespace: int, key: bytes) -> bool:
    """Delete one entry; whether it was there."""
    row = connection.execute(
        "SELECT id, size FROM entries WHERE namespace = ? AND key = ?", (namespace, key)
    ).fetchone()
    if row is None:
        return False
    _delete(connection, [(row[0], namespace, row[1])])
    return True


def drop_some(connection: sqlite3.Connection, namespace: int) -> int:
    """Delete some entries of a namespace; their number, 0 when none is left."""
    rows = connection.execute(
        "SELECT id, namespace, size FROM entries WHERE namespace = ? LIMIT ?", (namespace, STEP_ROWS)
    ).fetchall()
    return _delete(connection, rows)


def sweep(connection: sqlite3.Connection, now: int) -> int:
    """Delete some of the entries that have expired; their number, 0 when none is left."""
    rows = connection.execute(
        "SELECT id, namespace, size FROM entries WHERE expires <= ? ORDER BY expires LIMIT ?", (now, STEP_ROWS)
    ).fetchall()
    return _delete(connection, rows)


def evict(connection: sqlite3.Connection, namespace: int, limits: Limits, used: Mapping[int, int]) -> tuple[int, bool]:
    """Delete some of the least recently used entries beyond the limits; their number, and whether more must go.

    `used` holds, by id, accesses that are not in the file yet; such an entry is given its place instead.
    """
    entries, size = totals(connection, namespace)
    if not limits.exceeded(entries, size):
        return 0, False
    rows = connection.execute(
        "SELECT id, size, accessed FROM entries WHERE namespace = ? ORDER BY accessed LIMIT ?", (namespace, STEP_ROWS)
    ).fetchall()
    gone: list[tuple[int, int, int]] = []
    freed = 0
    for row, row_size, accessed in rows:
        if used.get(row, 0) > accessed:
            touch(connection, {row: used[row]})
            continue
        gone.append((row, namespace, row_size))
        freed += row_size
        if not limits.exceeded(entries - len(gone), size - freed) or freed >= STEP_BYTES:
            break
    _delete(connection, gone)
    # No row left to delete though the limits are exceeded can only be a wrong count: nothing more to do.
    return len(gone), bool(rows) and limits.exceeded(entries - len(gone), size - freed)


def touch(connection: sqlite3.Connection, used: Mapping[int, int]) -> None:
    """Write access times, by id."""
    connection.executemany(
        "UPDATE entries SET accessed = max(accessed, ?) WHERE id = ?", [(when, row) for row, when in used.items()]
    )


def page(connection: sqlite3.Connection, namespace: int, now: int, last: Row | None) -> list[Row]:
    """Up to PAGE_ROWS unexpired entries of a namespace after the entry `last`, the last used first."""
    accessed, row = (last[5], last[0]) if last else (2**63 - 1, 2**63 - 1)
    return connection.execute(
        f"{_FIELDS} WHERE namespace = ? AND (accessed, id) < (?, ?) AND (expires IS NULL OR expires > ?)"
        " ORDER BY accessed DESC, id DESC LIMIT ?",
        (namespace, accessed, row, now, PAGE_ROWS),
    ).fetchall()


def _delete(connection: sqlite3.Connection, rows: list[tuple[int, int, int]]) -> int:
    """Delete rows of (id, namespace, size), as many as one transaction may; their number."""
    counts: dict[int, tuple[int, int]] = {}
    freed = done = 0
    for row, namespace, size in rows:
        connection.execute("DELETE FROM entries WHERE id = ?", (row,))
        entries, total = counts.get(namespace, (0, 0))
        counts[namespace] = (entries + 1, total + size)
        freed += size
        done += 1
        if freed >= STEP_BYTES:
            break
    for namespace, (entries, total) in counts.items():
        _count(connection, namespace, -entries, -total)
    return done


def _count(connection: sqlite3.Connection, namespace: int, entries: int, size: int) -> bool:
    changed = connection.execute(
        "UPDATE namespaces SET entries = entries + ?, bytes = bytes + ? WHERE id = ?", (entries, size, namespace)
    )
    return changed.rowcount > 0
