"""Connections that never keep a caller waiting: making one is bounded as a whole, names and handshake included."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from redis import Redis
from redis.backoff import NoBackoff
from redis.connection import Connection, ConnectionPool, SSLConnection, UnixDomainSocketConnection
from redis.exceptions import ConnectionError as Disconnected
from redis.exceptions import RedisError
from redis.exceptions import TimeoutError as TimedOut
from redis.retry import Retry

if TYPE_CHECKING:
    from hb_cache_redis.settings import Settings

PATIENCE = 1.2
"""The wait for a thread that connects, in units of the time limit: the sockets' own limits should come first."""


class _Bounded:
    """Connects in a thread, as looking up a name cannot be interrupted, and waits for it no longer than allowed."""

    socket_connect_timeout: float | None
    _connecting: threading.Thread | None = None

    def connect(self) -> None:
        """Connect within `socket_connect_timeout`. Raises TimeoutError of redis-py."""
        if self._connecting is not None and self._connecting.is_alive():
            # Also where it has its socket by now: it was given up, and will close that.
            raise TimedOut("the server does not answer; an earlier attempt to connect still waits")
        if getattr(self, "_sock", None) is not None:
            return
        failure: list[BaseException] = []
        given_up = threading.Event()

        def work() -> None:
            try:
                super(_Bounded, self).connect()  # type: ignore[misc]
            except BaseException as error:
                failure.append(error)
            if given_up.is_set():
                self.disconnect()  # type: ignore[attr-defined]

        thread = self._connecting = threading.Thread(target=work, name="hb-cache-redis", daemon=True)
        thread.start()
        thread.join((self.socket_connect_timeout or 0.1) * PATIENCE)
        if thread.is_alive():
            given_up.set()
            raise TimedOut(f"no connection within {self.socket_connect_timeout:g} s")
        self._connecting = None
        if failure:
            error = failure[0]
            raise error if isinstance(error, RedisError | OSError) else Disconnected(str(error)) from error


class _Plain(_Bounded, Connection):
    pass


class _Secured(_Bounded, SSLConnection):
    pass


class _Local(_Bounded, UnixDomainSocketConnection):
    pass


KINDS: dict[str, type[Any]] = {"redis": _Plain, "rediss": _Secured, "unix": _Local}


def client(settings: Settings) -> Redis:
    """A client that connects on first use, waits at most `timeout` to connect and as long for an answer, and never
    tries again by itself."""
    pool = ConnectionPool.from_url(settings.url)
    pool.connection_class = KINDS[urlsplit(settings.url).scheme]
    pool.connection_kwargs |= {
        "socket_timeout": settings.timeout,
        "socket_connect_timeout": settings.timeout,
        "retry": Retry(NoBackoff(), 0),
        "retry_on_error": [],
        "health_check_interval": 0,
        "decode_responses": False,
    }
    return Redis(connection_pool=pool)


def place(url: str) -> str:
    """The server as it may be shown: without user and password."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
