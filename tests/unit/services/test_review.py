"""The review of a page: segments, decisions, undo without end, and the text that follows."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from diffdesk.core.proposals import Doubt, Proposal, made_text
from diffdesk.documents.recognised_page import RecognisedLine, RecognisedPage, RecognisedWord
from diffdesk.services.review import Decision, Review

DRAFT = "Tbe qu1ck brovvn\nfox jum ps over"
PROPOSALS = (
    Proposal(1, 2, "h", 0.95, True),
    Proposal(6, 7, "i", 0.4, False),
    Proposal(13, 15, "w", 0.9, True),
    Proposal(24, 25, "", 0.8, True),
)


def page(sure: float = 0.99) -> RecognisedPage:
    lines = []
    for row, text in enumerate(DRAFT.split("\n")):
        words, at = [], 0
        for word in text.split():
            left = text.index(word, at)
            at = left + len(word)
            words.append(RecognisedWord(word, (10 * left, 30 * row, 10 * at, 30 * row + 20), sure))
        lines.append(RecognisedLine(text, (0, 30 * row, 10 * len(text), 30 * row + 20), sure, tuple(words)))
    return RecognisedPage(300, 80, tuple(lines))


def of(review: Review, drafted: str) -> int:
    return next(index for index, one in enumerate(review.segments) if one.drafted == drafted)


def test_what_the_guard_let_through_stands_in_the_text_until_it_is_rejected() -> None:
    review = Review(DRAFT, PROPOSALS, (), page())
    assert review.text == made_text(DRAFT, PROPOSALS) == "The qu1ck brown\nfox jumps over"
    assert [review.segments[index].drafted for index in review.changes] == ["Tbe", "qu1ck", "brovvn", "jum ps"]
    review.reject(of(review, "Tbe"))
    review.accept(of(review, "qu1ck"))
    review.edit(of(review, "over"), "above")
    assert review.text == "Tbe quick brown\nfox jumps above"
    assert [review.segments[index].drafted for index in review.undecided] == ["brovvn", "jum ps"]
    assert review.said(of(review, "over")) is not None


def test_decisions_are_undone_and_made_again_one_by_one() -> None:
    review = Review(DRAFT, PROPOSALS)
    texts = [review.text]
    for index in review.changes:
        review.reject(index)
        texts.append(review.text)
    assert texts[-1] == DRAFT
    for text in reversed(texts[:-1]):
        review.undo()
        assert review.text == text
    assert not review.can_undo
    assert review.undo() == ()
    for text in texts[1:]:
        review.redo()
        assert review.text == text
    assert review.redo() == ()
    review.undo()
    review.accept(review.changes[0])
    assert not review.can_redo


def test_accepting_all_above_a_certainty_is_one_step() -> None:
    review = Review(DRAFT, PROPOSALS)
    assert review.accept_above(0.9) == 2
    assert [review.segments[index].drafted for index in review.undecided] == ["qu1ck", "jum ps"]
    review.undo()
    assert len(review.undecided) == 4
    review.settle(0.3)
    assert review.text == "The quick brown\nfox jumps over"
    assert not review.undecided


def test_a_kept_review_opens_as_it_was() -> None:
    review = Review(DRAFT, PROPOSALS)
    review.reject(0)
    review.edit(2, "quíck “x”")
    review.undo()
    again = Review(DRAFT, PROPOSALS, kept=review.to_json())
    assert again.text == review.text
    assert again.can_redo
    again.redo()
    review.redo()
    assert again.text == review.text != DRAFT


@pytest.mark.parametrize(
    "broken", ["[]", "{", '{"done": 5, "steps": []}', '{"done": 1, "steps": [{"99": ["accepted", ""]}]}']
)
def test_a_review_of_another_text_is_refused(broken: str) -> None:
    with pytest.raises(ValueError, match="review"):
        Review(DRAFT, PROPOSALS, kept=broken)


def test_words_know_their_places_and_joined_words_that_of_both() -> None:
    review = Review(DRAFT, PROPOSALS, (), page())
    assert review.segments[of(review, "brovvn")].box == (100, 0, 160, 20)
    joined = review.segments[of(review, "jum ps")]
    assert joined.box == (40, 30, 100, 50)
    assert joined.line == 1
    assert review.segments[of(review, "\n")].box is None


def test_a_word_is_uncertain_for_the_recogniser_for_the_model_or_where_they_disagree() -> None:
    review = Review(DRAFT, PROPOSALS, (Doubt(27, 31, 0.4),), page())
    by_word = {one.drafted: one for one in review.segments}
    assert by_word["qu1ck"].doubt >= 0.5
    assert by_word["qu1ck"].why == "the model would write “quick”"
    assert by_word["over"].why == "the model kept it without being sure"
    assert by_word["fox"].doubt == by_word["Tbe"].doubt == 0
    unsure = {one.drafted: one for one in Review(DRAFT, (), (), page(sure=0.5)).segments}
    assert unsure["fox"].why == "the recogniser was 50 % sure"
    assert unsure["fox"].doubt >= 0.5
    assert unsure[" "].doubt == 0


def test_an_uncertain_word_that_was_decided_is_uncertain_no_more() -> None:
    review = Review(DRAFT, (), (Doubt(0, 3, 0.4),))
    assert review.doubt_of(0) >= 0.5
    review.accept(0)
    assert review.doubt_of(0) == 0
    assert review.text == DRAFT
    assert not review.changes
    said = review.said(0)
    assert said is not None
    assert said.decision is Decision.ACCEPTED


def test_the_summary_tells_how_much_changed() -> None:
    assert Review(DRAFT, ()).summary() == "Nothing was changed."
    held = Proposal(0, 3, "xyz", 0.9, False, True)
    offered = Proposal(0, 3, "The", 0.6, is_made=False)
    assert Review(DRAFT, (offered,)).summary() == "Nothing was changed; 1 suggested for you to decide."
    assert Review(DRAFT, PROPOSALS).summary() == ("3 of 6 words changed (50.0 %); 1 more suggested for you to decide.")
    assert "1 line left as read" in Review(DRAFT, (held,), (), page()).summary()


drafts = st.text(alphabet="ab \n.", max_size=60)


@st.composite
def proposed(draw: st.DrawFn) -> tuple[str, tuple[Proposal, ...]]:
    draft = draw(drafts)
    cuts = sorted(draw(st.lists(st.integers(0, len(draft)), max_size=10)))
    found, last = [], -1
    for start, end in list(pairwise(cuts))[::2]:
        if start > last:
            text = draw(st.text(alphabet="xy ", max_size=3))
            found.append(Proposal(start, end, text, draw(st.floats(0, 1)), draw(st.booleans())))
            last = end
    return draft, tuple(found)


@settings(deadline=None)
@given(proposed())
def test_segments_join_to_the_draft_and_the_texts_to_what_the_proposals_make(
    case: tuple[str, tuple[Proposal, ...]],
) -> None:
    draft, proposals = case
    review = Review(draft, proposals)
    assert "".join(one.drafted for one in review.segments) == draft
    assert review.text == made_text(draft, proposals)
    spans = [(one.start, one.end) for one in review.segments]
    assert all(one[1] == other[0] for one, other in pairwise(spans))
    review.settle(0.0)
    wanted = [Proposal(one.start, one.end, one.text, one.certainty, True) for one in proposals]
    assert review.text == made_text(draft, wanted)
    for index in review.changes:
        review.reject(index)
    assert review.text == draft
