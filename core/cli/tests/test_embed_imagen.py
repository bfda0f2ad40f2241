"""`hb embed` and `hb imagen`."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hb_cli.saving import Place, safe_name
from heavenbase.config.config import Config
from heavenbase.errors import InputError
from heavenbase.http.transport.protocol import HTTPRequest, HTTPResponse
from heavenbase.image.image import LLMImage
from heavenbase.kernel import Kernel

Run = Callable[..., Any]
PNG = b"\x89PNG"


# Vectors


def test_each_text_gets_a_line_with_its_vector_in_order(run: Run) -> None:
    code, out, err = run("embed", "one", "two", "one", "-p", "mock")
    assert (code, err) == (0, "")
    first, second, third = [json.loads(line) for line in out.splitlines()]
    assert first == third != second
    assert all(isinstance(number, float | int) for number in first)


def test_piped_lines_are_texts(run: Run) -> None:
    assert run("embed", "-p", "mock", input="one\ntwo\n") == run("embed", "one", "two", "-p", "mock")


def test_a_blank_line_or_no_text_is_bad_input(run: Run) -> None:
    code, out, err = run("embed", "-p", "mock", input="one\n\ntwo\n")
    assert (code, out) == (2, "")
    assert "line 2 is blank" in err
    assert run("embed", "-p", "mock").code == 2


def test_preview_prints_the_length_and_the_first_numbers(run: Run) -> None:
    options = ["-p", "mock", "-o", 'mock={"embeddings":[[0.1234567,2,3,4,5,6,7,8]]}', "--preview"]
    assert run("embed", "one", *options) == (0, "8: 0.123457 2 3 4 5 6 …\n", "")
    data = json.loads(run("embed", "one", *options, "--json").out)
    assert data["preview"] == [[0.1234567, 2, 3, 4, 5, 6]]
    assert "embeddings" not in data


def test_json_holds_vectors_length_model_and_usage(run: Run) -> None:
    data = json.loads(run("embed", "one", "two", "-p", "mock", "--json").out)
    assert len(data["embeddings"]) == 2
    assert data["dim"] == len(data["embeddings"][0])
    assert data["model"] == "mock"
    assert data["usage"]["prompt_tokens"] > 0


def test_verbose_prints_usage_to_standard_error(run: Run) -> None:
    for command in (["embed", "one"], ["imagen", "one"]):
        err = run(*command, "-p", "mock", "-v").err
        assert err.startswith("mock by mock over mock")
        assert "tokens: input " in err


def test_any_number_of_lines_is_embedded_some_at_a_time(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A few lines of the file are in memory at once; the vectors are those of one call, in the order of the lines."""
    lines, sizes = ["x" * number for number in range(1, 11)], []
    mock = ("-p", "mock", "-o", "embedding_batch_size=1")
    whole = run("embed", *lines, *mock).out
    monkeypatch.setattr("hb_cli.embed.WINDOW", 4)
    real = Kernel.call

    def counting(kernel: Kernel, *args: Any, **content: Any) -> Any:
        sizes.append(len(content["inputs"]))
        return real(kernel, *args, **content)

    monkeypatch.setattr(Kernel, "call", counting)
    texts = tmp_path / "texts.txt"
    texts.write_bytes(b"\xef\xbb\xbf" + "\r\n".join(lines).encode() + b"\n\n")
    assert run("embed", "--file", str(texts), *mock) == (0, whole, "")
    assert sizes == [4, 4, 2]
    assert run("embed", *mock, input="\n".join(lines)) == (0, whole, "")
    target = tmp_path / "vectors.jsonl"
    assert run("embed", "--file", str(texts), "--output", str(target), *mock) == (0, "", "")
    assert target.read_text() == whole
    assert target.stat().st_mode & 0o777 == 0o600
    code, _, err = run("embed", "one", "--output", str(target), "-p", "mock")
    assert code == 2
    assert "--force" in err
    assert run("embed", "one", "--output", str(target), "--force", "--json", "-p", "mock").code == 0
    assert len(json.loads(target.read_text())["embeddings"]) == 1


def test_what_comes_late_tells_how_much_was_written(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hb_cli.embed.WINDOW", 2)
    texts = tmp_path / "texts.txt"
    for bad, says in ((b"\n", "line 4 is blank"), (b"\xff\n", "line 4 is not UTF-8")):
        texts.write_bytes(b"one\ntwo\nthree\n" + bad + b"five\n")
        code, out, err = run("embed", "--file", str(texts), "-p", "mock")
        assert (code, len(out.splitlines())) == (2, 2)
        assert says in err
        assert "the first 2 texts were written" in err
    assert run("embed", "--file", str(tmp_path / "nothing.txt"), "-p", "mock").code == 2
    assert run("embed", "one", "--file", str(texts), "-p", "mock").code == 2


@pytest.mark.parametrize("name", ["texts.txt", "./texts.txt", "link.txt"])
def test_vectors_are_not_written_over_the_texts(run: Run, tmp_path: Path, name: str) -> None:
    texts = tmp_path / "texts.txt"
    texts.write_text("one\ntwo\n")
    (tmp_path / "link.txt").symlink_to(texts)
    code, _, err = run("embed", "--file", str(texts), "--output", str(tmp_path / name), "--force", "-p", "mock")
    assert code == 2
    assert "over the texts" in err
    assert texts.read_text() == "one\ntwo\n"


# Images


def test_an_image_is_saved_under_a_name_made_from_the_prompt(run: Run) -> None:
    code, out, err = run("imagen", "A Red/../Cat, très chic!", "-p", "mock")
    assert (code, out, err) == (0, "a-red-cat-tres-chic.png\n", "")
    assert LLMImage.from_path("a-red-cat-tres-chic.png").format == "png"


def test_nothing_is_overwritten_without_force(run: Run) -> None:
    Path("cat.png").write_text("mine")
    code, out, err = run("imagen", "x", "-p", "mock", "-o", "cat.png")
    assert (code, out) == (2, "")
    assert "cat.png exists" in err
    assert Path("cat.png").read_text() == "mine"
    assert run("imagen", "x", "-p", "mock", "-o", "cat.png", "--force").out == "cat.png\n"
    assert Path("cat.png").read_bytes().startswith(PNG)


def test_a_name_of_our_own_gives_way_to_a_file_that_exists(run: Run) -> None:
    assert run("imagen", "cat", "-p", "mock").out == "cat.png\n"
    assert run("imagen", "cat", "-p", "mock").out == "cat-2.png\n"
    assert run("imagen", "cat", "-p", "mock", "--force").out == "cat-3.png\n"


def test_several_images_are_numbered(run: Run) -> None:
    assert run("imagen", "cat", "-p", "mock", "--option", "n=2", "-o", "pets/cat.png").out.splitlines() == [
        os.path.join("pets", "cat-1.png"),
        os.path.join("pets", "cat-2.png"),
    ]


def test_a_folder_gets_a_file_named_by_the_prompt(run: Run) -> None:
    assert run("imagen", "cat", "-p", "mock", "-o", "new/").out == "new/cat.png\n"
    assert run("imagen", "dog", "-p", "mock", "-o", "new").out == os.path.join("new", "dog.png") + "\n"


def test_an_extension_that_the_data_contradict_is_told(run: Run) -> None:
    assert run("imagen", "x", "-p", "mock", "-o", "cat.jpg") == (0, "cat.jpg\n", "warning: cat.jpg holds PNG data\n")


def test_the_image_can_go_to_a_pipe(process: Run, run: Run) -> None:
    from click.testing import CliRunner

    from hb_cli.app import app

    result = CliRunner().invoke(app, ["imagen", "x", "-p", "mock", "-o", "-"])
    assert result.exit_code == 0
    assert result.stdout_bytes.startswith(PNG)
    assert run("imagen", "x", "-p", "mock", "-o", "-", "--json").code == 2
    assert list(Path.cwd().iterdir()) == []


def test_json_tells_paths_and_sizes(run: Run) -> None:
    data = json.loads(run("imagen", "cat", "-p", "mock", "--json").out)
    (row,) = data["images"]
    assert (row["path"], row["format"]) == ("cat.png", "png")
    assert row["width"] > 0
    assert data["provider"] == "mock"


def test_reference_images_are_read_before_the_call(run: Run) -> None:
    assert run("imagen", "x", "-p", "mock", "--image", "missing.png").code == 2
    run("imagen", "style", "-p", "mock")
    assert run("imagen", "like it", "-p", "mock", "--image", "style.png", "-o", "new.png").code == 0


def test_a_place_that_cannot_be_written_to_is_refused_before_the_call(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot be made"):
        Place(str(tmp_path / "file" / "x.png"), "x", False).check()
    os.symlink("nowhere", tmp_path / "link.png")
    with pytest.raises(InputError, match="exists"):
        Place(str(tmp_path / "link.png"), "x", False).check()


def test_an_image_that_was_paid_for_is_kept_when_its_name_was_taken_meanwhile(tmp_path: Path, run: Run) -> None:
    run("imagen", "x", "-p", "mock", "-o", "one.png")
    image = LLMImage.from_path("one.png")
    place = Place(str(tmp_path / "cat.png"), "x", False)
    place.check()
    (tmp_path / "cat.png").write_text("somebody was faster")
    assert place.save([image]) == [str(tmp_path / "cat-2.png")]
    assert (tmp_path / "cat.png").read_text() == "somebody was faster"


@given(st.text(st.characters(exclude_categories=())))
def test_a_derived_name_is_a_plain_base_name(prompt: str) -> None:
    name = safe_name(prompt)
    assert name == Path(name).name
    assert 0 < len(name) <= 60
    assert set(name) <= set("abcdefghijklmnopqrstuvwxyz0123456789-")
    assert not name.startswith("-")


@pytest.mark.parametrize(("prompt", "name"), [("../../etc/passwd", "etc-passwd"), ("CON", "image-con"), ("…", "image")])
def test_no_prompt_names_another_place(prompt: str, name: str) -> None:
    assert safe_name(prompt) == name


class Words:
    """A transport whose server answers in words whatever it is asked for."""

    def send(self, request: HTTPRequest) -> HTTPResponse:
        message = {"role": "assistant", "content": "I cannot draw that."}
        body = {"id": "c", "model": "m", "choices": [{"index": 0, "finish_reason": "stop", "message": message}]}
        return HTTPResponse(200, (("content-type", "application/json"),), json.dumps(body).encode())

    async def asend(self, request: HTTPRequest) -> HTTPResponse:
        return self.send(request)


def test_b4_an_answer_without_an_image_is_no_success(run: Run, tmp_path: Path) -> None:
    config = Config.from_dict({}, environ={"OPENROUTER_API_KEY": "sk-000", "HEAVENBASE_HOME": str(tmp_path)})
    with Kernel(config, transport=Words()) as kernel:
        for extra in ([], ["--json"]):
            code, out, err = run("imagen", "a cat", "-b", "openrouter", *extra, kernel=kernel)
            assert code == 1
            assert err.endswith("answered without an image; say that it is to draw one\n")
            assert out == "" if not extra else json.loads(out)["images"] == []
