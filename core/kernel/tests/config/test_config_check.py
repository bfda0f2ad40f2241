"""Fault row G1: syntax errors, unknown keys and wrong types name file, line and nearest key; nothing is executed."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from heavenbase.config.config import Config
from heavenbase.config.files import line_index, parse_settings
from heavenbase.errors import ConfigError, InputTypeError

CANARY = "canary-77aa-secret"


def failure(tmp_path: Path, text: str | bytes) -> str:
    path = tmp_path / "config.toml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    os.chmod(path, 0o600)
    with pytest.raises(ConfigError) as caught:
        Config.load(environ={"HEAVENBASE_HOME": str(tmp_path)}, project_dir=tmp_path)
    assert CANARY not in str(caught.value)
    assert CANARY not in repr(caught.value.__context__)
    return str(caught.value).replace(str(tmp_path), "")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[heavenbase.llm]\ndefault_preset = \n", "/config.toml:2: Invalid value"),
        ("[heavenbase\n", "/config.toml:1: "),
        ("a = 1\n\na = 2\n", "/config.toml:3: Cannot overwrite a value"),
        ('x = """\n\n', "/config.toml:"),
        ("heavenbase: {llm: 1}\n", "/config.toml:1: "),
        (f'api_key = "{CANARY}\n', "/config.toml:1: "),
        (b"x = 1\ny = '\xff'\n", "/config.toml:2: is not UTF-8"),
        ("x = " + "[" * 20_000, "/config.toml"),
        ("x = " + "9" * 5_000, "/config.toml"),
        ("#" * (1 << 20) + "#", "/config.toml: is larger than"),
    ],
)
def test_g1_a_malformed_file_is_named_with_its_line(tmp_path: Path, text: str | bytes, message: str) -> None:
    assert failure(tmp_path, text).startswith(message)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "[heavenbase.llm.cahce]\nenabled = true\n",
            "/config.toml:1: unknown key 'heavenbase.llm.cahce'; did you mean 'heavenbase.llm.cache'?",
        ),
        (
            "\n[heavenbase.llm.cache]\n# comment\nenabeld = true\n",
            "/config.toml:4: unknown key 'heavenbase.llm.cache.enabeld'; did you mean 'heavenbase.llm.cache.enabled'?",
        ),
        (
            "[llm.cache]\nenabled = true\n",
            "/config.toml:1: unknown key 'llm'; did you mean 'heavenbase.llm'?",
        ),
        (
            "[heavenbase.llm]\nttl_seconds = 3\n",
            "/config.toml:2: unknown key 'heavenbase.llm.ttl_seconds'; "
            "did you mean 'heavenbase.llm.cache.namespaces.text.ttl_seconds'?",
        ),
        (
            f'[heavenbase.llm.providers.acme]\napikey = "{CANARY}"\n',
            "/config.toml:2: unknown key 'heavenbase.llm.providers.acme.apikey'; "
            "did you mean 'heavenbase.llm.providers.acme.api_key'?",
        ),
        (
            "[heavenbase.llm.models.gpt-5.6]\ndim = 3\n",
            "/config.toml:1: unknown key 'heavenbase.llm.models.gpt-5.6'; a name that holds a dot is quoted",
        ),
        ("'${env:X}' = 1\n", "/config.toml:1: unknown key"),
    ],
)
def test_g1_an_unknown_key_is_named_with_line_and_nearest_key(tmp_path: Path, text: str, message: str) -> None:
    assert failure(tmp_path, text).startswith(message)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('cache.enabled = "yes"', "cache.enabled must be true or false, not a string"),
        ("cache.enabled = 1", "cache.enabled must be true or false, not an integer"),
        ("cache = true", "cache must be a table, not true or false"),
        ("cache.enabled = { a = 1 }", "cache.enabled must be true or false, not a table"),
        ("retry.max_attempts = 1.5", "retry.max_attempts must be an integer, not a number"),
        ("retry.max_attempts = true", "retry.max_attempts must be an integer, not true or false"),
        ("retry.max_attempts = 0", "retry.max_attempts must be at least 1"),
        ("timeouts.idle = inf", "timeouts.idle must be a number or null, not nan or infinity"),
        ("timeouts.idle = 0", "timeouts.idle must be at least 0.001"),
        ("timeouts.idle = [1]", "timeouts.idle must be a number or null, not a list"),
        ("default_preset = 2020-01-01", "default_preset must be a string, not a date"),
        (
            "default_args.extra = 2020-01-01",
            "default_args.extra must be a string, number, true or false, list or table",
        ),
        ("default_args.extra = { a = [nan] }", "default_args.extra must be a string"),
        (
            'cache.policy = "determinstic"',
            'cache.policy must be one of deterministic, force, always, off, none, "false"; did you',
        ),
        ('on_lossy.tuning = "raise"', "on_lossy.tuning must be one of error, warn, allow"),
        ('on_lossy = "eror"', "on_lossy must be one of error, warn, allow; did you mean 'error'?"),
        ("middleware = 'x'", "middleware must be a list, not a string"),
        ("providers.a.prefixes = [1]", "providers.a.prefixes must be a list of strings, not a list"),
        ("providers.a.parameters = [1]", "providers.a.parameters must be a list of tables, not a list"),
        ("providers.a = 'x'", "providers.a must be a table, not a string"),
        ("providers.a.base_url = 3", "providers.a.base_url must be a string or null or a table, not an integer"),
        ("providers.a.base_url.openai = 3", "providers.a.base_url.openai must be a string, not an integer"),
        ("models.m.providers.p = 3", "models.m.providers.p must be a string or null or a table, not an integer"),
        (f"providers.a.api_key = ['{CANARY}']", "providers.a.api_key must be a string or null, not a list"),
        (f"providers.a.headers = '{CANARY}'", "providers.a.headers must be a table, not a string"),
        (f"providers.a.headers.x = ['{CANARY}']", "providers.a.headers.x must be a string or null, not a list"),
        (f"providers.a.api_key = '${{{CANARY}}}'", "providers.a.api_key: only ${env:NAME}"),
        ("presets.p.args.temperature = 'warm'", "presets.p.args.temperature must be a number or null, not a string"),
    ],
)
def test_g1_a_wrong_value_is_named_with_its_line_and_never_repeated(tmp_path: Path, line: str, message: str) -> None:
    found = failure(tmp_path, f"[heavenbase.llm]\n# comment\n{line}\n")
    prefix, _, rest = found.partition(" ")
    assert prefix == "/config.toml:3:"
    assert rest.removeprefix("heavenbase.llm.").startswith(message)


def test_g1_all_problems_of_a_file_are_reported_at_once(tmp_path: Path) -> None:
    found = failure(
        tmp_path, "[heavenbase.llm]\ndefault_preset = 1\nbogus = 2\n[heavenbase.llm.retry]\nmax_attempts = 0\n"
    )
    assert [line.partition(": ")[0] for line in found.split("\n")] == [f"/config.toml:{line}" for line in (2, 3, 5)]


def test_g1_long_lists_of_problems_are_cut(tmp_path: Path) -> None:
    found = failure(tmp_path, "".join(f"k{number} = 1\n" for number in range(13)))
    assert found.endswith("… and 3 more")
    assert found.count("\n") == 10


def test_g1_yaml_tags_are_no_values_and_run_nothing(tmp_path: Path) -> None:
    marker = tmp_path / "executed"
    assert "/config.toml:1: " in failure(tmp_path, f"x: !!python/object/apply:os.system ['touch {marker}']\n")
    assert not marker.exists()


@pytest.mark.skipif(os.name != "posix", reason="POSIX permissions")
def test_a_file_with_a_credential_that_others_may_write_to_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    environ = {"HEAVENBASE_HOME": str(tmp_path)}
    path.write_text(f'[heavenbase.llm.providers.a]\napi_key = "{CANARY}"\n')
    for mode in (0o660, 0o602):
        path.chmod(mode)
        with pytest.raises(ConfigError, match="chmod go-w") as caught:
            Config.load(environ=environ, project_dir=tmp_path)
        assert CANARY not in str(caught.value)
    path.chmod(0o644)
    assert Config.load(environ=environ, project_dir=tmp_path).get("heavenbase.llm.providers.a.api_key") == CANARY
    path.write_text('[heavenbase.llm.providers.a]\napi_key = "${env:A}"\n')
    path.chmod(0o660)  # the group may be the user's own; what everybody may write is nobody's word (row H8)
    assert Config.load(environ={**environ, "A": "x"}, project_dir=tmp_path).get("heavenbase.llm.providers.a.api_key")


def test_a_file_with_a_byte_order_mark_and_windows_line_ends_is_read(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_bytes(b"\xef\xbb\xbf[heavenbase.llm]\r\ndefault_preset = 'x'\r\n")
    config = Config.load(environ={"HEAVENBASE_HOME": str(tmp_path)}, project_dir=tmp_path)
    assert config.get("heavenbase.llm.default_preset") == "x"
    assert str(config.origin("heavenbase.llm.default_preset")).endswith("config.toml:2")


def test_a_config_path_that_is_a_folder_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"cannot be read|regular file"):
        Config.load(environ={"HEAVENBASE_HOME": str(tmp_path)}, user_file=tmp_path, project_dir=tmp_path)


def test_lines_are_found_through_every_kind_of_statement() -> None:
    text = (
        "a.b = 1\n"  # 1
        "# c = 2\n"
        'text = """\n'  # 3
        "[not.a.table]\n"
        'x = 1"""\n'
        "\n"
        "[table.inner] # [other]\n"  # 7
        "list = [\n"  # 8
        "  1, # ]\n"
        "  2,\n"
        "]\n"
        '"quoted.name" = { deep = { er = 1 } }\n'  # 12
        "[[many]]\n"  # 13
        "one = 1\n"
        "[[many]]\n"
        "two = 2\n"
    )
    index = line_index(text)
    assert index["a", "b"] == 1
    assert index[("text",)] == 3
    assert ("not",) not in index
    assert index["table", "inner"] == 7
    assert index["table", "inner", "list"] == 8
    assert index["table", "inner", "quoted.name", "deep", "er"] == 12
    assert (index[("many",)], index["many", "one"], index["many", "two"]) == (13, 14, 16)


@settings(max_examples=200)
@given(st.text(st.sampled_from("ab[]={}\"'.,#\n 1\\"), max_size=40))
def test_any_text_is_either_settings_or_a_config_error(text: str) -> None:
    try:
        values = parse_settings(text, "file")
    except ConfigError as error:
        problem: str | None = str(error)
    else:
        problem = None
        assert all(0 < line <= text.count("\n") + 1 for line in line_index(text).values())
        assert {path[0] for path in line_index(text)} == set(values)
    assert problem is None or problem.startswith("file:")


def test_a_key_that_is_no_text_is_refused() -> None:
    with pytest.raises(InputTypeError, match="a key of the configuration is text, not int"):
        Config.from_dict({1: 2})  # type: ignore[dict-item]


QUOTED = r'''a = """one "" two\"""" # """
b = 'its' # no " quote
c = """
d = 1
"""""
e = [ # [
  "]", '[', """
]""", { f = "}" },
]
"g#" = "\"" # "
h = 1
'''


def test_lines_are_found_after_texts_and_lists_of_many_lines() -> None:
    index = line_index(QUOTED)
    expected = {"a": 1, "b": 2, "c": 3, "e": 6, "g#": 10, "h": 11}
    assert {name: index[name,] for name in expected} == expected
    assert ("d",) not in index
    literal = QUOTED.replace('c = """', "c = '''").replace('"""""\ne', "'''''\ne")
    assert line_index(literal) == index
    rows = "1,\n" * 50_000
    assert line_index(f"x = [\n{rows}]\ny = 2\n")["y",] == 50_003


def test_whatever_a_provider_manifest_may_say_can_be_configured_too() -> None:
    from heavenbase.config.schema import GATEWAY, MODEL, PRESET, PROVIDER
    from heavenbase.discovery import manifest as manifest_rules

    # A row's name is its key in the configuration.
    assert manifest_rules.PROVIDER.keys() - PROVIDER.fields.keys() == {"env", "name"}
    assert manifest_rules.MODEL.keys() <= MODEL.fields.keys()
    assert manifest_rules.PRESET.keys() <= PRESET.fields.keys()
    assert {"base_url", "base_url_env", "api_key_env", "default_args"} <= GATEWAY.fields.keys()


def test_the_packaged_catalogue_fits_the_schema() -> None:
    import tomllib

    import heavenbase

    folder = Path(heavenbase.__file__).parent / "data"
    for name in ("models", "presets"):
        rows = tomllib.loads((folder / f"{name}.toml").read_text(encoding="utf-8"))[name]
        assert Config.from_dict({("heavenbase.llm." + name): rows}).section(f"heavenbase.llm.{name}", raw=True) == rows
