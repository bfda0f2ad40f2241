"""The `.env` file of a folder: all of it where somebody asked for that, else the keys of vendors and what goes along.

A `.env` file is meant for the program that the folder holds, so that by itself hb takes nothing else from it. The
address or region of a vendor counts only beside a key of that vendor from the same file: it never moves a key of the
user's own. What is passed over and could have been meant for hb is told.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple, TypeAlias

from heavenbase.config import files
from heavenbase.config.files import Variable
from heavenbase.config.trusted import check_variables, is_proxy_or_authority, vouched
from heavenbase.config.values import references, texts
from heavenbase.errors import ConfigError, ConfigTrustError, HBWarning

SETTINGS = ("HEAVENBASE_", "HB_")
"""Beginnings of the names of hb's own variables."""
SWITCH = {**dict.fromkeys(("1", "true", "yes", "on"), True), **dict.fromkeys(("0", "false", "no", "off"), False)}
"""Words of HB_DOTENV."""


class Vendor(NamedTuple):
    """The variables of one provider: of its keys, of its addresses, regions and settings, and of accounts.

    An account is the name of an identity of this machine, such as a profile or a file, and no key.
    """

    name: str
    keys: frozenset[str] = frozenset()
    places: frozenset[str] = frozenset()
    accounts: frozenset[str] = frozenset()


Vendors: TypeAlias = Callable[[Mapping[str, str]], Iterable[Vendor]]
"""What names the variables of vendors, given those of the environment; asked only where there is a file."""


class Read(NamedTuple):
    """A file as read: its path, what is taken of it, and whether the user trusts its folder."""

    path: str
    variables: Mapping[str, Variable]
    trusted: bool

    def __repr__(self) -> str:
        return f"Read({self.path!r})"


def read_all(start: str, environ: Mapping[str, str], trusted: bool | None) -> Read | None:
    """All variables of the nearest `.env` in a folder or above it; None without one. ConfigError, ConfigTrustError."""
    path = files.find_upward(files.DOTENV_FILE, start, environ)
    if path is None:
        return None
    known = files.read_text(path)
    is_trusted = vouched(path, known[0], start, environ, trusted)
    variables = files.read_dotenv(path, known)
    if not is_trusted:
        check_variables({name: found for name, found in variables.items() if name not in environ}, path)
    return Read(path, variables, is_trusted)


def read_keys(start: str, environ: Mapping[str, str], trusted: bool | None, vendors: Iterable[Vendor]) -> Read | None:
    """The vendors' variables of the `.env` in this very folder; None where there are none.

    A file that is damaged, that others may write to or that somebody else planted is passed over with a HBWarning, as
    nobody asked for it.
    """
    path = os.path.join(os.path.abspath(start), files.DOTENV_FILE)
    try:
        text, exposed = files.read_text(path)
        variables = files.read_dotenv(path, (text, False))
        taken, passed = _chosen(variables, merged_vendors(vendors), environ)
        is_trusted = bool(taken) and vouched(path, text, start, environ, trusted)
        if not is_trusted:
            passed |= {name: why for name, why in taken.items() if why}
        if exposed and taken:
            raise ConfigError(f"{path}: may hold credentials and other users may write to it; run: chmod go-w {path}")
    except (ConfigError, ConfigTrustError) as error:
        _warn(f"{error.message}; the file is passed over (HEAVENBASE_DOTENV=false says nothing of it)")
        return None
    if passed:
        told = ", ".join(f"{name} in line {variables[name].line} ({why})" for name, why in sorted(passed.items()))
        _warn(f"{path}: passed over: {told}; HEAVENBASE_DOTENV=true reads all of the file, false nothing")
    kept = {name: variables[name] for name in taken if name not in passed}
    return Read(path, kept, is_trusted) if kept else None


def merged_vendors(vendors: Iterable[Vendor]) -> list[Vendor]:
    """The same with one entry for each name."""
    found: dict[str, Vendor] = {}
    for each in vendors:
        old = found.get(each.name, Vendor(each.name))
        keys = old.keys | each.keys
        places, accounts = (old.places | each.places) - keys, (old.accounts | each.accounts) - keys
        found[each.name] = Vendor(each.name, keys, places - accounts, accounts)
    return list(found.values())


def configured_vendors(providers: Mapping[str, Any]) -> Iterator[Vendor]:
    """The variables that rows of the settings name."""
    for name, row in providers.items():
        keys = {named for field in ("api_key", "auth_token") for named in _referred(row.get(field))}
        places = {named for field in ("base_url", "options") for named in _referred(row.get(field))}
        yield vendor(name, row, keys, places)


def vendor(name: str, record: Mapping[str, Any], keys: Iterable[str] = (), places: Iterable[str] = ()) -> Vendor:
    """The variables of a provider's record, with further ones."""
    own = [*keys, *texts(list(record.get("api_key_env") or ()))]
    named = texts([record.get(field) for field in ("base_url_env", "host_env", "env")])
    return Vendor(name, frozenset(own), frozenset([*places, *named]), frozenset(record.get("account_env") or ()))


def _chosen(
    variables: Mapping[str, Variable], vendors: list[Vendor], environ: Mapping[str, str]
) -> tuple[dict[str, str], dict[str, str]]:
    """What may be taken, each with the reason why only a trusted folder's is, or "", and what is not, with the reason.

    Of a vendor whose key stands in the environment nothing is taken, lest a file mix its own with the user's.
    """
    filled = {name for name, found in variables.items() if found.value and name not in environ}
    fresh = {name for name in filled if not is_proxy_or_authority(name)}
    passed = dict.fromkeys((name for name in fresh if name.startswith(SETTINGS)), "a setting of hb")
    fresh -= passed.keys()
    free = [each for each in vendors if not any(environ.get(name) for name in each.keys)]
    here = {each.name for each in free if each.keys & fresh}
    taken = {}
    for name in fresh:
        owners = [each.name for each in vendors if name in each.keys | each.places | each.accounts]
        if any(name in each.keys or (name in each.places and each.name in here) for each in free):
            taken[name] = ""
        elif any(name in each.keys for each in vendors):
            passed[name] = f"the environment has a key of {owners[0]}"
        elif any(name in each.places for each in vendors):
            taken[name] = f"no key of {owners[0]} comes from this file"
        elif owners:
            taken[name] = "no key, but an identity of this machine"
    return taken, passed


def _referred(value: Any) -> Iterator[str]:
    for text in texts(value):
        yield from (name for name, _ in references(text))


def _warn(text: str) -> None:
    warnings.warn(text, HBWarning, stacklevel=4)
