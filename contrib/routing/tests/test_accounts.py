"""What was given for one address and account of a provider does not reach another of the same name."""

from __future__ import annotations

from typing import Any

import pytest

from hb_routing import fallback
from heavenbase.errors import FallbackExhausted

from .support import House, colours

BODY = {"extra_body": {"service_tier": "flex"}}
HEADERS = {"extra_headers": {"authorization": "Bearer by-header", "x-mine": "of-the-caller"}}


def elsewhere(house: House, **args: Any) -> dict[str, Any]:
    """A target of the provider `one` at the address of another server."""
    return {"model": "one/n", "args": {"base_url": house.servers["two"].url("two"), **args}}


def sent_to(house: House, name: str) -> list[str]:
    return [f"{request.headers} {request.json}" for request in house.servers[name].requests]


@pytest.mark.parametrize("given", [{"api_key": "call-key"}, {"headers": {"x-secret": "call-key"}}])
@pytest.mark.parametrize("is_default", [False, True])
def test_a_key_for_all_stays_with_the_first_address(house: House, given: dict[str, Any], is_default: bool) -> None:
    house.servers["one"].strike("S5.500", "one")
    target = elsewhere(house, api_key="own-key")
    llm = house.llm("one/m", target, max_retries=0, **(given if is_default else {}))
    for ask in colours(house, llm, **({} if is_default else given)):
        ask()
    assert all("call-key" in each for each in sent_to(house, "one"))
    assert house.counts()[1] > 0
    assert all("own-key" in each and "call-key" not in each for each in sent_to(house, "two"))


def test_an_address_for_all_moves_no_target_that_has_its_own(house: House) -> None:
    house.servers["three"].reply("no", status=500)
    llm = house.llm("one/m", elsewhere(house), base_url=house.servers["three"].url("three"), max_retries=0)
    assert llm.complete("hi").text == "echo: hi"
    assert house.counts() == (0, 1, 1)


def test_what_is_given_for_all_reaches_targets_of_the_same_account(house: House) -> None:
    house.servers["three"].reply("no", status=500)
    place = house.servers["three"].url("three")
    llm = house.llm("one/m", "one/n", base_url=place, api_key="call-key", max_retries=0, **BODY)
    assert llm.complete("hi").served_by == "one/n"
    assert house.counts() == (0, 0, 2)
    assert all("Bearer call-key" in each and "flex" in each for each in sent_to(house, "three"))


@pytest.mark.parametrize("given", [BODY, HEADERS, {"default_headers": {"x-api-key": "of-the-caller"}}])
def test_headers_and_extras_stay_with_the_address_that_they_were_written_for(
    house: House, given: dict[str, Any]
) -> None:
    house.servers["one"].strike("S5.500", "one")
    with pytest.raises(FallbackExhausted, match=f"{next(iter(given))} belongs to another account of one"):
        house.llm("one/m", elsewhere(house), max_retries=0, **given).chat("hi")
    assert house.counts() == (1, 0, 0)
    llm = house.routed(fallback("one/m", elsewhere(house), on_foreign="strip"), max_retries=0, **given)
    answer = llm.complete("hi")
    told = "".join(sent_to(house, "two"))
    assert "of-the-caller" not in told
    assert "by-header" not in told
    assert "flex" not in told
    assert answer.report.entries[next(iter(given))].outcome == "dropped"
    assert "service_tier" not in answer.report.entries  # nor is it said to be sent


def test_headers_with_credentials_stay_with_their_account(house: House) -> None:
    house.servers["one"].reply("no", status=500)
    other = {"model": "one/n", "args": {"api_key": "another-account"}}
    with pytest.raises(FallbackExhausted, match="extra_headers belongs to another account"):
        house.llm("one/m", other, max_retries=0, **HEADERS).chat("hi")
    house.servers["one"].reply("no", status=500)
    assert house.llm("one/m", other, max_retries=0, **BODY).complete("hi").served_by == "one/n"


def test_each_of_two_addresses_has_its_own_by_provider(house: House) -> None:
    house.servers["one"].strike("S5.500", "one")
    llm = house.llm("one/m", elsewhere(house), max_retries=0, by_provider={"one": BODY})
    assert llm.complete("hi").served_by == "one/n"
    assert "flex" in "".join(sent_to(house, "two"))


@pytest.mark.parametrize("on_foreign", ["skip", "strip", "pin"])
def test_a_file_is_asked_about_with_the_key_of_its_account_whosever_turn_it_is(house: House, on_foreign: str) -> None:
    llm = house.routed(fallback({"model": "one/m", "keys": ["first-key", "second-key"]}, on_foreign=on_foreign))
    said = [{"role": "user", "content": [{"type": "file", "file": {"file_id": "file-of-the-first"}}]}]
    for ask in [*colours(house, llm, said), *colours(house, llm, said)]:
        ask()
    assert house.counts() == (8, 0, 0)
    assert all("Bearer first-key" in each and "file-of-the-first" in each for each in sent_to(house, "one"))
