"""Templates from files and from the settings. A file is data: bounded, UTF-8, and nothing in it is run or looked up."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from heavenbase.config import files
from heavenbase.config.check import problems
from heavenbase.config.config import Config
from heavenbase.config.schema import PROMPT
from heavenbase.errors import ConfigError, InputError, InputTypeError, UnknownNameError
from heavenbase.prompts.parameter import as_text
from heavenbase.prompts.template import PromptTemplate, malformed
from heavenbase.secrets import mapped

SETTINGS = ("heavenbase", "llm", "prompts")
TEXTS = (".md", ".txt")


def load_prompt(path: str | os.PathLike[str]) -> PromptTemplate:
    """The template of a file; see `PromptTemplate.load`."""
    try:
        file = as_text("the path of a prompt", os.fspath(path))
    except TypeError:
        raise InputTypeError(f"the file of a prompt is a path, not {type(path).__name__}") from None
    stem, suffix = os.path.splitext(os.path.basename(file))
    if suffix.lower() not in (".toml", *TEXTS):
        raise ConfigError(f"{file}: a prompt is a file .toml, .md or .txt, not {suffix or 'one without a suffix'}")
    text, _ = files.read_text(file)
    if suffix.lower() != ".toml":
        return _made(stem, {"user": text.rstrip("\n")}, file, text)
    values = files.parse_settings(text, file)
    try:
        # What the settings would look up is plain text here.
        plain = mapped(values, lambda leaf: leaf.replace("${", "$ {") if isinstance(leaf, str) else leaf)
        problem = next(problems(plain, PROMPT, (*SETTINGS, stem)), None)
    except RecursionError:
        raise ConfigError(f"{file}: is nested too deeply") from None
    if problem is not None:
        line = files.nearest(problem.path[len(SETTINGS) + 1 :], files.line_index(text)) or 1
        raise ConfigError(f"{file}:{line}: {problem.message.replace('.'.join((*SETTINGS, stem, '')), '')}")
    return _made(stem, values, file, text)


def configured(name: str, config: Config) -> PromptTemplate:
    """The template of the settings; see `PromptTemplate.from_config`."""
    if not isinstance(config, Config):
        raise InputTypeError(f"the settings of a prompt are a Config, not {type(config).__name__}")
    name, prompts = as_text("the name of a prompt", name), config.section(SETTINGS)
    if name not in prompts:
        hint = "" if prompts else "there is none; [heavenbase.llm.prompts.NAME] in the settings makes one"
        raise UnknownNameError("prompt", name, prompts, hint=hint)
    return _made(name, prompts[name].copy(), str(config.origin((*SETTINGS, name))))


def _made(name: str, table: Mapping[str, Any], where: str, text: str | None = None) -> PromptTemplate:
    try:
        return PromptTemplate(**{"name": name, **table})
    except InputError as error:
        message, near = error.message, getattr(error, "name", "")
    rows = [table.get("system"), table.get("user"), *(row.get("content") for row in table.get("messages") or ())]
    near = next((mark for row in rows if isinstance(row, str) and (mark := malformed(row))), near)
    line = f":{text.count(chr(10), 0, max(text.find(near), 0)) + 1}" if text is not None else ""
    raise ConfigError(f"{where}{line}: {message}")
