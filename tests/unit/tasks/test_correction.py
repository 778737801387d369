"""Correction by a chat model: what it is asked and shown, and what of its answers becomes of the draft."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from pathlib import Path

import numpy as np
import pillow_heif
import pytest
from numpy.typing import NDArray
from PIL import Image

from diffdesk.core.denoiser import Denoiser
from diffdesk.core.errors import EngineError, PromptError
from diffdesk.core.events import Finished, FinishReason, RunEvent
from diffdesk.core.messages import ImageRef, Message, Role
from diffdesk.core.parameters import GenerationParameters
from diffdesk.core.profile import ModelProfile
from diffdesk.core.proposals import made_text
from diffdesk.core.requests import ReadLine, ReadWord, RunRequest, TaskKind
from diffdesk.core.sampler import SamplerSettings
from diffdesk.core.trace import CanvasClosed, CanvasOpened, StepDelta
from diffdesk.tasks.correction import INSTRUCTION, LOOK, correct_in_turns, fitting_length
from diffdesk.tasks.runner import run_task
from diffdesk.tasks.task_run import TaskRun
from tests.unit.core.table_model import TableDenoiser
from tests.unit.tasks.scripted_chat import ScriptedChat

PAGE = Path("page.png")
MENDED = {"tbe": "the", "oat": "cat", "rnat": "mat", "17": "11"}


def mend(text: str) -> str:
    for wrong, right in MENDED.items():
        text = text.replace(wrong, right)
    return text


def read(text: str, page: Path = PAGE, sure: float = 0.9) -> tuple[ReadLine, ...]:
    """The lines of a text as if a recogniser had read them from a page."""
    return tuple(
        ReadLine(
            line,
            page,
            0,
            (20, 20 + 40 * at, 380, 50 + 40 * at),
            tuple(ReadWord(word, 0, 1, sure) for word in line.split()),
        )
        for at, line in enumerate(text.split("\n"))
        if line
    )


def events_of(
    denoiser: Denoiser,
    text: str,
    lines: Sequence[ReadLine] = (),
    images: tuple[ImageRef, ...] = (),
    *,
    is_warm: bool = False,
    is_cancelled: Callable[[], bool] = lambda: False,
) -> list[RunEvent]:
    request = RunRequest(
        TaskKind.CORRECT, (Message(Role.USER, text, images),), GenerationParameters(seed=1), tuple(lines)
    )
    profile = ModelProfile(is_warm_started=is_warm)
    return list(run_task(denoiser, profile, request, lambda _: None, is_cancelled))


def finish(events: Sequence[RunEvent]) -> Finished:
    assert [isinstance(one, Finished) for one in events].index(True) == len(events) - 1
    finished = events[-1]
    assert isinstance(finished, Finished)
    return finished


def closed(events: Sequence[RunEvent]) -> list[CanvasClosed]:
    return [one for one in events if isinstance(one, CanvasClosed)]


def test_a_canvas_is_as_long_as_its_correction_may_become() -> None:
    assert [fitting_length(tokens, 256) for tokens in (1, 19, 20, 44, 45, 96, 97, 150, 900)] == [
        *(32, 32, 64, 64, 64, 128, 256, 256, 256)
    ]
    assert fitting_length(3, 16) == 16
    assert fitting_length(3, 48) == 32


def test_a_canvas_that_is_as_long_as_it_has_to_be_is_asked_for_where_work_is_to_be_saved() -> None:
    for refresh, length in ((8, 32), (1, 256)):
        denoiser = TableDenoiser(["a cat<turn|>"], 256)
        message = Message(Role.USER, "a cot")
        settings = SamplerSettings.resolve(GenerationParameters(refresh=refresh), denoiser.defaults)
        request = RunRequest(TaskKind.CORRECT, (message,))
        events = correct_in_turns(TaskRun(denoiser, request, settings, 1, lambda _event: None, lambda: False))
        opened = next(event for event in events if isinstance(event, CanvasOpened))
        assert len(opened.ids) == length


# --- typed drafts -----------------------------------------------------------------------------------

TYPED = "tbe oat sat on 17 mats.\n\n" + "another paragraph about tbe oat. " * 8


def test_a_typed_draft_becomes_what_the_model_answers_and_says_what_changed() -> None:
    finished = finish(events_of(ScriptedChat(mend, sure=0.3), TYPED))
    assert finished.answer == mend(TYPED) == made_text(TYPED, finished.proposals)
    assert len(finished.proposals) == 3 + 8 * 2
    assert all(one.is_made for one in finished.proposals)
    assert finished.notes == ()
    assert finished.reason is FinishReason.END_TOKEN


def test_white_space_around_a_typed_draft_stays() -> None:
    assert finish(events_of(ScriptedChat(mend), "\n  tbe oat\n")).answer == "\n  the cat\n"


def test_a_refusal_leaves_the_text_alone_and_says_so() -> None:
    finished = finish(events_of(ScriptedChat(lambda _: "I can't help with that, sorry."), "tbe oat sat on a rnat"))
    assert finished.answer == "tbe oat sat on a rnat"
    assert (finished.proposals, finished.doubts) == ((), ())
    assert finished.notes == ("The model's answer was no correction of the text, so the text stays as it was.",)


def test_only_the_parts_without_a_correction_stay_as_they_were() -> None:
    denoiser = ScriptedChat(lambda text: mend(text) if "17" in text else "", length=128)
    finished = finish(events_of(denoiser, TYPED))
    assert len(denoiser.asked) == 5
    first = denoiser.asked[0]
    assert finished.answer == mend(first) + TYPED[len(first) :]
    assert finished.notes == (
        "In 4 of 5 parts of the text the model's answer was no correction of it, so they stay as they were.",
    )


def test_an_answer_that_never_ends_is_no_correction() -> None:
    finished = finish(events_of(ScriptedChat(mend, is_endless=True), "tbe oat sat on a rnat"))
    assert finished.answer == "tbe oat sat on a rnat"
    assert len(finished.notes) == 1


# --- drafts that were read --------------------------------------------------------------------------

SCAN = "tbe oat sat on a rnat with all of\nits 17 friends and went to sleep\n\nin tbe afternoon of a day like this"


def test_a_draft_that_was_read_keeps_its_lines_and_numbers() -> None:
    denoiser = ScriptedChat(lambda text: mend(text).replace("\n\n", " ").replace("\n", " "))
    finished = finish(events_of(denoiser, SCAN, read(SCAN)))
    assert finished.answer == mend(SCAN).replace("11", "17")
    assert finished.answer == made_text(SCAN, finished.proposals)
    offered = [one for one in finished.proposals if not one.is_made]
    assert [(SCAN[one.start : one.end], one.text) for one in offered] == [("7", "1")]


def test_changes_that_the_model_did_not_hold_to_are_offered_and_words_that_it_kept_so_are_doubtful() -> None:
    denoiser = ScriptedChat(mend, unsure={"cat": 0.3, "friends": 0.2})
    finished = finish(events_of(denoiser, SCAN, read(SCAN)))
    assert "tbe oat sat" not in finished.answer
    assert "the oat sat" in finished.answer
    unmade = {SCAN[one.start : one.end]: one.certainty for one in finished.proposals if not one.is_made}
    assert unmade["o"] == pytest.approx(0.3)
    at = SCAN.index("friends")
    (doubt,) = finished.doubts
    assert (doubt.start, doubt.end) == (at, at + len("friends"))
    assert doubt.certainty == pytest.approx(0.2)


def test_words_that_the_recogniser_was_sure_of_need_more() -> None:
    for sure, is_made in ((0.9, True), (0.995, False)):
        finished = finish(events_of(ScriptedChat(mend, sure=0.7), SCAN, read(SCAN, sure=sure)))
        assert ("the cat" in finished.answer) is is_made


def test_places_of_later_pieces_are_those_of_the_draft() -> None:
    denoiser = ScriptedChat(mend, length=64, unsure={"afternoon": 0.1})
    finished = finish(events_of(denoiser, SCAN, read(SCAN)))
    assert len(denoiser.asked) == 3
    assert finished.answer == made_text(SCAN, finished.proposals) == mend(SCAN).replace("11", "17")
    assert [SCAN[one.start : one.end] for one in finished.doubts] == ["afternoon"]


def test_what_is_committed_is_shown_as_it_will_stand() -> None:
    denoiser = ScriptedChat(mend, length=64)
    events = events_of(denoiser, SCAN, read(SCAN))
    texts = [one.answer for one in closed(events)]
    assert texts[-1] == finish(events).answer
    assert all(finish(events).answer.startswith(one) for one in texts)
    assert [one.canvas for one in closed(events)] == [0, 2, 4]
    opened = [one for one in events if isinstance(one, CanvasOpened)]
    assert {one.canvases for one in opened} == {6}


def test_what_was_not_reached_stays_as_drafted() -> None:
    denoiser = ScriptedChat(mend, length=64)
    finished = finish(events_of(denoiser, SCAN, read(SCAN), is_cancelled=lambda: len(denoiser.starts) == 2))
    assert finished.reason is FinishReason.CANCELLED
    assert finished.answer == SCAN.replace("tbe oat", "the cat").replace("rnat", "mat")


def test_an_error_leaves_the_rest_as_drafted() -> None:
    class Failing(ScriptedChat):
        def start_canvas(self, ids: NDArray[np.int32], confidence: NDArray[np.float32] | None = None) -> None:
            if self.starts:
                raise EngineError("No memory", "It ran out.")
            super().start_canvas(ids, confidence)

    finished = finish(events_of(Failing(mend, length=64), SCAN, read(SCAN)))
    assert finished.reason is FinishReason.FAILED
    assert isinstance(finished.error, EngineError)
    assert finished.answer.startswith("the cat")
    assert finished.answer.endswith("in tbe afternoon of a day like this")


# --- starting from the draft ------------------------------------------------------------------------


def test_canvases_begin_with_noise_unless_the_profile_says_otherwise() -> None:
    for is_warm in (False, True):
        denoiser = ScriptedChat(mend)
        events = events_of(denoiser, SCAN, read(SCAN), is_warm=is_warm)
        (start,) = denoiser.starts
        assert (start[1] is not None) is is_warm
        begun = "".join(denoiser.tokenizer.pieces(start[0].tolist()))
        assert begun.startswith(f"{SCAN}<turn|>") is is_warm
        opened = next(one for one in events if isinstance(one, CanvasOpened))
        assert opened.is_warm is is_warm
        assert finish(events).stats.steps == sum(isinstance(one, StepDelta) for one in events) > 0


# --- images -----------------------------------------------------------------------------------------


@pytest.fixture
def page(tmp_path: Path) -> Path:
    path = tmp_path / "page.png"
    Image.new("RGB", (400, 1300), "white").save(path)
    return path


def many_lines() -> str:
    return "\n".join(f"a line of the page, {word} tbe end" for word in "abcdefghijklmnopqrstuvwxyzABCD")


def test_each_piece_of_a_dense_page_is_shown_its_part_and_nothing_of_that_is_left_behind(page: Path) -> None:
    text = many_lines()
    denoiser = ScriptedChat(mend, sees=True)
    finished = finish(events_of(denoiser, text, read(text, page), (ImageRef(page, "page"),)))
    assert finished.answer == mend(text)
    sizes = [[(width, height) for width, height, _ in one] for one in denoiser.looked]
    assert len(sizes) == len(denoiser.asked) > 4
    band = (400 - 5 - 5, 14 * 40 + 30 + 15 + 15)
    assert {tuple(one) for one in sizes} == {(band,)}
    files = {path for one in denoiser.looked for _, _, path in one}
    assert len(files) == 2
    assert not any(path.exists() for path in files)
    assert set(denoiser.systems) == {f"{INSTRUCTION} {LOOK}"}


def test_a_dense_page_that_is_a_heic_photo_is_shown_part_by_part_too(page: Path, tmp_path: Path) -> None:
    photo = tmp_path / "photo.heic"
    pillow_heif.from_pillow(Image.open(page)).save(photo)
    text = many_lines()
    of_png, of_heic = ScriptedChat(mend, sees=True), ScriptedChat(mend, sees=True)
    for denoiser, path in ((of_png, page), (of_heic, photo)):
        events_of(denoiser, text, read(text, path), (ImageRef(path, "page"),))
    sizes = [[[one[:2] for one in looked] for looked in denoiser.looked] for denoiser in (of_png, of_heic)]
    assert sizes[0] == sizes[1]
    assert all(len(one) == 1 for one in sizes[1])


def test_a_page_of_few_lines_is_shown_whole_to_every_piece(page: Path) -> None:
    denoiser = ScriptedChat(mend, sees=True, length=64)
    events_of(denoiser, SCAN, read(SCAN, page), (ImageRef(page, "page"),))
    assert denoiser.looked == [[(400, 1300, page)]] * 3
    assert page.exists()


def test_without_an_image_the_model_is_told_of_none() -> None:
    denoiser = ScriptedChat(mend, sees=True)
    events_of(denoiser, SCAN, read(SCAN))
    assert denoiser.looked == [[]]
    assert denoiser.systems == [INSTRUCTION]


def test_a_page_that_is_gone_is_corrected_without_looking(page: Path) -> None:
    text = many_lines()
    lines = read(text, page)
    page.unlink()
    denoiser = ScriptedChat(mend, sees=True)
    finished = finish(events_of(denoiser, text, lines, (ImageRef(page, "My scan.png"),)))
    assert finished.answer == mend(text)
    assert all(one == [] for one in denoiser.looked)
    (note,) = finished.notes
    assert note.startswith("My scan.png can't be opened any more")


def test_an_image_that_a_model_can_not_see_fails_the_run_and_leaves_the_draft(page: Path) -> None:
    finished = finish(events_of(ScriptedChat(mend), SCAN, read(SCAN, page), (ImageRef(page, "page"),)))
    assert isinstance(finished.error, PromptError)
    assert finished.answer == SCAN


def test_a_run_that_is_left_removes_its_pictures(page: Path) -> None:
    text = many_lines()
    denoiser = ScriptedChat(mend, sees=True)
    message = Message(Role.USER, text, (ImageRef(page, "page"),))
    request = RunRequest(TaskKind.CORRECT, (message,), read_lines=read(text, page))
    settings = SamplerSettings.resolve(GenerationParameters(), denoiser.defaults)
    running = correct_in_turns(TaskRun(denoiser, request, settings, 1, lambda _: None, lambda: False))
    assert isinstance(running, Generator)
    while not denoiser.starts:
        next(running)
    ((_, _, path),) = denoiser.looked[0]
    assert path.exists()
    running.close()
    assert not path.exists()
