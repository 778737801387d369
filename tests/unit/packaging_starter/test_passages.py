"""Windows of text and lines that are made: lengths, edges, characters, shares."""

from __future__ import annotations

import random
from collections import Counter

import pytest
from starter import invented, vocabulary
from starter.made_lines import MADE, old_spelling, tokenised
from starter.passages import Passage, Passages

PARAGRAPH = (
    'It was late — the lamps were lit, and "nobody" spoke. The ﬁrst of them had gone; the others didn\'t move, or '
    "would not: they sat about the table (as they had for many hours) and looked at one another in silence. "
)
TEXTS = {
    "prose": "\n".join(PARAGRAPH * 3 for _ in range(20)),
    "manual": "\n".join("Set the value to 4 and call the function again." for _ in range(100)),
    "code": "\n".join("    for index in range(count):  # all of them\n\tx = f(index)" for _ in range(100)),
    "other-language": "\n".join("Der Garten lag still, und niemand öffnete die Tür des Hauses." for _ in range(100)),
}


def _passages(count: int, limit: int = 120, **options: bool) -> list[Passage]:
    source = Passages(TEXTS, 1, **options)
    return [source.next(limit) for _ in range(count)]


@pytest.mark.parametrize("limit", [16, 40, 84, 120])
def test_passages_fit_and_are_of_the_vocabulary(limit: int) -> None:
    for one in _passages(1500, limit):
        assert 2 <= len(one.text) <= limit
        assert one.text == one.text.strip()
        assert (vocabulary.encode(one.text) != vocabulary.UNK).all()
        assert "\n" not in one.text


def test_shares_of_kinds() -> None:
    kinds = Counter(one.kind for one in _passages(4000))
    assert 0.6 < kinds["prose"] / 4000 < 0.75  # there is no reference text here: its share is prose
    assert 0.01 < kinds["code"] / 4000 < 0.04
    assert set(MADE) <= set(kinds)
    assert 0.15 < sum(one.keep for one in _passages(4000)) / 4000 < 0.27


def test_prose_is_never_kept() -> None:
    assert not any(one.keep for one in _passages(2000) if one.kind in ("prose", "manual"))


def test_what_nobody_could_correct_is_exact() -> None:
    passages = _passages(3000)
    assert {"code", "garbage", "link"} <= {one.kind for one in passages if one.is_exact}
    assert all(one.keep for one in passages if one.is_exact)


def test_runs_of_spaces_only_in_what_is_typed() -> None:
    assert not any("  " in one.text for one in _passages(3000, is_printed=True))
    assert any("  " in one.text for one in _passages(3000))


def test_print_has_more_tables_and_capitals() -> None:
    typed, printed = (
        [one for one in _passages(4000, is_printed=is_printed) if one.kind in ("numbers", "receipt")]
        for is_printed in (False, True)
    )
    assert len(printed) > 1.6 * len(typed)
    assert sum(one.text.isupper() for one in printed) > 0.15 * len(printed)


def test_invented_names_are_many_and_can_be_written() -> None:
    rng = random.Random(2)
    names = [invented.name(rng) for _ in range(2000)]
    assert len(set(names)) > 1900
    assert all((vocabulary.encode(name) != vocabulary.UNK).all() for name in names)
    assert 0.5 < sum(name.isascii() for name in names) / 2000 < 0.9


def test_lengths() -> None:
    lengths = [len(one.text) for one in _passages(3000) if one.kind == "prose"]
    assert 0.4 < sum(length > 88 for length in lengths) / len(lengths) < 0.75
    assert 0.05 < sum(length <= 30 for length in lengths) / len(lengths) < 0.25


def test_ligatures_are_written_out() -> None:
    texts = [one.text for one in _passages(3000) if one.kind == "prose"]
    assert any("first" in text for text in texts)
    assert any(text.isupper() for text in texts)
    assert any("“" in text for text in texts)
    assert any(text.endswith("-") for text in texts)


def test_a_seed_repeats() -> None:
    assert _passages(200) == _passages(200)


def test_passages_need_prose() -> None:
    with pytest.raises(ValueError, match="prose"):
        Passages({"manual": TEXTS["manual"]}, 1)


def test_tokenised_text() -> None:
    made = {tokenised('He said, "I don\'t know (yet)."', random.Random(seed)) for seed in range(60)}
    assert "He said , `` I do n't know -LRB- yet -RRB- . ''" in made
    assert 'he said , " i do n\'t know ( yet ) . "' in made


def test_old_spelling() -> None:
    assert (
        old_spelling("She never gave us a day of love upon request; he played merrily", random.Random(1))
        == "Shee neuer gave vs a daye of loue vpon request; he play'd merrilie"
    )
