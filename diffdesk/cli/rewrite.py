"""``diffdesk rewrite``: the texts of a table's columns, row by row. Options and exit codes: `rewrite_arguments`.

A row with an error gets an empty cell beside its old text. In plain lines, where the new text stands in place of the
old one, such a row keeps the old one, so that nothing is lost.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from diffdesk.cli.model import model_asked_for
from diffdesk.cli.progress import show_progress, time_left
from diffdesk.core.errors import SettingError, TableError, UserError
from diffdesk.core.parameters import GenerationParameters
from diffdesk.core.presets import PRESETS, instruction_of, preset_named
from diffdesk.documents.table_text import decode
from diffdesk.documents.tables import (
    AddedColumn,
    Table,
    TableFormat,
    check_target,
    read_lines,
    read_table,
    table_text,
    write_table,
)
from diffdesk.engine.client import EngineClient
from diffdesk.paths import Places
from diffdesk.services.rewrite_journal import RewriteJournal, job_key
from diffdesk.services.rewriting import LoadedModel, RowResult, check_can_rewrite, rewrite_rows

DONE, FAILED, SOME_FAILED, STOPPED = 0, 1, 3, 130
JOURNAL = ".part.jsonl"
_SHOWN_ERRORS = 20


@dataclass(frozen=True, slots=True)
class _Job:
    """What is to be done.

    Attributes:
        table: that is worked on.
        columns: of it, by name.
        names: of the new columns.
        instruction: for every row.
        parameters: of every run.
        out: the file to write; None prints lines.
    """

    table: Table
    columns: tuple[str, ...]
    names: tuple[str, ...]
    instruction: str
    parameters: GenerationParameters
    out: Path | None

    @property
    def texts(self) -> list[str]:
        """All rows of the first column, then all of the next."""
        return [text for column in self.columns for text in self.table.column(column)]

    def place(self, index: int) -> tuple[str, int]:
        """Column and row (from 1) of a text."""
        column, row = divmod(index, len(self.table.rows))
        return self.columns[column], row + 1

    def added(self, results: Sequence[RowResult]) -> list[AddedColumn]:
        """The columns to be written."""
        rows = len(self.table.rows)
        keeps_text = self.table.format is TableFormat.LINES
        cells = [one.text if one.error and keeps_text else one.answer for one in results]
        return [AddedColumn(name, cells[at * rows : (at + 1) * rows]) for at, name in enumerate(self.names)]


@dataclass(frozen=True, slots=True)
class _Outcome:
    """What became of a job: a result for each text, how many of them an earlier run had done, and what to tell."""

    results: list[RowResult]
    resumed: int = 0
    notes: tuple[str, ...] = ()


def rewrite(arguments: argparse.Namespace, places: Places) -> int:
    """Carry out ``rewrite``; returns the exit code. Raises `UserError` for what can't be done as asked."""
    if arguments.list_presets:
        return _list_presets(is_json=arguments.json)
    job = _job(arguments)
    spec = model_asked_for(arguments)
    client = EngineClient(places.logs)
    began = time.perf_counter()
    try:
        model = LoadedModel(client, spec, client.load(spec, lambda _stage, _share: None))
        check_can_rewrite(model.info, job.instruction)
        try:
            outcome = _printed(job, model) if job.out is None else _saved(job, job.out, model)
        except UserError as error:
            return _failed(job, error, is_json=arguments.json)
    except KeyboardInterrupt:
        show_progress("", 0, 0)
        print(_stopped(job), file=sys.stderr)
        return STOPPED
    finally:
        client.close()
    return _tell(job, outcome, time.perf_counter() - began, is_json=arguments.json)


def _job(arguments: argparse.Namespace) -> _Job:
    if arguments.file is None:
        raise SettingError("Which file?", "No file was named.", "Name a table, or - for lines of the standard input.")
    instruction = _instruction(arguments)
    values = {"steps": arguments.steps, "seed": arguments.seed}
    parameters = GenerationParameters.from_json({key: one for key, one in values.items() if one is not None})
    if arguments.file == "-":
        table, out = read_lines(decode(sys.stdin.buffer.read())[0]), arguments.out
    else:
        path = Path(arguments.file)
        table = read_table(path, has_header=not arguments.no_header, sheet=arguments.sheet)
        out = arguments.out or path.with_name(f"{path.stem}.rewritten{path.suffix}")
    columns = tuple(table.named(one) for one in arguments.column or _only_column(table))
    names = tuple(arguments.names) or tuple(f"{one} (rewritten)" for one in columns)
    if len(names) != len(columns):
        raise SettingError(
            "The names don't fit the columns",
            f"--as names {len(names)}, and --column {len(columns)}.",
            "Give --as once for each --column.",
        )
    if out is not None:
        check_target(table, out)
        if out.exists() and not arguments.force:
            raise TableError(
                "The output is there already", f"{out} exists.", "Add --force to replace it, or use --out."
            )
    return _Job(table, columns, names, instruction, parameters, out)


def _instruction(arguments: argparse.Namespace) -> str:
    if arguments.preset is not None:
        return instruction_of(preset_named(arguments.preset), arguments.language)
    if not (arguments.instruction or "").strip():
        raise SettingError(
            "What is to be done?",
            "Neither an instruction nor a preset was given.",
            "Add --instruction TEXT or --preset NAME; --list-presets lists those.",
        )
    return str(arguments.instruction)


def _only_column(table: Table) -> tuple[str, ...]:
    if len(table.columns) > 1:
        named = ", ".join(f"“{one}”" for one in table.columns[:20])
        raise SettingError("Which column?", f"The table has: {named}.", "Choose with --column.")
    return table.columns


def _printed(job: _Job, model: LoadedModel) -> _Outcome:
    results: list[RowResult] = []
    _rewrite(job, model, range(len(job.texts)), results.append)
    return _Outcome(results)


def _saved(job: _Job, out: Path, model: LoadedModel) -> _Outcome:
    """Do what an earlier run has left, write the output, and remove the journal."""
    table, texts = job.table, job.texts
    parameters = {**job.parameters.to_json(), "model": str(model.spec.path)}
    key = job_key(table.original, job.instruction, job.columns, table.has_header, table.sheet, parameters)
    with RewriteJournal(_journal(out), key, texts) as journal:
        resumed = len(journal.done)
        if journal.was_other:
            print(f"{_journal(out).name} was of another job; all rows are begun anew.", file=sys.stderr)
        if resumed:
            print(f"Going on: {resumed:,} of {len(texts):,} rows were done before.", file=sys.stderr)
        _rewrite(job, model, [index for index in range(len(texts)) if index not in journal.done], journal.add)
        results = [journal.done[index] for index in range(len(texts))]
        notes = write_table(table, job.added(results), out)
        journal.remove()
    return _Outcome(results, resumed, notes)


def _rewrite(job: _Job, model: LoadedModel, indices: Sequence[int], keep: Callable[[RowResult], None]) -> None:
    """Rewrite the texts with these indices, and show how far it is."""
    texts = job.texts
    before, began = len(texts) - len(indices), time.monotonic()
    done = 0

    def on_row(result: RowResult) -> None:
        nonlocal done
        keep(replace(result, index=indices[result.index]))
        done += 1
        seconds = (time.monotonic() - began) / done * (len(indices) - done)
        show_progress("Rows", before + done, len(texts), time_left(seconds))

    show_progress("Rows", before, len(texts))
    wanted = [texts[index] for index in indices]
    rewrite_rows(model, wanted, job.instruction, job.parameters, on_row, lambda: False)
    show_progress("", 0, 0)


def _tell(job: _Job, outcome: _Outcome, seconds: float, *, is_json: bool) -> int:
    results = outcome.results
    failed = [(job.place(one.index), one.error) for one in results if one.error is not None]
    if job.out is None and not is_json:
        # As bytes: the lines keep the ends that they came with.
        sys.stdout.buffer.write(table_text(job.table, job.added(results))[0].encode())
        sys.stdout.buffer.flush()
    for (column, row), error in failed[:_SHOWN_ERRORS]:
        print(f"Row {row}, {column}: {error.title}. {error.text}", file=sys.stderr)
    if len(failed) > _SHOWN_ERRORS:
        print(f"… and {len(failed) - _SHOWN_ERRORS:,} more rows.", file=sys.stderr)
    for note in outcome.notes:
        print(note, file=sys.stderr)
    changed = sum(one.is_changed for one in results)
    if is_json:
        data: dict[str, object] = {
            "rows": len(results),
            "changed": changed,
            "failed": len(failed),
            "resumed": outcome.resumed,
            "seconds": round(seconds, 2),
            "out": None if job.out is None else str(job.out.absolute()),
            "columns": list(job.names),
            "errors": [{"row": row, "column": column, **error.to_wire()} for (column, row), error in failed],
            "notes": list(outcome.notes),
        }
        if job.out is None:
            data["lines"] = list(job.added(results)[0].values)
        print(json.dumps(data, ensure_ascii=False))
    elif job.out is not None:
        print(f"{job.out}: {len(results):,} rows, {changed:,} changed, {len(failed):,} with errors, in {seconds:.0f} s")
    return SOME_FAILED if failed else DONE


def _failed(job: _Job, error: UserError, *, is_json: bool) -> int:
    show_progress("", 0, 0)
    if is_json:
        print(json.dumps({"error": error.to_wire()}, ensure_ascii=False))
    print(f"{error.plain()}\n{_stopped(job)}", file=sys.stderr)
    return FAILED


def _stopped(job: _Job) -> str:
    if job.out is None or not _journal(job.out).exists():
        return "Stopped."
    return f"Stopped. What is done is kept in {_journal(job.out)}; the same command goes on there."


def _journal(out: Path) -> Path:
    return out.with_name(out.name + JOURNAL)


def _list_presets(*, is_json: bool) -> int:
    if is_json:
        rows = [{"id": one.id, "name": one.name, "instruction": one.instruction} for one in PRESETS]
        print(json.dumps(rows, ensure_ascii=False))
        return DONE
    for one in PRESETS:
        print(f"{one.id:<10} {one.name}\n{'':<11}{one.instruction}")
    return DONE
