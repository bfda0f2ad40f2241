"""Below the SDK: one exchange over pooled connections, in both colours, with its own clocks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from heavenbase._lazy import front

if TYPE_CHECKING:
    from heavenbase.http.transport.connections import tls_context as tls_context
    from heavenbase.http.transport.logs import scrub_logs as scrub_logs
    from heavenbase.http.transport.transport import async_client as async_client, hb_error as hb_error
    from heavenbase.http.transport.transport import sync_client as sync_client

__getattr__, __dir__ = front(
    __name__,
    {
        "connections": "tls_context",
        "logs": "scrub_logs",
        "transport": "async_client hb_error sync_client",
    },
)
