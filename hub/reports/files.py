"""A report as a file: CSV (RFC 4180) and XLSX.

CSV   UTF-8, on wish with the mark by which spreadsheets know it; CRLF; dates and instants by ISO 8601, instants with their
      offset; durations in seconds, and the head says so; shares 0 to 1; numbers exactly as they were computed.
XLSX  numbers are numbers, durations Excel's own (shown as h:mm:ss), shares per cent; a second sheet says what each figure
      means. Written row by row into a file on the disk: a large report does not lie in memory.

Names are what people have typed, and a spreadsheet may take them for formulas. In the spreadsheet's own format a text is a
text; in CSV such a text is made harmless (domain.csv_cells).
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from datetime import date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import xlsxwriter
from xlsxwriter.format import Format
from xlsxwriter.workbook import Workbook

from hub.domain.csv_cells import harmless
from hub.kpi.cells import Dim
from hub.kpi.figures import Report
from hub.kpi.measures import conditions_of
from hub.reports.table import Column, Kind, Value, columns_of, rows_of

CSV_TYPE = "text/csv; charset=utf-8"
XLSX_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"

_BYTE_ORDER_MARK = "\ufeff"
# So many rows are handed on at once: some 100 kB.
_ROWS_AT_ONCE = 1_000
_DAY_S = 86_400
_IN_HEAD = {Kind.SECONDS: " [s]", Kind.SHARE: " [share]", Kind.POINTS: " [points]"}


def file_name(report: Report, ending: str) -> str:
    """`figures_2026-11-01_2026-11-30_by_queue.csv`: nothing in it comes from outside."""
    whose = "" if report.by is Dim.ALL else f"_by_{report.by.value}"
    return f"figures_{report.since}_{report.until}{whose}.{ending}"


# --- CSV ----------------------------------------------------------------------------------------------------------------


def csv_parts(report: Report, *, has_mark: bool) -> Iterator[bytes]:
    """The file piece by piece."""
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer, lineterminator="\r\n")
    if has_mark:
        buffer.write(_BYTE_ORDER_MARK)
    columns = columns_of(report)
    writer.writerow([column.name + _IN_HEAD.get(column.kind, "") for column in columns])
    for number, row in enumerate(rows_of(report), 1):
        writer.writerow([csv_text(value) for value in row])
        if number % _ROWS_AT_ONCE == 0:
            yield _take(buffer)
    yield _take(buffer)


def _take(buffer: io.StringIO) -> bytes:
    text = buffer.getvalue()
    buffer.seek(0)
    buffer.truncate()
    return text.encode()


def csv_text(value: Value) -> str:
    match value:
        case None:
            return ""
        case str():
            return harmless(value)
        case datetime():
            return value.isoformat(timespec="seconds")
        case date():
            return value.isoformat()
        case _:
            return repr(value)


# --- XLSX ---------------------------------------------------------------------------------------------------------------

_LOOKS = {
    Kind.DAY: "yyyy-mm-dd",
    Kind.INSTANT: "yyyy-mm-dd hh:mm",
    Kind.COUNT: "#,##0",
    # Hours beyond a day stay hours.
    Kind.SECONDS: "[h]:mm:ss",
    Kind.SHARE: "0.0 %",
    Kind.POINTS: "0.00",
}
_WIDTHS = {Kind.TEXT: 24, Kind.INSTANT: 17}


def write_xlsx(report: Report, path: Path, *, title: str) -> None:
    """Into this file; takes some 10 microseconds a cell."""
    options = {
        "constant_memory": True,
        "strings_to_formulas": False,
        "strings_to_urls": False,
        "strings_to_numbers": False,
        "nan_inf_to_errors": False,
        "remove_timezone": True,
    }
    with xlsxwriter.Workbook(str(path), options) as workbook:
        # Else the file tells the time of this machine.
        workbook.set_properties({"title": title, "created": report.as_of.replace(tzinfo=None)})
        head = workbook.add_format({"bold": True, "text_wrap": True, "valign": "top", "bottom": 1})
        _write_figures(workbook, report, head)
        _write_meanings(workbook, report, head)


def _write_figures(workbook: Workbook, report: Report, head: Format) -> None:
    sheet = workbook.add_worksheet("Figures")
    columns = columns_of(report)
    looks = {kind: workbook.add_format({"num_format": look}) for kind, look in _LOOKS.items()}
    for place, column in enumerate(columns):
        sheet.set_column(place, place, _WIDTHS.get(column.kind, 13))
        sheet.write_string(0, place, column.name, head)
    sheet.freeze_panes(1, _frozen(columns))
    for line, row in enumerate(rows_of(report), 1):
        for place, (column, value) in enumerate(zip(columns, row, strict=True)):
            match value:
                case None:
                    pass
                case str():
                    sheet.write_string(line, place, value)
                case datetime():
                    sheet.write_datetime(line, place, value.replace(tzinfo=None), looks[column.kind])
                case date():
                    sheet.write_datetime(line, place, value, looks[column.kind])
                case _:
                    number = value / _DAY_S if column.kind is Kind.SECONDS else value
                    sheet.write_number(line, place, number, looks[column.kind])
    sheet.autofilter(0, 0, len(report.rows), len(columns) - 1)


def _frozen(columns: list[Column]) -> int:
    """How many columns stay when one scrolls: those before the first figure, but their ids."""
    return sum(1 for column in columns if column.measure is None and column.name != "Gap")


def _compared(report: Report) -> str:
    if report.compared is None:
        return ""
    days, cut_at = report.compared, report.compared.cut_at
    until = "" if cut_at is None else f", until {cut_at.astimezone(ZoneInfo(report.time_zone)):%Y-%m-%d %H:%M}"
    return f"{days.since} to {days.until}{until}"


def _write_meanings(workbook: Workbook, report: Report, head: Format) -> None:
    sheet = workbook.add_worksheet("What they mean")
    wrapped = workbook.add_format({"text_wrap": True, "valign": "top"})
    for place, width in enumerate((28, 26, 9, 30, 90)):
        sheet.set_column(place, place, width)
    about = [
        ("From", report.since.isoformat()),
        ("To", report.until.isoformat()),
        ("Time zone", report.time_zone),
        ("Told up to", report.as_of.isoformat(timespec="seconds")),
        *([("Compared with", compared)] if (compared := _compared(report)) else []),
        ("Complete", "yes" if report.is_complete else "no: see the column Gap"),
    ]
    for line, (name, value) in enumerate(about):
        sheet.write_string(line, 0, name, head)
        sheet.write_string(line, 1, value)
    start = len(about) + 1
    for place, name in enumerate(("Figure", "Id", "Version", "Counted with", "Formula")):
        sheet.write_string(start, place, name, head)
    for line, measure in enumerate(report.measures, start + 1):
        sheet.write_string(line, 0, measure.name, wrapped)
        sheet.write_string(line, 1, measure.id, wrapped)
        sheet.write_number(line, 2, measure.version, wrapped)
        sheet.write_string(line, 3, "; ".join(conditions_of(measure, report.params)), wrapped)
        sheet.write_string(line, 4, measure.formula, wrapped)
