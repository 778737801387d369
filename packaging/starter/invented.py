"""Names that nobody has: of people, places, streets and firms, put together from syllables of many languages.

A model that has met only common names takes rare ones for misprints. There is nothing to learn about these but to
leave them alone.
"""

from __future__ import annotations

import random
from collections.abc import Sequence


def listed(words: str) -> list[str]:
    """Words that stand with spaces between them."""
    return words.split()


def divided(phrases: str) -> list[str]:
    """Phrases that stand with ``|`` between them."""
    return [one.strip() for one in phrases.split("|")]


_ONSETS = (
    listed(
        """
b b br c c ch cl cr d d dr f f fl fr g g gh gl gr gw h h j j k k kl kn kr kw l l ll m m mc n n p p ph pl pr qu r r rh
s s sch sh sk sl sm sn sp st str sv sz t t th tr v v vl w w wh x y z zh
"""
    )
    + [""] * 12
)
_VOWELS = listed(
    """
a a a a e e e e i i i o o o u u y aa ae ai au ea ee ei eu ey ia ie io oa oe oi oo ou ow oy ue ui
"""
)
_CODAS = (
    listed(
        """
b ck d d dt f ff g gh k k l l ld ll lm ls lt m m mb mp n n n nd ng nk nn ns nt p pp r r r rd rk rl rm rn rs rt rz s s
sch sh ss st t t th tt tz w x z
"""
    )
    + [""] * 30
)
_MARKED = (("č", "ç", "ł", "š", "ž", "đ", "ś"), tuple("áàâãăäåąéèêëęěíîïóòôõöøőúùüůűýæ"), tuple("čćłńřśšşţżžñ"))
_ENDINGS = listed(
    """
son sen ton ley berg burg burgh bury ski ska wicz icz elli ini etti ez es ford worth wick ham field stein mann er ers
ov ova enko ian yan sson stad vik by holm feld dorf heim hof bach brook wood mouth pool port ville court mont lea
shire thorpe combe ster cester nagar pur abad ovo ice owa aux eau ault ard in en
"""
)
_PREFIXES = ("Mac", "Mc", "O'", "O’", "D'", "d’", "De ", "de ", "van ", "van der ", "von ", "zu ", "la ", "al-", "Fitz")
_STREETS = listed(
    """
Street St. Avenue Ave. Road Rd Lane Drive Blvd. Square Close Court Crescent Gardens Hill Terrace Way Walk Row Place Park
Mews Quay Wharf Yard Gate Alley Bridge Green Grove Rise View straße gasse weg platz allee ring gata vägen gatan vej
straat laan plein kade utca ulica
"""
)
_ROADS = divided(
    """
Rue|Rue de|Rue de la|Avenue de|Place|Quai|Via|Viale|Piazza|Corso|Calle|Calle de|Plaza|Avenida|Rua|Rua da|Travessa|
Praça|Am|An der|Im|Ul.|Al.|Náměstí|Bulevar|Paseo|Camino
"""
)


def one_of(options: Sequence[str], rng: random.Random) -> str:
    """One of the options, all equally likely."""
    return options[int(rng.random() * len(options))]


def syllables(count: int, rng: random.Random) -> str:
    """Letters in small case that can nearly be spoken; a third of the words have some with marks."""
    share = 0.2 if rng.random() < 0.33 else 0.0
    parts = ((_ONSETS, _MARKED[0]), (_VOWELS, _MARKED[1]), (_CODAS, _MARKED[2])) * count
    return "".join(one_of(marked if rng.random() < share else plain, rng) for plain, marked in parts)


def name(rng: random.Random) -> str:
    """One name of a person or a place, beginning with a capital except for some prefixes."""
    draw = rng.random()
    stem = syllables(1 if draw < 0.35 else 2 if draw < 0.85 else 3, rng)
    if rng.random() < 0.5:
        stem += one_of(_ENDINGS, rng)
    stem = stem[:1].upper() + stem[1:]
    draw = rng.random()
    if draw < 0.08:
        return one_of(_PREFIXES, rng) + stem
    return f"{stem}-{syllables(1, rng).capitalize()}" if draw < 0.13 else stem


def street(rng: random.Random) -> str:
    """The name of a street, in the manner of several countries."""
    if rng.random() < 0.3:
        return f"{one_of(_ROADS, rng)} {name(rng)}"
    kind = one_of(_STREETS, rng)
    if kind[0].islower():
        return name(rng) + kind if rng.random() < 0.7 else f"{name(rng)} {kind}"
    return f"{name(rng)} {kind}"
