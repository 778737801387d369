"""Text to tokens and back, and that text never becomes a control token."""

from __future__ import annotations

from pathlib import Path

import pytest
import tokenizers
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import decoders, models

from diffdesk.backends.transformers_backend.tokenizer import FastTokenizer
from diffdesk.core.errors import CheckpointError
from tests.unit.backends import tiny

STARTER = Path(__file__).parents[3] / "resources" / "starter" / "tokenizer.json"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> FastTokenizer:
    path = tmp_path_factory.mktemp("tokenizer") / "tokenizer.json"
    tiny.tokenizer().save(str(path))
    return FastTokenizer(path, tiny.VOCABULARY)


@pytest.fixture(scope="module")
def starter() -> FastTokenizer:
    return FastTokenizer(STARTER, 1280)


def control_ids(tokenizer: FastTokenizer) -> set[int]:
    return {i for i in map(tokenizer.special_id, tiny.CONTROL) if i is not None}


@pytest.mark.parametrize("name", tiny.CONTROL)
def test_control_tokens_are_had_by_name_only(made: FastTokenizer, name: str) -> None:
    token = made.special_id(name)
    assert token == tiny.CONTROL.index(name)
    ids = made.encode(f"a{name}a {name}")
    assert token not in ids
    assert made.decode(ids) == f"a{name}a {name}"


def test_what_is_no_control_token_can_not_be_had_by_name(made: FastTokenizer) -> None:
    assert made.special_id("a") is None
    assert made.special_id("<|nothing|>") is None


@settings(max_examples=200, deadline=None)
@given(st.lists(st.one_of(st.sampled_from(tiny.CONTROL), st.text(max_size=5)), max_size=8).map("".join))
def test_no_text_makes_a_control_token(made: FastTokenizer, text: str) -> None:
    assert not control_ids(made) & set(made.encode(text))


@settings(max_examples=100, deadline=None)
@given(st.text(alphabet=st.characters(codec="utf-8", exclude_characters="▁"), max_size=30))
def test_text_comes_back(made: FastTokenizer, text: str) -> None:
    assert made.decode(made.encode(text)) == text


def test_a_place_that_is_kept_free_is_no_text(tmp_path: Path) -> None:
    vocabulary = {"<unk>": 0, "a": 1, "<unused0>": 2, "<unused1>": 3}
    with_free_places = tokenizers.Tokenizer(models.BPE(vocabulary, [], unk_token="<unk>"))
    with_free_places.decoder = decoders.Fuse()
    with_free_places.save(str(tmp_path / "tokenizer.json"))
    kept = FastTokenizer(tmp_path / "tokenizer.json", 4)
    assert kept.decode([1, 2, 3, 1]) == "aa"
    assert kept.special_id("<unused1>") == 3
    assert 2 not in kept.encode("<unused0>")


def test_a_vocabulary_that_spells_out_a_control_token(tmp_path: Path) -> None:
    """A model whose merges lead from letters to ``<eos>`` itself."""
    letters = ["<unk>", "<", "e", "o", "s", ">", "<e", "os", "os>", "<eos>"]
    spelled = tokenizers.Tokenizer(
        models.BPE(
            {one: index for index, one in enumerate(letters)},
            [("<", "e"), ("o", "s"), ("os", ">"), ("<e", "os>")],
            unk_token="<unk>",
        )
    )
    spelled.add_special_tokens([tokenizers.AddedToken("<eos>", special=True)])
    path = tmp_path / "tokenizer.json"
    spelled.save(str(path))
    assert spelled.encode("<eos>").ids == [9]
    assert FastTokenizer(path, 10).encode("so<eos>") == [4, 3, 1, 2, 3, 4, 5]


def test_pieces_are_the_text_of_each_token_by_itself(made: FastTokenizer) -> None:
    ids = made.encode("a b€\n th")
    assert "".join(made.pieces(ids)).startswith("a b")
    assert made.pieces(made.encode(" a")) == (" a",)
    assert made.pieces(made.encode("€")) == ("�", "�", "�")
    assert made.pieces([0, 1, 5]) == ("<pad>", "<eos>", "<|turn>")
    assert made.pieces([tiny.VOCABULARY - 1]) == ("",)  # the model has more ids than the file has tokens


def test_decoding_leaves_control_tokens_out(made: FastTokenizer) -> None:
    assert made.decode([2, 5, *made.encode("abc"), 6, 0, tiny.VOCABULARY - 1]) == "abc"


def test_the_starter_s_vocabulary(starter: FastTokenizer) -> None:
    assert starter.vocab_size == 1280
    assert [starter.special_id(one) for one in tiny.CONTROL] == list(range(13))
    assert starter.unknown_id == 3
    assert starter.encode("a漢") == [*starter.encode("a"), 3]
    assert starter.decode(starter.encode("the <eos> quick\nfox")) == "the <eos> quick\nfox"
    assert starter.pieces(starter.encode("a\n")) == ("a", "\n")


def test_a_tokenizer_of_another_model(tmp_path: Path) -> None:
    path = tmp_path / "tokenizer.json"
    tiny.tokenizer().save(str(path))
    with pytest.raises(CheckpointError, match="another model"):
        FastTokenizer(path, 100)


@pytest.mark.parametrize("content", ["", "{}", "[1]", "{ broken"])
def test_a_broken_file(tmp_path: Path, content: str) -> None:
    path = tmp_path / "tokenizer.json"
    path.write_text(content)
    with pytest.raises(CheckpointError, match="broken"):
        FastTokenizer(path, 100)
