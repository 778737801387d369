"""Drafts out of clean lines: what recognisers and hasty hands make of a text.

Three models of noise. `classic` and `mixed` are general, with many errors of all kinds; `print_slips` makes the few
that a modern recogniser makes on a clean page. `draft` mixes them for training, `light_draft` is for what is no prose.
Works on characters only; knows nothing of tokens, slots and pictures.
"""

from __future__ import annotations

import math
import random
import re
from bisect import bisect
from collections.abc import Callable, Sequence
from itertools import accumulate

from starter.vocabulary import CHARACTER_IDS

# A character and what it is taken for (who stands twice is twice as likely); after § what `mixed` adds to that.
_ALIKE_SOURCE = """
aoesu§ssu bh6o§hhl ceo(§eee dao§aal ecoas§ccco ftr§ttr gq9y§yqs hbnk§bbli ilj1§l1tr ji; khx§hl l1Ii|!tj§iI1t mnw§nnw
nurhm§uuir o0ceaO§ccee pno§jn qg9 rnft§ttv s5Sa§aae3 tfrl§ffirl unvo§nnai vuyr§yu wvu§vm xzk yvg§vj z2x A4§Ai4 B8RE§RHE
CGO(§OG( DO0§OIB EFB§FBK FEP§PE G6C§CO6 HNM§IBM Il1|!T§l1iT JI§I. KRX LI§IE MNH§NHW NHM§HMX O0QDo§0CQ PFR§FE QO
RPKB§BKE S5s8$§B58 T7IY§IlYF UV VUv§YN Ww§VM Xx YVT§VT Z2 0OoDQ§oO 1lIi7§lIi 2Zz§z 38§8s 4A§A1 5Ss§S6s 6bG§5G 7T1?§?1
8B3S§3B 9gq§g .,'·§,,·- ,.';§..; :;. ;,:§:, '`,"’ "'“” -~_—–§—~. —-– –-— “" ”" ’'` ‘'` ({[l )}]l [([ /l1 !l1i ?7 &8 $S
%96 *' ée èe üu öo äa
"""
# The same for characters that stand together; _ is a space.
_CLUSTER_SOURCE = """
rn=m§m/ni m=rn/nn/in§rn/in/iu/ra/tn cl=d d=cl/ol§cl/tl vv=w w=vv§vv/tv/iv ri=n§n li=h/ll h=li/lt§li/lt/ti ii=u nn=m
il=u/ll fi=h/fl§ti/h fl=fi tt=ff§lt/tl in=m§iu/m ni=m k=lc§lc/le B=13 D=I) N=IV§IST/X H=l-l§II/Il th=tb/lh§tl/di/ih/th
ll=11/U§U/11/II e=c ._=_/.§_/,_/. ,_=._/,§_/._/,
n=§ii/ri/u u=§ii/ti/li ff=§fi/if/t ffi=§fi/lh he=§lie/ho/bc M=§IVI/JM W=§VV/AV K=§IC g=§cj y=§j/3 ck=§ek/d oo=§co/00
ct=§et/d st=§ft/sl ss=§fs/ff es=§cs the=§tlie/tbe/tho/thc/die and=§aud/arid/ond/and of=§oi/ot/cf to=§lo/tc is=§ia/i3
that=§tbat/tliat/ihat with=§witb/vvith ti=§d/u lly=§Uy
"""
_LETTERS_AND_SIGNS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.,;:'\"-()!?"
_SPECKS = ".,'-:;^*·~_|`\"!)(’‘•°«»"  # what dirt is read as
_SMALL_SPECKS = ".,'-.,'-:;^*·~_|`\"!"
_POINTS = frozenset(".,'-\";:’")

Spoil = Callable[[str, random.Random], str]  # a model of noise
_Line = list[str]  # of single characters, changed in place
_Slip = Callable[[_Line, int, random.Random], None]


def _alike(has_more: bool) -> dict[str, str]:
    table = {}
    for entry in _ALIKE_SOURCE.split():
        usual, _, more = entry[1:].partition("§")
        table[entry[0]] = usual + more if has_more else usual
    return table


def _clusters(has_more: bool) -> dict[str, tuple[str, ...]]:
    table = {}
    for entry in _CLUSTER_SOURCE.split():
        found, _, options = entry.replace("_", " ").partition("=")
        usual, _, more = options.partition("§")
        chosen = [*usual.split("/"), *more.split("/")] if has_more else usual.split("/")
        if any(chosen):
            table[found] = tuple(one for one in chosen if one)
    return table


_ALIKE_CLASSIC, _ALIKE_MIXED = _alike(False), _alike(True)
_CLUSTERS_CLASSIC, _CLUSTERS_MIXED = _clusters(False), _clusters(True)
_NAMED_MIXED = tuple(_CLUSTERS_MIXED)


def _one_of(options: Sequence[str], rng: random.Random) -> str:
    return options[int(rng.random() * len(options))]


def _how_many(size: int, rate: float, rng: random.Random) -> int:
    """A draw of the binomial distribution, by the gaps between hits."""
    if rate <= 0:
        return 0
    scale = 1 / math.log(1 - rate)
    count, at = 0, int(math.log(1 - rng.random()) * scale)
    while at < size:
        count += 1
        at += 1 + int(math.log(1 - rng.random()) * scale)
    return count


def _kinds(*weighted: tuple[float, _Slip]) -> tuple[list[float], list[_Slip]]:
    """Cumulated shares and slips; what is missing to a whole goes to the last."""
    return list(accumulate(share for share, _ in weighted))[:-1], [slip for _, slip in weighted]


# --- slips that `classic` and `mixed` share ---------------------------------------------------------


def _swap_case(line: _Line, at: int, rng: random.Random) -> None:
    swapped = line[at].swapcase()
    if swapped in CHARACTER_IDS:
        line[at] = swapped


def _add_space(line: _Line, at: int, rng: random.Random) -> None:
    line.insert(at, " ")


def _lose_space(line: _Line, at: int, rng: random.Random) -> None:
    spaces = [index for index, character in enumerate(line) if character == " "]
    if spaces:
        del line[spaces[int(rng.random() * len(spaces))]]


def _replace_cluster(line: _Line, text: str, cluster: str, options: Sequence[str], rng: random.Random) -> bool:
    """Replace one place where the cluster stands; False where there is none."""
    place = text.find(cluster, int(rng.random() * len(text)))
    if place < 0:
        place = text.find(cluster)
        if place < 0:
            return False
    line[place : place + len(cluster)] = _one_of(options, rng)
    return True


# --- mixed -------------------------------------------------------------------------------------------


def _confuse_mixed(line: _Line, at: int, rng: random.Random) -> None:
    character = line[at]
    if character == " ":
        if rng.random() < 0.1:
            line[at] = _one_of(_SPECKS, rng)
    elif character in _ALIKE_MIXED and rng.random() < 0.9:
        line[at] = _one_of(_ALIKE_MIXED[character], rng)
    else:
        line[at] = _one_of(_LETTERS_AND_SIGNS, rng)


def _spoil(line: _Line, at: int, rng: random.Random) -> None:
    if line[at] != " ":
        line[at] = _one_of(_LETTERS_AND_SIGNS if rng.random() < 0.6 else _SPECKS, rng)


def _lose_mixed(line: _Line, at: int, rng: random.Random) -> None:
    if rng.random() < 0.4:
        points = [index for index, character in enumerate(line) if character in _POINTS]
        if points:
            at = points[int(rng.random() * len(points))]
    del line[at]


def _add_mixed(line: _Line, at: int, rng: random.Random) -> None:
    draw = rng.random()
    if draw < 0.6:
        line.insert(at, _one_of(_SMALL_SPECKS, rng))
    else:
        line.insert(at, line[at] if draw < 0.75 else _one_of(_LETTERS_AND_SIGNS, rng))


def _confuse_cluster_mixed(line: _Line, at: int, rng: random.Random) -> None:
    text = "".join(line)
    for _ in range(6):
        cluster = _one_of(_NAMED_MIXED, rng)
        if _replace_cluster(line, text, cluster, _CLUSTERS_MIXED[cluster], rng):
            return


_MIXED = _kinds(
    (0.50, _confuse_mixed),
    (0.06, _spoil),
    (0.10, _lose_mixed),
    (0.09, _add_mixed),
    (0.04, _lose_space),
    (0.06, _add_space),
    (0.11, _confuse_cluster_mixed),
    (0.04, _swap_case),
)


def mixed(text: str, rng: random.Random) -> str:
    """Between 1 and 28 % errors, at least one: look-alikes, specks, merged and split letters, spaces, case.

    Some lines confuse one or two letters throughout, some read a long s as f, some have all their errors in one place.
    """
    draw = rng.random()
    if draw < 0.65:
        rate = rng.uniform(0.008, 0.08)
    else:
        rate = rng.uniform(0.05, 0.15) if draw < 0.92 else rng.uniform(0.12, 0.28)
    line = list(text)
    if rng.random() < 0.22:
        for _ in range(1 if rng.random() < 2 / 3 else 2):
            line = _confuse_throughout(line, _one_of(text, rng), _ALIKE_MIXED, rng.uniform(0.25, 0.95), rng)
    if rng.random() < 0.03:
        line = [
            "f" if character == "s" and after.isalpha() and rng.random() < 0.85 else character
            for character, after in zip(line, text[1:] + " ", strict=True)
        ]
    count = max(1, _how_many(len(text), rate, rng))
    centre = int(rng.random() * len(text)) if rng.random() < 0.12 else None
    shares, slips = _MIXED
    for _ in range(count):
        size = len(line)
        if size < 2:
            break
        at = int(rng.random() * size) if centre is None else min(size - 1, max(0, int(rng.gauss(centre, 4))))
        slips[bisect(shares, rng.random())](line, at, rng)
    return "".join(line)


def _confuse_throughout(line: _Line, character: str, alike: dict[str, str], share: float, rng: random.Random) -> _Line:
    """The line with one character confused, always for the same other one, in a share of its places."""
    if character not in alike:
        return line
    other = _one_of(alike[character], rng)
    return [other if one == character and rng.random() < share else one for one in line]


# --- classic -----------------------------------------------------------------------------------------


def _confuse_classic(line: _Line, at: int, rng: random.Random) -> None:
    character = line[at]
    if character in _ALIKE_CLASSIC and rng.random() < 0.8:
        line[at] = _one_of(_ALIKE_CLASSIC[character], rng)
    elif character != " " or rng.random() < 0.15:
        line[at] = _one_of(_LETTERS_AND_SIGNS, rng)


def _lose_classic(line: _Line, at: int, rng: random.Random) -> None:
    del line[at]


def _add_classic(line: _Line, at: int, rng: random.Random) -> None:
    line.insert(at, line[at] if rng.random() < 0.3 else _one_of(_LETTERS_AND_SIGNS, rng))


def _shift_space(line: _Line, at: int, rng: random.Random) -> None:
    if " " in line and rng.random() < 0.5:
        _lose_space(line, at, rng)
    else:
        _add_space(line, at, rng)


def _confuse_cluster_classic(line: _Line, at: int, rng: random.Random) -> None:
    text = "".join(line)
    present = [cluster for cluster in _CLUSTERS_CLASSIC if cluster in text]
    if present:
        cluster = _one_of(present, rng)
        _replace_cluster(line, text, cluster, _CLUSTERS_CLASSIC[cluster], rng)


_CLASSIC = _kinds(
    (0.55, _confuse_classic),
    (0.13, _lose_classic),
    (0.08, _add_classic),
    (0.11, _shift_space),
    (0.08, _confuse_cluster_classic),
    (0.05, _swap_case),
)


def classic(text: str, rng: random.Random, rate: float | None = None) -> str:
    """Errors at a rate (None: drawn anew, an eighth of the lines without any): substitutions more than all else.

    Now and then a garbled stretch or a line that breaks off.
    """
    if rate is None:
        draw = rng.random()
        if draw < 0.12:
            return text
        rate = min(0.25, rng.expovariate(1 / 0.06) + 0.01) if draw < 0.93 else rng.uniform(0.15, 0.40)
    line = list(text)
    if rng.random() < 0.12:
        line = _confuse_throughout(line, _one_of(text, rng), _ALIKE_CLASSIC, 0.7, rng)
    count = _how_many(len(text), rate, rng)
    if count == 0 and rng.random() < 0.5:
        count = 1
    shares, slips = _CLASSIC
    for _ in range(count):
        if not line:
            break
        slips[bisect(shares, rng.random())](line, int(rng.random() * len(line)), rng)
    if rng.random() < 0.05 and len(line) > 12:
        at = rng.randrange(len(line) - 6)
        line[at : at + rng.randint(3, 8)] = [_one_of(_LETTERS_AND_SIGNS + "   ", rng) for _ in range(rng.randint(2, 8))]
    if rng.random() < 0.02:
        del line[rng.randint(0, len(line)) :]
    return "".join(line).strip()


# --- slips of a modern recogniser on a clean page ----------------------------------------------------

_Reading = Callable[[str, random.Random], str]  # what is read instead of what stands there


def _always(*options: str) -> _Reading:
    return lambda found, rng: _one_of(options, rng)


def _by_text(source: str) -> _Reading:
    """Readings of each text, written as in the tables above."""
    table = {found: options.split("/") for found, _, options in (entry.partition("=") for entry in source.split())}
    return lambda found, rng: _one_of(table.get(found, (found,)), rng)


def _other_case(found: str, rng: random.Random) -> str:
    return found.swapcase()


def _twice(found: str, rng: random.Random) -> str:
    return found * 2


_NEIGHBOURS = _by_text(
    "e=c/o a=o/u/e o=e/a/c c=e/o n=u/r t=f/l/r f=t/r r=t/n h=b/n b=h y=v v=y u=n s=a/e w=v k=h m=n g=q q=g p=n z=2"
)
_CLOSE_LETTERS = _by_text(
    "ffi=fi/ff rn=m cl=d li=h ii=u vv=w nn=m tt=ll/tl fi=f/h fl=f/fi ri=n m=rn/nn d=cl h=li/b u=ii/n w=vv"
)
_SAME_SHAPES = _by_text(
    "l=1/I/i I=l/1/i i=l/1/j O=0/Q o=0 Q=O S=5 B=8 Z=2 b=6/h G=6/C g=9/q q=g 1=l/I |=l/I !=l/1 0=O/o 5=S 8=B 2=Z 6=b/G"
    " 9=g/q"
)
_ACCENTS_LOST = _by_text(
    "à=a á=a â=a ä=a/à ã=a å=a è=e/é é=e/è ê=e ë=e î=i ï=i/i í=i ó=o ô=o ö=o/ó õ=o ø=o ú=u û=u ü=u/ii ç=c ñ=n"
    " æ=ae/a œ=oe/ce É=E È=E Ä=A Ö=O Ü=U"
)
_ACCENTS_ADDED = _by_text("a=á/à/ä e=é/è/ê i=í/ï o=ö/ó u=ü/ú c=ç n=ñ")
_POINTS_CONFUSED = _by_text(".=,/·/: ,=./'/; ;=:/, :=;/. !=l/1/I ?=7")
_QUOTES_AND_DASHES = _by_text(
    "-=–/— –=-/— —=-/–/-- '=’/`/, ‘='/’ ’='/‘/, \"=”/'' “=\"/” ”=\"/“ …=.../.. «=\" »=\" ``=\" ''=\""
)
# A share, where it happens, what is read there instead.
_PRINT: tuple[tuple[float, str, _Reading], ...] = (
    (0.10, r" ", _always("")),
    (0.08, r"(?<=[.,;:!?’”\"')]) ", _always("")),
    (0.05, r"(?<=\w)(?=\w)", _always(" ")),
    (0.04, r"(?<=\S)(?=[.,;:!?’”\"')-])", _always(" ")),
    (0.09, r"[.,;:!?'’‘“”\"·-]", _always("")),
    (0.04, r"(?<=\w)(?= |$)", _always(".", ",", "'", "-", "·", ":")),
    (0.06, r"[.,;:!?]", _POINTS_CONFUSED),
    (0.06, r"ffi|rn|cl|li|ii|vv|nn|tt|f[il]|ri", _CLOSE_LETTERS),
    (0.03, r"[mdhuw]", _CLOSE_LETTERS),
    (0.09, r"[1lI|!i0OoQ5S8B2Z6bG9gq]", _SAME_SHAPES),
    (0.08, r"[a-ce-hk-npq-vwyz]", _NEIGHBOURS),
    (0.02, r"^\w", _always("")),
    (0.03, r"[\w.,-]$", _always("")),
    (0.01, r"^", _always(".", "-", "'", "|", "·")),
    (0.03, r"\b\w(?=\w)|(?<=\w)\w\b", _always("")),
    (0.03, r"(?<=\w)\w(?=\w)", _always("")),
    (0.04, r"(?<=(\w))\1", _always("")),
    (0.02, r"[a-z]", _twice),
    (0.07, r"[cosvwxzukpCOSVWXZUKP]", _other_case),
    (0.03, r"[À-ÖØ-öø-ÿŒœ]", _ACCENTS_LOST),
    (0.01, r"[aeioucn]", _ACCENTS_ADDED),
    (0.08, r"[-–—'‘’\"“”…«»]|``|''", _QUOTES_AND_DASHES),
)
_PRINT_SHARES = list(accumulate(share for share, _, _ in _PRINT))
_PRINT_PATTERNS = [re.compile(pattern) for _, pattern, _ in _PRINT]
_PRINT_READINGS = [reading for _, _, reading in _PRINT]
_AFTER_POINT = re.compile(r"(?<=[.,;:!?]) ")
_TYPEWRITTEN = str.maketrans({"‘": "'", "’": "'", "“": '"', "”": '"', "–": "-", "—": "-"})


def print_slips(text: str, rng: random.Random) -> str:
    """Up to some 4 % errors: spaces and points above all, then look-alikes, lost edges, case, accents, quotes, dashes.

    Some lines have one kind throughout: no spaces after points, only straight quotes, no hyphen at the end.
    """
    if text.endswith("-") and rng.random() < 0.25:
        text = text[:-1]
    draw = rng.random()
    if draw < 0.08:
        text = text.translate(_TYPEWRITTEN)
    elif draw < 0.11:
        text = _AFTER_POINT.sub("", text)
    elif draw < 0.13:
        text = "".join(" " if one == " " and rng.random() < 0.5 else one.strip() for one in text)
    elif draw < 0.15:
        text = text.replace("I", "l") if rng.random() < 0.7 else text.replace("l", "I")
    if rng.random() < 0.12:
        return text
    for _ in range(1 + _how_many(len(text), min(0.04, rng.expovariate(1 / 0.01)), rng)):
        text = _print_slip(text, rng)
    return text


def _print_slip(text: str, rng: random.Random) -> str:
    """The text with one more slip, of a kind that it has room for; as it is when none was found."""
    for _ in range(6):
        kind = bisect(_PRINT_SHARES, rng.random() * _PRINT_SHARES[-1])
        pattern = _PRINT_PATTERNS[kind]
        found = pattern.search(text, int(rng.random() * len(text))) or pattern.search(text)
        if found is not None:
            return text[: found.start()] + _PRINT_READINGS[kind](found[0], rng) + text[found.end() :]
    return text


# --- training ----------------------------------------------------------------------------------------

_WORD = re.compile(r"(?<!\S)[^\W\d_]{3,}(?=[.,;:!?]?(?:\s|$))")
_CLEAN, _TO_MIXED, _TO_CLASSIC = 0.14, 0.14 + 0.38, 0.14 + 0.38 + 0.30


def draft(text: str, rng: random.Random, limit: int) -> str:
    """A draft for training: single-spaced, stripped, never empty, at most `limit` characters if the text is no longer.

    14 % unchanged, 38 % `mixed`, 30 % `classic`, 18 % `print_slips`. A draft that lost more than a quarter of its line
    is drawn anew: it would teach to invent.
    """
    for _ in range(4):
        draw = rng.random()
        if draw < _CLEAN:
            break
        noise = mixed if draw < _TO_MIXED else classic if draw < _TO_CLASSIC else print_slips
        made = " ".join(noise(text, rng).split())
        if made and 0.75 * len(text) - 3 <= len(made) <= limit:
            return made
    return " ".join(text.split())


def light_draft(text: str, rng: random.Random, limit: int) -> str:
    """A draft of what is no prose: two thirds unchanged, with all its spaces; else slips in some words.

    Only in words of letters alone, never inside numbers, addresses and other signs.
    """
    words = list(_WORD.finditer(text)) if rng.random() < 1 / 3 else []
    made = text
    for found in sorted(rng.sample(words, min(len(words), 1 if rng.random() < 0.7 else 3)), key=re.Match.start)[::-1]:
        word = _print_slip(found[0], rng) if rng.random() < 0.6 else _word_slip(found[0], rng)
        made = made[: found.start()] + word + made[found.end() :]
    return made if len(made) <= limit and made.strip() else text


def _word_slip(word: str, rng: random.Random) -> str:
    line = list(word)
    shares, slips = _CLASSIC
    slips[bisect(shares, rng.random())](line, int(rng.random() * len(line)), rng)
    return "".join(line)
