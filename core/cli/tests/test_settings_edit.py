"""Editing settings files: persistent, checked, comments kept, all or nothing, private."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hb_cli.settings_edit import parse_cli_value, set_value, unset
from heavenbase.config.config import Config
from heavenbase.config.files import write_atomic
from heavenbase.errors import ConfigError

SEED_KEYS = {
    "heavenbase.llm.cache.namespaces.text.ttl_seconds": "86400",
    "heavenbase.llm.cache.namespaces.embedding.enabled": "true",
    "heavenbase.llm.tool_call_repair.enabled": "true",
    "heavenbase.llm.tool_call_repair.strict": "false",
}
CANARY = "canary-9911-secret"


@pytest.fixture(autouse=True)
def home() -> None:
    """No home among the files, as these tests look at all that an edit leaves in its folder."""


def load(file: Path) -> Config:
    return Config.load(user_file=file, project_dir=file.parent, environ={"HEAVENBASE_HOME": str(file.parent)})


def in_another_process(home: Path, keys: list[str]) -> list[str]:
    code = "import sys\nfrom heavenbase.config import Config\nc = Config.load()\n" + (
        "print([c.get(key) for key in sys.argv[1:]])"
    )
    environ = {**os.environ, "HEAVENBASE_HOME": str(home)}
    done = subprocess.run(
        [sys.executable, "-c", code, *keys], capture_output=True, text=True, check=True, env=environ, cwd=home
    )
    return [done.stdout.strip()]


def test_hb41_the_keys_of_the_documentation_persist_across_processes(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    for key, text in SEED_KEYS.items():
        set_value(file, key, parse_cli_value(text))
    assert in_another_process(tmp_path, list(SEED_KEYS)) == ["[86400, True, True, False]"]
    for key in SEED_KEYS:
        assert unset(file, key)
    assert in_another_process(tmp_path, list(SEED_KEYS)) == ["[None, True, False, False]"]


def test_unset_restores_the_default_and_says_whether_the_key_was_there(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    key = "heavenbase.llm.default_args.temperature"
    assert not unset(file, key)
    set_value(file, key, 0.9)
    assert load(file).get(key) == 0.9
    assert unset(file, key)
    assert load(file).get(key) == 0
    assert file.read_text() == ""
    assert not unset(file, key)


def test_none_is_stored_so_that_a_default_becomes_none(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    key = "heavenbase.llm.default_args.temperature"
    set_value(file, key, parse_cli_value("null"))
    assert load(file).get(key) is None
    assert 'temperature = "${null}"' in file.read_text()
    assert unset(file, key)
    assert load(file).get(key) == 0


def test_comments_order_and_layout_stay(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    text = (
        "# my settings\n\n[heavenbase.llm] # the llm\n\ndefault_preset   =  'chat'  # mine\n"
        "# after\n\n[heavenbase.llm.cache]\nenabled = true\n\n# the end\n"
    )
    file.write_text(text)
    set_value(file, "heavenbase.llm.default_preset", "coder")
    set_value(file, "heavenbase.llm.cache.enabled", False)
    assert file.read_text() == text.replace("'chat'", '"coder"').replace("true", "false")
    assert unset(file, "heavenbase.llm.default_preset")
    assert file.read_text() == (
        "# my settings\n\n[heavenbase.llm] # the llm\n\n"
        "# after\n\n[heavenbase.llm.cache]\nenabled = false\n\n# the end\n"
    )


def test_a_whole_row_can_be_set_and_taken_out(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    set_value(file, "heavenbase.llm.presets.mine", {"model": "5.6", "args": {"think": True, "temperature": None}})
    assert load(file).section("heavenbase.llm.presets.mine", raw=True) == {
        "model": "5.6",
        "args": {"think": True, "temperature": None},
    }
    set_value(file, 'heavenbase.llm.models."gpt-5.6".aliases', ["g"])
    set_value(file, 'heavenbase.llm.models."gpt-5.6".dim', 3)
    assert load(file).section('heavenbase.llm.models."gpt-5.6"', raw=True) == {"aliases": ["g"], "dim": 3}
    assert unset(file, "heavenbase.llm.presets.mine")
    assert load(file).section("heavenbase.llm.presets") == {}
    assert unset(file, 'heavenbase.llm.models."gpt-5.6".dim')
    assert load(file).section("heavenbase.llm.models", raw=True) == {"gpt-5.6": {"aliases": ["g"]}}


def test_an_empty_row_does_not_stay_behind(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    set_value(file, "heavenbase.llm.providers.acme.gateway", "openai")
    assert unset(file, "heavenbase.llm.providers.acme.gateway")
    assert load(file).section("heavenbase.llm.providers", raw=True) == {}


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("heavenbase.llm.cahce.enabled", True, r"did you mean 'heavenbase\.llm\.cache\.enabled'"),
        ("heavenbase.llm.cache.enabled", "yes", "must be true or false"),
        ("heavenbase.llm.cache", True, "must be a table"),
        ("heavenbase.llm.default_args.seed", 1.5, "must be an integer or null"),
        ("heavenbase.llm.providers.a.api_key", [CANARY], "must be a string or null"),
        ("heavenbase.llm.default_args.extra", float("nan"), "not nan or infinity"),
        ("heavenbase.llm.default_args.extra", object(), "not a object"),
        ("", 1, "unknown key"),
    ],
)
def test_g1_a_wrong_key_or_value_is_refused_before_the_file_is_touched(
    tmp_path: Path, key: str, value: object, message: str
) -> None:
    file = tmp_path / "config.toml"
    with pytest.raises(ConfigError, match=message) as caught:
        set_value(file, key, value)
    assert CANARY not in str(caught.value)
    assert not file.exists()


@pytest.mark.parametrize(
    "text",
    ["[heavenbase\n", "bogus = 1\n", "heavenbase.llm.cache.enabled = 'x'\n", "heavenbase.llm = 3\n", "a = 1\na = 2\n"],
)
def test_g1_an_invalid_file_is_left_untouched(tmp_path: Path, text: str) -> None:
    file = tmp_path / "config.toml"
    file.write_text(text)
    with pytest.raises(ConfigError, match=r"config\.toml:\d"):
        set_value(file, "heavenbase.llm.cache.policy", "off") if "llm = 3" not in text else load(file)
    assert file.read_text() == text
    assert os.listdir(tmp_path) == ["config.toml"]


def test_set_and_unset_mend_a_file_with_one_wrong_key(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text("heavenbase.llm.cache.enabled = 'x'\n")
    set_value(file, "heavenbase.llm.cache.enabled", True)
    assert load(file).get("heavenbase.llm.cache.enabled") is True
    file.write_text("heavenbase.bogus = 1\nheavenbase.llm.default_preset = 'chat'\n")
    assert unset(file, "heavenbase.bogus")
    assert load(file).get("heavenbase.llm.default_preset") == "chat"
    with pytest.raises(ConfigError, match="unknown key"):
        unset(file, "heavenbase.bogus")


@pytest.mark.skipif(os.name != "posix", reason="POSIX permissions")
def test_the_file_is_0600_and_new_folders_0700_whatever_the_umask(tmp_path: Path) -> None:
    file = tmp_path / "a" / "b" / "config.toml"
    old = os.umask(0)
    try:
        set_value(file, "heavenbase.llm.providers.a.api_key", CANARY)
        set_value(file, "heavenbase.llm.strict_plugins", True)
    finally:
        os.umask(old)
    modes = [stat.S_IMODE(path.stat().st_mode) for path in (file, file.parent, file.parent.parent)]
    assert modes == [0o600, 0o700, 0o700]
    assert os.listdir(file.parent) == ["config.toml"]


@pytest.mark.skipif(os.name != "posix", reason="POSIX permissions")
def test_a_file_with_credentials_that_others_may_write_to_is_not_edited(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    text = f'heavenbase.llm.providers.a.api_key = "{CANARY}"\n'
    file.write_text(text)
    file.chmod(0o666)
    for edit in (lambda: set_value(file, "heavenbase.llm.strict_plugins", True), lambda: unset(file, "heavenbase.llm")):
        with pytest.raises(ConfigError, match="chmod go-w") as caught:
            edit()
        assert CANARY not in str(caught.value)
    assert file.read_text() == text


@pytest.mark.skipif(os.name != "posix", reason="symbolic links")
def test_a_linked_file_stays_a_link(tmp_path: Path) -> None:
    real = tmp_path / "dotfiles" / "hb.toml"
    real.parent.mkdir()
    real.write_text("# mine\n")
    link = tmp_path / "config.toml"
    link.symlink_to(real)
    set_value(link, "heavenbase.llm.strict_plugins", True)
    assert link.is_symlink()
    assert real.read_text().startswith("# mine\n")
    assert load(link).get("heavenbase.llm.strict_plugins") is True


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text("old")
    with pytest.raises(ConfigError, match="cannot be written"):
        write_atomic(str(file), "\ud800")
    assert file.read_text() == "old"
    assert os.listdir(tmp_path) == ["config.toml"]
    with pytest.raises(ConfigError, match="cannot be written"):
        write_atomic(str(tmp_path / "no" / "config.toml"), "new")


def test_a_folder_that_cannot_be_made_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="cannot be made"):
        set_value(tmp_path / "file" / "config.toml", "heavenbase.llm.strict_plugins", True)


def test_edits_of_several_processes_at_once_all_stay(tmp_path: Path) -> None:
    code = (
        "import sys\nfrom hb_cli.settings_edit import set_value\n"
        "for n in range(5):\n    set_value(sys.argv[1], f'heavenbase.llm.default_args.{sys.argv[2]}{n}', n)\n"
    )
    file = tmp_path / "config.toml"
    running = [subprocess.Popen([sys.executable, "-c", code, str(file), name]) for name in "abc"]
    assert [process.wait() for process in running] == [0, 0, 0]
    found = load(file).section("heavenbase.llm.default_args")
    assert {name: found[name] for name in found if name[-1].isdigit()} == {
        f"{name}{n}": n for name in "abc" for n in range(5)
    }
    assert os.name != "posix" or os.listdir(tmp_path) == ["config.toml"]


@pytest.mark.parametrize(
    ("text", "strict", "key", "value"),
    [
        ("true", False, None, True),
        ("86400", False, None, 86400),
        ("null", False, None, None),
        ("chat", False, None, "chat"),
        ('{"a": 1}', True, None, {"a": 1}),
        ('"3"', True, None, "3"),
        ("5.6", False, "heavenbase.llm.presets.p.model", "5.6"),
    ],
)
def test_values_typed_on_a_command_line(text: str, strict: bool, key: str | None, value: object) -> None:
    assert parse_cli_value(text, strict, key) == value


@pytest.mark.parametrize("text", ["chat", "{", "NaN", "[" * 100_000, CANARY])
def test_strict_json_takes_nothing_else(text: str) -> None:
    with pytest.raises(ConfigError, match="not JSON") as caught:
        parse_cli_value(text, strict_json=True)
    assert CANARY not in str(caught.value)
    assert caught.value.__context__ is None


EDITS = st.lists(
    st.tuples(
        st.sampled_from(
            [
                "heavenbase.llm.default_args.a",
                "heavenbase.llm.default_args.b",
                'heavenbase.llm.presets."x.y".args.c',
                "heavenbase.llm.presets.z.args.c",
                "heavenbase.llm.default_preset",
            ]
        ),
        st.text(st.characters(exclude_categories=["Cs"]), max_size=6).filter(lambda text: "${" not in text) | st.none(),
    ),
    max_size=8,
)


@settings(max_examples=40)
@given(EDITS)
def test_any_series_of_edits_leaves_a_file_that_holds_the_last_of_each(
    tmp_path_factory: pytest.TempPathFactory, edits: list[tuple[str, str | None]]
) -> None:
    file = tmp_path_factory.mktemp("edit") / "config.toml"
    file.write_text("# head\n[heavenbase.llm.cache]\nenabled = true # tail\n")
    kept: dict[str, str] = {}
    for key, value in edits:
        if value is None:
            assert unset(file, key) == (kept.pop(key, None) is not None)
        else:
            set_value(file, key, value)
            kept[key] = value
    config = load(file)
    assert {key: config.get(key) for key in kept} == kept
    assert "# head\n" in file.read_text()
    assert "enabled = true # tail" in file.read_text()
