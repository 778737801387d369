"""The tokenizer of GGUF files against the `tokenizers` library, token for token, and against llama.cpp."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import tokenizers
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import decoders, models, normalizers

from diffdesk.backends.control_tokens import is_control_name
from diffdesk.backends.ggml.tokenizer import GgufTokenizer, load_tokenizer
from diffdesk.backends.gguf.conversion_tokenizer import MOST_OWN_TOKENS
from diffdesk.backends.gguf.layout import OWN_TOKENIZER_KEY
from diffdesk.backends.gguf.model_file import inspect_gguf
from diffdesk.backends.gguf.vocabulary import read_vocabulary
from diffdesk.backends.gguf.writer import Value, ValueType
from diffdesk.backends.transformers_backend.tokenizer import FastTokenizer
from diffdesk.core.errors import CheckpointError
from tests.unit.backends import tiny
from tests.unit.backends.gguf_reading import files, vocabularies

ROOT = Path(__file__).parents[4]
STARTER = ROOT / "resources" / "starter" / "tokenizer.json"
NAMES = [*tiny.CONTROL, "<unused3>", "<unused39>", "<|tool_response>", '<|"|>']
TEXTS = [
    *("", " ", "  ", "   a", "a   ", "\n", "\n\n\n", "\n" * 40, "a\n\n b", "\t\tx", "\r\n", " \n \n ", "▁", "a▁b▁▁ ▁"),
    *("the quick brown fox", " the the  the", "it was the best of times,\nit was the worst", "over the lazy dogs !!"),
    *("naïve café", "cafe\u0301", "straße über ﬁ", "привет, мир", "日本語 漢字仮名", "हिन्दी", "Ω≈ç√∫", "a\u200bb"),
    *("👍", "👩\u200d👩\u200d👧", "🏳️\u200d🌈 flag", "☕️", "😶\u200d🌫️", "\U0010ffff", "\ud7ff\ue000", "\x00\x01\x7f"),
    *("0 12 2026 3.14", "12345678901234567890", "1,000.50", "x == 3.14", "<div> </div>", "a</b> </c>>  </d>"),
    *("def f(self):\n    return self.x  # none\n", "for i in range(len(x)):\n\tpass\n\n\nclass A: ...\n", "<0x41>"),
    *("<eos", "<eos>", "the<eos>the", "<|turn>user\nhi<turn|>", "<|channel>thought\n<channel|>", "<unused3>", "<unk>"),
]  # fmt: skip


@dataclass(frozen=True)
class Pair:
    """The library's tokenizer and ours, of one vocabulary."""

    theirs: FastTokenizer
    ours: GgufTokenizer
    size: int


def pair(path: Path, folder: Path, size: int, *, is_large: bool) -> Pair:
    """Both, by way of our converter and a model's file; `is_large`: as a vocabulary without its tokenizer.json."""
    tokens = vocabularies.metadata(path, folder / "checkpoint", size, is_large=is_large)
    facts = inspect_gguf(vocabularies.model_file(folder / "model.gguf", tokens, size))
    return Pair(FastTokenizer(path, size), load_tokenizer(facts), size)


@pytest.fixture(scope="module", params=["gemma's lists", "gemma's own", "tiny's lists", "tiny's own", "the starter's"])
def both(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Pair:
    folder = tmp_path_factory.mktemp("tokenizer")
    name = str(request.param)
    path = folder / "tokenizer.json"
    if name == "the starter's":
        return pair(STARTER, folder, 1280, is_large=False)
    size = vocabularies.SIZE if "gemma" in name else tiny.VOCABULARY
    (vocabularies.gemma_like() if "gemma" in name else tiny.tokenizer()).save(str(path))
    return pair(path, folder, size, is_large="lists" in name)


@pytest.fixture(scope="module")
def gemma(tmp_path_factory: pytest.TempPathFactory) -> Pair:
    folder = tmp_path_factory.mktemp("gemma")
    vocabularies.gemma_like().save(str(folder / "tokenizer.json"))
    return pair(folder / "tokenizer.json", folder, vocabularies.SIZE, is_large=True)


def mixtures() -> st.SearchStrategy[str]:
    """Texts of words, names of control tokens, blanks, line ends and anything else."""
    part = st.one_of(
        st.sampled_from([*vocabularies.WORDS, *NAMES, " this", " text", "Correct", "user", "<0x41>"]),
        st.sampled_from(["", " ", "  ", "\n", "\n\n\n", "\t", "▁", ">", "</", "字"]),
        st.text(max_size=4),
    )
    return st.lists(part, max_size=12).map("".join)


# --- the same as `tokenizers` ---------------------------------------------------------------------


@pytest.mark.parametrize("text", TEXTS)
def test_texts_of_every_kind_give_the_same_tokens(both: Pair, text: str) -> None:
    ids = both.ours.encode(text)
    assert ids == both.theirs.encode(text)
    assert both.ours.decode(ids) == both.theirs.decode(ids)
    assert both.ours.pieces(ids) == both.theirs.pieces(ids)


def test_whole_files_of_text_and_code_give_the_same_tokens(both: Pair) -> None:
    for path in [*sorted((ROOT / "diffdesk" / "core").glob("*.py")), ROOT / "README.md"]:
        text = path.read_text(encoding="utf-8")
        assert both.ours.encode(text) == both.theirs.encode(text), path


@settings(max_examples=150, deadline=None)
@given(text=mixtures())
def test_any_text_gives_the_same_tokens(both: Pair, text: str) -> None:
    assert both.ours.encode(text) == both.theirs.encode(text)


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_any_ids_give_the_same_text(both: Pair, data: st.DataObject) -> None:
    ids = data.draw(st.lists(st.integers(0, both.size - 1), max_size=30))
    assert both.ours.decode(ids) == both.theirs.decode(ids)
    assert both.ours.pieces(ids) == both.theirs.pieces(ids)


def test_names_give_the_same_ids(both: Pair) -> None:
    assert both.ours.vocab_size == both.theirs.vocab_size == both.size
    assert both.ours.unknown_id == both.theirs.unknown_id == 3
    for name in [*NAMES, "a", "the", "user", "<|nothing|>", "[PAD299]", ""]:
        assert both.ours.special_id(name) == both.theirs.special_id(name), name


@st.composite
def descriptions(draw: st.DrawFn) -> str:
    """A small tokenizer.json of any rules that are known here."""
    has_blanks, has_bytes = draw(st.booleans()), draw(st.booleans())
    letters = ["a", *draw(st.sets(st.sampled_from("bc<>|▁é"), min_size=1))]
    words = [
        *("<unk>", "<eos>", "<unused1>"),
        *letters,
        *([f"<0x{value:02X}>" for value in range(256)] if has_bytes else []),
    ]
    vocabulary = {word: index for index, word in enumerate(words)}
    merges: list[tuple[str, str]] = []
    for _ in range(draw(st.integers(0, 12))):
        parts = [one for one in vocabulary if len(one) < 4]
        halves = (draw(st.sampled_from(parts)), draw(st.sampled_from(parts)))
        if halves not in merges:
            vocabulary.setdefault("".join(halves), len(vocabulary))
            merges.append(halves)
    unknown = draw(st.sampled_from(["<unk>", None]))
    fuses = draw(st.booleans())
    model = models.BPE(vocabulary, merges, unk_token=unknown, fuse_unk=fuses, byte_fallback=has_bytes)
    made = tokenizers.Tokenizer(model)
    steps: list[Any] = [decoders.ByteFallback()] if has_bytes else []
    if has_blanks:
        made.normalizer = normalizers.Replace(" ", "▁")
        steps.insert(0, decoders.Replace("▁", " "))
    made.decoder = decoders.Sequence([*steps, decoders.Fuse()]) if steps else decoders.Fuse()
    for content in draw(
        st.lists(st.sampled_from(["<eos>", "<|x|>", "ab", "abc", "c a", "b", "<a", "é", "▁a"]), unique=True)
    ):
        is_special, is_late = draw(st.booleans()), draw(st.booleans())
        one = tokenizers.AddedToken(content, special=is_special, normalized=is_late)
        (made.add_special_tokens if is_special else made.add_tokens)([one])
    return str(made.to_str())


@settings(max_examples=200, deadline=None)
@given(descriptions(), st.lists(st.sampled_from([*"abc<>|▁é x字\n", "<eos>", "<|x|>", "<unused1>"]), max_size=14))
def test_any_vocabulary_that_is_known_here_is_used_as_tokenizers_does(description: str, parts: list[str]) -> None:
    text = "".join(parts)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "tokenizer.json")
        path.write_text(description, encoding="utf-8")
        theirs = FastTokenizer(path, 400)
    ours = GgufTokenizer(read_vocabulary({OWN_TOKENIZER_KEY: description}, 400))
    ids = ours.encode(text)
    assert ids == theirs.encode(text)
    assert ours.decode(ids) == theirs.decode(ids)
    everything = list(range(400))
    assert ours.decode(everything) == theirs.decode(everything)
    assert ours.pieces(everything) == theirs.pieces(everything)


# --- control tokens -------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_control_tokens_are_had_by_name_only(gemma: Pair, name: str) -> None:
    token = gemma.ours.special_id(name)
    if name in ("<|image|>", "<|image>", "<image|>"):
        assert token is None  # their ids lie beyond a small vocabulary
        return
    assert token is not None
    ids = gemma.ours.encode(f"a{name}a {name}")
    assert token not in ids
    assert gemma.ours.decode(ids) == f"a{name}a {name}"
    assert gemma.ours.pieces([token]) == (name,)
    assert gemma.ours.decode([token, *gemma.ours.encode("abc"), token]) == "abc"


@settings(max_examples=150, deadline=None)
@given(text=mixtures())
def test_no_text_makes_a_control_token(both: Pair, text: str) -> None:
    control = {token for token in map(both.ours.special_id, NAMES) if token not in (None, both.ours.unknown_id)}
    assert not control & set(both.ours.encode(text))


@settings(max_examples=200, deadline=None)
@given(st.text(alphabet=st.characters(codec="utf-8", exclude_characters="▁"), max_size=30))
def test_text_comes_back(gemma: Pair, text: str) -> None:
    assert gemma.ours.decode(gemma.ours.encode(text)) == text


def test_half_a_character_is_marked(gemma: Pair) -> None:
    ids = gemma.ours.encode("€")
    assert len(ids) == 3
    assert gemma.ours.pieces(ids) == ("\ufffd",) * 3
    assert gemma.ours.decode(ids) == "€"
    assert gemma.ours.decode(ids[:2]) == "\ufffd\ufffd"
    assert gemma.ours.decode([-1, gemma.size, *ids]) == "€"
    assert gemma.ours.pieces([-1, gemma.size]) == ("", "")


def test_text_that_is_no_unicode_is_no_reason_to_fail(gemma: Pair) -> None:
    assert gemma.ours.decode(gemma.ours.encode("a\ud800b")) == "a?b"


def test_a_long_text_without_any_border_is_cut_soon(gemma: Pair) -> None:
    text = "thequickbrownfox" * 4000
    assert gemma.ours.decode(gemma.ours.encode(text)) == text
    assert gemma.ours.encode(text[:4000]) == gemma.theirs.encode(text[:4000])


# --- files that are not as they should be ---------------------------------------------------------


def refused(keys: dict[str, Value | None], tmp_path: Path) -> CheckpointError:
    facts = inspect_gguf(files.small(tmp_path / "a.gguf", keys))
    with pytest.raises(CheckpointError) as caught:
        load_tokenizer(facts)
    assert caught.value.remedy
    return caught.value


def test_a_vocabulary_that_lists_a_token_twice(tmp_path: Path) -> None:
    tokens = [*files.WORDS.tokens[:-1], files.WORDS.tokens[300]]
    error = refused({"tokenizer.ggml.tokens": Value(ValueType.STRING, tokens)}, tmp_path)
    assert "twice" in error.text


def test_a_vocabulary_without_kinds_knows_control_tokens_by_name(tmp_path: Path) -> None:
    path = files.small(tmp_path / "a.gguf", {"tokenizer.ggml.token_type": None})
    made = load_tokenizer(inspect_gguf(path))
    assert made.special_id("<|turn>") == 105
    assert made.decode([105, 0, 3]) == ""
    assert made.special_id("<unused7>") == 13


def test_user_defined_tokens_that_are_no_control_tokens_are_found_in_text(tmp_path: Path) -> None:
    kinds = list(files.WORDS.kinds)
    tokens = list(files.WORDS.tokens)
    tokens[300], kinds[300] = "new word", 4
    keys = {
        "tokenizer.ggml.tokens": Value(ValueType.STRING, tokens),
        "tokenizer.ggml.token_type": Value(ValueType.INT32, kinds),
    }
    made = load_tokenizer(inspect_gguf(files.small(tmp_path / "a.gguf", keys)))
    assert made.encode("new word<|channel>") == [300, *made.encode("<|channel>")]
    assert 100 not in made.encode("<|channel>")


def starters(**changes: object) -> str:
    """The starter's tokenizer.json with other keys; those of its model with a leading ``model_``."""
    data = json.loads(STARTER.read_text(encoding="utf-8"))
    for key, value in changes.items():
        (data["model"] if key.startswith("model_") else data)[key.removeprefix("model_")] = value
    return json.dumps(data)


@pytest.mark.parametrize(
    ("description", "words"),
    [
        ("{", "no valid JSON"),
        ("[" * 100_000, "no valid JSON"),
        ("[1]", "describes no tokenizer"),
        ("{}", "describes no tokenizer"),
        (starters(model_type="Unigram"), "is Unigram instead of BPE"),
        (starters(model_vocab=[]), "lists no tokens"),
        (starters(model_vocab={"a": 1, "b": 1}), "two of the same id"),
        (starters(model_vocab={"a": 1280}), "gives a the id 1280"),
        (starters(model_vocab={"a": "1"}), "gives a the id '1'"),
        (starters(model_dropout=0.1), "uses dropout"),
        (starters(model_ignore_merges=True), "uses ignore_merges"),
        (starters(model_merges=[["a"]]), "describes a merge wrongly"),
        (starters(model_merges=[[" ", "a"]]), "merges blanks"),
        (starters(normalizer={"type": "NFC"}), "changes text"),
        (starters(pre_tokenizer={"type": "Whitespace"}), "cuts text"),
        (starters(decoder={"type": "ByteLevel"}), "puts text together"),
        (starters(decoder=None), "puts text together"),
        (starters(added_tokens=[1]), "describes an added token wrongly"),
        (starters(added_tokens=[{"content": "<new>", "id": 5000}]), "gives <new> the id 5000"),
        (starters(added_tokens=[{"content": "x", "id": 9, "lstrip": True}]), "looks at what stands around x"),
    ],
)
def test_tokenizers_of_another_kind_are_refused(tmp_path: Path, description: str, words: str) -> None:
    facts = inspect_gguf(files.small(tmp_path / "a.gguf", {OWN_TOKENIZER_KEY: Value(ValueType.STRING, description)}))
    larger = replace(facts, architecture=replace(facts.architecture, vocab_size=1280))
    with pytest.raises(CheckpointError, match=words):
        load_tokenizer(larger)


def test_the_converter_refuses_rules_that_a_file_can_t_say(tmp_path: Path) -> None:
    """Vocabularies that are too large to bring their tokenizer.json along are read by Gemma's rules."""
    large = MOST_OWN_TOKENS + 1
    vocabularies.gemma_like().save(str(tmp_path / "tokenizer.json"))
    made = vocabularies.metadata(tmp_path / "tokenizer.json", tmp_path / "folder", large, is_large=False)
    assert OWN_TOKENIZER_KEY not in made
    with pytest.raises(CheckpointError, match="other rules than Gemma's"):
        vocabularies.metadata(STARTER, tmp_path / "folder", large, is_large=True)
    (tmp_path / "odd.json").write_text(starters(normalizer={"type": "NFC"}), encoding="utf-8")
    with pytest.raises(CheckpointError, match="changes text in another way"):
        vocabularies.metadata(tmp_path / "odd.json", tmp_path / "folder", 1280, is_large=False)


# --- llama.cpp ------------------------------------------------------------------------------------


@pytest.fixture
def llama(gemma: Pair, tmp_path: Path) -> Iterator[Any]:
    """llama.cpp's tokenizer of the same file."""
    module = pytest.importorskip("llama_cpp", reason="llama-cpp-python is not installed")
    vocabularies.gemma_like().save(str(tmp_path / "tokenizer.json"))
    pair(tmp_path / "tokenizer.json", tmp_path, vocabularies.SIZE, is_large=True)
    made = module.Llama(
        str(tmp_path / "model.gguf"), vocab_only=True, verbose=False, kv_overrides={"general.architecture": "gemma4"}
    )
    yield made
    made.close()


def test_llama_cpp_cuts_text_alike_save_for_names_of_control_tokens(gemma: Pair, llama: Any) -> None:
    """It finds user-defined tokens in any text, which is why it is not used."""
    texts = [one for one in TEXTS if not any(name in one for name in NAMES)]
    assert len(texts) > 40
    for text in texts:
        assert gemma.ours.encode(text) == llama.tokenize(text.encode(), add_bos=False, special=False), text
    found = llama.tokenize(b"<|channel>", add_bos=False, special=False)
    assert found == [100]
    assert is_control_name("<|channel>")
    assert 100 not in gemma.ours.encode("<|channel>")
