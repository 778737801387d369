"""Pages on their way out: final text in its places, differences with what became of them, images while needed."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from diffdesk.core.errors import ImageError
from diffdesk.core.proposals import Proposal
from diffdesk.documents.exports.export_page import ExportedDifference
from diffdesk.documents.page_images import PageImages
from diffdesk.documents.page_source import PageKind, PageSource
from diffdesk.documents.recognised_page import RecognisedLine, RecognisedPage, RecognisedWord
from diffdesk.documents.recogniser import Recogniser
from diffdesk.services.desk_export import DonePage, export_page, export_pages_of
from diffdesk.services.review import Review

DRAFT = "aa bb cc\ndd ee ff"
PROPOSALS = (
    Proposal(0, 2, "AA", 0.95, True),  # made
    Proposal(3, 5, "BB", 0.9, True),  # accepted below
    Proposal(6, 8, "CC", 0.85, True),  # rejected below
    Proposal(9, 11, "DD", 0.4, False),  # offered
    Proposal(12, 14, "EE", 0.8, False, True),  # held
)
BOXES = {word: (30 * place, 0, 30 * place + 20, 20) for place, word in enumerate(["aa", "bb", "cc"])}
BOXES |= {word: (30 * place, 30, 30 * place + 20, 50) for place, word in enumerate(["dd", "ee", "ff"])}


def page() -> RecognisedPage:
    lines = []
    for row, text in enumerate(DRAFT.split("\n")):
        words = tuple(RecognisedWord(one, BOXES[one], 0.9) for one in text.split())
        lines.append(RecognisedLine(text, (0, 30 * row, 80, 30 * row + 20), 0.9, words))
    return RecognisedPage(90, 60, tuple(lines))


def reviewed() -> Review:
    """With one of each: made, accepted, rejected, offered, held, edited."""
    review = Review(DRAFT, PROPOSALS, (), page())
    by_word = {one.drafted: index for index, one in enumerate(review.segments)}
    review.accept(by_word["bb"])
    review.reject(by_word["cc"])
    review.edit(by_word["ff"], "gold")
    return review


def test_every_difference_says_what_became_of_it() -> None:
    source = PageSource(Path("/scans/book.pdf"), 4, 9, PageKind.PDF)
    done = export_page(DonePage(source.name, source, page(), reviewed()), None)
    name = "book.pdf, page 5 of 9"
    assert done.differences == (
        ExportedDifference(name, 1, "aa", "AA", "made", 0.95),
        ExportedDifference(name, 1, "bb", "BB", "accepted", 0.9),
        ExportedDifference(name, 1, "cc", "CC", "rejected", 0.85),
        ExportedDifference(name, 2, "dd", "DD", "offered", 0.4),
        ExportedDifference(name, 2, "ee", "EE", "held", 0.8),
        ExportedDifference(name, 2, "ff", "gold", "edited", None),
    )


def test_the_final_text_stands_where_the_draft_stood() -> None:
    done = export_page(
        DonePage("page", PageSource(Path("/scans/page.png")), page(), reviewed()), Path("/scans/page.png")
    )
    assert done.page.text == "AA BB cc\ndd ee gold"
    assert [(word.text, word.box) for line in done.page.lines for word in line.words] == [
        ("AA", BOXES["aa"]),
        ("BB", BOXES["bb"]),
        ("cc", BOXES["cc"]),
        ("dd", BOXES["dd"]),
        ("ee", BOXES["ee"]),
        ("gold", BOXES["ff"]),
    ]
    assert (done.page.width, done.page.height, done.has_places) == (90, 60, True)


def test_a_text_has_lines_and_no_places() -> None:
    review = Review("one\n\ntvvo", (Proposal(6, 8, "w", 0.9, True),))
    done = export_page(DonePage("Text: one", None, None, review), None)
    assert done.page.text == "one\n\ntwo"
    assert not done.has_places
    assert done.differences == (ExportedDifference("Text: one", 3, "tvvo", "two", "made", 0.9),)


def test_a_decision_that_was_undone_is_none() -> None:
    review = reviewed()
    while review.can_undo:
        review.undo()
    done = export_page(DonePage("page", None, page(), review), None)
    assert [one.decision for one in done.differences] == ["made", "made", "made", "offered", "held"]


def test_an_image_is_there_until_the_next_page_is_asked_for(tmp_path: Path) -> None:
    tiff = tmp_path / "two.tiff"
    first = Image.new("RGB", (90, 60), "white")
    first.save(tiff, save_all=True, append_images=[Image.new("RGB", (90, 60), "red")])
    recogniser, folder = Recogniser(), tmp_path / "pages"
    images = PageImages(folder, recogniser, keep=0)
    pages = [DonePage(str(number), PageSource(tiff, number, 2), page(), reviewed()) for number in range(2)]
    seen = []
    for one in export_pages_of(pages, images, lambda: False):
        assert one.image is not None
        with Image.open(one.image) as image:
            seen.append(image.convert("RGB").getpixel((1, 1)))
        assert [file.name for file in folder.iterdir()] == [one.image.name]
    assert seen == [(255, 255, 255), (255, 0, 0)]
    assert list(folder.iterdir()) == []
    assert recogniser.process_id is None, "no child is needed for a TIFF"


def test_texts_and_pages_of_pdfs_need_no_image_and_a_missing_one_is_an_error(tmp_path: Path) -> None:
    recogniser = Recogniser()
    images = PageImages(tmp_path / "pages", recogniser)
    gone = tmp_path / "gone.png"
    pages = (
        DonePage("text", None, None, reviewed()),
        DonePage("pdf", PageSource(tmp_path / "gone.pdf", 0, 1, PageKind.PDF), page(), reviewed()),
        DonePage("image", PageSource(gone), page(), reviewed()),
    )
    found = export_pages_of(pages, images, lambda: False)
    assert [next(found).image, next(found).image] == [None, None]
    with pytest.raises(ImageError):
        next(found)
    assert recogniser.process_id is None
