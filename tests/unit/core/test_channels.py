"""Answer, thought and markers: however the tokens are cut into canvases."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from diffdesk.core.channels import ChannelParser, answer_state
from diffdesk.core.events import AnswerState
from diffdesk.core.trace import Region
from tests.unit.core.letters import SPECIALS, LetterTokenizer

VOCABULARY = LetterTokenizer()
ENDS = (*VOCABULARY.ids("<eos>"), *VOCABULARY.ids("<turn|>"))


def canvas(text: str) -> NDArray[np.int32]:
    """A canvas with special tokens written out."""
    return np.asarray(VOCABULARY.ids(text), np.int32)


def parse(*texts: str) -> ChannelParser:
    """A parser with a canvas committed for each text."""
    parser = ChannelParser.for_tokenizer(VOCABULARY, ENDS)
    for text in texts:
        parser.commit(canvas(text))
    return parser


def answer(parser: ChannelParser) -> str:
    return VOCABULARY.decode(parser.answer_ids)


def thought(parser: ChannelParser) -> str:
    return VOCABULARY.decode(parser.thought_ids)


SIGNS = {Region.ANSWER: "a", Region.THOUGHT: "t", Region.MARKER: ".", Region.AFTER_END: "x"}


def drawn(regions: NDArray[np.uint8]) -> str:
    """One sign a position: answer, thought, marker, after the end."""
    assert regions.dtype == np.uint8
    return "".join(SIGNS[Region(one)] for one in regions.tolist())


@pytest.mark.parametrize(
    ("text", "expected_answer", "expected_thought"),
    [
        ("Hello", "Hello", ""),
        ("<|channel>thought\nHm.<channel|>Yes", "Yes", "Hm."),
        ("Yes<turn|>junk<eos>", "Yes", ""),
        ("<|channel>thought\nHm.<turn|>junk", "", "Hm."),
        ("<|channel>thought\nHm", "", "Hm"),
        ("<|channel>thought\na<channel|>b<|channel>thought\nc<channel|>d", "bd", "ac"),
        ("<|channel>thought\na<|channel>thought\nb<channel|>c", "c", "ab"),
        ("a<channel|>b<channel|><channel|>c", "abc", ""),
        ("<|channel><channel|>a", "a", ""),
        ("<|channel>thought<channel|>a", "a", ""),
        ("<|channel>thought\n<channel|>a", "a", ""),
        ("<|channel>th<channel|>a", "a", ""),
        ("<|channel>thought\n\nHm<channel|>a", "a", "Hm"),
        ("<|channel>thought\n \nHm<channel|>a", "a", "Hm"),
        ("<|channel>thought\nOh no<channel|>a", "a", "\nOh no"),
        ("<|channel>Then<channel|>a", "a", "Then"),
        ("<|channel>thorn<channel|>a", "a", "thorn"),
        ("<|channel>thoughtful<channel|>a", "a", "thoughtful"),
        ("a<|tool_call>call:f{}<tool_call|>b", "ab", ""),
        ("a<|tool_call>call:f{}", "a", ""),
        ("a<|tool_call>f<tool_call|><|tool_response>g<tool_response|>b", "ab", ""),
        ("a<tool_call|>b", "ab", ""),
        ("<|channel>thought\na<|tool_call>f<tool_call|>b<channel|>c", "c", "ab"),
        ("<|tool_call>f<|channel>thought\na<channel|>b", "b", "a"),
        ("<|channel>thought\na<|tool_call>f<channel|>b", "b", "a"),
        ("<|channel>th<|think|>ing<channel|>a", "a", "ing"),
        ("a<pad>b<bos><|turn>c<|image>d", "abcd", ""),
        ("<eos>a", "", ""),
        ("", "", ""),
    ],
)
def test_what_is_answer_and_what_is_thought(text: str, expected_answer: str, expected_thought: str) -> None:
    parser = parse(text)
    assert (answer(parser), thought(parser)) == (expected_answer, expected_thought)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ab<turn|>cd", "aa.xx"),
        ("<|channel>thought\nab<channel|>c<eos><pad>", "...tt.a.x"),
        ("<|channel>thorn<channel|>a", ".tttt.a"),
        ("<|channel>thought\nOh<channel|>a", "..t.a"),
        ("<|channel>thought\n\nA", "...t"),
        ("a<|tool_call>fg<tool_call|>b", "a....a"),
        ("a<channel|>b<pad>", "a.a."),
    ],
)
def test_the_regions_of_a_live_canvas(text: str, expected: str) -> None:
    assert drawn(parse().regions(canvas(text))) == expected


def test_a_name_cut_between_canvases_is_still_no_text() -> None:
    parser = parse("<|channel>th", "ough")
    assert parser.is_in_thought
    assert drawn(parser.regions(canvas("t\nHm<channel|>a"))) == "..tt.a"
    parser.commit(canvas("t\nHm<channel|>a"))
    assert (answer(parser), thought(parser)) == ("a", "Hm")


def test_what_turns_out_to_be_no_name_in_a_later_canvas_is_not_lost() -> None:
    parser = parse("<|channel>th")
    assert thought(parser) == ""
    assert drawn(parser.regions(canvas("orn<channel|>"))) == "ttt."
    parser.commit(canvas("orn<channel|>a"))
    assert (answer(parser), thought(parser)) == ("a", "thorn")


def test_a_live_canvas_changes_nothing() -> None:
    parser = parse("<|channel>thought\nab")
    before = (parser.answer_ids, parser.thought_ids, parser.is_in_thought, parser.has_ended)
    assert drawn(parser.regions(canvas("c<channel|>d<eos>e"))) == "t.a.x"
    assert drawn(parser.regions(canvas("c<channel|>d<eos>e"))) == "t.a.x"
    assert (parser.answer_ids, parser.thought_ids, parser.is_in_thought, parser.has_ended) == before


def test_what_it_hands_out_is_the_callers_own() -> None:
    parser = parse("ab<|channel>thought\nc")
    parser.answer_ids.clear()
    parser.thought_ids.clear()
    assert (answer(parser), thought(parser)) == ("ab", "c")


@pytest.mark.parametrize(
    ("texts", "is_in_thought", "has_ended"),
    [
        ([], False, False),
        (["a"], False, False),
        (["<|channel>"], True, False),
        (["<|channel>thought\n"], True, False),
        (["<|channel>thought\na", "b"], True, False),
        (["<|channel>thought\na", "<channel|>"], False, False),
        (["<|channel>thought\na", "<turn|>b"], False, True),
        (["a<eos>", "<|channel>b"], False, True),
    ],
)
def test_an_open_thought_and_the_end_are_told(texts: list[str], is_in_thought: bool, has_ended: bool) -> None:
    parser = parse(*texts)
    assert (parser.is_in_thought, parser.has_ended) == (is_in_thought, has_ended)


def test_nothing_counts_after_the_end() -> None:
    parser = parse("<|channel>thought\nb<turn|>", "c<channel|>d")
    assert (answer(parser), thought(parser)) == ("", "b")
    assert drawn(parser.regions(canvas("e<eos>f"))) == "xxx"


def test_a_vocabulary_without_channels_knows_only_answers_and_ends() -> None:
    plain = LetterTokenizer(specials=("<pad>", "<eos>"))
    parser = ChannelParser.for_tokenizer(plain, plain.ids("<eos>"))
    ids = np.asarray(plain.ids("<|channel>thought\na<eos>b"), np.int32)
    assert drawn(parser.regions(ids)) == "a" * (len(ids) - 2) + ".x"
    parser.commit(ids)
    assert plain.decode(parser.answer_ids) == "<|channel>thought\na"


def test_an_end_id_ends_whatever_else_it_means() -> None:
    parser = ChannelParser.for_tokenizer(VOCABULARY, VOCABULARY.ids("<|tool_response>"))
    parser.commit(canvas("a<|tool_call>f<tool_call|><|tool_response>b"))
    assert answer(parser) == "a"
    assert parser.has_ended


@pytest.mark.parametrize(
    ("answer_text", "thought_text", "state"),
    [
        ("Yes", "", AnswerState.COMPLETE),
        ("Yes", "Hm", AnswerState.COMPLETE),
        ("", "Hm", AnswerState.THOUGHT_ONLY),
        (" \n", "Hm", AnswerState.THOUGHT_ONLY),
        ("", "", AnswerState.EMPTY),
        ("\n", " ", AnswerState.EMPTY),
    ],
)
def test_what_became_of_the_answer(answer_text: str, thought_text: str, state: AnswerState) -> None:
    assert answer_state(answer_text, thought_text) is state


# Anything at all, with the interesting tokens far more often than chance would have them.
loud = st.sampled_from([VOCABULARY.ids(one)[0] for one in (*SPECIALS[2:], "thought", "th", "\n", "\n\n")])
tokens = st.lists(loud | st.integers(0, VOCABULARY.vocab_size - 1), max_size=48)
named = st.lists(
    st.sampled_from(["<|channel>", "th", "o", "u", "g", "h", "t", "\n", "thought", "\n\n", "<channel|>", "a"]),
    max_size=30,
).map(lambda parts: [one for part in parts for one in VOCABULARY.ids(part)])


def cut(ids: Sequence[int], cuts: Sequence[int]) -> list[NDArray[np.int32]]:
    """The ids in pieces, some of them empty."""
    places = [0, *sorted(min(one, len(ids)) for one in cuts), len(ids)]
    return [np.asarray(ids[a:b], np.int32) for a, b in pairwise(places)]


@given(tokens | named, st.lists(st.integers(0, 48), max_size=6))
def test_any_cut_into_canvases_reads_the_same(ids: list[int], cuts: list[int]) -> None:
    whole, parts = parse(), parse()
    whole.commit(np.asarray(ids, np.int32))
    for piece in cut(ids, cuts):
        parts.commit(piece)
    assert parts.answer_ids == whole.answer_ids
    assert parts.thought_ids == whole.thought_ids
    assert (parts.is_in_thought, parts.has_ended) == (whole.is_in_thought, whole.has_ended)


@given(tokens | named)
def test_regions_and_texts_agree(ids: list[int]) -> None:
    parser = parse()
    regions = parser.regions(np.asarray(ids, np.int32))
    parser.commit(np.asarray(ids, np.int32))
    by_region = {part: [one for one, at in zip(ids, regions.tolist(), strict=True) if at == part] for part in Region}
    assert by_region[Region.ANSWER] == parser.answer_ids
    assert by_region[Region.THOUGHT] == parser.thought_ids
    assert not {one for one in by_region[Region.ANSWER] if one < len(SPECIALS)} - {VOCABULARY.unknown_id}


@given(tokens, tokens)
def test_the_end_token_is_a_marker_and_everything_after_it_is_padding(before: list[int], after: list[int]) -> None:
    before = [one for one in before if one not in ENDS]
    regions = drawn(parse().regions(np.asarray([*before, ENDS[0], *after], np.int32)))
    assert regions[len(before)] == "."
    assert regions[len(before) + 1 :] == "x" * len(after)
    assert "x" not in regions[: len(before)]


spoken = st.lists(
    st.tuples(st.sampled_from(["answer", "thought"]), st.text("abc .\n", min_size=1, max_size=8)), max_size=6
)


@given(spoken)
def test_well_formed_writing_reads_as_a_regular_expression_would(parts: list[tuple[str, str]]) -> None:
    text = "".join(f"<|channel>thought\n{said}<channel|>" if kind == "thought" else said for kind, said in parts)
    parser = parse(text)
    answers = re.sub(r"<\|channel>thought\n.*?<channel\|>", "", text, flags=re.DOTALL)
    assert answer(parser) == answers
    # Line ends after the name may hang on its token; they are no text of the thought.
    assert re.sub(r"\s", "", thought(parser)) == re.sub(
        r"\s", "", "".join(said for kind, said in parts if kind == "thought")
    )
