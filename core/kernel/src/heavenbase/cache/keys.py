"""Under which key an answer is kept: SHA-256 over everything that can change it, and over who may share it."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from hashlib import sha256
from json.encoder import encode_basestring_ascii as _quoted
from pathlib import Path
from typing import Any

from heavenbase.call import Call
from heavenbase.errors import CacheError, InputTypeError
from heavenbase.options import PROXIES, may_hold_secret
from heavenbase.registry import Registry
from heavenbase.secrets import Secret, mapped, mask
from heavenbase.spec import LLMSpec

KEY_FORMAT = 2
KEY_BYTES = 32
REMEMBERED = 512
COSMETIC = frozenset({"aliases", "description", "title"})
"""Entries of records that no request depends on."""
LONGEST_KEPT = 1 << 16


class Keys:
    """Makes the keys of one kernel. What belongs to a spec is hashed once and copied for each call."""

    def __init__(self, registry: Registry, data_dir: Path | None, environ: Mapping[str, str] | None = None) -> None:
        self._registry = registry
        self._environ = environ
        self._data_dir = data_dir
        self._installation: bytes | None = None
        self._prefixes: dict[tuple[int, str | None], tuple[LLMSpec, Any]] = {}

    def of(self, call: Call, shared: str | None) -> bytes:
        """The key of a chat or of an image generation. Raises CacheError, and InputTypeError for what has no key."""
        hasher = self.with_args(call.spec, call.args, shared, call.verb, call.controls)
        if call.verb == "complete":
            hasher.update(messages_of(call.messages))
        else:
            hasher.update(canonical({"prompt": call.prompt, "images": call.images}).encode())
        return hasher.digest()  # type: ignore[no-any-return]

    def of_inputs(self, call: Call, texts: Sequence[str], shared: str | None) -> list[bytes]:
        """The keys of the inputs of an embedding, in order."""
        start = self.with_args(call.spec, call.args, shared, call.verb, call.controls)
        found = []
        for text in texts:
            hasher = start.copy()
            hasher.update(_quoted(text).encode())
            found.append(hasher.digest())
        return found

    def with_args(
        self, spec: LLMSpec, args: Mapping[str, Any], shared: str | None, verb: str, controls: Mapping[str, Any]
    ) -> Any:
        """A hash to go on with: the spec, the verb, the arguments, who may answer in the endpoint's place, and whom."""
        hasher = self._prefix(spec, shared).copy()
        parts = [verb, canonical(args)]
        # The order of properties in a schema is the order that a model writes them in.
        parts += [canonical(args[name], ordered=True) for name in ("tools", "response_format") if name in args]
        if (proxy := self._proxy(spec, controls)) is not None:
            parts.append(f"proxy {proxy}")
        if tenant := controls.get("tenant"):  # whoever shares a namespace: what one was told is no business of another
            parts.append(f"tenant {canonical(tenant)}")
        hasher.update(("\n".join(parts) + "\n").encode())
        return hasher

    def _proxy(self, spec: LLMSpec, controls: Mapping[str, Any]) -> str | None:
        """Host and port of the proxy that requests in clear text go over: its answers may be its own."""
        url = spec.base_url
        if not url or not url.lower().startswith("http://"):
            return None
        given = {name: controls[name] if name in controls else spec.args.get(name) for name in PROXIES}
        from heavenbase.http.transport.connections import choose_proxy  # loads what only requests need

        proxy = choose_proxy(url, **given, environ=self._environ)
        return proxy and proxy.partition("://")[2].rpartition("@")[2].rstrip("/").lower()

    def description(self, call: Call, shared: str | None) -> dict[str, Any]:
        """What the key of a call was made from, to be kept with the answer: no credential, no image, no long blob."""
        spec = call.spec
        about: dict[str, Any] = {
            **self._identity(spec, shared),
            "headers": {name: self._fingerprint(value) for name, value in _headers(spec).items()},
            "records": {name: self._fingerprint(canonical(record)) for name, record in _records(spec).items()},
            "args": {
                name: self._fingerprint(canonical(value)) if may_hold_secret(name) else mask(value)
                for name, value in call.args.items()
            },
            "verb": call.verb,
        }
        if (proxy := self._proxy(spec, call.controls)) is not None:
            about["proxy"] = proxy
        if tenant := call.controls.get("tenant"):
            about["tenant"] = self._fingerprint(canonical(tenant))
        for place in ("base_url", "provider_url"):
            about[place] = _without_secrets(about[place])
        if call.verb == "complete":
            about["messages"] = call.messages
        elif call.verb == "imagen":
            about["prompt"], about["images"] = call.prompt, call.images
        return clipped(json.loads(canonical(about)))  # type: ignore[no-any-return]

    def forget(self) -> None:
        """Drop what is kept about specs."""
        self._prefixes.clear()

    def _prefix(self, spec: LLMSpec, shared: str | None) -> Any:
        found = self._prefixes.get((id(spec), shared))
        if found is not None and found[0] is spec:
            return found[1]
        material = {**self._identity(spec, shared), "headers": _headers(spec), "records": _records(spec)}
        hasher = sha256(f"{canonical(material)}\n".encode())
        if len(self._prefixes) >= REMEMBERED:
            self._prefixes.clear()
        self._prefixes[id(spec), shared] = (spec, hasher)
        return hasher

    def _identity(self, spec: LLMSpec, shared: str | None) -> dict[str, Any]:
        return {
            "format": KEY_FORMAT,
            "provider": spec.provider,
            "gateway": spec.gateway,
            "model": spec.model_id,
            "base_url": spec.base_url,
            "provider_url": spec.provider_url,
            "plugins": self._versions(spec),
            "credential": self.credential(spec, shared),
        }

    def _versions(self, spec: LLMSpec) -> dict[str, str]:
        vision = self._registry.load("gateways", spec.gateway).vision
        named = {"gateways": spec.gateway, "providers": spec.provider, "vision": vision}
        found = {}
        for kind, name in named.items():
            claims = self._registry.inventory.claims(kind, name) if name else []
            if claims:
                found[f"{kind}:{name}"] = claims[0].version
            elif name and self._registry.has(kind, name):
                given = self._registry.load(kind, name)
                version = getattr(given, "version", "")
                found[f"{kind}:{name}"] = f"{type(given).__module__}.{type(given).__qualname__} {version}".strip()
        return found

    def credential(self, spec: LLMSpec, shared: str | None) -> str:
        """Who may share entries: everybody of the named namespace, else the holders of the same keys on this machine.

        Raises CacheError when the key of this installation cannot be kept.
        """
        if shared:
            return f"shared:{shared}"
        keys = [key for key in (spec.api_key, spec.gateway_key) if key is not None]
        return "+".join(key.fingerprint(self._own()) for key in keys) or "none"

    def _fingerprint(self, text: str) -> str:
        return Secret(text).fingerprint(self._own())[:16]

    def _own(self) -> bytes:
        # A cached_property would hold a lock, at which a forked child may wait for ever.
        if self._installation is None:
            # Without a folder the key lives as long as the kernel, and so do the entries that it can find.
            self._installation = installation_key(self._data_dir) if self._data_dir else os.urandom(KEY_BYTES)
        return self._installation


def messages_of(messages: Sequence[Mapping[str, Any]]) -> bytes:
    """The canonical JSON of messages; those that are nothing but text take a way that costs a tenth."""
    parts = []
    for message in messages:
        if len(message) == 2:
            role, content = message.get("role"), message.get("content")
            if type(role) is str and type(content) is str:
                parts.append(f'{{"content":{_quoted(content)},"role":{_quoted(role)}}}')
                continue
        parts.append(canonical(message))
    return f"[{','.join(parts)}]".encode()


def canonical(value: Any, *, ordered: bool = False) -> str:
    """The value as ASCII JSON without blanks, keys sorted unless `ordered`. Raises InputTypeError for what has none."""
    try:
        return json.dumps(value, sort_keys=not ordered, separators=(",", ":"), default=_plain)
    except (TypeError, ValueError, RecursionError) as error:
        raise InputTypeError(f"no cache key can be made: {error}") from error


def clipped(value: Any) -> Any:
    """Plain data with every very long text in it replaced by its length and SHA-256."""

    def clip(leaf: Any) -> Any:
        if not isinstance(leaf, str) or len(leaf) <= LONGEST_KEPT:
            return leaf
        return f"<{len(leaf)} characters, sha256 {sha256(leaf.encode('utf-8', 'surrogatepass')).hexdigest()}>"

    return mapped(value, clip)


def _plain(value: Any) -> Any:
    """What JSON has no word for. An object that could change unseen has no key, so that its call is not cached."""
    digest = getattr(value, "digest", None)
    if callable(digest):  # an image: by its bytes, or by its URL, which is not fetched
        return {"image": digest(), "detail": getattr(value, "detail", None)}
    if isinstance(value, bytes | bytearray):
        return {"bytes": sha256(value).hexdigest()}
    if isinstance(value, set | frozenset):
        return sorted(value, key=str)
    if not isinstance(value, type):
        if hasattr(value, "keys"):
            return {name: value[name] for name in value.keys()}  # noqa: SIM118 - mappings need not iterate over keys
        if hasattr(value, "model_dump"):
            return {"model": f"{type(value).__module__}.{type(value).__qualname__}", "fields": value.model_dump()}
        if hasattr(value, "tolist"):
            return value.tolist()
        if type(value).__module__ in ("datetime", "decimal", "uuid", "fractions"):
            return {"type": type(value).__qualname__, "value": str(value)}
    elif hasattr(value, "model_json_schema"):
        return {"model": f"{value.__module__}.{value.__qualname__}", "schema": value.model_json_schema()}
    raise TypeError(f"{type(value).__name__} has no canonical form")


def _headers(spec: LLMSpec) -> dict[str, str]:
    return {name.lower(): str(value) for name, value in spec.headers.items()}


def _records(spec: LLMSpec) -> dict[str, Any]:
    tables = {"provider": spec.provider_record, "gateway": spec.gateway_record, "model": spec.model_record}
    return {name: {key: value for key, value in table.items() if key not in COSMETIC} for name, table in tables.items()}


def _without_secrets(url: Any) -> Any:
    """A URL without what may be a credential in it."""
    if not isinstance(url, str):
        return url
    from urllib.parse import urlsplit

    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2], query="", fragment="").geturl()


def installation_key(folder: Path) -> bytes:
    """32 random bytes that belong to this installation, made on first use, readable by its user only."""
    path = folder / "cache.key"
    try:
        while True:
            found = path.read_bytes() if path.exists() else None
            if found is not None and len(found) == KEY_BYTES:
                return found
            _make_key(path, broken=found is not None)
    except OSError as error:
        raise CacheError(f"cannot keep the key of the cache in {folder}: {error}") from error


def _make_key(path: Path, *, broken: bool) -> None:
    from tempfile import mkstemp  # once in the life of an installation

    # Written whole under another name first: other processes must never read half of it.
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    handle, fresh = mkstemp(prefix="cache.key.", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as out:
            out.write(os.urandom(KEY_BYTES))
        try:
            (os.replace if broken else os.link)(fresh, path)
        except FileExistsError:
            pass  # another process was faster
        except OSError:  # a file system without links
            os.replace(fresh, path)
    finally:
        with suppress(FileNotFoundError):
            os.unlink(fresh)
