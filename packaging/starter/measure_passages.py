"""Measuring sets of text: held-out prose with and without noise, and text in other shapes.

The noise is that of the first experiment, for which the aims are stated; the shapes are not those of `passages`, which
makes the training text. Nothing of eight words in a row stands in a training text.
"""

from __future__ import annotations

import importlib
import json
import random
import re
import sys
import textwrap
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from starter import measure_texts as made
from starter.vocabulary import CHARACTERS

Noise = Callable[[str, random.Random], str]

NOISY = 180  # passages a set
CLEAN = 300
SHAPED = 40
SHORTEST, LONGEST = 40, 118
PROSE = ("moby-dick", "doctor-moreau", "heart-of-darkness", "brother-jacob", "state-of-the-union")
OLD_SPELLING = ("shakespeare-folio",)
CODE = ("argparse", "bisect", "calendar", "colorsys", "difflib", "fractions", "heapq", "sched", "shlex", "statistics")
_CLASSIC_RATES = (0.02, 0.05, 0.08, 0.12)
_RUN = 8  # words in a row that may not stand in a training text
_WORD = re.compile(r"\w+")
_SPACES = re.compile(r"\s+")
_KNOWN = set(CHARACTERS)
_SLUR = re.compile(r"(?i)\bnigg|\bnegr")  # of the books' time; pages with them have no place in a program


@dataclass(frozen=True, slots=True)
class Passage:
    """A measured passage and what a recogniser might have made of it."""

    truth: str
    draft: str


class Fresh:
    """Tells passages that are new from those that were trained on or drawn before."""

    def __init__(self, trained: Iterable[Path], candidates: Iterable[str]) -> None:
        possible = {run for text in candidates for run in _runs(text)}
        self._known: set[str] = set()
        for path in trained:
            with path.open(encoding="utf-8") as lines:
                self._known.update(run for line in lines for run in _runs(line) if run in possible)

    def takes(self, passage: str) -> bool:
        """Whether no eight words in a row are known yet; from now on they are."""
        found = set(_runs(passage)) or {passage}
        if found & self._known:
            return False
        self._known |= found
        return True


def _runs(text: str) -> Iterator[str]:
    words = _WORD.findall(text.lower())
    for at in range(len(words) - _RUN + 1):
        yield " ".join(words[at : at + _RUN])


class Prose:
    """Draws passages from texts of one paragraph a line, evenly over the texts, none twice."""

    def __init__(self, texts: Sequence[Path], fresh: Fresh) -> None:
        self._texts = [path.read_text(encoding="utf-8").splitlines() for path in texts]
        self._fresh = fresh

    def draw(self, rng: random.Random, shortest: int = SHORTEST, longest: int = LONGEST) -> str:
        """A run of whole words from one paragraph, of `shortest` to `longest` characters."""
        while True:
            paragraph = _SPACES.sub(" ", rng.choice(rng.choice(self._texts))).strip()
            start = rng.choice([0, *(gap.end() for gap in re.finditer(" ", paragraph))])
            wanted = rng.randint(shortest, longest)
            passage = paragraph[start : start + wanted + 1]
            if len(passage) > wanted:
                passage = passage.rpartition(" ")[0]
            is_fit = len(passage) >= shortest and set(passage) <= _KNOWN and not _SLUR.search(passage)
            if is_fit and self._fresh.takes(passage):
                return passage


class Verse:
    """Draws lines that follow each other from plays, none twice."""

    def __init__(self, texts: Sequence[Path], fresh: Fresh) -> None:
        self._lines = [path.read_text(encoding="utf-8").splitlines() for path in texts]
        self._fresh = fresh

    def draw(self, rng: random.Random) -> str:
        """One to three lines."""
        while True:
            lines = rng.choice(self._lines)
            at = rng.randrange(len(lines))
            passage = "\n".join(lines[at : at + rng.randint(1, 3)]).strip()
            if 24 <= len(passage) <= LONGEST and set(passage) <= _KNOWN and self._fresh.takes(passage):
                return passage


# --- other shapes -------------------------------------------------------------------------------------


def tokenised(text: str) -> str:
    """The text as a tokeniser of the Penn treebank writes it, in plain quotes."""
    text = re.sub(r"[“\"](?=\w)", "`` ", text)
    text = re.sub(r"(\.?)[”\"]", r" \1 ''", text)
    text = re.sub(r"(?i)(?<=\w)n[’'](t)\b", r" n'\1", text)
    text = re.sub(r"(?i)(?<=\w)[’'](s|re|ve|ll|d|m)\b", r" '\1", text)
    text = text.replace("(", "-LRB- ").replace(")", " -RRB-").replace("—", " -- ")
    text = re.sub(r"([,;:?!])", r" \1", text)
    text = re.sub(r"(?<=\w\w)\.(?=['\"]*$|['\"]* [A-Z`])", " .", text)
    return _SPACES.sub(" ", text).strip()


def table_row(rng: random.Random) -> str:
    """One row or two of a table, a receipt, a list of readings."""
    rows = [rng.choice((_numbers, _sale, _reading, _dates, _ledger))(rng) for _ in range(rng.choice((1, 1, 2, 3)))]
    return "\n".join(rows)


def _numbers(rng: random.Random) -> str:
    digits = rng.randint(0, 3)
    cells = [f"{rng.uniform(-99, 9999):,.{digits}f}" for _ in range(rng.randint(4, 7))]
    return f"{rng.choice(made.ROW_HEADS)}  {rng.choice(('  ', ' | ', ' ')).join(cells)}"


def _sale(rng: random.Random) -> str:
    count, price = rng.randint(1, 12), rng.randint(19, 4999)
    mark = rng.choice(("£", "€", "$", ""))
    return f"{count} x {rng.choice(made.GOODS)} @ {price / 100:.2f}   {mark}{count * price / 100:.2f}"


def _reading(rng: random.Random) -> str:
    readings = (f"{rng.uniform(0, 400):.1f} {rng.choice(made.MEASURES)}" for _ in range(3))
    return f"{rng.randint(0, 23):02}:{rng.randint(0, 59):02}  {'; '.join(readings)}"


def _dates(rng: random.Random) -> str:
    day, month, year = rng.randint(1, 28), rng.randint(1, 12), rng.randint(1788, 2040)
    codes = " ".join(f"{rng.choice('ABCDHKRTXZ')}{rng.randint(10, 9999)}" for _ in range(3))
    return f"{day:02}.{month:02}.{year}  {codes}  {rng.randint(1, 31)}/{month} +{rng.randint(0, 99)}%"


def _ledger(rng: random.Random) -> str:
    pounds = (f"{rng.randint(1, 900)} {rng.randint(0, 19)} {rng.randint(0, 11)}" for _ in range(2))
    return f"{rng.choice(made.FAMILY_NAMES)} & Co.  fol. {rng.randint(2, 400)}  £{'  £'.join(pounds)}"


def address(rng: random.Random) -> str:
    """A name with an address, a telephone number, a signature, an entry of a directory."""
    given, family = rng.choice(made.GIVEN_NAMES), rng.choice(made.FAMILY_NAMES)
    street, town = rng.choice(made.STREETS), rng.choice(made.TOWNS)
    number, code = rng.randint(1, 420), rng.randint(1000, 99999)
    phone = f"+{rng.randint(30, 99)} {rng.randint(10, 999)} {rng.randint(100000, 9999999)}"
    user = f"{given[0]}.{family}@{town}.example".lower()
    other = f"{rng.choice(made.GIVEN_NAMES)} {rng.choice(made.FAMILY_NAMES)}"
    forms = (
        f"{given} {family}, {number} {street}, {code} {town}",
        f"{family}, {given[0]}. {rng.choice('BCDEFGHJK')}., {street} {number}, {town}; tel. {phone}",
        f"Messrs {family}, {rng.choice(made.FAMILY_NAMES)} & Sons\n{number} {street}\n{town} {code}",
        f"From: {given} {family} <{user}>, cc: {other}",
        f"{other}; {given} {family}-{rng.choice(made.FAMILY_NAMES)}; {rng.choice(made.GIVEN_NAMES)} of {town}",
        f"Present: {given} {family} (chair), {other}, the Hon. {rng.choice(made.GIVEN_NAMES)} {town}",
    )
    return rng.choice(forms)


def code_lines(modules: Iterable[str], rng: random.Random) -> Iterator[str]:
    """One to three lines of code of the standard library, each a passage, without end."""
    files = [Path(str(importlib.import_module(name).__file__)) for name in modules]
    lines = [path.read_text(encoding="utf-8").splitlines() for path in files]
    while True:
        chosen = rng.choice(lines)
        at = rng.randrange(len(chosen))
        passage = textwrap.dedent("\n".join(chosen[at : at + rng.randint(1, 3)])).strip()
        is_code = re.search(r"[=()\[\]{}:]", passage) and not re.search(r"\"\"\"|>>>|#|\t|\n\s*\n|[.,]$", passage)
        if is_code and len(passage) > 12 and set(passage) <= _KNOWN:
            yield passage


# --- the sets -----------------------------------------------------------------------------------------


def build(held: Mapping[str, Path], fresh: Fresh, experiment: Path) -> dict[str, list[Passage]]:
    """All sets of text, from the held-out texts by name."""
    prose = Prose([held[name] for name in PROSE], fresh)
    verse = Verse([held[name] for name in OLD_SPELLING], fresh)
    languages = [one for one in made.OTHER_LANGUAGES if fresh.takes(one)]
    random.Random("other_languages").shuffle(languages)
    mixed, classic = _noises(experiment)
    return {
        "books_mixed": _noisy(prose, mixed, random.Random("books_mixed")),
        "books_classic": _noisy(prose, classic, random.Random("books_classic")),
        "clean": _clean(CLEAN, _seeded("clean", prose.draw)),
        "old_spelling": _clean(SHAPED, _seeded("old_spelling", verse.draw)),
        "tokenised": _clean(SHAPED, _tokenised(prose)),
        "tables": _clean(SHAPED, _seeded("tables", table_row)),
        "code": _clean(SHAPED, code_lines(CODE, random.Random("code"))),
        "capitals": _clean(SHAPED, _capitals(prose)),
        "other_languages": _clean(SHAPED, iter(languages)),
        "names_addresses": _clean(SHAPED, _seeded("names_addresses", address)),
    }


def _seeded(name: str, draw: Callable[[random.Random], str]) -> Iterator[str]:
    rng = random.Random(name)
    while True:
        yield draw(rng)


def _capitals(prose: Prose) -> Iterator[str]:
    yield from made.HEADINGS
    yield from _seeded("capitals", lambda rng: prose.draw(rng).upper())


def _tokenised(prose: Prose) -> Iterator[str]:
    for plain in _seeded("tokenised", lambda rng: prose.draw(rng, 40, 104)):
        if len(changed := tokenised(plain)) >= len(plain) + 2:
            yield changed


def _clean(count: int, passages: Iterator[str]) -> list[Passage]:
    """Passages that are right as they are, none twice."""
    chosen: dict[str, None] = {}
    for one in passages:
        if len(one) <= LONGEST:
            chosen[one] = None
        if len(chosen) == count:
            break
    return [Passage(one, one) for one in chosen]


def _noisy(prose: Prose, noise: Noise, rng: random.Random) -> list[Passage]:
    made_so_far: list[Passage] = []
    while len(made_so_far) < NOISY:
        truth = prose.draw(rng)
        draft = " ".join(noise(truth, rng).split())
        if draft:
            made_so_far.append(Passage(truth, draft))
    return made_so_far


def _noises(experiment: Path) -> tuple[Noise, Noise]:
    """The experiment's two noise models, as they are; but a draft is not cut at 108 characters."""
    sys.path.insert(0, str(experiment))
    common, oldnoise = importlib.import_module("common"), importlib.import_module("oldnoise")
    vars(oldnoise)["MAXD"] = 2 * LONGEST

    def mixed(text: str, rng: random.Random) -> str:
        return str(common.noise2(text, rng))

    def classic(text: str, rng: random.Random) -> str:
        return str(oldnoise.draft(text, rng, rng.choice(_CLASSIC_RATES)))

    return mixed, classic


def write(sets: dict[str, list[Passage]], folder: Path) -> None:
    """One file of JSON lines for each set; a draft is left out where it equals the truth."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, passages in sets.items():
        rows = [{"truth": one.truth} | ({"draft": one.draft} if one.draft != one.truth else {}) for one in passages]
        text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        (folder / f"{name}.jsonl").write_text(text, encoding="utf-8")
