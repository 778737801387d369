"""``diffdesk correct``: pages read, corrected and written out, without a window. Options: `correct_arguments`.

A file or page with an error stops no other. A document is written once all of its pages are done; one page at a time
is held with its picture.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path

from diffdesk.cli.model import model_asked_for
from diffdesk.cli.progress import show_progress, time_left
from diffdesk.core.errors import EngineError, ExportError, UserError
from diffdesk.core.events import AnswerState, Finished, FinishReason, RunStats
from diffdesk.core.parameters import GenerationParameters
from diffdesk.core.requests import ModelInfo, ModelSpec, RunRequest
from diffdesk.documents.exports.export_page import ExportKind, TextOptions
from diffdesk.documents.exports.exporting import export_pages
from diffdesk.documents.page_images import PageImages
from diffdesk.documents.page_source import PageSource
from diffdesk.documents.recogniser import Recogniser
from diffdesk.documents.sources import Refused, find_pages
from diffdesk.documents.text_recogniser import TextRecogniser, choose_recogniser
from diffdesk.engine.client import EngineClient
from diffdesk.paths import Places
from diffdesk.services import desk_work
from diffdesk.services.desk_export import DonePage, export_pages_of
from diffdesk.services.review import Review
from diffdesk.store import DeskContent

DONE, FAILED, SOME_FAILED, STOPPED = 0, 1, 3, 130
_SHOWN = 20  # lines of what went wrong


@dataclass(slots=True)
class _Document:
    """A file on its way: its pages, what was written of it, and what was said and went wrong, by page."""

    path: Path
    pages: list[PageSource] = field(default_factory=list)
    targets: list[tuple[ExportKind, Path]] = field(default_factory=list)
    outputs: list[Path] = field(default_factory=list)
    errors: list[tuple[str, UserError]] = field(default_factory=list)
    notes: list[tuple[str, str]] = field(default_factory=list)
    done: list[DonePage] = field(default_factory=list)

    @property
    def words_changed(self) -> int:
        return sum(
            page.review.text_of(index) != page.review.segments[index].drafted
            for page in self.done
            for index in page.review.changes
        )

    def to_json(self) -> dict[str, object]:
        reviews = [one.review for one in self.done]
        return {
            "path": str(self.path),
            "pages": len(self.pages),
            "outputs": [str(one) for one in self.outputs],
            "words_changed": self.words_changed,
            "words_suggested": sum(len(review.changes) for review in reviews) - self.words_changed,
            "lines_held": sum(len({one.line for one in review.segments if one.is_held}) for review in reviews),
            "notes": [{"page": page, "text": text} for page, text in self.notes],
            "errors": [{"page": page, **error.to_wire()} for page, error in self.errors],
        }


@dataclass(frozen=True, slots=True)
class _Bench:
    """What pages are worked on with."""

    arguments: argparse.Namespace
    client: EngineClient
    spec: ModelSpec
    info: ModelInfo
    recogniser: TextRecogniser
    images: PageImages
    parameters: GenerationParameters


def correct(arguments: argparse.Namespace, places: Places) -> int:
    """Carry out ``correct``; returns the exit code. Raises `UserError` for what can't be done as asked."""
    spec = model_asked_for(arguments)
    values = {"steps": arguments.steps, "seed": arguments.seed}
    parameters = GenerationParameters.from_json({key: one for key, one in values.items() if one is not None})
    if arguments.out is not None:
        _make_folder(arguments.out)
    began = time.perf_counter()
    try:
        documents = _corrected_documents(arguments, places, spec, parameters)
    except KeyboardInterrupt:
        show_progress("", 0, 0)
        print("Stopped. Documents that were written are complete.", file=sys.stderr)
        return STOPPED
    return _tell(documents, time.perf_counter() - began, is_json=arguments.json)


def _corrected_documents(
    arguments: argparse.Namespace, places: Places, spec: ModelSpec, parameters: GenerationParameters
) -> list[_Document]:
    client, own, drawer = EngineClient(places.logs), Recogniser(), Recogniser()
    with ExitStack() as ending:
        for one in (own, drawer, client):
            ending.callback(one.close)
        folder = Path(ending.enter_context(tempfile.TemporaryDirectory(prefix="diffdesk-pages-")))
        recogniser = choose_recogniser(arguments.recogniser, own, arguments.language)
        ending.callback(recogniser.close)
        documents = _documents(arguments.paths, drawer)
        _plan(arguments, documents)
        if any(one.targets for one in documents):
            info = client.load(spec, lambda _stage, _share: None)
            images = PageImages(folder, drawer, keep=2)
            _work(_Bench(arguments, client, spec, info, recogniser, images, parameters), documents)
        return documents


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ExportError(
            "The folder can't be made", f"{folder}: {error.strerror or error}.", "Choose another folder with --out."
        ) from error


def _documents(paths: list[Path], drawer: Recogniser) -> list[_Document]:
    """What was named, file by file, with the errors of those that can't be used."""
    found = groupby(find_pages(paths, drawer), key=lambda one: one.path)
    documents: list[_Document] = []
    for path, group in found:
        document = _Document(path)
        for one in group:
            if isinstance(one, Refused):
                document.errors.append((path.name, one.error))
            else:
                document.pages.append(one)
        documents.append(document)
    return documents


def _plan(arguments: argparse.Namespace, documents: list[_Document]) -> None:
    """Where each document is to be written; one that has no place is not worked on."""
    # What lies under the name of an original stays, --force or not.
    taken = {_key(one.path) for one in documents}
    for document in documents:
        if document.pages:
            try:
                document.targets = _targets(arguments, document.path, taken)
            except UserError as error:
                document.errors.append((document.path.name, error))


def _work(bench: _Bench, documents: list[_Document]) -> None:
    planned = [one for one in documents if one.targets]
    total, count, began = sum(len(one.pages) for one in planned), 0, time.monotonic()
    for document in planned:
        for source in document.pages:
            left = time_left((time.monotonic() - began) / count * (total - count)) if count else ""
            show_progress("Pages", count, total, left)
            try:
                document.done.append(_corrected(bench, source, document.notes))
            except UserError as error:
                document.errors.append((source.name, error))
            count += 1
        if document.done:
            _write(bench, document)
    show_progress("", 0, 0)


def _targets(arguments: argparse.Namespace, path: Path, taken: set[str]) -> list[tuple[ExportKind, Path]]:
    """A file for each format, with a name that no other document of this run has."""
    folder = arguments.out or path.parent
    found: list[tuple[ExportKind, Path]] = []
    for kind in arguments.format:
        # A name of its own where the original is of the same kind: it is never written over.
        stem = f"{path.stem}.corrected" if kind.suffix == path.suffix.lower() else path.stem
        target, number = folder / f"{stem}{kind.suffix}", 1
        while _key(target) in taken:
            number += 1
            target = folder / f"{stem} ({number}){kind.suffix}"
        if target.exists() and not arguments.force:
            remedy = "Add --force to replace it, or use --out."
            raise ExportError("The output is there already", f"{target} exists.", remedy)
        taken.add(_key(target))
        found.append((kind, target))
    return found


def _key(path: Path) -> str:
    """The same for all names of a file, also where capitals make no difference."""
    return str(path.resolve()).casefold()


def _corrected(bench: _Bench, source: PageSource, notes: list[tuple[str, str]]) -> DonePage:
    with bench.images.use(source) as image:
        reading = desk_work.read_page(image, bench.recogniser, lambda: False)
        content = DeskContent(reading.kept, reading.draft)
        request = desk_work.request_of(content, image, bench.parameters, can_see=bench.info.can_see_images)
        finished = _asked(bench, request) if reading.draft.strip() else Finished(FinishReason.END_TOKEN, RunStats())
    if finished.state is AnswerState.DECLINED:
        notes.append((source.name, " ".join(finished.notes)))
    page = desk_work.page_of(content)
    review = Review(content.draft, finished.proposals, finished.doubts, page)
    if bench.arguments.accept is not None:
        review.settle(bench.arguments.accept)
    return DonePage(source.name, source, page, review)


def _asked(bench: _Bench, request: RunRequest) -> Finished:
    """The engine's answer; one that dies is started again once."""
    try:
        return _run(bench.client, request)
    except EngineError:
        if bench.client.has_model:
            raise
        bench.client.load(bench.spec, lambda _stage, _share: None)
        return _run(bench.client, request)


def _run(client: EngineClient, request: RunRequest) -> Finished:
    finished = next(one for one in client.run(request) if isinstance(one, Finished))
    if finished.error is not None:
        raise finished.error
    return finished


def _write(bench: _Bench, document: _Document) -> None:
    arguments = bench.arguments
    options = TextOptions(keep_lines=not arguments.reflow, join_hyphens=arguments.join_hyphens)
    for kind, target in document.targets:
        try:
            pages = export_pages_of(document.done, bench.images, lambda: False)
            document.outputs.append(export_pages(pages, target, kind, options))
        except UserError as error:
            document.errors.append((target.name, error))


def _tell(documents: list[_Document], seconds: float, *, is_json: bool) -> int:
    errors = [(document.path, page, error) for document in documents for page, error in document.errors]
    if is_json:
        data = {"documents": [one.to_json() for one in documents], "seconds": round(seconds, 2)}
        print(json.dumps(data, ensure_ascii=False))
    else:
        for line in _lines(documents):
            print(line)
    said = [f"{page}: {text}" for document in documents for page, text in document.notes]
    said += [f"{_where(path, page)}: {error.title}. {error.text} {error.remedy}" for path, page, error in errors]
    for line in said[:_SHOWN]:
        print(line.rstrip(), file=sys.stderr)
    if len(said) > _SHOWN:
        print(f"… and {len(said) - _SHOWN:,} more.", file=sys.stderr)
    if not errors:
        return DONE
    return SOME_FAILED if any(one.outputs for one in documents) else FAILED


def _lines(documents: list[_Document]) -> Iterator[str]:
    for one in documents:
        for output in one.outputs:
            yield f"{output}: {len(one.done):,} of {len(one.pages):,} pages, {one.words_changed:,} words changed"


def _where(path: Path, page: str) -> str:
    return page if page.startswith(path.name) else f"{path.name}: {page}"
