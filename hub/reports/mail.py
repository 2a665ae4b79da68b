"""A scheduled report as a mail: an HTML document with a table and small bars, and the same as plain text.

Mail programs show no SVG, no scripts and few styles (Outlook lays out by Word), so a bar is a table of one cell that is as
wide as its share, with the figure beside it in digits; nothing depends on colour. Everything that people have typed is
escaped. A long table is cut, and the mail says where the rest is. It says who has set it up, whom to tell that one wants
it no more, and leads back to the same figures in the console, where whoever may see them can open what is behind each.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from html import escape
from itertools import islice
from zoneinfo import ZoneInfo

from hub.domain.languages import StaffLanguage, staff_language
from hub.kpi.days import Grain
from hub.kpi.figures import Report
from hub.kpi.measure_words import measure_meaning, measure_name
from hub.kpi.measures import Measure, Params
from hub.reports.table import Column, Kind, Value, columns_of, rows_of

# Nobody reads more in a mail; Gmail cuts a message off at 102 kB of HTML, and a row is some 200 bytes a figure.
ROW_LIMIT = 60
# Beside the figures themselves: from when, whose.
_TEXT_COLUMNS = frozenset({Kind.TEXT, Kind.DAY, Kind.INSTANT})


@dataclass(frozen=True, slots=True)
class _Words:
    """What a mail says around its figures. `heads`: by the names of the table's columns (reports.table)."""

    told: str
    one_day: str
    days: str
    incomplete: str
    cut: str
    in_files: str
    meanings: str
    why: str
    stop: str
    open: str
    change: str
    compared: str
    points: str
    before: str
    nine_of_ten: str
    in_all: str
    empty: str
    no_data: str
    heads: Mapping[str, str]


_LANGUAGES: Mapping[StaffLanguage, _Words] = {
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
        stop="If you want it no more, write to {owner} ({address}).",
        open="Open these figures in the hub",
        change="Change or stop this mail",
        compared="“Before” is {since} to {until}.",
        points="points",
        before="before {value}",
        nine_of_ten="9 of 10 within {value}",
        in_all="In all",
        empty="Nothing happened in this time.",
        no_data="no data",
        heads={
            "From": "From",
            "To": "To",
            "Day": "Day",
            "First day": "First day",
            "Last day": "Last day",
            "Agent": "Agent",
            "Team": "Team",
            "Queue": "Queue",
            "Channel": "Channel",
            "Topic": "Topic",
        },
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
        stop="Եթե այլևս չեք ցանկանում ստանալ այն, գրեք՝ {owner} ({address})։",
        open="Բացել այս ցուցանիշները հաբում",
        change="Փոխել կամ դադարեցնել այս նամակը",
        compared="«Նախկինում»՝ {since} – {until}։",
        points="կետ",
        before="նախկինում՝ {value}",
        nine_of_ten="10-ից 9-ը՝ մինչև {value}",
        in_all="Ընդամենը",
        empty="Այս ընթացքում ոչինչ տեղի չի ունեցել։",
        no_data="տվյալներ չկան",
        heads={
            "From": "Սկիզբ",
            "To": "Ավարտ",
            "Day": "Օր",
            "First day": "Առաջին օր",
            "Last day": "Վերջին օր",
            "Agent": "Օպերատոր",
            "Team": "Թիմ",
            "Queue": "Հերթ",
            "Channel": "Ալիք",
            "Topic": "Թեմա",
        },
    ),
    "uk": _Words(
        told="Дані до {moment}, часовий пояс {zone}.",
        one_day="{since}",
        days="{since} – {until}",
        incomplete="Охоплено не весь цей час: частина його раніша за перші показники, ще не настала або перераховується.",
        cut="Показано перші {shown} з {all} рядків.",
        in_files="Усі рядки — у вкладеному файлі.",
        meanings="Що означають показники",
        why="Ви отримали цей лист, бо звіт «{schedule}» надсилається вам регулярно; налаштовує його {owner}.",
        stop="Якщо він вам більше не потрібен, напишіть: {owner} ({address}).",
        open="Відкрити ці показники в хабі",
        change="Змінити або припинити цей лист",
        compared="«Раніше» — це {since} – {until}.",
        points="п.",
        before="раніше {value}",
        nine_of_ten="9 з 10 до {value}",
        in_all="Усього",
        empty="За цей час нічого не відбулося.",
        no_data="даних немає",
        heads={
            "From": "Від",
            "To": "До",
            "Day": "День",
            "First day": "Перший день",
            "Last day": "Останній день",
            "Agent": "Оператор",
            "Team": "Команда",
            "Queue": "Черга",
            "Channel": "Канал",
            "Topic": "Тема",
        },
    ),
    "ka": _Words(
        told="მონაცემები {moment}-მდე, სასაათო სარტყელი: {zone}.",
        one_day="{since}",
        days="{since} – {until}",
        incomplete="ეს დრო სრულად არ არის მოცული: მისი ნაწილი პირველ მაჩვენებლებზე ადრეა, ჯერ არ დამდგარა ან "
        "ხელახლა ითვლება.",
        cut="ნაჩვენებია პირველი {shown} სტრიქონი {all}-დან.",
        in_files="ყველა სტრიქონი თანდართულ ფაილშია.",
        meanings="რას ნიშნავს მაჩვენებლები",
        why="ეს წერილი მოგდით, რადგან ანგარიში „{schedule}“ რეგულარულად გეგზავნებათ; მისი ავტორია {owner}.",
        stop="თუ აღარ გსურთ მისი მიღება, მისწერეთ: {owner} ({address}).",
        open="ამ მაჩვენებლების გახსნა ჰაბში",
        change="ამ წერილის შეცვლა ან შეწყვეტა",
        compared="„ადრე“ ნიშნავს: {since} – {until}.",
        points="პუნქტი",
        before="ადრე {value}",
        nine_of_ten="10-დან 9: {value}-მდე",
        in_all="სულ",
        empty="ამ დროში არაფერი მომხდარა.",
        no_data="მონაცემები არ არის",
        heads={
            "From": "დასაწყისი",
            "To": "დასასრული",
            "Day": "დღე",
            "First day": "პირველი დღე",
            "Last day": "ბოლო დღე",
            "Agent": "ოპერატორი",
            "Team": "გუნდი",
            "Queue": "რიგი",
            "Channel": "არხი",
            "Topic": "თემა",
        },
    ),
    "az": _Words(
        told="Məlumatlar {moment} vəziyyətinədir, saat qurşağı: {zone}.",
        one_day="{since}",
        days="{since} – {until}",
        incomplete="Bu müddət tam əhatə olunmayıb: bir hissəsi ilk göstəricilərdən əvvələ düşür, hələ gəlməyib və ya "
        "yenidən hesablanır.",
        cut="{all} sətirdən ilk {shown} sətir göstərilir.",
        in_files="Bütün sətirlər əlavə edilmiş fayldadır.",
        meanings="Göstəricilər nə deməkdir",
        why="Bu məktubu alırsınız, çünki “{schedule}” hesabatı sizə müntəzəm göndərilir; onu {owner} qurub.",
        stop="Onu daha almaq istəmirsinizsə, yazın: {owner} ({address}).",
        open="Bu göstəriciləri habda aç",
        change="Bu məktubu dəyiş və ya dayandır",
        compared="“Əvvəl” – {since} – {until}.",
        points="bənd",
        before="əvvəl {value}",
        nine_of_ten="10-dan 9-u {value} ərzində",
        in_all="Cəmi",
        empty="Bu müddətdə heç nə baş verməyib.",
        no_data="məlumat yoxdur",
        heads={
            "From": "Başlanğıc",
            "To": "Son",
            "Day": "Gün",
            "First day": "İlk gün",
            "Last day": "Son gün",
            "Agent": "Operator",
            "Team": "Komanda",
            "Queue": "Növbə",
            "Channel": "Kanal",
            "Topic": "Mövzu",
        },
    ),
}


@dataclass(frozen=True, slots=True)
class ReportDocument:
    subject: str
    text: str
    html: str


@dataclass(frozen=True, slots=True)
class Sender:
    """What is sent by whom. `report_url` and `schedule_url` lead into the console."""

    schedule_name: str
    owner_name: str
    owner_address: str
    report_url: str
    schedule_url: str
    has_files: bool


def make_document(report: Report, sender: Sender, language: str, totals: Report | None = None) -> ReportDocument:
    """`language`: of the recipient; English for one not known here. Names of figures are the registry's. `totals`: the same
    figures of all rows together, as one row."""
    code = staff_language(language)
    words = _LANGUAGES[code]
    names = _Names(code, words, report.params)
    days = (words.one_day if report.since == report.until else words.days).format(
        since=report.since.isoformat(), until=report.until.isoformat()
    )
    notes = [
        words.told.format(
            moment=f"{report.as_of.astimezone(ZoneInfo(report.time_zone)):%Y-%m-%d %H:%M}", zone=report.time_zone
        )
    ]
    if report.compared is not None:
        notes.append(words.compared.format(since=report.compared.since, until=report.compared.until))
    if not report.is_complete:
        notes.append(words.incomplete)
    if not report.rows:
        notes.append(words.empty)
    if len(report.rows) > ROW_LIMIT:
        cut = words.cut.format(shown=ROW_LIMIT, all=len(report.rows))
        notes.append(f"{cut} {words.in_files}" if sender.has_files else cut)
    why = " ".join(
        (
            words.why.format(schedule=sender.schedule_name, owner=sender.owner_name),
            words.stop.format(owner=sender.owner_name, address=sender.owner_address),
        )
    )
    name = sender.schedule_name
    table = _Table(_shown_columns(report), _shown_rows(report), names)
    in_all = None if totals is None else _Table(_shown_columns(totals), _shown_rows(totals), names)
    return ReportDocument(
        subject=f"{name}: {days}",
        text=_text(table, in_all, report, [name, days, *notes], why, sender),
        html=_html(table, in_all, report, [name, days, *notes], why, sender, code),
    )


def _shown_columns(report: Report) -> list[Column]:
    return [column for column in columns_of(report) if _is_shown(column, report)]


def _shown_rows(report: Report) -> list[list[Value]]:
    places = [place for place, column in enumerate(columns_of(report)) if _is_shown(column, report)]
    return [[row[place] for place in places] for row in islice(rows_of(report), ROW_LIMIT)]


def _is_shown(column: Column, report: Report) -> bool:
    """A mail has room for the figures, for how many cases they are of, and for the time before; files have everything. The
    days of a whole range stand above it."""
    if column.measure is None:
        is_said = column.kind is Kind.DAY and report.grain is Grain.TOTAL
        return not is_said and not column.name.endswith(" id") and column.name != "Gap"
    # Of shares of time the cases are seconds, which say nothing here.
    is_counted = column.name.endswith(", cases") and column.measure.has_contacts
    return column.is_main or is_counted or column.name.endswith((", before", ", 90th percentile"))


@dataclass(frozen=True, slots=True)
class _Names:
    """What columns and figures are called."""

    language: StaffLanguage
    words: _Words
    params: Params

    def head(self, column: Column) -> str:
        if column.measure is None:
            return self.words.heads.get(column.name, column.name)
        return self.measure(column.measure)

    def measure(self, measure: Measure) -> str:
        return measure_name(measure.id, self.language)

    def meaning(self, measure: Measure) -> str:
        return measure_meaning(measure.id, self.language, self.params)


@dataclass(frozen=True, slots=True)
class _Table:
    columns: Sequence[Column]
    rows: Sequence[Sequence[Value]]
    names: _Names

    @property
    def words(self) -> _Words:
        return self.names.words

    def cells(self, row: Sequence[Value]) -> Iterator[tuple[Column, Value, str]]:
        is_gap = all(value is None for column, value in zip(self.columns, row, strict=True) if column.measure)
        is_first = True
        main: Value = None
        for column, value in zip(self.columns, row, strict=True):
            text = shown(value, column.kind)
            if column.is_main:
                main = value
            elif column.name.endswith(", before"):
                text += _moved(main, value, column.kind, self.words)
            if is_gap and column.measure is not None:
                text = self.words.no_data if is_first else ""
                is_first = False
            yield column, value, text

    def line(self, column: Column, text: str) -> str:
        """A figure, or what stands beside it, in plain text."""
        said = text if column.is_main else _note(column, text, self.words)
        return f"{self.names.head(column)}: {said}"

    def largest(self) -> list[float]:
        """Of each column."""
        columns: list[list[Value]] = [[row[place] for row in self.rows] for place in range(len(self.columns))]
        return [
            max((float(value) for value in values if isinstance(value, int | float)), default=0.0) for values in columns
        ]


def _moved(value: Value, before: Value, kind: Kind, words: _Words) -> str:
    """How far a figure has moved, as the console says it: shares by points, the rest by its share of what it was."""
    if not isinstance(value, int | float) or not isinstance(before, int | float):
        return ""
    if kind is Kind.SHARE:
        return f" ({(value - before) * 100:+.1f} {words.points})"
    return f" ({(value - before) / abs(before):+.0%})".replace("%", "\u00a0%") if before else ""


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
            return f"{value:.1%}".replace("%", "\u00a0%")
        case Kind.POINTS:
            return f"{value:.2f}"
        case _:
            return f"{value:,.0f}"


# --- plain text ---------------------------------------------------------------------------------------------------------


def _text(table: _Table, in_all: _Table | None, report: Report, head: Sequence[str], why: str, sender: Sender) -> str:
    pieces = ["\n".join(head)]
    names = table.names
    rows = [(of, row) for of in (table, in_all) if of is not None for row in of.rows]
    for of, row in rows:
        cells = list(of.cells(row))
        whose = "  ".join(text for column, _, text in cells if column.measure is None) or table.words.in_all
        lines = [f"  {of.line(column, text)}" for column, _, text in cells if column.measure is not None and text]
        pieces.append("\n".join([whose, *lines]))
    pieces.append(
        "\n".join([table.words.meanings, *(f"  {names.measure(one)}: {names.meaning(one)}" for one in report.measures)])
    )
    words = table.words
    links = f"{words.open}: {sender.report_url}\n{words.change}: {sender.schedule_url}"
    return "\n\n".join([*pieces, links, why]) + "\n"


# --- HTML ---------------------------------------------------------------------------------------------------------------

_FONT = "font-family:Arial,Helvetica,sans-serif"
_INK, _QUIET, _LINE, _BAR, _HEAD = "#1c2430", "#566072", "#d8dde6", "#3b6fb5", "#f2f4f8"
# As wide as a bar may be, in pixels.
_BAR_WIDTH, _BAR_HEIGHT = 72, 5


# Where the program that shows it is dark and heeds it (Apple Mail, Thunderbird); others keep the light colours or turn them.
_DARK = (
    "@media (prefers-color-scheme: dark){"
    "body{background:#14181f!important;color:#e6eaf0!important}"
    ".quiet{color:#a3aebd!important}td,th{border-color:#323a47!important}thead th{background:#1e242e!important}"
    ".bar{background:#7fb0f0!important}a{color:#8ab8f5!important}}"
)


def _html(
    table: _Table,
    in_all: _Table | None,
    report: Report,
    head: Sequence[str],
    why: str,
    sender: Sender,
    language: str,
) -> str:
    quiet = f'class="quiet" style="margin:0 0 4px;color:{_QUIET};font-size:13px"'
    name, days, *notes = (escape(line) for line in head)
    words, names = table.words, table.names
    meanings = "".join(
        f"<p {quiet}><b>{escape(names.measure(one))}.</b> {escape(names.meaning(one))}</p>\n" for one in report.measures
    )
    return (
        f'<!DOCTYPE html>\n<html lang="{language}"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width"><meta name="color-scheme" content="light dark">'
        f"<title>{name}</title><style>{_DARK}</style></head>\n"
        f'<body style="margin:0;padding:16px;background:#ffffff;color:{_INK};{_FONT}">\n'
        f'<h1 style="margin:0 0 4px;font-size:20px">{name}</h1>\n'
        f'<p style="margin:0 0 4px;font-size:15px">{days}</p>\n'
        + "".join(f"<p {quiet}>{note}</p>\n" for note in notes)
        + _html_table(table, in_all)
        + f'<p style="margin:12px 0 0;font-size:14px">{_link(sender.report_url, words.open)}</p>\n'
        + f'<h2 style="margin:20px 0 6px;font-size:15px">{escape(words.meanings)}</h2>\n'
        + meanings
        + f'<p style="margin:16px 0 0"></p><p {quiet}>{escape(why)}</p>\n'
        + f"<p {quiet}>{_link(sender.schedule_url, words.change)}</p>\n</body></html>\n"
    )


def _link(url: str, words: str) -> str:
    return f'<a href="{escape(url)}" style="color:{_BAR}">{escape(words)}</a>'


_CELL = f"padding:6px 10px;border-bottom:1px solid {_LINE};font-size:14px;vertical-align:top"


def _html_table(table: _Table, in_all: _Table | None) -> str:
    """One column for each figure: what belongs to it stands small below it, so that it fits a narrow screen."""
    if not table.rows:
        return ""
    heads = [column for column in table.columns if column.measure is None or column.is_main]
    head = "".join(
        f'<th scope="col" align="{_side(column)}" style="{_CELL};background:{_HEAD}">{escape(table.names.head(column))}</th>'
        for column in heads
    )
    most = table.largest()
    lines = [_html_row(table, row, most) for row in table.rows]
    if in_all is not None:
        named = sum(1 for column in heads if column.measure is None)
        whose = f'<th scope="row" align="left" colspan="{named}" style="{_CELL}">{escape(in_all.words.in_all)}</th>'
        lines += [_html_row(in_all, row, in_all.largest(), whose) for row in in_all.rows]
    return (
        '<table cellpadding="0" cellspacing="0" style="margin:12px 0 0;border-collapse:collapse">\n'
        f"<thead><tr>{head}</tr></thead>\n<tbody>\n{''.join(lines)}</tbody></table>\n"
    )


def _html_row(table: _Table, row: Sequence[Value], largest: Sequence[float], whose: str = "") -> str:
    """`whose`: the first cell, where the row itself names nobody; it has no bars then."""
    pieces: list[str] = []
    for (column, value, text), most in zip(table.cells(row), largest, strict=True):
        if column.measure is None:
            pieces.append(f'<td align="left" style="{_CELL};white-space:nowrap">{escape(text)}')
        elif column.is_main:
            pieces.append(f'<td align="right" style="{_CELL}"><b>{escape(text)}</b>')
            pieces[-1] += "" if whose else _bar(column, value, most)
        elif value is not None and text:
            note = escape(_note(column, text, table.words))
            pieces[-1] += f'<div class="quiet" style="color:{_QUIET};font-size:12px">{note}</div>'
    return f"<tr>{whose}{''.join(piece + '</td>' for piece in pieces)}</tr>\n"


def _note(column: Column, text: str, words: _Words) -> str:
    if column.name.endswith(", before"):
        return words.before.format(value=text)
    if column.name.endswith(", 90th percentile"):
        return words.nine_of_ten.format(value=text)
    return f"n {text}"


def _side(column: Column) -> str:
    return "left" if column.kind in _TEXT_COLUMNS else "right"


def _bar(column: Column, value: Value, largest: float) -> str:
    """So long as the value is against the largest of its column; shares against the whole."""
    if not column.is_main or not isinstance(value, int | float) or value <= 0:
        return ""
    most = 1.0 if column.kind is Kind.SHARE else largest
    width = max(1, round(_BAR_WIDTH * min(1.0, value / most)))
    return (
        '<div align="right"><table cellpadding="0" cellspacing="0" role="presentation"><tr><td class="bar"'
        f' width="{width}" height="{_BAR_HEIGHT}" bgcolor="{_BAR}"'
        f' style="padding:0;width:{width}px;height:{_BAR_HEIGHT}px;background:{_BAR};font-size:0;line-height:0">'
        "&nbsp;</td></tr></table></div>"
    )
