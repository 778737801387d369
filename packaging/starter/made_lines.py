"""Lines that are no ordinary prose, made from nothing or out of prose: tables, receipts, addresses, formulas.

Each maker takes a random generator and gives one line, sometimes with runs of spaces as tables have.
"""

from __future__ import annotations

import random
import re
import string
from collections.abc import Callable

from starter import invented
from starter.invented import divided, listed, one_of

_SURNAMES = listed(
    """
    Smith Johnson Williams Brown Jones Garcia Miller Davis Wilson Anderson Taylor Thomas Moore Martin Lee Thompson
    White Harris Clark Lewis Robinson Walker Young Allen King Wright Scott Hill Green Adams Baker Nelson Carter
    Mitchell Roberts Turner Phillips Campbell Parker Evans Edwards Collins Stewart Morris Murphy Cook Rogers Morgan
    Cooper Peterson Reed Bailey Bell Kelly Howard Ward Cox Richardson Wood Watson Brooks Bennett Gray James Hughes
    Price Myers Long Foster Sanders Ross O'Brien McDonald MacLeod D'Angelo Müller Schröder Lefèvre Núñez Åberg
    Sørensen Kowalski Novák Nguyen Tanaka Okafor Singh Patel Haddad Rossi Fitzgerald Dijkstra
    """
)
_FIRST_NAMES = listed(
    """
    John Mary William Anne James Elizabeth George Sarah Charles Jane Henry Margaret Thomas Alice Robert Emma Edward
    Clara Joseph Ruth Samuel Grace David Helen Peter Laura Paul Julia Mark Sofia Daniel Maria Ahmed Wei Priya José
    René Jürgen Zoë Ingrid Luca Chloë Tomás Yusuf Hannah Oliver Nora Felix
    """
)
_TOWNS = listed(
    """
    London Paris Boston Berlin Madrid Oslo Dublin Leeds Bristol York Salem Concord Geneva Zürich Malmö Kraków Porto
    Springfield Riverside Fairview Greenville Ashford Milton Oakland Lyon Köln Sevilla Bergen Brno
    """
)
_GOODS = divided(
    """
    MILK 1L|Bread white|EGGS 12PK|Butter|COFFEE GRND|Tea bags 80|BANANAS|Apples kg|CHKN BRST|Cheddar 400g|PASTA|
    Olive oil|SUGAR 1KG|Tomatoes|Paper towels|SHAMPOO|Toothpaste|Batteries AA|USB-C cable 2m|Notebook A5|Screws M4x20|
    Wall paint|Lamp LED 8W|Filter|Shipping|Labour|Consulting, 3 hrs|Licence|Service fee|Deposit|Room 204|Breakfast|
    Adult ticket|Taxi|Fuel 95|Oil change|Gasket|Bolt 6 mm|ORANGE JCE|Yoghurt 4x125
    """
)
_TOTALS = divided(
    """
    Total|SUBTOTAL|Subtotal|Tax 8.25%|VAT 20%|Amount due|BALANCE|Cash|CHANGE|Visa ****1234|Discount|Tip|Invoice No.|
    Ref.|Account|Order|Qty|Unit price|Due date|Net|Gross|Paid|Rounding
    """
)
_MONTHS = listed("January February March April May June July August September October November December")
_DAYS = listed("Monday Tuesday Wednesday Thursday Friday Saturday Sunday")
_TITLE_WORDS = divided(
    """
    Introduction|Methods|Results|Discussion|Background|Related Work|Conclusion|Appendix|Summary of Findings|Preface|
    List of Figures|Index|Glossary|The Early Years|A New Beginning|On the Nature of Light|Income and Expenses|
    Installation|Getting Started|Frequently Asked Questions|Maps|The Return|Letters|Soil and Climate|Of Trade|
    Properties of Metals|First Principles|Theory of Errors|Notes to the Second Edition|Bibliography
    """
)
_JOURNALS = divided(
    """
    Journal of Physics|Annals of Botany|Nature|Proc. R. Soc.|Phil. Trans.|Am. J. Sci.|The Economist|J. Chem. Soc.|Mind|
    Int. J. Hist.|Archiv für Physik|Revue de Métaphysique
    """
)
_LABELS = divided(
    """
    Alpha|Year|North|South|Q1|Q2|Mean|Std. dev.|Total|Sample A|Sample B|Row|Height|Weight (kg)|Age|n|p|Max|Min|Rate|
    Males|Females|1990|2005|Iron|Copper|United Kingdom|France|Germany|Price index|GDP|Population
    """
)
_ABBREVIATIONS = divided(
    """
    e.g.|i.e.|cf.|etc.|viz.|ibid.|op. cit.|pp. 12 ff.|vol. iii|No. 7|Dr.|Mr.|Mrs.|St.|Rev.|Col.|Capt.|Ph.D.|M.A.|
    F.R.S.|U.S.A.|U.K.|B.C.|A.D.|a.m.|p.m.|Inc.|Ltd.|Co.|Jr.|Esq.|Fig. 3|Eq. (4)|Tab. 2|ca. 1850|fl. 1420|lb.|oz.|ft.|
    in.|cwt.|N.B.|P.S.|c/o|w/o|approx.|max.|min.|Sect. 12|Art. 5(2)|§ 14|Ch. IX|MS. fol. 23v|s.v.|q.v.|adj.|n. pl.|
    Lat.|Gr.
    """
)
_LATIN = listed(
    """
    gallia est omnis divisa in partes tres quarum unam incolunt belgae aliam aquitani tertiam qui ipsorum lingua
    celtae nostra galli appellantur arma virumque cano troiae qui primus ab oris italiam fato profugus quousque tandem
    abutere catilina patientia lorem ipsum dolor sit amet consectetur adipiscing elit sed do eiusmod tempor incididunt
    ut labore et dolore magna aliqua in nova fert animus mutatas dicere formas corpora pater noster qui es in caelis
    sanctificetur nomen tuum beatus vir qui non abiit in consilio impiorum ad hoc quod nunc semper quidem autem enim
    atque
    """
)
_ELEMENTS = listed(
    "H2O NaCl CO2 H2SO4 CaCO3 NH3 CH4 C6H12O6 Fe2O3 HCl NaOH KMnO4 O2 N2 H2 AgNO3 C2H5OH SiO2 Al2O3 Na+ Cl−"
)
_UNITS = listed("mm cm m km kg g mg lb oz in. ft °C °F % W kW V mA Hz MHz ml L s min h m/s km/h N·m kPa dB GB µm")
_PREFIXES = ("", "", "", *listed("n µ m c d da h k M G T"))
_BASES = listed("m m g g s A K mol cd Hz N Pa J W V Ω F C T H lm lx Bq Gy Sv l L bar cal eV B bit t Wh VA")
_MOVES = listed(
    "e4 e5 Nf3 Nc6 Bb5 a6 Ba4 Nf6 O-O Be7 Re1 b5 Bb3 d6 c3 O-O-O h3 Qxd5+ Rxe8# exd5 Nxd4 Qh5 g6 Bg5 Kh1 f4 cxd4"
)
_FIELDS = divided(
    "Date|Time|Invoice|Inv. no.|Cashier|Table|Order no|Terminal|Customer|Tax ID|Reg. No|Served by|Store|Due"
)
_CONTACTS = listed("Tel Phone Fax Mob Cell Ext Room Box Suite Apt Ref Acct Dept Flat Unit Floor Call Office Home Email")
_TITLES = listed("Mr. Mrs Dr Prof. Director: cc: Attn. From: To: Messrs Sir Lady Rev. Capt. Sra. M. Herr By Chair:")
_FIRMS = ("", " Ltd", " & Co.", " & Sons", " GmbH", " S.A.", " Inc.", " Bros.", " AG", " LLP")
_ROLES = listed("secretary treasurer clerk member guest editor translator witness deceased retired absent deputy")
_EXTENSIONS = listed("com org net co.uk io edu gov de fr it info")


def _amount(rng: random.Random) -> str:
    value = rng.random() * 10 ** rng.randint(1, 5)
    written = f"{value:,.2f}" if rng.random() < 0.8 else f"{value:,.0f}"
    return written.translate(str.maketrans(",.", ".,")) if rng.random() < 0.12 else written


def _gap(rng: random.Random) -> str:
    draw = rng.random()
    if draw < 0.5:
        return " "
    if draw < 0.75:
        return " " * rng.randint(2, 12)
    return one_of((" .... ", " | ", "\u0020-\u0020", " ........ ", "; ", " / "), rng)


def _number(rng: random.Random) -> str:
    draw = rng.randrange(8)
    if draw == 0:
        return f"{rng.randint(1, 100)}%"
    if draw == 1:
        return f"−{rng.random():.3f}" if rng.random() < 0.3 else f"-{rng.random() * 10:.2f}"
    if draw == 2:
        return f"{rng.randint(1000, 99_999_999):,}"
    if draw == 3:
        return f"({rng.random() * 10:.2f})"
    if draw == 4:
        return f"{rng.random() * 10:.2f} ± {rng.random():.2f}"
    return str(rng.randint(0, 9999)) if draw < 7 else f"{rng.random() * 100:.{rng.randint(1, 4)}f}"


def _numbers(rng: random.Random) -> str:
    """A row of a table: cells of one kind, or of several in turn, with their separator."""
    gap = _gap(rng)
    if rng.random() < 0.4:
        cells = [_number(rng) for _ in range(rng.randint(2, 10))]
    else:
        kinds = [one_of(_CELLS, rng) for _ in range(rng.randint(1, 4))]
        count = len(kinds) * rng.randint(1, 3)
        cells = [_cell(kinds[index % len(kinds)], rng) for index in range(count)]
    if rng.random() < 0.5:
        head = one_of(_LABELS, rng) if rng.random() < 0.5 else invented.name(rng)
        cells.insert(0, head + one_of(("", "", ":", "."), rng))
    return gap.join(cells)


def _cell(kind: str, rng: random.Random) -> str:
    made = _MADE_CELLS.get(kind)
    return _number(rng) if made is None else made(rng)


def _code(rng: random.Random) -> str:
    letters = "".join(one_of(string.ascii_uppercase, rng) for _ in range(rng.randint(1, 3)))
    end = one_of(("", "", "", "A", "x"), rng)
    return f"{letters}{one_of(('', '', '-', '/', ' '), rng)}{rng.randint(1, 9999)}{end}"


def _time(rng: random.Random) -> str:
    return f"{rng.randint(0, 23):02d}{one_of(':.', rng)}{rng.randint(0, 59):02d}"


def _measure(rng: random.Random) -> str:
    return f"{rng.random() * 500:.{rng.randint(0, 2)}f}{one_of((' ', ' ', ''), rng)}{_unit(rng)}"


def _unit(rng: random.Random) -> str:
    """A unit: a common one, one of the SI with any prefix, a quotient, or letters that nobody can know."""
    draw = rng.random()
    if draw < 0.3:
        return one_of(_UNITS, rng)
    if draw < 0.45:
        return "".join(one_of(string.ascii_lowercase, rng) for _ in range(rng.randint(1, 4)))
    unit = one_of(_PREFIXES, rng) + one_of(_BASES, rng)
    return f"{unit}/{one_of(_PREFIXES, rng)}{one_of(_BASES, rng)}" if draw < 0.6 else unit


def _money(rng: random.Random) -> str:
    return one_of(("$", "£", "€", "", "-$"), rng) + _amount(rng)


def _triple(rng: random.Random) -> str:
    """Pounds, shillings and pence."""
    return " ".join(str(rng.randint(0, top)) for top in (999, 19, 11))


def _ratio(rng: random.Random) -> str:
    return f"{rng.randint(1, 40)}{one_of('/:-', rng)}{rng.randint(1, 40)}"


def _firm(rng: random.Random) -> str:
    return _surname(rng) + (one_of(_FIRMS, rng) if rng.random() < 0.3 else "")


def _goods(rng: random.Random) -> str:
    """What is sold: a known thing or none, with a size, a grade or a code after it."""
    thing = one_of(_GOODS, rng) if rng.random() < 0.5 else invented.name(rng)
    draw = rng.random()
    if draw < 0.3:
        return f"{thing} {rng.randint(1, 900)}{one_of(('', ' '), rng)}{_unit(rng)}"
    return f"{thing} {_code(rng)}" if draw < 0.5 else thing


def _page(rng: random.Random) -> str:
    return one_of(("p. ", "fol. ", "no. ", "No. ", "vol. ", "f. ", "n. "), rng) + str(rng.randint(1, 500))


def _share(rng: random.Random) -> str:
    return f"{rng.randint(0, 100)}%"


_MADE_CELLS: dict[str, Callable[[random.Random], str]] = {
    "code": _code,
    "time": _time,
    "measure": _measure,
    "money": _money,
    "triple": _triple,
    "ratio": _ratio,
    "name": _firm,
    "goods": _goods,
    "page": _page,
    "share": _share,
}
_CELLS = ("number", "number", *_MADE_CELLS)


def _field(rng: random.Random) -> str:
    """What stands at the head of a receipt or a form: a label, nearly always a colon, a value; perhaps two of them."""
    kind = one_of(("date", "time", "code", "number", "money", "name", "contact"), rng)
    label = one_of(_TOTALS if kind in ("number", "money") else _FIELDS, rng)
    if kind == "contact":
        written = _contact(rng)
    else:
        value = _date(rng) if kind == "date" else _cell(kind, rng)
        written = f"{label}{one_of((':', ': ', ': ', ' : ', ' ', '. '), rng)}{value}"
    return f"{written} {_field(rng)}" if rng.random() < 0.35 else written


def _receipt(rng: random.Random) -> str:
    if rng.random() < 0.35:
        return _field(rng)
    sign = one_of(("$", "£", "€", "", "", "", "¥"), rng)
    price = f"{_amount(rng)} {sign}" if sign == "€" and rng.random() < 0.5 else sign + _amount(rng)
    draw = rng.random()
    if draw < 0.4:
        return f"{rng.randint(1, 12)} {one_of(('x', '×', 'x', '@', ''), rng)} {_goods(rng)}{_gap(rng)}{price}"
    if draw < 0.6:
        code = (
            f"{rng.randint(10_000, 9_999_999)}"
            if rng.random() < 0.5
            else f"{one_of('ABKT', rng)}-{rng.randint(1, 999)}"
        )
        return f"{code} {_goods(rng)}{_gap(rng)}{rng.randint(1, 40)}{_gap(rng)}{price}{_gap(rng)}{_amount(rng)}"
    if draw < 0.9:
        return f"{one_of(_TOTALS, rng)}{one_of((':', '', ' '), rng)}{_gap(rng)}{price}"
    return f"{one_of(_TOTALS, rng)} {rng.randint(1, 99_999):05d} {one_of(_TOTALS, rng)} {price} {_amount(rng)}"


def _date(rng: random.Random) -> str:
    day, month, year = rng.randint(1, 31), one_of(_MONTHS, rng), rng.randint(1600, 2035)
    hour, minute = rng.randint(0, 23), rng.randint(0, 59)
    half = one_of(("am", "pm", "AM", "p.m."), rng)
    written = (
        f"{month} {day}, {year}",
        f"{day} {month} {year}",
        f"{one_of(_DAYS, rng)}, {month} {day}, {year}",
        f"{year}-{rng.randint(1, 12):02d}-{day:02d} {hour:02d}:{minute:02d}",
        f"{day:02d}/{rng.randint(1, 12):02d}/{year % 100:02d}",
        f"{day}.{rng.randint(1, 12)}.{year}",
        f"{one_of(_DAYS, rng)[:3]} {day} {month[:3]} {hour % 12 + 1}:{minute:02d} {half}",
        f"{month[:3]}. {day}, {year}{_gap(rng)}{_amount(rng)}",
        f"{year}–{year + rng.randint(1, 30)}",
        f"Tel. +{rng.randint(1, 99)} {rng.randint(10, 999)} {rng.randint(1_000_000, 9_999_999)}",
        f"({rng.randint(200, 999)}) {rng.randint(200, 999)}-{rng.randint(0, 9999):04d}",
    )
    return one_of(written, rng)


def _person(rng: random.Random) -> str:
    first, last = _first_name(rng), _surname(rng)
    draw = rng.random()
    if draw < 0.25:
        return f"{one_of(string.ascii_uppercase, rng)}. {last}"
    return f"{first} {one_of(string.ascii_uppercase, rng)}. {last}" if draw < 0.4 else f"{first} {last}"


def _first_name(rng: random.Random) -> str:
    return one_of(_FIRST_NAMES, rng) if rng.random() < 0.5 else invented.name(rng)


def _surname(rng: random.Random) -> str:
    return one_of(_SURNAMES, rng) if rng.random() < 0.35 else invented.name(rng)


def _town(rng: random.Random) -> str:
    return one_of(_TOWNS, rng) if rng.random() < 0.35 else invented.name(rng)


def _contact(rng: random.Random) -> str:
    """A label as it stands before a number or a name, in any case, with its value."""
    label = one_of(_CONTACTS, rng)
    draw = rng.random()
    if draw < 0.45:
        label = label.lower()
    elif draw < 0.55:
        label = label.upper()
    digits = "".join(one_of("0123456789", rng) for _ in range(rng.randint(2, 12)))
    value = f"+{rng.randint(1, 99)} {digits[:3]} {digits[3:]}" if rng.random() < 0.5 else digits
    return f"{label}{one_of((' ', ': ', '. ', '.: ', ' no. '), rng)}{value.strip()}"


def _name(rng: random.Random) -> str:
    sign = one_of((", ", ", ", "; ", " ", " - ", " / "), rng)
    draw = rng.random()
    if draw < 0.15:
        return sign.join(_person(rng) for _ in range(rng.randint(2, 6)))
    if draw < 0.25:
        return f"{_surname(rng)}, {_first_name(rng)} {one_of(string.ascii_uppercase, rng)}."
    title = one_of(_TITLES, rng)
    person = f"{title} {_person(rng)}" if rng.random() < 0.3 else _person(rng)
    if rng.random() < 0.25:
        person = f"{_surname(rng)}, {one_of(string.ascii_uppercase, rng)}. {one_of(string.ascii_uppercase, rng)}."
    if rng.random() < 0.12:
        person = f"{_surname(rng)}{one_of((' & ', ' and ', ', '), rng)}{_surname(rng)}{one_of(_FIRMS, rng)}"
    parts = [person, *(_address_part(rng) for _ in range(rng.randint(1, 4)))]
    return sign.join(parts)


def _address_part(rng: random.Random) -> str:
    draw, number = rng.random(), rng.randint(1, 999)
    if draw < 0.3:
        street = f"{_surname(rng)} {one_of(('Street', 'St.', 'Avenue', 'Road', 'Lane'), rng)}"
        street = invented.street(rng) if rng.random() < 0.6 else street
        return f"{number} {street}" if rng.random() < 0.6 else f"{street} {number}"
    if draw < 0.55:
        code = f"{rng.randint(1000, 99_999)}" if rng.random() < 0.7 else f"{one_of('NSEW', rng)}{number % 20} 9AB"
        town = _town(rng)
        return one_of((town, f"{town} {code}", f"{code} {town}", f"{code}  {town}"), rng)
    if draw < 0.75:
        return _contact(rng)
    if draw < 0.85:
        return _date(rng)
    return _person(rng) if draw < 0.95 else f"({one_of(_ROLES, rng)})"


def _link(rng: random.Random) -> str:
    one, two = (part.replace(" ", "").lower() for part in (_surname(rng), _first_name(rng)))
    end, number = one_of(_EXTENSIONS, rng), rng.randint(1, 9999)
    sign = one_of(("", ".", "_", "-"), rng)
    written = (
        f"{two}{sign}{one}{number % 100 if number % 2 else ''}@{one_of(_TOWNS, rng).lower()}.{end}",
        f"E-mail: {two[0]}{one}@example.{end}",
        f"https://www.{one}.{end}/{two}/index.html?id={number}&lang=en",
        f"http://{one}.{end}/~{two}/{number}",
        f"www.{one}-{two}.{end}",
        f"/usr/local/share/{one}/{two}-{number % 20}.{number % 10}.tar.gz",
        f"C:\\Users\\{two}\\Documents\\{one}_{number}.pdf",
        f"doi:10.{number}/{one[:4]}.{rng.randint(1900, 2030)}.{number}",
        f"@{two}_{one} #{one}{number % 100}",
        f"ISBN 978-{rng.randint(0, 9)}-{rng.randint(100, 999)}-{rng.randint(10_000, 99_999)}-{rng.randint(0, 9)}",
        f"{rng.randint(1, 255)}.{rng.randint(0, 255)}.{rng.randint(0, 255)}.{rng.randint(1, 254)}:{number}",
        f"Ref: {one[:2].upper()}{number}-{rng.randint(10, 99)}/{one_of(string.ascii_uppercase, rng)}",
    )
    return one_of(written, rng)


def _abbreviation(rng: random.Random) -> str:
    return " ".join(one_of(_ABBREVIATIONS, rng) for _ in range(rng.randint(2, 10)))


def _formula(rng: random.Random) -> str:
    draw, a, b, c = rng.random(), rng.randint(1, 99), rng.randint(2, 99), rng.randint(0, 50)
    if draw < 0.25:
        start = rng.randint(1, 30)
        return " ".join(f"{start + k}. {one_of(_MOVES, rng)} {one_of(_MOVES, rng)}" for k in range(rng.randint(2, 8)))
    if draw < 0.5:
        written = (
            f"f(x) = {a}x^2 + {b}x − {c}",
            f"y = {a}/{b} · x ≤ {c}",
            f"({a} + {b}) × {c} = {(a + b) * c}",
            f"a² + b² = c², a = {a}",
            f"P(A|B) = {rng.random():.3f}; n = {b}, p < 0.{c:02d}",
            f"sin(x)/x → 1, √{a} ≈ {a**0.5:.4f}",
            f"{a} ÷ {b} = {a / b:.2f} (rounded)",
            f"[{a}, {b}) \\ {{{c}}}",
        )
        return one_of(written, rng)
    if draw < 0.7:
        left, right = (" + ".join(one_of(_ELEMENTS, rng) for _ in range(rng.randint(1, 3))) for _ in range(2))
        return f"{rng.randint(2, 4)} {left} {one_of(('→', '->', '=', '+'), rng)} {right}"
    return "; ".join(
        f"{one_of((str(a), f'{b}.{c}', '½', f'{a}/{b}', f'{a} x {b}'), rng)} {_unit(rng)}"
        for _ in range(rng.randint(1, 6))
    )


def _contents(rng: random.Random) -> str:
    number = one_of(
        ("", f"{rng.randint(1, 20)}. ", f"{rng.randint(1, 9)}.{rng.randint(1, 12)} ", f"{roman(rng.randint(1, 30))}. "),
        rng,
    )
    dots = one_of(("." * rng.randint(3, 40), " ." * rng.randint(3, 20), " " * rng.randint(1, 20), ","), rng)
    return f"{number}{one_of(_TITLE_WORDS, rng)} {dots} {rng.randint(1, 600)}"


def _citation(rng: random.Random) -> str:
    year, first, last = rng.randint(1850, 2030), rng.randint(1, 300), rng.randint(301, 800)
    mark = one_of((f"[{rng.randint(1, 99)}] ", f"{rng.randint(1, 60)}. ", "", "* "), rng)
    dash = one_of(("–", "-"), rng)
    place = f"{one_of(_JOURNALS, rng)} {rng.randint(1, 90)}({rng.randint(1, 12)}), pp. {first}{dash}{last}."
    people = f"{_surname(rng)}, {one_of(string.ascii_uppercase, rng)}. and {_person(rng)}"
    return f"{mark}{people} ({year}), {one_of(_TITLE_WORDS, rng)}, {place}"


def _garbage(rng: random.Random) -> str:
    alphabet = one_of(
        (
            "asdfghjkl;",
            string.ascii_lowercase,
            string.ascii_letters + string.digits + "+/=",
            "0123456789abcdef",
            string.punctuation + "aeil1I0O",
            "-=_~*#. ",
        ),
        rng,
    )
    words = ("".join(one_of(alphabet, rng) for _ in range(rng.randint(1, 24))) for _ in range(rng.randint(1, 5)))
    return " ".join(words)


def _latin(rng: random.Random) -> str:
    at = rng.randrange(len(_LATIN) - 18)
    words = _LATIN[at : at + rng.randint(3, 18)] if rng.random() < 0.7 else rng.sample(_LATIN, rng.randint(3, 18))
    return " ".join(words).capitalize() + one_of((".", ",", "", ";"), rng)


def roman(number: int) -> str:
    """A small number in Roman numerals."""
    tens, ones = divmod(number, 10)
    return "X" * tens + ("", "I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX")[ones]


MADE: dict[str, Callable[[random.Random], str]] = {
    "numbers": _numbers,
    "receipt": _receipt,
    "date": _date,
    "name": _name,
    "link": _link,
    "abbreviation": _abbreviation,
    "formula": _formula,
    "contents": _contents,
    "citation": _citation,
    "garbage": _garbage,
    "latin": _latin,
}

# --- prose in another dress --------------------------------------------------------------------------

_POINT = re.compile(r"(?<=\S)([.,;:!?](?=\s|$|[\"”’)]))")
_OPEN, _CLOSE = re.compile(r"(?<![^\s(])[\"“]\s*"), re.compile(r"\s*[\"”]")
_NOT, _SHORT = re.compile(r"(?<=\w)n['’]t\b"), re.compile(r"(?<=\w)['’](?=(?:s|re|ve|ll|d|m)\b)")
_BRACKETS = {"(": "-LRB-", ")": "-RRB-", "[": "-LSB-", "]": "-RSB-"}
_BRACKET = re.compile(r"\s*([()\[\]])\s*")


def tokenised(text: str, rng: random.Random) -> str:
    """Prose as a tokeniser leaves it: spaces before points, quotes as `` and '', words like do n't."""
    text = _POINT.sub(r" \1", text)
    if rng.random() < 0.3:  # only the points
        return text
    is_treebank = rng.random() < 0.6
    text = _OPEN.sub("`` " if is_treebank else '" ', text)
    text = _CLOSE.sub(" ''" if is_treebank else ' "', text) if is_treebank or text.count('"') > 1 else text
    text = _SHORT.sub(" '", _NOT.sub(" n't", text))
    if is_treebank:
        text = _BRACKET.sub(lambda found: f" {_BRACKETS[found[1]]} ", text).replace("—", " -- ")
    else:
        text = _BRACKET.sub(r" \1 ", text)
    text = " ".join(text.split())
    return text.lower() if rng.random() < 0.35 else text


_OLD = dict(
    one.split("=")
    for one in listed(
        """
    have=haue give=giue love=loue upon=vpon up=vp under=vnder us=vs unto=vnto until=vntill ever=euer never=neuer
    over=ouer very=verie she=shee be=bee we=wee me=mee do=doe go=goe son=sonne sun=sunne old=olde own=owne king=kinge
    time=tyme think=thinke speak=speake great=greate good=goode many=manie any=anie only=onely much=muche such=suche
    kind=kinde find=finde mind=minde world=worlde word=worde lord=lorde heart=hart death=deathe blood=bloud young=yong
    tongue=tong friend=freend field=feeld little=litle less=lesse joy=ioy judge=iudge just=iust every=euery live=liue
    leave=leaue believe=beleeue receive=receiue heaven=heauen seven=seauen river=riuer serve=serue use=vse away=awaie
    day=daye they=they their=theyr been=beene seen=seene keep=keepe deep=deepe year=yeare near=neere here=heere
    which=whiche both=bothe more=more before=before again=againe certain=certaine captain=captaine publick=publique
    music=musicke public=publick shall=shal will=will well=well full=ful all=al self=selfe half=halfe some=som
    come=com done=don gone=gon father=father brother=brother daughter=daughter wife=wyfe life=lyfe might=mighte
        """
    )
)
_WORD = re.compile(r"[A-Za-z]+")


def old_spelling(text: str, rng: random.Random) -> str:
    """Prose in the spelling of about 1600, made of modern prose by a list of words and a few habits."""
    is_ampersand = rng.random() < 0.15

    def respelt(found: re.Match[str]) -> str:
        word = found[0]
        old = _OLD.get(word.lower())
        if old is not None:
            return old if word.islower() else old.capitalize()
        if is_ampersand and word == "and":
            return "&"
        if len(word) > 4 and word.endswith("y"):
            return word[:-1] + "ie"
        return word[:-2] + "'d" if len(word) > 5 and word.endswith("ed") and word[-3] not in "tde" else word

    return _WORD.sub(respelt, text)
