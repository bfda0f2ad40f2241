"""The proofs of all other keys of the configuration than rows of arguments and capabilities."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from tests.settings_proofs import (
    ARGUMENTS,
    BROKEN,
    CLAUDE,
    EMBED,
    FAILING,
    IMAGE,
    IMAGEN,
    INVALID,
    LATE,
    LOSSY,
    MARKED,
    NAMED,
    PORTKEY,
    SEES,
    THREE,
    TOOLS,
    TWICE,
    Proof,
    answered,
    both,
    count,
    got,
    header,
    lacks,
    path,
    prompt,
    said,
    sent,
    told,
)
from tests.settings_proofs import (
    PROOFS as PROOFS,
)
from tests.settings_rig import Act

# Calls

GGUF = struct.pack("<4sIQQ", b"GGUF", 3, 0, 0).decode() + "weights " * 512

ZETA = {"gateway": "openai", "base_url": "ORIGIN/elsewhere/v1", "api_key": "sk-zeta-000", "allow_unknown_models": True}
TWO = {
    "llm.providers.zeta": ZETA,
    "llm.models.tiny": {"default_provider": None, "providers": {"zeta": "z-1", "acme": "tiny-1"}},
}
"""A model at two providers, of which the first is taken."""
SILENT = {"llm.providers.acme.base_url": "https://SILENT/v1", "llm.retry.max_attempts": 1}
ONCE = {"llm.retry.max_attempts": 1}
FOR_EVER = {"llm.timeouts.total": 10, "llm.retry.max_delay": 1e9}

PROOFS |= {
    "llm.default_gateway": Proof(
        "mock", both(count(0), got("mock response")), Act(settings={"llm.providers.acme.gateway": None})
    ),
    "llm.default_provider": Proof(
        "zeta",
        sent(model="z-1"),
        Act(settings=TWO),
    ),
    "llm.default_preset": Proof("house", sent(model="tiny-1"), Act(names={})),
    "llm.table": Proof("priced", said("priced by priced"), Act(), site=True),
    "llm.model_mismatch": Proof(
        "ignore",
        count(1),
        Act(names={"model": "acme/tiny-2"}, settings={"llm.providers.acme.allow_unknown_models": False}),
    ),
    "llm.image_url_timeout": Proof(
        0.03,
        said("0.03 s"),
        replace(SEES, settings={"llm.image_allow_hosts": ["127.0.0.1"]}, replies=({"delay": 0.1},)),
    ),
    "llm.image_allow_hosts": Proof(["127.0.0.1"], lambda seen: "data:image" in str(seen.body), replace(SEES)),
    "llm.strict_plugins": Proof(
        True,
        both(count(0), said("broken' cannot be used")),
        Act(settings={"llm.providers.acme.gateway": "broken", "llm.providers.acme.wire": "openai"}),
        site=True,
    ),
    "llm.middleware": Proof(["loud"], both(count(1), said("loud heard the call")), site=True),
    "llm.tool_call_repair.enabled": Proof(True, answered("42"), BROKEN),
    "llm.tool_call_repair.strict": Proof(
        True,
        said("cannot be read"),
        replace(
            TOOLS,
            settings={"llm.tool_call_repair.enabled": True},
            replies=({"tool_calls": [{"id": "c1", "name": "twice", "arguments": "no idea"}]}, {"text": "ok"}),
        ),
    ),
    "llm.timeouts.connect": Proof(
        0.05,
        said("connect.* 0.05"),
        Act(settings={**SILENT, "llm.timeouts.total": 0.5}),
    ),
    "llm.timeouts.first_token": Proof(0.05, said("no answer within 0.05 s"), replace(LATE, verb="stream")),
    "llm.timeouts.idle": Proof(
        0.05, said("no bytes for 0.05 s"), Act("stream", replies=({"chunks": "abc", "pause": 0.2},), settings=ONCE)
    ),
    "llm.timeouts.stall": Proof(
        0.05,
        said("no content for 0.05 s"),
        Act("stream", replies=({"chunks": ["a", *[{}] * 30], "pause": 0.01},), settings=ONCE),
    ),
    "llm.timeouts.total": Proof(0.05, said("0.05 s"), LATE),
    "llm.timeouts.pool": Proof(
        0.03,
        said("became free within 0.03 s"),
        replace(
            THREE,
            options={"embedding_batch_size": 1},
            settings={"llm.gateways.openai.max_connections": 1, "llm.retry.max_attempts": 1},
            replies=({"delay": 0.1},) * 3,
        ),
    ),
    "llm.retry.max_attempts": Proof(1, both(said("broken"), count(1)), FAILING),
    "llm.retry.base_delay": Proof(
        1e9, both(count(1), said("the next attempt would start in")), replace(FAILING, settings=FOR_EVER)
    ),
    "llm.retry.max_delay": Proof(0, count(2), replace(FAILING, settings={**FOR_EVER, "llm.retry.base_delay": 1e9})),
    "llm.retry.budget_ratio": Proof(
        2, count(2), replace(FAILING, settings={"llm.retry.budget_floor": 0, "llm.retry.budget_ratio": 0})
    ),
    "llm.retry.budget_floor": Proof(
        5, count(2), replace(FAILING, settings={"llm.retry.budget_floor": 0, "llm.retry.budget_ratio": 0})
    ),
    "llm.retry.max_retry_after": Proof(
        0.001,
        both(count(1), said("429|again")),
        Act(replies=({"status": 429, "text": "later", "headers": {"retry-after-ms": "20"}}, {"text": "ok"})),
    ),
    "llm.retry.billed_repeats": Proof(0, count(1), Act(replies=({"body": {"choices": 5}}, {"text": "ok"}))),
    "llm.on_lossy": Proof("error", both(count(0), said("top_k")), LOSSY),
    "llm.on_lossy.tuning": Proof("error", both(count(0), said("top_k")), LOSSY),
    "llm.on_lossy.guarantees": Proof(
        "allow",
        count(1),
        Act(
            options={"stop": "x"}, settings={"llm.providers.acme.parameters": [{"match": "*", "drop": {"stop": "no"}}]}
        ),
    ),
}
PROOFS |= {
    "llm.cache.enabled": Proof(True, count(1), Act(rounds=({}, {}))),
    "llm.cache.backend": Proof("memory", lambda seen: not any("cache.db" in name for name in seen.files), TWICE),
    "llm.cache.policy": Proof("off", count(2), TWICE),
    "llm.cache.namespace": Proof(
        "team",
        count(1),
        replace(
            TWICE,
            settings={**TWICE.settings, "llm.providers.acme.api_key": "${env:MINE}"},
            rounds=tuple({"ENVIRON": {"MINE": f"sk-{name}-0000"}} for name in ("one", "two")),
        ),
    ),
    "llm.cache.path": Proof("mine.db", lambda seen: any("mine.db" in name for name in seen.files), TWICE),
    "llm.cache.options.<name>": Proof("x", said("busy_timeout_ms"), TWICE, at="busy_timeout_ms"),
}
for name, act in (
    ("text", TWICE),
    ("embedding", replace(TWICE, verb="embed")),
    ("image", replace(TWICE, verb="imagen", options={"seed": 1})),
):
    PROOFS |= {
        f"llm.cache.namespaces.{name}.enabled": Proof(False, count(2), act),
        f"llm.cache.namespaces.{name}.ttl_seconds": Proof(0, count(2), act),
        f"llm.cache.namespaces.{name}.max_entries": Proof(
            1, count(3), replace(act, rounds=tuple({"CONTENT": text} for text in "aba"))
        ),
        f"llm.cache.namespaces.{name}.max_bytes": Proof(1, count(2), act),
    }

# Plugins and the rest

LATE_GATEWAY = Act(names={"preset": "house", "gateway": "late"})
PROOFS |= {
    "plugins.allow": Proof(["hb-gateway-mock"], both(count(0), said("plugins.allow"))),
    "plugins.disabled": Proof(["gateways:openai"], both(count(0), said("is disabled"))),
    "plugins.lock": Proof("no-such.lock", both(count(0), said("no-such.lock"))),
    "plugins.import_timeout": Proof(0.005, said("did not import in 0.005 s"), LATE_GATEWAY, site=True),
    "local.model": Proof("/no/such.gguf", said("/no/such.gguf"), Act(names={"preset": "local"})),
    "dotenv": Proof(
        True,
        sent(top_p=0.5),
        Act(
            # By itself hb takes keys, and this is a setting.
            files={".env": "HEAVENBASE_LLM__DEFAULT_ARGS__TOP_P=0.5\n"},
            is_file=True,
        ),
    ),
}

# Providers

KEYLESS: Mapping[str, Any] = {"llm.providers.acme.api_key": None}
ACME: Mapping[str, Any] = {"provider": "acme"}
BIFROST = Act(
    names={"preset": "house", "gateway": "bifrost"}, settings={"llm.gateways.bifrost.base_url": "ORIGIN/acme/v1"}
)
ODD = Act(replies=({"status": 400, "body": {"error": {"code": "E77", "message": "odd"}}}, {"text": "ok"}))
THINKS = Act(options={"think": False})
SWITCHED = sent(thinking={"type": "disabled"})


def provided(**more: Any) -> dict[str, Any]:
    """Settings of the provider acme."""
    return {"llm.providers.acme": more}


def shown(command: str, pattern: str, value: str) -> Proof:
    """Words for people: a list shows them, and in Python the configuration."""
    return Proof(
        value, got(value), Act("read"), hb=Act("list", args=tuple(command.split())), why="words for people to read"
    )


VLLM = Act(names={"model": "vllm/any"}, environ={"MY_VLLM": "ORIGIN/elsewhere/v1", "MY_HOST": "ORIGIN"}, settings=ONCE)
PROVIDERS = {
    "account_env": Proof(
        ["ACME_ACCOUNT"],
        path("^/acme/"),
        Act(
            settings={
                **TWO,
                "llm.providers.zeta": {**ZETA, "api_key": None},
                "llm.models.tiny.default_provider": "zeta",
                **KEYLESS,
                "llm.providers.acme.placeholder_key": "k0000000",
            },
            environ={"ACME_ACCOUNT": "me"},
        ),
    ),
    "aliases": Proof(["ac"], count(1), Act(names={"model": "tiny", "provider": "ac"})),
    "allow_http": Proof(True, said("acme.invalid"), Act(settings={**INVALID, "llm.providers.acme.allow_http": False})),
    "allow_unknown_models": Proof(
        False, both(count(0), said("unknown model 'other'")), Act(names={"model": "acme/other"})
    ),
    "api_key": Proof("sk-row-0000", header("authorization", "Bearer sk-row-0000")),
    "api_key_env": Proof(
        ["ACME_KEY"],
        header("authorization", "Bearer sk-env-0000"),
        Act(settings=KEYLESS, environ={"ACME_KEY": "sk-env-0000"}),
    ),
    "api_key_optional": Proof(True, count(1), Act(settings=KEYLESS)),
    "auth_mode": Proof("bearer", header("authorization", "Bearer sk-acme-000"), CLAUDE),
    "auth_mode.<name>": Proof("bearer", header("authorization", "Bearer sk-acme-000"), CLAUDE, at="anthropic"),
    "auth_token": Proof("tk-row-0000", header("authorization", "Bearer tk-row-0000"), Act(settings=KEYLESS)),
    "backend": Proof("other", sent(model="other/tiny-1"), BIFROST),
    "backend.<name>": Proof("other", sent(model="other/tiny-1"), BIFROST, at="bifrost"),
    "base_url": Proof("ORIGIN/elsewhere/v1", path("^/elsewhere/")),
    "base_url.<name>": Proof(
        "ORIGIN/elsewhere/v1",
        path("^/elsewhere/"),
        Act(settings=provided(base_url={"default": "ORIGIN/acme/v1"})),
        at="openai",
    ),
    "base_url_env": Proof("MY_VLLM", path("^/elsewhere/"), VLLM, rows={"providers": "vllm"}),
    "base_url_env.<name>": Proof("MY_VLLM", path("^/elsewhere/"), VLLM, at="openai", rows={"providers": "vllm"}),
    "host_env": Proof(
        "MY_HOST",
        both(count(1), path("/v1/chat/completions")),
        replace(VLLM, environ={"MY_HOST": "ORIGIN"}),
        rows={"providers": "vllm"},
    ),
    "default_models.chat": Proof("d-1", sent(model="d-1"), Act(names=ACME)),
    "default_models.embed": Proof("d-1", sent(model="d-1"), replace(EMBED, names={"preset": "embed", **ACME})),
    "default_models.image": Proof("d-1", sent(model="d-1"), replace(IMAGEN, names={"preset": "imagen", **ACME})),
    "description": shown("providers --json", "", "a place of words"),
    "docs_url": shown("providers --json", "", "https://docs.test/acme"),
    "models_url": shown("providers --json", "", "https://docs.test/models"),
    "title": shown("providers --json", "", "Acme the Great"),
    "keys_url": Proof(
        "https://docs.test/keys",
        said("https://docs.test/keys"),
        Act(settings={**KEYLESS, **provided(api_key_env=["ACME_KEY"])}),
    ),
    "errors.<name>": Proof("rate_limit", count(2), ODD, at="E77"),
    "gateway": Proof("mock", both(count(0), got("mock response"))),
    "headers.<name>": Proof("t", header("x-tok", "t"), at="x-tok"),
    "image_endpoint": Proof("chat", path("/chat/completions"), IMAGEN),
    "known_parameters": Proof(["frobnicate"], sent(frobnicate=1), Act(options={"frobnicate": 1})),
    "messages": Proof(
        [{"roles": {"developer": "user"}}],
        lambda seen: [m["role"] for m in seen.body.get("messages", ())][:1] == ["user"],
        Act(
            content=[
                {"role": "developer", "content": "be brief"},
                {"role": "user", "content": "a"},
                {"role": "assistant", "content": "b"},
                {"role": "user", "content": "c"},
            ]
        ),
    ),
    "models.<name>": Proof("big-1", sent(model="big-1"), Act(names={"model": "big", "provider": "acme"}), at="big"),
    "native_ids": Proof(["zz-*"], count(1), Act(names={"model": "zz-1"})),
    "options.<name>": Proof(
        ["*"],
        lambda seen: "cache_control" in str(seen.body),
        Act(content=MARKED, options={"prompt_caching": True}),
        at="marked_prompts",
    ),
    "parameters": Proof([{"drop": {"seed": "no"}}], lacks("seed")),
    "placeholder_key": Proof("k0000000", header("authorization", "Bearer k0000000"), Act(settings=KEYLESS)),
    "placeholder_model": Proof(
        "tiny", both(count(0), said("needs a concrete model")), Act(settings=provided(require_model_override=True))
    ),
    "require_model_override": Proof(
        True, both(count(0), said("needs a concrete model")), Act(settings=provided(placeholder_model="tiny"))
    ),
    "portkey_custom_host": Proof(
        True,
        lambda seen: seen.header("x-portkey-custom-host") is not None,
        replace(
            PORTKEY,
            names={"model": "groq/llama-3.1-8b-instant", "gateway": "portkey"},
            environ={"GROQ_API_KEY": "gk-000000"},
        ),
        rows={"providers": "groq"},
    ),
    "prefixes": Proof(["zz-"], count(1), Act(names={"model": "zz-1"})),
    "require_base_url": Proof(
        False,
        lambda seen: seen.said and "custom.base_url" not in seen.said,
        Act(names={"model": "custom/m"}),
        rows={"providers": "custom"},
    ),
    "text_only": Proof(["*"], both(count(0), said("accepts no images")), Act(images=(IMAGE,))),
    "thinking_control": Proof("extra_body_thinking_type", SWITCHED, THINKS),
    "thinking_control.<name>": Proof("extra_body_thinking_type", SWITCHED, THINKS, at="openai"),
    "vision": Proof("lacking", both(count(0), said("lacking")), Act(images=(IMAGE,))),
    "vision.<name>": Proof("lacking", both(count(0), said("lacking")), Act(images=(IMAGE,)), at="openai"),
    "wire": Proof(
        "other",
        both(count(0), said("no fallback")),
        Act(settings=provided(gateway="broken")),
        site=True,
    ),
}
PROOFS |= {f"llm.providers.<name>.{name}": proof for name, proof in PROVIDERS.items()}

# Gateways, models and presets

AT_PORTKEY = {"gateways": "portkey"}
OWN_KEY = header("x-portkey-api-key", "pk-row-0000")
GATEWAYS = {
    "base_url": Proof("ORIGIN/elsewhere/v1", path("^/elsewhere/"), PORTKEY, rows=AT_PORTKEY),
    "base_url_env": Proof(
        "MY_PORTKEY",
        path("^/elsewhere/"),
        Act(names=PORTKEY.names, environ={"MY_PORTKEY": "ORIGIN/elsewhere/v1"}),
        rows=AT_PORTKEY,
    ),
    "api_key": Proof("pk-row-0000", OWN_KEY, PORTKEY, rows=AT_PORTKEY),
    "auth_token": Proof("pk-row-0000", OWN_KEY, PORTKEY, rows=AT_PORTKEY),
    "api_key_env": Proof(["MY_KEY"], OWN_KEY, replace(PORTKEY, environ={"MY_KEY": "pk-row-0000"}), rows=AT_PORTKEY),
    "allow_http": Proof(
        True,
        said("acme.invalid"),
        replace(
            PORTKEY,
            settings={
                "llm.gateways.portkey.base_url": "http://acme.invalid/v1",
                "llm.gateways.portkey.api_key": "pk-row-0000",
                "llm.retry.max_attempts": 1,
            },
        ),
        rows=AT_PORTKEY,
    ),
    "headers.<name>": Proof("t", header("x-tok", "t"), at="x-tok"),
    "thinking_control": Proof("extra_body_thinking_type", SWITCHED, THINKS),
    "max_connections": Proof(
        1,
        lambda seen: len({request.connection for request in seen.requests}) == 1,
        replace(THREE, options={"embedding_batch_size": 1}, replies=({"delay": 0.05},) * 3),
    ),
    "ca_file": Proof(
        "/no/such.pem",
        said("/no/such.pem"),
        # Without the key nobody answers, which is soon said.
        Act(settings={**SILENT, "llm.timeouts.connect": 0.05}),
    ),
    "options.<name>": Proof(
        "x",
        said("unknown option 'wrong'"),
        Act(names={"preset": "local"}, settings={"local.model": "HERE/tiny.gguf"}, files={"tiny.gguf": GGUF}),
        at="wrong",
        rows={"gateways": "local"},
    ),
}
PROOFS |= {f"llm.gateways.<name>.{name}": proof for name, proof in GATEWAYS.items()}
MODELS_ROWS = {
    "aliases": Proof(["wee"], sent(model="tiny-1"), Act(names={"model": "wee"})),
    "default_provider": Proof("zeta", sent(model="z-1"), Act(settings=TWO)),
    "description": shown("models --json", "", "a model of words"),
    "dim": ARGUMENTS["dim"],
    "providers.<name>": Proof("tiny-9", sent(model="tiny-9")),
    "providers.<name>.id": Proof("tiny-9", sent(model="tiny-9")),
    "providers.<name>.options.<name>": PROVIDERS["options.<name>"],
    "thinking_control": PROVIDERS["thinking_control"],
    "thinking_control.<name>": PROVIDERS["thinking_control.<name>"],
}
PROOFS |= {f"llm.models.<name>.{name}": proof for name, proof in MODELS_ROWS.items()}
PRESETS = {
    "description": shown("llm list presets --json", "", "a house of words"),
    "gateway": Proof("mock", both(count(0), got("mock response"))),
    "model": Proof("acme/other", sent(model="other")),
    "prompt": Proof("p", told("Greet hi"), prompt(None, user="Greet {{ input }}")),
    "provider": Proof("zeta", path("^/elsewhere/"), Act(settings={**TWO, "llm.models.tiny.default_provider": "acme"})),
    "stand_in": Proof(
        "chat",
        path("^/openai/"),
        Act(settings=KEYLESS, environ={"OPENAI_API_KEY": "sk-open-000", "OPENAI_BASE_URL": "ORIGIN/openai/v1"}),
    ),
}
PROOFS |= {f"llm.presets.<name>.{name}": proof for name, proof in PRESETS.items()}

# Prompts

ASKED = prompt(user="{{ input }}")


def in_prompt(proof: Proof, at: str = "") -> Proof:
    """A proof about a prompt that is there."""
    hb = replace(proof.hb or proof.act, settings=ASKED.settings)
    return replace(proof, act=replace(proof.act, settings=ASKED.settings), hb=hb, at=at)


PROMPTS = {
    "system": Proof("Be brief.", told("Be brief."), ASKED),
    "user": Proof("Greet {{ input }}", told("Greet hi"), prompt(system="Be brief.")),
    "messages": Proof([{"role": "user", "content": "Greet {{ input }}"}], told("Greet hi"), prompt(system="Be brief.")),
    "description": in_prompt(shown("prompts list --json", "", "a page of words")),
    "parameters.<name>.type": Proof("int", said("must be a whole number"), ASKED, at="input"),
    "parameters.<name>.default": Proof("oh", told("oh hi"), NAMED, at="word"),
    "parameters.<name>.description": in_prompt(shown("prompts show p --json", "", "a page of words"), at="input"),
    "parameters.<name>.choices": Proof(["yes"], said("unknown value of 'input'"), ASKED, at="input"),
}
PROOFS |= {f"llm.prompts.<name>.{name}": proof for name, proof in PROMPTS.items()}
