"""Rows on a real engine: in order, errors with their rows, engines that die started again; and the journal."""

from __future__ import annotations

import os
import shutil
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from diffdesk.backends.gguf.conversion import convert
from diffdesk.core.errors import Cancelled, EngineError, PromptError, SettingError, TableError
from diffdesk.core.events import RunEvent
from diffdesk.core.parameters import GenerationParameters
from diffdesk.core.presets import instruction_of, preset_named
from diffdesk.core.requests import ModelSpec, RunRequest
from diffdesk.engine.client import EngineClient
from diffdesk.paths import starter_dir
from diffdesk.services import rewriting
from diffdesk.services.models import spec_of
from diffdesk.services.rewrite_journal import RewriteJournal, job_key
from diffdesk.services.rewriting import LoadedModel, RowResult, rewrite_rows

CORRECT = instruction_of(preset_named("correct"))
LONG = "It was in the year of the great flood that the old keeper of the lighthouse wound the clock. " * 12
SEEDED = GenerationParameters(seed=1)


class FragileClient(EngineClient):
    """A real engine that is killed at the first event of a run on a text with `deadly` in it, `lives` times."""

    deadly = "\x00"
    lives = 0
    runs: list[str]

    def run(self, request: RunRequest) -> Iterator[RunEvent]:
        text = request.messages[-1].text
        self.runs.append(text)
        for event in super().run(request):
            yield event
            if self.deadly in text and self.lives and self.pid is not None:
                self.lives -= 1
                os.kill(self.pid, signal.SIGKILL)


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[FragileClient, LoadedModel]]:
    client = FragileClient(tmp_path_factory.mktemp("logs"))
    spec = spec_of(None)
    yield client, LoadedModel(client, spec, client.load(spec, lambda stage, share: None))
    client.close()


@pytest.fixture
def client(loaded: tuple[FragileClient, LoadedModel]) -> FragileClient:
    loaded[0].deadly, loaded[0].lives, loaded[0].runs = "\x00", 0, []
    return loaded[0]


@pytest.fixture
def model(loaded: tuple[FragileClient, LoadedModel], client: FragileClient) -> LoadedModel:
    return loaded[1]


def rewritten(model: LoadedModel, texts: list[str], parameters: GenerationParameters = SEEDED) -> list[RowResult]:
    results: list[RowResult] = []
    rewrite_rows(model, texts, CORRECT, parameters, results.append, lambda: False)
    assert [one.index for one in results] == list(range(len(results)))
    assert [one.text for one in results] == texts[: len(results)]
    return results


def test_rows_come_in_order_and_short_ones_share_a_run(model: LoadedModel, client: FragileClient) -> None:
    texts = ["Tbe quiek brown fox", "", "jumps ovcr the lazy dog", "Nothing is wrong here.", "two\nlines hcre", " "]
    results = rewritten(model, texts)
    assert [one.answer for one in results] == [
        *("The quick brown fox", "", "jumps over the lazy dog", "Nothing is wrong here.", "two\nlines here", " "),
    ]
    assert [one.is_changed for one in results] == [True, False, True, False, True, False]
    assert client.runs == [texts[0], "\n".join(texts[2:4]), texts[4]]


def test_a_row_that_is_declined_has_an_error_and_the_others_go_on(model: LoadedModel) -> None:
    german = "Der schnelle Fuchs ist nicht auf den Zaun und in die Wiese gesprungen"
    first, second, third = rewritten(model, ["Tbe fox", german, "a d0g and a cat"])
    assert (first.answer, third.error) == ("The fox", None)
    assert (second.answer, second.is_changed) == ("", False)
    assert second.error is not None
    assert "English" in second.error.text


def test_what_the_starter_cant_do_is_refused_before_a_row_is_sent(model: LoadedModel, client: FragileClient) -> None:
    with pytest.raises(PromptError, match="can't do that"):
        rewrite_rows(model, ["a"], "Translate it.", SEEDED, lambda row: None, lambda: False)
    assert not client.runs


def test_a_wrong_setting_ends_the_job(model: LoadedModel) -> None:
    with pytest.raises(SettingError):
        rewritten(model, ["Tbe fox", "tbe dog"], GenerationParameters(t_max=0.1, t_min=0.5))


def test_a_job_is_stopped(model: LoadedModel) -> None:
    results: list[RowResult] = []
    with pytest.raises(Cancelled):
        rewrite_rows(model, ["Tbe fox", LONG, "tbe dog"], CORRECT, SEEDED, results.append, lambda: bool(results))
    assert [one.answer for one in results] == ["The fox"]


@pytest.mark.skipif(sys.platform == "win32", reason="there is no kill -9 on Windows")
class TestCrashes:
    """An engine that is killed."""

    def test_a_row_at_which_the_engine_dies_is_tried_again(self, model: LoadedModel, client: FragileClient) -> None:
        client.deadly, client.lives = "lighthouse", 1
        results = rewritten(model, ["Tbe fox", LONG, "tbe dog"])
        assert [one.error for one in results] == [None, None, None]
        assert results[1].answer == LONG
        assert client.runs.count(LONG) == 2

    def test_a_row_at_which_it_dies_twice_has_the_error(self, model: LoadedModel, client: FragileClient) -> None:
        client.deadly, client.lives = "lighthouse", 2
        results = rewritten(model, ["Tbe fox", LONG, "tbe dog"])
        assert [one.answer for one in results] == ["The fox", "", "the dog"]
        assert isinstance(results[1].error, EngineError)

    def test_an_engine_that_always_dies_ends_the_job(self, model: LoadedModel, client: FragileClient) -> None:
        client.deadly, client.lives = "lighthouse", 99
        with pytest.raises(EngineError):
            rewritten(model, [LONG] * 9)
        assert len(client.runs) == 2 * rewriting.MOST_CRASHES


def test_each_row_of_a_chat_model_has_a_canvas_of_its_own(tmp_path: Path) -> None:
    """The starter's weights without the file that says what they are for: they may write anything, or nothing."""
    folder = tmp_path / "checkpoint"
    shutil.copytree(starter_dir(), folder, ignore=shutil.ignore_patterns("diffdesk.json", "*.gguf"))
    convert(folder, tmp_path / "chatty.gguf", "q8_0", lambda stage, share: None)
    client = FragileClient(tmp_path)
    client.runs = []
    spec = ModelSpec(tmp_path / "chatty.gguf")
    try:
        model = LoadedModel(client, spec, client.load(spec, lambda stage, share: None))
        results: list[RowResult] = []
        texts = ["Good day", "", "Good night"]
        rewrite_rows(model, texts, "Say it in French.", SEEDED, results.append, lambda: False)
    finally:
        client.close()
    assert client.runs == ["Good day", "Good night"]
    assert [one.text for one in results] == texts
    assert all((one.error is None) == bool(one.answer) for one in (results[0], results[2]))


# --- the journal ----------------------------------------------------------------------------------------


def test_a_journal_gives_back_what_was_done(tmp_path: Path) -> None:
    path = tmp_path / "out.csv.part.jsonl"
    texts = ["a", "b", "c"]
    with RewriteJournal(path, "job", texts) as journal:
        assert not journal.done
        journal.add(RowResult(0, "a", "A", seconds=0.5))
        journal.add(RowResult(2, "c", "", PromptError("Too long", "It is.", "Split it.")))
    with RewriteJournal(path, "job", texts) as journal:
        assert not journal.was_other
        assert list(journal.done) == [0, 2]
        assert journal.done[0] == RowResult(0, "a", "A", seconds=0.5)
        error = journal.done[2].error
        assert isinstance(error, PromptError)
        assert error.remedy == "Split it."
        journal.add(RowResult(1, "b", "B\nü"))
        journal.remove()
    assert not path.exists()


def test_a_journal_cut_off_anywhere_keeps_its_whole_lines_and_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    texts = ["a", "b", "c"]
    with RewriteJournal(path, "job", texts) as journal:
        for index, text in enumerate(texts[:2]):
            journal.add(RowResult(index, text, text.upper()))
    whole = path.read_bytes()
    ends = [at + 1 for at, one in enumerate(whole) if one == ord("\n")]
    for length in range(len(whole) + 1):
        path.write_bytes(whole[:length])
        with RewriteJournal(path, "job", texts) as journal:
            assert len(journal.done) == max(0, sum(end <= length for end in ends) - 1)
            journal.add(RowResult(2, "c", "C"))
        with RewriteJournal(path, "job", texts) as journal:
            assert journal.done[2].answer == "C"


@pytest.mark.parametrize("content", [b"no journal\n", b"\x00" * 50, b'{"version": 1, "job": "other"}\n', b"[1]\n"])
def test_another_jobs_journal_is_begun_anew(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "journal"
    path.write_bytes(content)
    with RewriteJournal(path, "job", ["a"]) as journal:
        assert journal.was_other
        assert not journal.done


def test_rows_that_make_no_sense_are_done_again(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    with RewriteJournal(path, "job", ["a"]) as journal:
        journal.add(RowResult(0, "a", "A"))
    for line in (b'{"row": 7, "answer": "x", "error": null, "seconds": 1}\n', b'{"row": 0}\n', b"{}\n", b"3\n"):
        head = path.read_bytes().splitlines(keepends=True)[0]
        path.write_bytes(head + line)
        with RewriteJournal(path, "job", ["a"]) as journal:
            assert not journal.done


def test_a_journal_that_cant_be_written_is_an_error_with_a_remedy(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "missing" / "journal"):
        with pytest.raises(TableError, match="can't be kept"):
            RewriteJournal(path, "job", [])


def test_a_job_is_another_where_anything_differs_that_decides_its_rows() -> None:
    assert job_key(b"a", "shorten", ("text",)) == job_key(b"a", "shorten", ("text",))
    others = [job_key(b"b", "shorten", ("text",)), job_key(b"a", "x", ("text",)), job_key(b"a", "shorten", ("id",))]
    assert len({job_key(b"a", "shorten", ("text",)), *others}) == 4
