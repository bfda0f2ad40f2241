"""Config: layers, reading, origins, explanations, fingerprints."""

from __future__ import annotations

import copy
import os
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from heavenbase.config import Config, Origin, Section
from heavenbase.config.schema import defaults, known_keys
from heavenbase.errors import ConfigError, InputTypeError, MissingCredential

REFERENCE_DEFAULTS = {
    "heavenbase.llm.default_gateway": "openai",
    "heavenbase.llm.default_provider": "openrouter",
    "heavenbase.llm.default_preset": "system",
    "heavenbase.llm.model_mismatch": "raise",
    "heavenbase.llm.image_url_timeout": 120,
    "heavenbase.llm.default_args.temperature": 0,
    "heavenbase.llm.default_args.seed": 42,
    "heavenbase.llm.default_args.http_proxy": None,
    "heavenbase.llm.default_args.embedding_batch_size": 256,
    "heavenbase.llm.default_args.embedding_max_workers": 8,
    "heavenbase.llm.cache.enabled": True,
    "heavenbase.llm.cache.backend": "sqlite",
    "heavenbase.llm.cache.policy": "deterministic",
    "heavenbase.llm.cache.namespaces.image.enabled": True,
    "heavenbase.llm.cache.namespaces.text.ttl_seconds": None,
    "heavenbase.llm.tool_call_repair.enabled": False,
    "heavenbase.llm.timeouts.total": 600,
    "heavenbase.llm.retry.budget_ratio": 0.2,
    "heavenbase.llm.on_lossy.guarantees": "error",
    "heavenbase.llm.on_lossy.tuning": "warn",
    "heavenbase.plugins.allow": None,
    "heavenbase.plugins.import_timeout": 30,
    "heavenbase.local.model": None,
    "heavenbase.dotenv": None,
}


@pytest.fixture
def home(tmp_path: Path) -> Path:
    folder = tmp_path / "home"
    folder.mkdir()
    return folder


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    folder.mkdir()
    return folder


def load(home: Path, project: Path, environ: dict[str, str] | None = None, **options: Any) -> Config:
    variables = {"HEAVENBASE_HOME": str(home), **(environ or {})}
    return Config.load(project_dir=project, environ=variables, **options)


@pytest.mark.parametrize(("key", "value"), REFERENCE_DEFAULTS.items())
def test_packaged_defaults_are_the_documented_ones(key: str, value: object) -> None:
    found = Config.from_dict({}).get(key)
    assert found == value
    assert type(found) is type(value)


def test_every_known_key_has_a_description() -> None:
    bare = [path for path, field in known_keys() if not field.description and "<name>" not in path]
    assert bare == []


def test_every_packaged_default_fits_its_own_schema() -> None:
    assert Config.from_dict(defaults()).section("heavenbase", raw=True) == defaults()["heavenbase"]


def test_a_later_layer_wins_and_the_origin_says_which(home: Path, project: Path) -> None:
    key = "heavenbase.llm.default_preset"
    assert str(load(home, project).origin(key)) == "packaged default"

    (home / "config.toml").write_text('[heavenbase.llm]\ndefault_preset = "user"\ndefault_provider = "u"\n')
    config = load(home, project)
    assert config.get(key) == "user"
    assert config.origin(key) == Origin("user", str(home / "config.toml"), 2)

    (project / "heavenbase.toml").write_text('# ours\n\n[heavenbase.llm]\ndefault_preset = "project"\n')
    config = load(home, project)
    assert config.get(key) == "project"
    assert config.origin(key) == Origin("project", str(project / "heavenbase.toml"), 4)

    environ = {"HEAVENBASE_LLM__DEFAULT_PRESET": "variable"}
    config = load(home, project, environ)
    assert config.get(key) == "variable"
    assert str(config.origin(key)) == "environment variable HEAVENBASE_LLM__DEFAULT_PRESET"

    config = load(home, project, environ, overrides={key: "code"})
    assert config.get(key) == "code"
    assert config.origin(key) == Origin("overrides")
    assert config.get("heavenbase.llm.default_provider") == "u"

    config = config.with_layer("call", {"heavenbase": {"llm": {"default_preset": "call"}}})
    assert config.get(key) == "call"
    assert config.origin(key) == Origin("call")


def test_tables_are_merged_and_lists_are_replaced(home: Path, project: Path) -> None:
    (home / "config.toml").write_text(
        '[heavenbase.plugins]\ndisabled = ["a", "b"]\n[heavenbase.llm.cache.namespaces.text]\nttl_seconds = 5\n'
    )
    config = load(home, project, overrides={"heavenbase.plugins.disabled": ["c"]})
    assert config.get("heavenbase.plugins.disabled") == ["c"]
    text = config.section("heavenbase.llm.cache.namespaces.text")
    assert text == {"enabled": True, "ttl_seconds": 5, "max_entries": None, "max_bytes": None}


def test_the_project_file_is_found_from_a_folder_below_it(home: Path, project: Path) -> None:
    (project / "heavenbase.toml").write_text('heavenbase.llm.default_preset = "chat"\n')
    inner = project / "a" / "b"
    inner.mkdir(parents=True)
    config = load(home, inner)
    assert config.get("heavenbase.llm.default_preset") == "chat"
    assert config.paths().project_file == project / "heavenbase.toml"


def test_the_search_for_a_project_file_ends_at_the_home_folder(tmp_path: Path, home: Path) -> None:
    (tmp_path / "heavenbase.toml").write_text('heavenbase.llm.default_preset = "chat"\n')
    inner = home / "work"
    inner.mkdir()
    assert load(home, inner, {"HOME": str(home)}).paths().project_file is None


def test_a_deleted_working_folder_means_no_project(home: Path, tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    code = (
        "import os; os.rmdir(os.getcwd())\n"
        "from heavenbase.config.config import Config\n"
        f"print(Config.load(environ={{'HEAVENBASE_HOME': {str(home)!r}}}).get('heavenbase.llm.default_preset'))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=gone, capture_output=True, text=True, check=True)
    assert done.stdout == "system\n"


def test_a_named_user_file_that_is_missing_is_an_error(home: Path, project: Path) -> None:
    with pytest.raises(ConfigError, match=r"nowhere\.toml: cannot be read"):
        load(home, project, user_file=home / "nowhere.toml")


def test_environment_variables_become_keys_with_types(home: Path, project: Path) -> None:
    config = load(
        home,
        project,
        {
            "HEAVENBASE_LLM__CACHE__ENABLED": "false",
            "HEAVENBASE_LLM__STRICT_PLUGINS": "1",
            "HEAVENBASE_LLM__DEFAULT_ARGS__TEMPERATURE": "null",
            "HEAVENBASE_LLM__DEFAULT_ARGS__SEED": "7",
            "HEAVENBASE_LLM__TIMEOUTS__IDLE": "1.5",
            "HEAVENBASE_LLM__DEFAULT_PRESET": "5.6",
            "HEAVENBASE_LLM__PROVIDERS__ACME__HEADERS": '{"X-Team": "7"}',
            "HEAVENBASE_PLUGINS__ALLOW": '["openai"]',
            "HEAVENBASE_LLM__RETRY__MAX_ATTEMPTS": "",
            "HEAVENBASE_LLM__DEFAULT_ARGS__HTTPS_PROXY": "",
        },
    )
    assert config.get("heavenbase.llm.cache.enabled") is False
    assert config.get("heavenbase.llm.strict_plugins") is True
    assert config.get("heavenbase.llm.default_args.temperature") is None
    assert config.get("heavenbase.llm.default_args.seed") == 7
    assert config.get("heavenbase.llm.timeouts.idle") == 1.5
    assert config.get("heavenbase.llm.default_preset") == "5.6"
    assert config.get("heavenbase.llm.providers.acme.headers") == {"X-Team": "7"}
    assert config.get("heavenbase.plugins.allow") == ["openai"]
    assert config.get("heavenbase.llm.retry.max_attempts") == 3
    assert config.get("heavenbase.llm.default_args.https_proxy") == ""


def test_a_row_in_a_variable_is_spelled_as_in_the_files(home: Path, project: Path) -> None:
    (home / "config.toml").write_text('[heavenbase.llm.providers.moonshot-zh]\ngateway = "openai"\n')
    config = load(home, project, {"HEAVENBASE_LLM__PROVIDERS__MOONSHOT_ZH__BACKEND": "moonshot"})
    assert config.section("heavenbase.llm.providers", raw=True) == {
        "moonshot-zh": {"gateway": "openai", "backend": "moonshot"}
    }


@pytest.mark.parametrize("variable", ["HEAVENBASE_LLM__CAHCE__ENABLED", "HEAVENBASE_LLM_CACHE_ENABLED"])
def test_a_misspelled_variable_is_an_error_that_names_it(home: Path, project: Path, variable: str) -> None:
    with pytest.raises(ConfigError, match=f"environment variable {variable}: unknown key"):
        load(home, project, {variable: "true"})


def test_variables_of_other_programs_are_left_alone(home: Path, project: Path) -> None:
    config = load(home, project, {"HEAVENBASE_TOKEN": "x", "HEAVENBASE_FOO__BAR": "y"})
    assert config.get("heavenbase.llm.default_preset") == "system"


def test_null_in_a_file_sets_a_default_to_none(home: Path, project: Path) -> None:
    (home / "config.toml").write_text('[heavenbase.llm.default_args]\ntemperature = "${null}"\n')
    config = load(home, project)
    assert config.get("heavenbase.llm.default_args.temperature") is None
    assert config.get("heavenbase.llm.default_args.temperature", 1) is None


def test_null_where_no_null_may_stand_is_an_error() -> None:
    with pytest.raises(ConfigError, match=r"cache\.enabled must be true or false, not null"):
        Config.from_dict({"heavenbase.llm.cache.enabled": "${null}"})


def test_get_answers_the_default_only_for_known_keys_without_a_value() -> None:
    config = Config.from_dict({})
    assert config.get("heavenbase.llm.providers.acme.base_url", "fallback") == "fallback"
    with pytest.raises(ConfigError, match="is not set"):
        config.get("heavenbase.llm.providers.acme.base_url")
    with pytest.raises(ConfigError, match=r"did you mean 'heavenbase\.llm\.cache\.enabled'"):
        config.get("heavenbase.llm.cache.enabeld", False)


def test_names_with_dots_are_quoted_or_given_as_a_sequence() -> None:
    config = Config.from_dict({'heavenbase.llm.models."gpt-5.6".dim': 3})
    assert config.get('heavenbase.llm.models."gpt-5.6".dim') == 3
    assert config.get(("heavenbase", "llm", "models", "gpt-5.6", "dim")) == 3
    assert [key for key, _ in config.items("heavenbase.llm.models")] == ['heavenbase.llm.models."gpt-5.6".dim']
    with pytest.raises(ConfigError, match="quoted"):
        config.get("heavenbase.llm.models.gpt-5.6.dim")


def test_references_are_resolved_when_a_value_is_read(home: Path, project: Path) -> None:
    (home / "config.toml").write_text(
        "[heavenbase.llm.providers.acme]\n"
        'base_url = "https://${env:HOST,localhost}:${env:PORT,8080}/v1"\napi_key = "${env:ACME_KEY}"\n'
    )
    config = load(home, project, {"HOST": "example.com"})
    section = config.section("heavenbase.llm.providers.acme")
    assert section["base_url"] == "https://example.com:8080/v1"
    with pytest.raises(MissingCredential, match=r"ACME_KEY is not set and heavenbase\.llm\.providers\.acme\.api_key"):
        section["api_key"]
    with pytest.raises(MissingCredential):
        config.get("heavenbase.llm.providers.acme.api_key")
    assert load(home, project, {"ACME_KEY": "abc"}).get("heavenbase.llm.providers.acme.api_key") == "abc"


def test_the_live_environment_is_read_again_at_every_read(home: Path, project: Path) -> None:
    code = (
        "import os\nfrom heavenbase.config import Config\n"
        "given = {'heavenbase.llm.providers.a.api_key': '${env:LATE_KEY,none}'}\n"
        "config = Config.from_dict(given, environ=os.environ)\n"
        "print(config.get('heavenbase.llm.providers.a.api_key'))\n"
        "os.environ['LATE_KEY'] = 'late'\n"
        "print(config.get('heavenbase.llm.providers.a.api_key'))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "none\nlate\n"


def test_a_reference_in_a_number_is_read_as_a_number_and_checked() -> None:
    values = {"heavenbase.llm.default_args.seed": "${env:SEED,7}"}
    assert Config.from_dict(values, environ={}).get("heavenbase.llm.default_args.seed") == 7
    with pytest.raises(ConfigError, match="seed must be an integer") as caught:
        Config.from_dict(values, environ={"SEED": "canary-text"}).get("heavenbase.llm.default_args.seed")
    assert "canary-text" not in str(caught.value)


def test_a_section_resolves_values_in_every_way_it_is_read() -> None:
    config = Config.from_dict({"heavenbase.llm.providers.a": {"headers": {"x": "${env:X}"}}}, environ={"X": "1"})
    section = config.section("heavenbase.llm.providers.a")
    assert isinstance(section, dict)
    assert section["headers"]["x"] == "1"
    assert dict(section["headers"]) == {"x": "1"}
    assert {**section["headers"]} == {"x": "1"}
    assert list(section["headers"].values()) == ["1"]
    assert list(section["headers"].items()) == [("x", "1")]
    assert section["headers"] | {"y": "2"} == {"x": "1", "y": "2"}
    assert {"y": "2"} | section["headers"] == {"x": "1", "y": "2"}
    assert section.get("nothing", 3) == 3
    assert copy.deepcopy(section) == {"headers": {"x": "1"}}
    assert type(copy.deepcopy(section)["headers"]) is dict
    assert section.pop("headers") == {"x": "1"}
    assert section.pop("headers", None) is None
    assert config.section("heavenbase.llm.providers.a", raw=True) == {"headers": {"x": "${env:X}"}}


def test_changing_what_was_read_changes_no_configuration() -> None:
    config = Config.from_dict({"heavenbase.plugins.disabled": ["a"]})
    config.get("heavenbase.plugins.disabled").append("b")
    section = config.section("heavenbase.llm.cache")
    section["namespaces"]["text"]["enabled"] = False
    assert section["namespaces"]["text"]["enabled"] is False
    config.section("heavenbase.llm.cache", raw=True)["namespaces"].clear()
    assert config.get("heavenbase.plugins.disabled") == ["a"]
    assert config.get("heavenbase.llm.cache.namespaces.text.enabled") is True


def test_a_layer_copies_what_it_was_given() -> None:
    given = {"heavenbase": {"plugins": {"disabled": ["a"]}}}
    config = Config.from_dict(given)
    given["heavenbase"]["plugins"]["disabled"].append("b")
    assert config.get("heavenbase.plugins.disabled") == ["a"]


def test_a_section_that_nothing_sets_is_empty_and_a_value_is_no_section() -> None:
    config = Config.from_dict({})
    assert config.section("heavenbase.llm.providers") == {}
    with pytest.raises(ConfigError, match="one value, not a table"):
        config.section("heavenbase.llm.default_preset")
    with pytest.raises(ConfigError, match="unknown key"):
        config.section("heavenbase.llm.provider")


def test_explain_tells_the_value_its_origin_and_what_it_overrides(home: Path, project: Path) -> None:
    (home / "config.toml").write_text("[heavenbase.llm.default_args]\ntemperature = 0.5\n")
    config = load(home, project, overrides={"heavenbase.llm.default_args.temperature": 1})
    story = config.explain("heavenbase.llm.default_args.temperature")
    assert (story.value, story.origin) == (1, Origin("overrides"))
    assert [(origin.layer, value) for origin, value in story.overridden] == [("user", 0.5), ("default", 0)]
    assert (story.default, story.types) == (0, ("float", "null"))
    assert "temperature" in story.description


def test_origins_of_free_rows_and_inline_tables_have_lines(home: Path, project: Path) -> None:
    (home / "config.toml").write_text(
        '[heavenbase.llm]\n# comment\npresets = { mine = { model = "m" } }\n\n'
        '[heavenbase.llm.models."gpt-5.6"]\naliases = [\n  "a",\n]\ndim = 3\n'
    )
    config = load(home, project)
    assert config.origin("heavenbase.llm.presets.mine.model") == Origin("user", str(home / "config.toml"), 3)
    assert config.origin('heavenbase.llm.models."gpt-5.6".aliases') == Origin("user", str(home / "config.toml"), 6)
    assert config.origin('heavenbase.llm.models."gpt-5.6".dim') == Origin("user", str(home / "config.toml"), 9)
    assert config.origin("heavenbase.llm.presets.other") is None


CANARY = "canary-5f2c-secret"


def secret_config() -> Config:
    return Config.from_dict(
        {
            "heavenbase.llm.providers.acme": {
                "api_key": CANARY,
                "headers": {"Authorization": f"Bearer {CANARY}"},
                "options": {"password": CANARY},
                "auth_token": "${env:TOKEN," + CANARY + "}",
            },
            "heavenbase.llm.default_args.https_proxy": f"http://user:{CANARY}@proxy:3128",
        },
        environ={"SOME_KEY": CANARY},
    )


def test_nothing_meant_for_display_shows_a_credential() -> None:
    config = secret_config()
    section = config.section("heavenbase.llm.providers")
    shown = [repr(config), repr(section), repr(section["acme"]), repr(config.environ), str(config.environ)]
    shown += [repr(dict(config.items())), repr(config.explain("heavenbase.llm.providers.acme.api_key"))]
    shown += [repr(config.explain("heavenbase.llm.default_args.https_proxy")), f"{section}"]
    assert [text for text in shown if CANARY in text] == []
    assert "***" in repr(section)


def test_rich_does_not_show_credentials_of_locals() -> None:
    from rich.pretty import pretty_repr

    config = secret_config()
    shown = pretty_repr([config, config.section("heavenbase.llm"), config.environ], max_depth=9)
    assert "acme" in shown
    assert CANARY not in shown


def test_a_reference_is_shown_and_a_literal_is_masked() -> None:
    config = Config.from_dict(
        {"heavenbase.llm.providers": {"a": {"api_key": "${env:A_KEY}"}, "b": {"api_key": "literal"}}}, environ={}
    )
    shown = dict(config.items("heavenbase.llm.providers"))
    assert shown["heavenbase.llm.providers.a.api_key"] == "${env:A_KEY}"
    assert shown["heavenbase.llm.providers.b.api_key"] == "***"


@pytest.mark.parametrize("part", ["config", "section", "environ"])
def test_what_may_hold_credentials_is_never_pickled(part: str) -> None:
    config = secret_config()
    value = {"config": config, "section": config.section("heavenbase.llm"), "environ": config.environ}[part]
    with pytest.raises(InputTypeError, match="never pickled"):
        pickle.dumps(value)


def test_a_config_is_its_own_copy() -> None:
    config = Config.from_dict({})
    assert copy.copy(config) is config
    assert copy.deepcopy(config) is config


def test_the_fingerprint_follows_the_values_and_nothing_else(home: Path, project: Path) -> None:
    one = Config.from_dict({"heavenbase.llm.default_preset": "a", "heavenbase.llm.default_provider": "b"}, environ={})
    same = Config.from_dict({"heavenbase.llm.default_provider": "b", "heavenbase.llm.default_preset": "a"}, environ={})
    other = one.with_layer("call", {"heavenbase.llm.strict_plugins": True})
    injected = Config.from_dict(
        {"heavenbase.llm.default_preset": "a", "heavenbase.llm.default_provider": "b"}, environ={"A": "1"}
    )
    assert one.fingerprint() == same.fingerprint()
    assert len({one.fingerprint(), other.fingerprint(), injected.fingerprint()}) == 3
    zero = one.with_layer("call", {"heavenbase.llm.default_args.seed": 0})
    none = one.with_layer("call", {"heavenbase.llm.default_args.seed": None})
    assert zero.fingerprint() != none.fingerprint()


def test_the_fingerprint_is_the_same_in_another_process() -> None:
    code = "from heavenbase.config.config import Config; print(Config.from_dict({}, environ={'A': '1'}).fingerprint())"
    environ = {**os.environ, "PYTHONHASHSEED": "7"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environ)
    assert done.stdout.strip() == Config.from_dict({}, environ={"A": "1"}).fingerprint()


def test_paths_lie_under_heavenbase_home(home: Path, project: Path) -> None:
    paths = load(home, project).paths()
    assert paths.user_file == home / "config.toml"
    assert (paths.cache_dir, paths.data_dir) == (home / "cache", home / "data")
    assert (paths.project_file, paths.dotenv_file) == (None, None)


def test_from_dict_reads_no_file_and_no_heavenbase_variable(monkeypatch: pytest.MonkeyPatch, home: Path) -> None:
    (home / "config.toml").write_text('heavenbase.llm.default_preset = "user"\n')
    monkeypatch.setenv("HEAVENBASE_HOME", str(home))
    monkeypatch.setenv("HEAVENBASE_LLM__DEFAULT_PRESET", "variable")
    assert Config.from_dict({}).get("heavenbase.llm.default_preset") == "system"
    assert Config.load(project_dir=home).get("heavenbase.llm.default_preset") == "variable"


def test_importing_the_configuration_loads_nothing_heavy() -> None:
    code = (
        "import sys, heavenbase.config.config\n"
        "heavy = {'tomllib', 'tomlkit', 'platformdirs', 'pathlib', 'pydantic', 'asyncio', 'json', 'hashlib'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    # -S: site-packages' start-up hooks would import some of these themselves.
    source = str(Path(Config.load.__code__.co_filename).parents[2])
    environ = {**os.environ, "PYTHONPATH": source}
    done = subprocess.run([sys.executable, "-S", "-c", code], capture_output=True, text=True, check=True, env=environ)
    assert done.stdout == "[]\n"


def test_a_section_is_the_documented_type() -> None:
    assert type(Config.from_dict({}).get("heavenbase.llm.cache")) is Section
