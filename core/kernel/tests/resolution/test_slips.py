"""A model's name that is a slip: told with the name that was likely meant, and an error where all are listed."""

from __future__ import annotations

import warnings
from typing import Any

import pytest

from heavenbase.config.config import Config
from heavenbase.errors import UnknownModelError, UnknownModelWarning
from heavenbase.kernel import Kernel
from heavenbase.llm import LLM
from heavenbase.resolution.slips import meant_model

from ..support import CodeProvider, make_kernel

LISTED = ["claude-sonnet-5", "claude-opus-5", "claude-haiku-4-5", "gpt-5.6-luna", "gpt-5.4-mini", "gpt-5.5", "ds-flash"]


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Kernel:
    home = str(tmp_path_factory.mktemp("home"))
    return Kernel(Config.from_dict({}, environ={"HEAVENBASE_HOME": home}))


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("claude-sonet-5", "claude-sonnet-5"),
        ("claude-hiaku-4-5", "claude-haiku-4-5"),
        ("ds-flahs", "ds-flash"),
        ("gtp-5.5", "gpt-5.5"),
        ("GPT-5.6-lnua", "gpt-5.6-luna"),
        *((name, None) for name in ("claude-sonnet-6", "gpt-4o-mini", "gpt-5.7", "gpt-5.5-codex", "claude-opus-5-1")),
        *((name, None) for name in ("gpt-5.5", "ds-flashx", "my-deployment", "llama-3.1-8b-instant", "o3", "")),
    ],
)
def test_a6_a_slip_is_one_letter_off_and_no_newer_model(name: str, meant: str | None) -> None:
    assert meant_model(name, LISTED) == meant


@pytest.mark.parametrize(
    ("names", "near"),
    [
        ({"model": "ds-flahs", "provider": "deepseek"}, "ds-flash"),
        ({"model": "deepseek/ds-flahs"}, "ds-flash"),
        ({"model": "claude-sonet-5"}, "claude-sonnet-5"),
        ({"model": "gpt-5.6-lnua", "provider": "openai"}, "gpt-5.6-luna"),
        ({"model": "anthropic/claude-sonet-5", "provider": "openrouter"}, "anthropic/claude-sonnet-5"),
    ],
)
def test_a6_a_slip_beside_a_provider_warns_with_the_name_that_was_meant(
    installed: Kernel, names: dict[str, Any], near: str
) -> None:
    for _ in range(2):  # also where the answer is remembered
        with pytest.warns(UnknownModelWarning, match=rf"lists no model .*; did you mean '{near}'\?") as told:
            spec = LLM(kernel=installed, **names).spec
        assert told[0].filename == __file__
        if "provider" not in names:
            with pytest.warns(UnknownModelWarning, match="did you mean") as told:
                LLM(kernel=installed, model=[names["model"], "deepseek/ds-flash"])
            assert told[0].filename == __file__
    assert spec.model_id == names["model"].removeprefix("deepseek/")


def test_a6_models_that_are_not_listed_are_no_slips(installed: Kernel) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for name in ("gpt-4o-mini", "claude-sonnet-9", "gemini-9-pro", "groq/llama-3.1-8b-instant", "ollama/llama3.2"):
            assert LLM(model=name, kernel=installed).spec.model_id == name.partition("/")[2] or name


def kernel(policy: str | None, *, lists_all: bool = False) -> Kernel:
    config: dict[str, Any] = {"heavenbase.llm.models.large": {"providers": {"acme": "acme-large-1"}}}
    config["heavenbase.llm.models.other"] = {"providers": {"beta": "other-1"}}
    if policy is not None:
        config["heavenbase.llm.model_mismatch"] = policy
    return make_kernel(config=config, plugins=(CodeProvider(allow_unknown_models=not lists_all),))


def test_a6_where_a_provider_lists_all_its_models_another_is_an_error() -> None:
    with pytest.raises(UnknownModelError, match="did you mean 'acme-large-1'"):
        kernel(None, lists_all=True).resolve(model="acme-lagre-1", provider="acme")


@pytest.mark.parametrize(
    ("policy", "model", "sent", "words"),
    [
        ("raise", "acme-lagre-1", "acme-lagre-1", "did you mean 'acme-large-1'"),
        ("raise", "new-1", "new-1", None),
        ("warn", "new-1", "new-1", "lists no model 'new-1'"),
        ("warn", "other", "other", "does not offer model 'other'"),
        ("match", "acme-lagre-1", "acme-large-1", "'acme-large-1' is taken"),
        ("match", "lagre", "acme-large-1", "'large' is taken"),
        ("match", "new-1", "new-1", None),
        ("ignore", "acme-lagre-1", "acme-lagre-1", None),
        ("ignore", "other", "other", None),
    ],
)
def test_a2_model_mismatch_does_what_its_page_says(policy: str, model: str, sent: str, words: str | None) -> None:
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        assert kernel(policy).resolve(model=model, provider="acme").model_id == sent
    assert [str(each.message) for each in told if words is None or words not in str(each.message)] == []
    assert len(told) == (words is not None)


@pytest.mark.parametrize("policy", ["raise", "match"])
def test_a2_a_model_of_others_is_refused_unless_the_settings_say_otherwise(policy: str) -> None:
    with pytest.raises(UnknownModelError, match="does not offer model 'other'"):
        kernel(policy).resolve(model="other", provider="acme")
    with pytest.raises(UnknownModelError):
        kernel(policy, lists_all=True).resolve(model="new-1", provider="acme")
