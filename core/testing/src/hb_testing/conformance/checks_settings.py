"""Checks of plugins with settings of their own: the schema is sound, and what is wrong is told with file and line."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest

from hb_testing.conformance.checks_plugin import PluginChecks
from hb_testing.conformance.rig import environment
from heavenbase.config.check import problems
from heavenbase.config.config import Config
from heavenbase.config.schema import UNSET, Field
from heavenbase.errors import ConfigError, HBError
from heavenbase.hookspecs import PROJECT
from heavenbase.kernel import Kernel

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

SLIP = "no_setting_of_this_kit"
WRONG: tuple[Any, ...] = ("kit", -1_000_000_007, {"kit": 1}, [{"kit": 1}], 0.5)
"""Values of which one at least is wrong for any setting but `any`."""


class SettingChecks(PluginChecks):
    """What middlewares, judges and tables have in common."""

    def declared(self, kernel: Kernel) -> Mapping[str, Field]:
        """The settings that the plugin declares."""
        found: Mapping[str, Field] = self.loaded(kernel).settings
        return found

    def loaded_with(self, folder: Path, line: str) -> Any:
        """The plugin, loaded by a kernel whose settings file has this line in the plugin's table, as its third."""
        file = folder / "settings.toml"
        file.write_text(f"# of the kit\n[heavenbase.{self.kind}.{self.subject()}]\n{line}\n", encoding="utf-8")
        config = Config.load(user_file=file, project_dir=folder, environ=environment())
        with Kernel(config, plugins=self.given_plugins()) as kernel:
            return kernel.services.load(self.kind, self.subject())

    def test_its_settings_say_what_they_are(self, kernel: Kernel) -> None:
        """Each is a `Setting` with types and a description, under a name that a file can have."""
        for name, field in self.declared(kernel).items():
            assert isinstance(field, Field), f"setting {name!r} is {type(field).__name__}, not a Setting"
            assert re.fullmatch(r"[a-z][a-z0-9_]*", name), f"setting {name!r} is no name of small letters, digits and _"
            assert field.words, f"setting {name!r} has no types"
            assert field.description, f"setting {name!r} does not say what it means"

    def test_its_defaults_are_valid(self, kernel: Kernel) -> None:
        for name, field in self.declared(kernel).items():
            if field.default is not UNSET:
                wrong = [problem.message for problem in problems(field.default, field, (name,))]
                assert not wrong, f"the default of {name!r} is refused: {wrong}"

    def test_it_takes_its_defaults(self, kernel: Kernel) -> None:
        """Without a line in the settings, `options` (where it keeps them there) has every default."""
        plugin = kernel.services.load(self.kind, self.subject())
        given = dict(self.settings())
        for name, field in self.declared(kernel).items():
            is_set = any(key.startswith(f"heavenbase.{self.kind}.{self.subject()}") for key in given)
            if field.default is not UNSET and not is_set and hasattr(plugin, "options"):
                assert plugin.options.get(name) == field.default, f"{name!r} is not its default"

    def test_an_unknown_setting_is_refused_with_file_and_line(self, tmp_path: Path) -> None:
        with pytest.raises(ConfigError) as caught:
            self.loaded_with(tmp_path, f"{SLIP} = 1")
        assert f"settings.toml:3: unknown key 'heavenbase.{self.kind}.{self.subject()}.{SLIP}'" in str(caught.value)

    def test_a_wrong_value_is_refused_with_file_and_line(self, kernel: Kernel, tmp_path: Path) -> None:
        for name, field in self.declared(kernel).items():
            wrong = next((value for value in WRONG if list(problems(value, field, (name,)))), None)
            if wrong is None:
                continue  # it takes anything
            with pytest.raises(ConfigError) as caught:
                self.loaded_with(tmp_path, f"{name} = {_toml(wrong)}")
            assert "settings.toml:3: " in str(caught.value)
            assert name in str(caught.value)

    def test_settings_in_code_are_checked_too(self, kernel: Kernel) -> None:
        with pytest.raises(HBError, match=SLIP):
            kernel.services.load(self.kind, self.subject(), {SLIP: 1})

    def ask_for_another(self, kernel: Kernel, plugin: Any) -> Any:
        """The hooks that it answers: it is asked by its name, and has none."""
        marked = [name for name in dir(type(plugin)) if hasattr(getattr(type(plugin), name, None), f"{PROJECT}_impl")]
        return marked or None


def _toml(value: Any) -> str:
    import json

    if isinstance(value, dict):
        return "{ " + ", ".join(f"{name} = {_toml(item)}" for name, item in value.items()) + " }"
    if isinstance(value, list):
        return f"[{', '.join(map(_toml, value))}]"
    return json.dumps(value)
