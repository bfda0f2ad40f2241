"""What HTTP libraries and SDKs log of hb's requests: all that they do, but for what may be a credential."""

from __future__ import annotations

import logging

from heavenbase.http.transport.exchange import CURRENT
from heavenbase.secrets import scrubber


class _Scrubbing(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        """Let every record pass; one about a request of hb without the secrets of its call."""
        exchange = CURRENT.get()
        if exchange is not None and exchange.secrets is not None:
            record.msg, record.args = scrubber(exchange.secrets())(record.getMessage()), ()
        return True


_SCRUBBING = _Scrubbing()


def scrub_logs(name: str) -> None:
    """Keep secrets of hb's requests out of the records of a logger, whatever its level; those of others stay."""
    logging.getLogger(name).addFilter(_SCRUBBING)
