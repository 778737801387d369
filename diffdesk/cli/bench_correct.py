"""``diffdesk bench correct``: how well images of text are read and corrected."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from diffdesk.cli.model import model_asked_for
from diffdesk.cli.progress import show_progress
from diffdesk.core.errors import UserError
from diffdesk.documents.recogniser import Recogniser
from diffdesk.services.models import name_of
from diffdesk.services.page_figures import PageFigures, PageResult, page_figures_of
from diffdesk.services.page_measure import PageBench, TruePage, measure_page, open_page_bench, read_pages

_WIDTH = 26  # of a name
_HEAD = (
    ("", "", "chars", "chars", "words", "words", "made", "chars,", "steps,", "steps,", "seconds"),
    ("errors in %", "pages", "draft", "corrected", "draft", "corrected", "wrong", "cold", "warm", "cold", "a page"),
)

Failures = Mapping[str, UserError]


def bench_correct(arguments: argparse.Namespace) -> int:
    """Measure the pages of a folder and print their figures; returns the exit code, 1 if a page can't be read."""
    folder: Path = arguments.folder
    pages = read_pages(folder)
    bench = open_page_bench(model_asked_for(arguments), is_warm=arguments.warm)
    recogniser = Recogniser()
    found: dict[str, dict[str, PageResult]] = {}
    failed: dict[str, UserError] = {}
    try:
        for name, images in pages.items():
            results = _measured(bench, recogniser, folder, (name, images), failed)
            if results:
                found[name] = results
        able = bench.denoiser.capabilities
        model = {
            "name": bench.profile.name or name_of(arguments.model),
            "backend": able.backend,
            "device": able.device,
            "precision": able.precision,
        }
    finally:
        show_progress("", 0, 0)
        recogniser.close()
        bench.close()
    if arguments.json:
        print(json.dumps(_as_json(model, found, failed, by_page=arguments.by_page), ensure_ascii=False))
    else:
        print(f"{model['name']} on {model['device']} ({model['backend']}, {model['precision']})")
        print(_table(found, by_page=arguments.by_page))
    for name, error in failed.items():
        print(f"{name}: {error.title}. {error.text}", file=sys.stderr)
    return 1 if failed else 0


def _measured(
    bench: PageBench,
    recogniser: Recogniser,
    folder: Path,
    named: tuple[str, Sequence[TruePage]],
    failed: dict[str, UserError],
) -> dict[str, PageResult]:
    """The results of a set by the names of its files; what can't be read goes to `failed`."""
    name, pages = named
    results: dict[str, PageResult] = {}
    for done, page in enumerate(pages):
        show_progress(name, done, len(pages))
        image = page.image.relative_to(folder).as_posix()
        try:
            results[image] = measure_page(bench, recogniser, page)
        except UserError as error:
            failed[image] = error
    return results


def _as_json(
    model: Mapping[str, str], found: Mapping[str, Mapping[str, PageResult]], failed: Failures, *, by_page: bool
) -> dict[str, object]:
    sets = {name: page_figures_of(list(results.values())).to_json() for name, results in found.items()}
    data: dict[str, object] = {"model": model, "sets": sets}
    if by_page:
        every = {name: one for some in found.values() for name, one in some.items()}
        data["pages"] = {name: page_figures_of([one]).to_json() for name, one in every.items()}
    data["failed"] = {name: error.to_wire() for name, error in failed.items()}
    return data


def _table(found: Mapping[str, Mapping[str, PageResult]], *, by_page: bool) -> str:
    rows = [_columns(line) for line in _HEAD]
    for name, results in found.items():
        figures = page_figures_of(list(results.values()))
        rows.append(_row(name, figures))
        if by_page:
            rows += [_row(f"  {Path(image).name}", page_figures_of([one])) for image, one in results.items()]
        rows += [f"  {aim.aim}: {aim.figure}, {'met' if aim.is_met else 'NOT MET'}" for aim in figures.aims()]
    return "\n".join(rows)


def _row(name: str, one: PageFigures) -> str:
    rates = (one.cer_draft, one.cer_corrected, one.wer_draft, one.wer_corrected, one.over_correction, one.cer_cold)
    numbers = [f"{100 * rate:.2f}" for rate in rates]
    work = [f"{one.steps_warm:.2f}", f"{one.steps_cold:.2f}", f"{one.seconds_per_page:.1f}"]
    return _columns([name, str(one.pages), *numbers, *work])


def _columns(cells: Sequence[str]) -> str:
    return "".join([f"{cells[0]:<{_WIDTH}}", *(f"{cell:>10}" for cell in cells[1:])])
