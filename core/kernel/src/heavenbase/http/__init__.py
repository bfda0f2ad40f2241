"""What every gateway over HTTP shares: transports with separate clocks, server-sent events, errors from statuses.

    protocol     requests and answers as plain data, for a transport that a kernel was given
    exchange     limits, clocks and progress of one request
    client       addresses, keys, routes and HTTP clients for the clients of SDKs
    transport    SDK clients' way to the wire: httpx2 or httpx outside, httpcore2 pools (or aiohttp) inside
    sse          the event-stream parser
    status       an error answer as an error of hb
    rules        what a provider drops, renames and clamps
    extras       what a caller adds to a request past all parameters
    shapes       what readers of decoded answers share
    attempt      one attempt of a call, read in both colours; `heavenbase.http.gateway` makes its verbs of it
    payload      JSON to and from bytes, strictly

Nothing here is loaded before a gateway makes its first call.
"""
