"""Work on the desk's pages as plain functions: what is asked, what came of it, and how that is said."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from diffdesk.core.errors import Cancelled, ImageError
from diffdesk.core.parameters import GenerationParameters
from diffdesk.core.proposals import Doubt, Proposal
from diffdesk.core.requests import ModelInfo, TaskKind
from diffdesk.documents.page_source import PageKind, PageSource
from diffdesk.documents.recognised_page import RecognisedLine, RecognisedPage, RecognisedWord
from diffdesk.services import desk_work
from diffdesk.services.review import Review
from diffdesk.store import DeskContent, DeskState, Store

IMAGE = Path("/scans/page.png")
PAGE = RecognisedPage(
    400,
    100,
    (
        RecognisedLine(
            "Tbe lamp",
            (10, 10, 200, 40),
            0.9,
            (RecognisedWord("Tbe", (10, 10, 80, 40), 0.95), RecognisedWord("lamp", (90, 10, 200, 40), 0.6)),
        ),
        RecognisedLine("was lit", (10, 50, 150, 80), 0.99, (RecognisedWord("was", (10, 50, 70, 80), 0.99),), 1),
    ),
    turned=90,
)
PROPOSALS = (Proposal(1, 2, "h", 0.9, True), Proposal(4, 5, "L", 0.4, False))


class Reader:
    """Reads every image as the same page, and asks before that whether it is wanted any more."""

    def recognise(self, path: Path, cancelled: object = None) -> RecognisedPage:
        if callable(cancelled) and cancelled():
            raise Cancelled
        if path != IMAGE:
            raise ImageError("It is not there", f"{path} is gone.")
        return PAGE

    def close(self) -> None:
        """Nothing runs."""


def content(review: str = "") -> DeskContent:
    return DeskContent(json.dumps(PAGE.to_wire()), PAGE.text, PROPOSALS, (Doubt(12, 15, 0.5),), review=review)


def info(*, can_chat: bool = True, can_see_images: bool = False, why_no_images: str = "") -> ModelInfo:
    return ModelInfo("Small", "/small.gguf", "gguf", "cpu", "q8_0", 1, 32, 512, can_chat, can_see_images, why_no_images)


# --- pages in and out of the store ----------------------------------------------------------------------


@pytest.mark.parametrize(
    "source",
    [PageSource(IMAGE), PageSource(Path("/scans/ä book.pdf"), 2, 7, PageKind.PDF), PageSource(Path("/a/b.tiff"), 1, 2)],
)
def test_a_page_comes_out_of_the_store_as_it_went_in(source: PageSource, tmp_path: Path) -> None:
    with Store.open(tmp_path) as store:
        (row,) = store.desk.add([desk_work.new_page(source)])
        assert desk_work.source_of(row) == source
        assert row.name == source.name
        assert not row.is_read


def test_a_text_has_no_source_and_needs_no_reading(tmp_path: Path) -> None:
    with Store.open(tmp_path) as store:
        (row,) = store.desk.add([desk_work.new_text("Tbe lamp", "Text: Tbe lamp")])
        found = store.desk.content(row.id)
    assert desk_work.source_of(row) is None
    assert row.is_read
    assert found == DeskContent("", "Tbe lamp")
    assert desk_work.page_of(found) is None


def test_what_was_read_is_kept_whole() -> None:
    reading = desk_work.read_page(IMAGE, Reader(), lambda: False)
    assert reading.draft == PAGE.text == "Tbe lamp\n\nwas lit"
    assert reading.seconds >= 0
    assert desk_work.page_of(DeskContent(reading.kept, reading.draft)) == PAGE


def test_reading_ends_with_what_went_wrong_or_because_it_was_stopped() -> None:
    with pytest.raises(ImageError, match="not there"):
        desk_work.read_page(Path("/gone.png"), Reader(), lambda: False)
    with pytest.raises(Cancelled):
        desk_work.read_page(IMAGE, Reader(), lambda: True)


def test_a_review_opens_as_it_was_left() -> None:
    review = desk_work.review_of(content())
    assert review.text == "The lamp\n\nwas lit"
    review.accept(review.undecided[1])
    again = desk_work.review_of(content(review=review.to_json()))
    assert again.text == review.text == "The Lamp\n\nwas lit"
    assert again.can_undo
    assert again.segments[again.changes[0]].box == (10, 10, 80, 40)


# --- what the engine is asked ---------------------------------------------------------------------------


def test_a_request_has_the_draft_and_the_places_of_its_lines() -> None:
    parameters = GenerationParameters(steps=7)
    request = desk_work.request_of(content(), IMAGE, parameters, can_see=False)
    assert request.task is TaskKind.CORRECT
    assert request.parameters == parameters
    (message,) = request.messages
    assert (message.text, message.images) == (PAGE.text, ())
    first, second = request.read_lines
    assert (first.text, first.image, first.turned, first.box) == ("Tbe lamp", IMAGE, 90, (10, 10, 200, 40))
    assert [(one.text, one.left, one.right, one.confidence) for one in first.words] == [
        *(("Tbe", 10, 80, 0.95), ("lamp", 90, 200, 0.6)),
    ]
    assert second.confidence == 0.99


def test_a_model_that_sees_gets_the_page_too_and_a_text_has_neither() -> None:
    (message,) = desk_work.request_of(content(), IMAGE, GenerationParameters(), can_see=True).messages
    assert [(one.path, one.name) for one in message.images] == [(IMAGE, "page.png")]
    text = desk_work.request_of(DeskContent("", "Tbe lamp"), None, GenerationParameters(), can_see=True)
    assert (text.messages[0].images, text.read_lines) == ((), ())


# --- what came of it ------------------------------------------------------------------------------------


def outcome(review: Review, *declined: str) -> tuple[DeskState, str, int]:
    found = desk_work.outcome_of(review, declined)
    return found.state, found.note, found.undecided


def test_how_a_page_stands_is_said_in_a_line() -> None:
    review = desk_work.review_of(content())
    assert outcome(review) == (DeskState.READY, "2 of 2 to review", 2)
    review.accept(review.undecided[0])
    assert outcome(review) == (DeskState.READY, "1 of 2 to review", 1)
    review.reject(review.undecided[0])
    assert outcome(review) == (DeskState.REVIEWED, "2 changes reviewed", 0)
    review.edit(len(review.segments) - 1, "dark")
    assert outcome(review) == (DeskState.REVIEWED, "3 changes reviewed", 0)


def test_a_page_without_changes_has_nothing_to_review() -> None:
    review = Review("The lamp", ())
    assert outcome(review) == (DeskState.REVIEWED, "Nothing to change", 0)
    review.edit(0, "A")
    assert outcome(review) == (DeskState.REVIEWED, "1 change reviewed", 0)
    review.undo()
    assert outcome(review) == (DeskState.REVIEWED, "Nothing to change", 0)


def test_an_empty_page_and_one_that_the_model_declined_say_so() -> None:
    assert outcome(Review(" \n", ())) == (DeskState.REVIEWED, "No text was found", 0)
    assert outcome(Review("Der Fuchs", ()), "It is not English.", "Left as read.") == (
        *(DeskState.REVIEWED, "It is not English. Left as read.", 0),
    )


def test_hundreds_of_changes_are_counted_readably() -> None:
    draft = "Tbe " * 1500
    review = Review(draft, [Proposal(4 * at + 1, 4 * at + 2, "h", 0.9, True) for at in range(1500)])
    assert outcome(review) == (DeskState.READY, "1,500 of 1,500 to review", 1500)


@pytest.mark.parametrize(
    ("model", "said"),
    [
        (info(can_see_images=True), "Small looks at the page"),
        (
            info(can_chat=False, why_no_images="It compares lines with their pictures by itself."),
            "Small compares each line with its picture",
        ),
        (info(why_no_images="The file has no vision part."), "Small goes by the text alone: it can't see images"),
        (info(can_chat=False), "Small goes by the text alone: it can't see images"),
    ],
)
def test_it_is_said_what_a_model_goes_by(model: ModelInfo, said: str) -> None:
    assert desk_work.how_it_corrects(model) == said
