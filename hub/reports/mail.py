"""A scheduled report as a mail: an HTML document with a table and small bars, and the same as plain text.

Mail programs show no SVG, no scripts and few styles (Outlook lays out by Word), so a bar is a table of one cell that is as
wide as its share, with the figure beside it in digits; nothing depends on colour. Everything that people have typed is
escaped. A long table is cut, and the mail says where the rest is.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from html import escape
from itertools import islice
from zoneinfo import ZoneInfo

from hub.kpi.figures import Report
from hub.reports.table import Column, Kind, Value, columns_of, rows_of

# Nobody reads more in a mail; Gmail cuts a message off at 102 kB of HTML, and a row is some 200 bytes a figure.
ROW_LIMIT = 60
# Beside the figures themselves: from when, whose.
_TEXT_COLUMNS = frozenset({Kind.TEXT, Kind.DAY, Kind.INSTANT})


@dataclass(frozen=True, slots=True)
class _Words:
    """What a mail says around its figures."""

    told: str
    one_day: str
    days: str
    incomplete: str
    cut: str
    in_files: str
    meanings: str
    why: str
    empty: str
    no_data: str


_LANGUAGES: Mapping[str, _Words] = {
    "en": _Words(
        told="Told up to {moment}, time zone {zone}.",
        one_day="{since}",
        days="{since} to {until}",
        incomplete="Not the whole of this time is told: a part of it lies before the first figures, has not come yet, or is "
        "being counted anew.",
        cut="These are the first {shown} of {all} rows.",
        in_files="All of them are in the attached file.",
        meanings="What the figures mean",
        why="You get this mail because “{schedule}” is sent to you regularly; {owner} has set it up.",
        empty="Nothing happened in this time.",
        no_data="no data",
    ),
    "hy": _Words(
        told="Տվյալները՝ մինչև {moment}, ժամային գոտին՝ {zone}։",
        one_day="{since}",
        days="{since} – {until}",
        incomplete="Այս ժամանակահատվածն ամբողջությամբ չի ներառված․ մի մասը նախորդում է առաջին տվյալներին, դեռ չի եկել "
        "կամ վերահաշվարկվում է։",
        cut="Ցուցադրված է {all} տողից առաջին {shown}-ը։",
        in_files="Բոլոր տողերը կցված ֆայլում են։",
        meanings="Ինչ են նշանակում ցուցանիշները",
        why="Նամակը գալիս է, քանի որ «{schedule}» հաշվետվությունն ուղարկվում է ձեզ պարբերաբար․ կարգավորել է {owner}-ը։",
        empty="Այս ընթացքում ոչինչ տեղի չի ունեցել։",
        no_data="տվյալներ չկան",
    ),
}


@dataclass(frozen=True, slots=True)
class ReportDocument:
    subject: str
    text: str
    html: str


def make_document(
    report: Report, *, schedule_name: str, owner_name: str, language: str, has_files: bool
) -> ReportDocument:
    """`language`: of the recipient; English for one not known here. Names of figures are the registry's."""
    words = _LANGUAGES.get(language.partition("-")[0].lower(), _LANGUAGES["en"])
    days = (words.one_day if report.since == report.until else words.days).format(
        since=report.since.isoformat(), until=report.until.isoformat()
    )
    notes = [
        words.told.format(
            moment=f"{report.as_of.astimezone(ZoneInfo(report.time_zone)):%Y-%m-%d %H:%M}", zone=report.time_zone
        )
    ]
    if not report.is_complete:
        notes.append(words.incomplete)
    if not report.rows:
        notes.append(words.empty)
    if len(report.rows) > ROW_LIMIT:
        cut = words.cut.format(shown=ROW_LIMIT, all=len(report.rows))
        notes.append(f"{cut} {words.in_files}" if has_files else cut)
    why = words.why.format(schedule=schedule_name, owner=owner_name)
    columns = columns_of(report)
    shown = [place for place, column in enumerate(columns) if _is_shown(column)]
    rows = [[row[place] for place in shown] for row in islice(rows_of(report), ROW_LIMIT)]
    table = _Table([columns[place] for place in shown], rows, words)
    return ReportDocument(
        subject=f"{schedule_name}: {days}",
        text=_text(table, report, [schedule_name, days, *notes], why),
        html=_html(table, report, schedule_name, days, notes, why),
    )


def _is_shown(column: Column) -> bool:
    """A mail has room for the figures, for how many cases they are of, and for the time before; files have everything."""
    if column.measure is None:
        return not column.name.endswith(" id") and column.name != "Gap"
    return column.is_main or column.name.endswith((", cases", ", before", ", 90th percentile"))


@dataclass(frozen=True, slots=True)
class _Table:
    columns: Sequence[Column]
    rows: Sequence[Sequence[Value]]
    words: _Words

    def cells(self, row: Sequence[Value]) -> Iterator[tuple[Column, Value, str]]:
        is_gap = all(value is None for column, value in zip(self.columns, row, strict=True) if column.measure)
        is_first = True
        for column, value in zip(self.columns, row, strict=True):
            text = shown(value, column.kind)
            if is_gap and column.measure is not None:
                text = self.words.no_data if is_first else ""
                is_first = False
            yield column, value, text

    def largest(self, place: int) -> float:
        values = [row[place] for row in self.rows]
        return max((float(value) for value in values if isinstance(value, int | float)), default=0.0)


def shown(value: Value, kind: Kind) -> str:
    """A value as people read it: 1,234; 1:02:03; 81.3 %; – where there is none."""
    match value:
        case None:
            return "–"
        case str():
            return value
        case datetime():
            return f"{value:%Y-%m-%d %H:%M}"
        case date():
            return value.isoformat()
        case _:
            return _number(value, kind)


def _number(value: float, kind: Kind) -> str:
    match kind:
        case Kind.SECONDS:
            minutes, seconds = divmod(round(value), 60)
            hours, minutes = divmod(minutes, 60)
            return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"
        case Kind.SHARE:
            return f"{value:.1%}".replace("%", " %")
        case Kind.POINTS:
            return f"{value:.2f}"
        case _:
            return f"{value:,.0f}"


# --- plain text ---------------------------------------------------------------------------------------------------------


def _text(table: _Table, report: Report, head: Sequence[str], why: str) -> str:
    pieces = ["\n".join(head)]
    for row in table.rows:
        cells = list(table.cells(row))
        whose = "  ".join(text for column, _, text in cells if column.measure is None)
        lines = [f"  {column.name}: {text}" for column, _, text in cells if column.measure is not None and text]
        pieces.append("\n".join([whose, *lines]))
    pieces.append("\n".join([table.words.meanings, *(f"  {one.name}: {one.formula}" for one in report.measures)]))
    return "\n\n".join([*pieces, why]) + "\n"


# --- HTML ---------------------------------------------------------------------------------------------------------------

_FONT = "font-family:Arial,Helvetica,sans-serif"
_INK, _QUIET, _LINE, _BAR, _HEAD = "#1c2430", "#566072", "#d8dde6", "#3b6fb5", "#f2f4f8"
# As wide as a bar may be, in pixels.
_BAR_WIDTH, _BAR_HEIGHT = 72, 5


def _html(table: _Table, report: Report, name: str, days: str, notes: Sequence[str], why: str) -> str:
    quiet = f"color:{_QUIET};font-size:13px"
    meanings = "".join(
        f'<p style="margin:0 0 6px;{quiet}"><b>{escape(one.name)}.</b> {escape(one.formula)}</p>'
        for one in report.measures
    )
    return (
        '<!DOCTYPE html>\n<html><head><meta charset="utf-8">'
        f"<title>{escape(name)}</title></head>\n"
        f'<body style="margin:0;padding:16px;background:#ffffff;color:{_INK};{_FONT}">\n'
        f'<h1 style="margin:0 0 4px;font-size:20px">{escape(name)}</h1>\n'
        f'<p style="margin:0 0 4px;font-size:15px">{escape(days)}</p>\n'
        + "".join(f'<p style="margin:0 0 4px;{quiet}">{escape(note)}</p>\n' for note in notes)
        + _html_table(table)
        + f'<h2 style="margin:20px 0 6px;font-size:15px">{escape(table.words.meanings)}</h2>\n'
        + meanings
        + f'\n<p style="margin:16px 0 0;{quiet}">{escape(why)}</p>\n</body></html>\n'
    )


def _html_table(table: _Table) -> str:
    if not table.rows:
        return ""
    cell = f"padding:5px 10px;border-bottom:1px solid {_LINE};font-size:14px;vertical-align:top"
    head = "".join(
        f'<th scope="col" align="{_side(column)}" style="{cell};background:{_HEAD}">{escape(column.name)}</th>'
        for column in table.columns
    )
    largest = [table.largest(place) for place in range(len(table.columns))]
    lines = []
    for row in table.rows:
        cells = [
            f'<td align="{_side(column)}" style="{cell}">{escape(text)}{_bar(column, value, most)}</td>'
            for (column, value, text), most in zip(table.cells(row), largest, strict=True)
        ]
        lines.append(f"<tr>{''.join(cells)}</tr>\n")
    return (
        '<table cellpadding="0" cellspacing="0" style="margin:12px 0 0;border-collapse:collapse">\n'
        f"<thead><tr>{head}</tr></thead>\n<tbody>\n{''.join(lines)}</tbody></table>\n"
    )


def _side(column: Column) -> str:
    return "left" if column.kind in _TEXT_COLUMNS else "right"


def _bar(column: Column, value: Value, largest: float) -> str:
    """So long as the value is against the largest of its column; shares against the whole."""
    if not column.is_main or not isinstance(value, int | float) or value <= 0:
        return ""
    most = 1.0 if column.kind is Kind.SHARE else largest
    width = max(1, round(_BAR_WIDTH * min(1.0, value / most)))
    return (
        f'<table cellpadding="0" cellspacing="0" role="presentation" align="right"><tr><td width="{width}"'
        f' height="{_BAR_HEIGHT}" bgcolor="{_BAR}" style="width:{width}px;height:{_BAR_HEIGHT}px;font-size:0;line-height:0">'
        "&nbsp;</td></tr></table>"
    )
