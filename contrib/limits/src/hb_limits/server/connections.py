"""Connections that never keep a caller waiting: making one is bounded as a whole, names and handshake included."""

from __future__ import annotations

import os
import threading
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from hb_limits.forks import Lock
from heavenbase.errors import MissingPackage

if TYPE_CHECKING:
    from hb_limits.server.circuit import Circuit
    from hb_limits.server.settings import ServerSettings

PATIENCE: Final = 1.2
"""The wait for a thread that connects, in units of the time limit: the sockets' own limits should come first."""

CONNECTIONS: Final = 4
"""Requests on their way to the server at once: each takes a fraction of a millisecond, and making a connection more."""

MISSING: Final = 'the store "redis" needs redis-py: pip install "hb-limits[redis]"'


def is_installed() -> bool:
    """Whether redis-py is there."""
    return find_spec("redis") is not None


class ServerError(Exception):
    """The server does not answer, or not as it should. It stays inside this package."""


class LeftAlone(ServerError):
    """It was not asked, as it failed often."""


class Server:
    """A server that runs scripts. It connects on first use; connecting and each answer take at most `timeout`."""

    def __init__(self, settings: ServerSettings) -> None:
        if not is_installed():
            raise MissingPackage(MISSING)
        self._settings = settings
        self._begin()

    def _begin(self) -> None:
        self._process = os.getpid()
        self._client: Any = None
        self._scripts: dict[str, Any] = {}
        self._lock = Lock()
        self._places = threading.BoundedSemaphore(CONNECTIONS)

    def run(self, script: str, keys: list[bytes], args: list[Any], circuit: Circuit | None = None) -> Any:
        """What a script answers, unless the circuit is open. Raises ServerError.

        A connection that the server had closed meanwhile is made anew, once.
        """
        if self._process != os.getpid():  # places that the parent's threads had nobody gives back
            self._begin()
        with self._places:
            # Asked only now: while others were on their way, it may have become known that the server is away.
            if circuit is not None and not circuit.ready():
                raise LeftAlone(f"{self._settings.place} is left alone, as it failed often")
            try:
                found = self._run(script, keys, args)
            except ServerError:
                if circuit is not None:
                    circuit.failed()
                raise
        return found

    def _run(self, script: str, keys: list[bytes], args: list[Any]) -> Any:
        from redis.exceptions import ConnectionError as Disconnected

        prepared = self._prepared(script)
        try:
            try:
                return prepared(keys=keys, args=args)
            except Disconnected:
                self._client.connection_pool.disconnect(inuse_connections=False)
                return prepared(keys=keys, args=args)
        except Exception as error:  # whatever a client raises: it costs no call
            raise ServerError(f"{self._settings.place} does not work: {error}") from error

    def _prepared(self, script: str) -> Any:
        with self._lock:  # only here redis-py is loaded: in a thread, where a loop must not wait for that
            if self._client is None:
                self._client = _client(self._settings)
            found = self._scripts.get(script)
            if found is None:
                found = self._scripts[script] = self._client.register_script(script)
        return found

    def close(self) -> None:
        """Close the connections."""
        if self._client is None:
            return
        self._client.close()
        self._client.connection_pool.disconnect()


def _client(settings: ServerSettings) -> Any:
    from redis import Redis
    from redis.backoff import NoBackoff
    from redis.connection import ConnectionPool
    from redis.retry import Retry

    pool = ConnectionPool.from_url(str(settings.url))
    pool.connection_class = _kinds()[urlsplit(settings.url).scheme]
    pool.connection_kwargs |= {
        "socket_timeout": settings.timeout,
        "socket_connect_timeout": settings.timeout,
        "retry": Retry(NoBackoff(), 0),
        "retry_on_error": [],
        "health_check_interval": 0,
        "decode_responses": False,
    }
    return Redis(connection_pool=pool)


def _kinds() -> dict[str, type[Any]]:
    from redis.connection import Connection, SSLConnection, UnixDomainSocketConnection

    kinds = {"redis": Connection, "rediss": SSLConnection, "unix": UnixDomainSocketConnection}
    return {scheme: type(f"Bounded{kind.__name__}", (_Bounded, kind), {}) for scheme, kind in kinds.items()}


class _Bounded:
    """Connects in a thread, as looking up a name cannot be interrupted, and waits for it no longer than allowed."""

    socket_connect_timeout: float | None
    _connecting: threading.Thread | None = None

    def connect(self) -> None:
        """Connect within `socket_connect_timeout`. Raises TimeoutError of redis-py."""
        from redis.exceptions import ConnectionError as Disconnected
        from redis.exceptions import RedisError
        from redis.exceptions import TimeoutError as TimedOut

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

        thread = self._connecting = threading.Thread(target=work, name="hb-limits-connect", daemon=True)
        thread.start()
        thread.join((self.socket_connect_timeout or 0.1) * PATIENCE)
        if thread.is_alive():
            given_up.set()
            raise TimedOut(f"no connection within {self.socket_connect_timeout:g} s")
        self._connecting = None
        if failure:
            error = failure[0]
            raise error if isinstance(error, RedisError | OSError) else Disconnected(str(error)) from error
