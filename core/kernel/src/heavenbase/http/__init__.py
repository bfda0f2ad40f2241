"""What every gateway over HTTP shares: transports with separate clocks, server-sent events, errors from statuses.

    protocol     requests and answers as plain data, for a transport that a kernel was given
    exchange     limits, clocks and progress of one request
    transport    SDK clients' way to the wire: httpx2 or httpx outside, httpcore2 pools (or aiohttp) inside
    events       streamed bodies as events
    status       an error answer as an error of hb
    rules        what a provider drops, renames and clamps, and what a caller adds past all parameters
    attempt      one attempt of a call, read in both colours
    gateway      a gateway whose verbs are attempts; addresses, keys, routes and HTTP clients for the clients of SDKs
    payload      JSON to and from bytes, strictly; the shapes of decoded answers

Nothing here is loaded before a gateway makes its first call.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from heavenbase._lazy import front

if TYPE_CHECKING:
    from heavenbase.http.attempt import EventSource as EventSource, HTTPAttempt as HTTPAttempt
    from heavenbase.http.attempt import StreamState as StreamState
    from heavenbase.http.events import IMAGE_EVENT_LIMIT as IMAGE_EVENT_LIMIT, TEXT_EVENT_LIMIT as TEXT_EVENT_LIMIT
    from heavenbase.http.events import Lines as Lines, ServerEvents as ServerEvents
    from heavenbase.http.gateway import HTTPGateway as HTTPGateway, HeldClient as HeldClient
    from heavenbase.http.gateway import UNTOLD as UNTOLD, NoConnections as NoConnections, authorities as authorities
    from heavenbase.http.gateway import configured_url as configured_url
    from heavenbase.http.gateway import content_of as content_of, given_key as given_key, http_client as http_client
    from heavenbase.http.gateway import http_library as http_library, needed_key as needed_key, proxy_to as proxy_to
    from heavenbase.http.gateway import sender_to as sender_to
    from heavenbase.http.payload import as_list as as_list, as_object as as_object, as_text as as_text
    from heavenbase.http.payload import decode_json as decode_json, encode_json as encode_json, kind_of as kind_of
    from heavenbase.http.payload import json_or_none as json_or_none, name_or_none as name_or_none
    from heavenbase.http.payload import number_or_none as number_or_none, request_content as request_content
    from heavenbase.http.payload import shape_error as shape_error, text_or_none as text_or_none
    from heavenbase.http.payload import whole_or_none as whole_or_none
    from heavenbase.http.rules import EXTRAS as EXTRAS, added_parts as added_parts, apply_rules as apply_rules
    from heavenbase.http.rules import keep_ruled as keep_ruled, mapping as mapping, merge_extra as merge_extra
    from heavenbase.http.status import LONGEST_WAIT as LONGEST_WAIT, call_secrets as call_secrets
    from heavenbase.http.status import embedded_error as embedded_error, is_secret_header as is_secret_header
    from heavenbase.http.status import status_error as status_error
    from heavenbase.http.transport.connections import Connections as Connections
    from heavenbase.http.transport.exchange import Headers as Headers
    from heavenbase.http.transport.transport import hb_error as hb_error

__getattr__, __dir__ = front(
    __name__,
    {
        "attempt": "EventSource HTTPAttempt StreamState",
        "events": "IMAGE_EVENT_LIMIT Lines ServerEvents TEXT_EVENT_LIMIT",
        "gateway": (
            "HTTPGateway HeldClient NoConnections UNTOLD authorities configured_url content_of given_key http_client "
            "http_library needed_key proxy_to sender_to"
        ),
        "heavenbase.http.transport.connections": "Connections",
        "heavenbase.http.transport.exchange": "Headers",
        "heavenbase.http.transport.transport": "hb_error",
        "payload": (
            "as_list as_object as_text decode_json encode_json json_or_none kind_of name_or_none number_or_none "
            "request_content shape_error text_or_none whole_or_none"
        ),
        "rules": "EXTRAS added_parts apply_rules keep_ruled mapping merge_extra",
        "status": "LONGEST_WAIT call_secrets embedded_error is_secret_header status_error",
    },
)
