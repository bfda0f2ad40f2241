"""Files that a wire keeps, and the routes of OpenAI's and Anthropic's endpoints for them."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs

from hb_testing.server.answers import Answer, Reply
from hb_testing.server.multipart import parse_form
from hb_testing.server.wire import Exchange, Rejected

CREATED = 1_700_000_000


class KeptFiles:
    """What was uploaded, by id: what the wire says of a file, and its bytes."""

    def __init__(self, *, is_anthropic: bool = False) -> None:
        self.kept: dict[str, tuple[dict[str, Any], bytes]] = {}
        self._is_anthropic = is_anthropic
        self._count = 0

    def put(self, said: dict[str, Any], data: bytes, name: str = "id", prefix: str = "file-") -> dict[str, Any]:
        """Keep a file; what is said of it, with its id."""
        self._count += 1
        whole = {name: f"{prefix}{self._count}", **said}
        self.kept[whole[name]] = (whole, data)
        return whole

    def upload(self, exchange: Exchange) -> Answer:
        """Take a form."""
        try:
            parts = parse_form(exchange.request.headers.get("content-type", ""), exchange.request.body)
        except ValueError as error:
            raise Rejected(f"Could not parse multipart form: {error}") from None
        files = [part for part in parts if part.filename is not None and part.name == "file"]
        fields = {part.name: part.data.decode() for part in parts if part.filename is None}
        if len(files) != 1:
            raise Rejected("one file is required", param="file")
        [file] = files
        if self._is_anthropic:
            if fields:
                raise Rejected(f"{', '.join(fields)}: Extra inputs are not permitted")
            said: dict[str, Any] = {"type": "file", "filename": file.filename, "mime_type": "application/pdf"}
            said |= {"size_bytes": len(file.data), "created_at": "2025-09-29T00:00:00Z", "downloadable": False}
        else:
            if "purpose" not in fields:
                raise Rejected("'purpose' is a required property", param="purpose")
            said = {"object": "file", "bytes": len(file.data), "created_at": CREATED, "filename": file.filename}
            said |= {"purpose": fields["purpose"], "status": "processed"}
        # Replies that wait beside a file for a batch are for the requests in it.
        reply = exchange.given or (Reply() if said.get("purpose") == "batch" else exchange.reply())
        return reply if reply.raw else Reply(body=self.put(said, file.data), headers=reply.headers)

    def page(self, exchange: Exchange) -> Answer:
        """A page of the list, behind the file that `after` or `after_id` names."""
        asked = {name: values[-1] for name, values in parse_qs(exchange.query).items()}
        known = list(self.kept)
        after = asked.get("after_id" if self._is_anthropic else "after")
        start = known.index(after) + 1 if after is not None else 0
        end = start + int(asked.get("limit", "20"))
        rows = [self.kept[each][0] for each in known[start:end]]
        body = {"data": rows, "has_more": end < len(known), "last_id": rows[-1]["id"] if rows else None}
        return exchange.reply(Reply(body=body if self._is_anthropic else {"object": "list", **body}))

    def said(self, exchange: Exchange) -> Answer:
        """What is said of a file."""
        reply = exchange.reply()
        return reply if reply.raw else Reply(body=self._found(exchange)[0])

    def delete(self, exchange: Exchange) -> Answer:
        """Forget a file."""
        reply = exchange.reply()
        if reply.raw:
            return reply
        name = self._found(exchange)[0]["id"]
        del self.kept[name]
        said = {"type": "file_deleted"} if self._is_anthropic else {"object": "file", "deleted": True}
        return Reply(body={"id": name, **said})

    def content(self, exchange: Exchange) -> Answer:
        """The bytes of a file."""
        return exchange.reply(Reply(body=self._found(exchange)[1]))

    def _found(self, exchange: Exchange) -> tuple[dict[str, Any], bytes]:
        name = exchange.params["file"]
        if name not in self.kept:
            raise Rejected(f"No such File object: {name}", status=404, param="id", code=None)
        return self.kept[name]
