"""What is wrong is told in five languages: a sentence is found in each catalogue, and each catalogue has no others.

The sources are read as they are: every `Sentence("…", …)` of the hub, and every place that says what is wrong with a field.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterable, Iterator
from copy import copy, deepcopy
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path

import pytest

from hub.domain.languages import STAFF_LANGUAGES, StaffLanguage, accepted_language
from hub.domain.sentences import Sentence, from_json, plural_category, to_json
from hub.web.languages import catalogue, in_language

ROOT = Path(__file__).resolve().parents[2]
OTHERS = [language for language in STAFF_LANGUAGES if language != "en"]
NAMES = re.compile(r"\{([a-z_]+)\}")
CATEGORIES = {
    "uk": {"one", "few", "many", "other"},
    "hy": {"one", "other"},
    "ka": {"one", "other"},
    "az": {"one", "other"},
}
SCRIPTS = {"uk": r"[А-ЩЬЮЯЄІЇҐа-щьюяєіїґ]", "hy": r"[Ա-Ֆա-և]", "ka": r"[ა-ჰ]", "az": r"[A-Za-zƏəĞğİıÖöŞşÜüÇç]"}

# Whoever reads these runs the hub, by its command line and its log, which are English; or plays with the demo.
FOR_OPERATORS = (
    "hub/settings.py",
    "hub/demo/",
    "hub/demo_app.py",
    "hub/app.py",
    "hub/routing/scenario.py",
    "hub/store/",
)


@cache
def sources() -> dict[str, ast.Module]:
    paths = sorted((ROOT / "hub").rglob("*.py"))
    return {path.relative_to(ROOT).as_posix(): ast.parse(path.read_text(encoding="utf-8")) for path in paths}


def said() -> Iterator[tuple[str, ast.Call]]:
    for path, tree in sources().items():
        for node in ast.walk(tree) if path != "hub/domain/sentences.py" else ():
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Sentence":
                yield f"{path}:{node.lineno}", node


@cache
def templates() -> dict[str, str]:
    """Each sentence of the hub, and where it is said first."""
    found: dict[str, str] = {}
    for place, call in said():
        template = call.args[0].value if isinstance(call.args[0], ast.Constant) else None
        assert isinstance(template, str), f"{place}: a sentence is written out where it is said"
        found.setdefault(template, place)
    return found


def test_a_sentence_is_given_what_stands_in_it() -> None:
    for place, call in said():
        assert isinstance(call.args[0], ast.Constant)
        wanted = set(NAMES.findall(str(call.args[0].value)))
        assert {keyword.arg for keyword in call.keywords} == wanted, place
        assert "{" not in NAMES.sub("", str(call.args[0].value)), place


@pytest.mark.parametrize("language", OTHERS)
def test_every_sentence_is_in_the_catalogue_and_nothing_else_is(language: StaffLanguage) -> None:
    kept = catalogue(language)
    assert [f"{place}: {template}" for template, place in templates().items() if template not in kept] == []
    assert sorted(set(kept) - set(templates())) == []


@pytest.mark.parametrize("language", OTHERS)
def test_a_translation_has_the_names_of_its_sentence_and_is_of_its_language(language: StaffLanguage) -> None:
    for template, entry in catalogue(language).items():
        forms = {"other": entry} if isinstance(entry, str) else entry
        assert set(forms) <= CATEGORIES[language], template
        if not isinstance(entry, str):
            assert "{count}" in template
            assert "other" in forms or "many" in forms, template
        for category, form in forms.items():
            names = set(NAMES.findall(form))
            # "One day" may be said without its number.
            assert names == set(NAMES.findall(template)) or (
                category == "one" and names | {"count"} == {*NAMES.findall(template)}
            )
            assert re.search(SCRIPTS[language], NAMES.sub("", form)) or not re.search(
                "[A-Za-z]", NAMES.sub("", template)
            ), form
            assert form != template, template


@pytest.mark.parametrize("language", OTHERS)
def test_the_catalogue_stands_in_order(language: StaffLanguage) -> None:
    text = (ROOT / "hub/web" / f"sentences_{language}.json").read_text(encoding="utf-8")
    in_order = dict(sorted(json.loads(text).items()))
    assert text == json.dumps(in_order, ensure_ascii=False, indent=2) + "\n"


def unworded() -> Iterator[str]:
    """Where a field's fault is a text of one language: `fields={…: "…"}`, `faults[…] = "…"` and `self.fault(…, "…")`."""
    for path, tree in sources().items():
        if path.startswith(FOR_OPERATORS):
            continue
        for node in ast.walk(tree):
            values: list[ast.expr] = []
            if isinstance(node, ast.keyword) and node.arg == "fields":
                if isinstance(node.value, ast.Dict):
                    values = node.value.values
                elif isinstance(node.value, ast.DictComp):
                    values = [node.value.value]
            elif isinstance(node, ast.Assign) and isinstance(target := node.targets[0], ast.Subscript):
                if isinstance(target.value, ast.Name | ast.Attribute) and ast.unparse(target.value).endswith(
                    ("faults", "problems")
                ):
                    values = [node.value]
            elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith(
                ("faults.setdefault", "problems.setdefault", ".fault")
            ):
                values = node.args[1:2]
            for value in values:
                if any(_is_text(each) for each in _choices(value)):
                    yield f"{path}:{value.lineno}: {ast.unparse(value)[:100]}"


def unworded_on_the_way() -> Iterator[str]:
    """The same, of texts that have a name first: in a function that gives them on as `fields`, or answers with them."""
    for path, tree in sources().items():
        if path.startswith(FOR_OPERATORS):
            continue
        for function in ast.walk(tree):
            if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
                for value in _told_of_fields(function):
                    if any(_is_text(each) for each in _choices(value)):
                        yield f"{path}:{value.lineno}: {ast.unparse(value)[:100]}"


def _told_of_fields(function: ast.FunctionDef | ast.AsyncFunctionDef) -> Iterator[ast.expr]:
    told, words = {"faults", "problems"}, set[str]()
    for node in ast.walk(function):
        if isinstance(node, ast.keyword) and node.arg == "fields":
            if isinstance(node.value, ast.Name):
                told.add(node.value.id)
            for value in _values(node.value):
                words |= {each.id for each in _choices(value) if isinstance(each, ast.Name)}
        elif isinstance(node, ast.Return) and re.search("fault|problem|missing", function.name):
            yield from _values(node.value)
    for node in ast.walk(function):
        if not isinstance(node, ast.Assign | ast.AnnAssign | ast.AugAssign) or node.value is None:
            continue
        target = node.targets[0] if isinstance(node, ast.Assign) else node.target
        if isinstance(target, ast.Subscript) and isinstance(target.value, ast.Name) and target.value.id in told:
            yield node.value
        elif isinstance(target, ast.Name) and target.id in told:
            yield from _values(node.value)
        elif isinstance(target, ast.Name) and target.id in words:
            yield node.value


def _values(mapping: ast.expr | None) -> Iterable[ast.expr]:
    if isinstance(mapping, ast.Dict):
        return mapping.values
    return [mapping.value] if isinstance(mapping, ast.DictComp) else []


def _choices(value: ast.expr) -> Iterator[ast.expr]:
    if isinstance(value, ast.IfExp):
        yield from _choices(value.body)
        yield from _choices(value.orelse)
    elif isinstance(value, ast.BoolOp):
        for each in value.values:
            yield from _choices(each)
    else:
        yield value


def _is_text(value: ast.expr) -> bool:
    """With a word in it: a bare `{name}` is no sentence."""
    if isinstance(value, ast.Constant):
        return isinstance(value.value, str) and bool(value.value)
    if isinstance(value, ast.JoinedStr):
        return any(isinstance(part, ast.Constant) and re.search("[a-z]{2}", str(part.value)) for part in value.values)
    return isinstance(value, ast.BinOp) and (_is_text(value.left) or _is_text(value.right))


def test_what_is_wrong_with_a_field_is_always_a_sentence() -> None:
    assert [*unworded(), *unworded_on_the_way()] == []


# --- what the hub answers in a machine's word has a sentence on the screen

CONSOLE = ROOT / "web_console/src/locales"
# Codes that are not written out where they are raised: the file, and what in it names them.
NAMED_ELSEWHERE = (
    ("hub/calls/recordings.py", "_NOT_HERE", "recording_{}"),
    ("hub/timeline/joining.py", "_WORDS", "{}"),
    ("hub/reports/runs.py", "_HINDRANCES", "{}"),
    ("hub/writing/planned.py", "_refusal", "{}"),
    ("hub/channels/smtp.py", "reason_of", "{}"),
    ("hub/channels/smtp.py", "_CODES", "{}"),
    ("hub/channels/smtp.py", "REASONS", "{}"),
    ("hub/channels/twilio.py", "FAULTS", "{}"),
)


def answered_codes() -> Iterator[tuple[str, str]]:
    """(where, code): every `code="…"`, every class's own, constants that stand for one, and those of NAMED_ELSEWHERE."""
    constants = {
        target.id: node.value.value
        for tree in sources().values()
        for node in tree.body
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    for path, tree in sources().items():
        # The demo's carrier and its pages answer nobody who works here.
        if path.startswith(("hub/demo/", "hub/demo_app.py")):
            continue
        for node in ast.walk(tree):
            values: list[ast.expr] = []
            if isinstance(node, ast.Call):
                values = [keyword.value for keyword in node.keywords if keyword.arg == "code"]
            elif isinstance(node, ast.ClassDef):
                values = [
                    each.value
                    for each in node.body
                    if isinstance(each, ast.Assign) and ast.unparse(each.targets[0]) == "code"
                ]
            for value in (choice for each in values for choice in _choices(each)):
                code = value.value if isinstance(value, ast.Constant) else constants.get(_last_name(value))
                if isinstance(code, str):
                    yield f"{path}:{value.lineno}", code
    for path, name, form in NAMED_ELSEWHERE:
        found = list(_codes_in(_named(path, name)))
        assert found, f"{path} has no {name}"
        for code in found:
            yield f"{path}: {name}", form.format(code)


def _last_name(value: ast.expr) -> str:
    return value.attr if isinstance(value, ast.Attribute) else value.id if isinstance(value, ast.Name) else ""


def _named(path: str, name: str) -> ast.AST:
    for node in sources()[path].body:
        if isinstance(node, ast.FunctionDef) and node.name == name:
            return node
        if isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None:
            target = node.target if isinstance(node, ast.AnnAssign) else node.targets[0]
            if ast.unparse(target) == name:
                return node.value
    raise AssertionError(f"{path} has no {name}")


def _codes_in(named: ast.AST) -> Iterator[str]:
    """What a function returns, a mapping's keys that are words, or its values."""
    if isinstance(named, ast.Dict):
        keys = [key for key in named.keys if key is not None]
        words = all(isinstance(key, ast.Constant) and re.fullmatch("[a-z_]+", str(key.value)) for key in keys)
        looked_at: list[ast.AST] = [*(keys if words else named.values)]
    else:
        looked_at = [node.value for node in ast.walk(named) if isinstance(node, ast.Return) and node.value is not None]
    for each in looked_at:
        first = each.elts[0] if isinstance(each, ast.Tuple) else each
        for node in ast.walk(first):
            if isinstance(node, ast.Constant) and re.fullmatch("[a-z][a-z_]+", str(node.value)):
                yield str(node.value)


@pytest.mark.parametrize("language", STAFF_LANGUAGES)
def test_every_code_has_a_sentence_on_the_screen(language: StaffLanguage) -> None:
    catalogues = json.loads((CONSOLE / f"{language}.json").read_text(encoding="utf-8"))
    # The order of web_console/src/codes.ts.
    known = {code for name in ("error", "health", "reason") for code in catalogues[name]}
    assert len(known) > 150
    assert [f"{place}: {code}" for place, code in answered_codes() if code not in known] == []


def test_the_codes_are_found_however_they_are_written() -> None:
    found = {code for _, code in answered_codes()}
    assert {"invalid", "version_conflict", "recording_deleted", "no_mail_channel", "merged", "account_refused"} <= found
    assert {"mailbox_full", "too_late", "premium_number", "no_media"} <= found


# --- the sentences themselves


def test_a_sentence_is_its_english_text_and_comes_back_from_a_database() -> None:
    inner = Sentence("is required")
    sentence = Sentence("must be at least {bound}", bound=3)
    assert sentence == "must be at least 3"
    assert json.loads(json.dumps({"field": sentence})) == {"field": "must be at least 3"}
    both = Sentence.joined("; ", [inner, sentence, "mx.example.org"])
    assert both == "is required; must be at least 3; mx.example.org"
    for each in (inner, sentence, both, "a text of before"):
        back = from_json(json.loads(json.dumps(to_json(each))))
        assert back == each
        assert in_language(back, "hy") == in_language(each, "hy")


@dataclass(frozen=True)
class Told:
    words: str


@pytest.mark.parametrize(
    "sentence",
    [
        Sentence("must be one of {known}", known="{this}, that"),
        Sentence.joined("; ", [Sentence("is required"), "{theirs}"]),
        Sentence("the file {words}", words=Sentence("there is no column {heading}", heading="{0}")),
    ],
)
def test_a_copy_is_the_same_sentence_whatever_stands_in_it(sentence: Sentence) -> None:
    for copied in (copy(sentence), deepcopy(sentence), asdict(Told(sentence))["words"]):
        assert (copied, type(copied)) == (sentence, Sentence)
        assert in_language(copied, "ka") == in_language(sentence, "ka")


def test_another_language_says_the_same_with_the_same_values() -> None:
    sentence = Sentence("must be at least {bound}", bound=3)
    assert "3" in in_language(sentence, "uk")
    assert in_language(sentence, "uk") != sentence
    assert in_language("what a mail server said", "uk") == "what a mail server said"


def test_values_are_put_in_as_they_are() -> None:
    assert (
        Sentence("must be one of {known}", known="{known.__class__} {bound}")
        == "must be one of {known.__class__} {bound}"
    )
    with pytest.raises(KeyError):
        Sentence("must be at least {bound}", least=3)


@pytest.mark.parametrize(
    ("count", "category"),
    [(1, "one"), (21, "one"), (11, "many"), (2, "few"), (24, "few"), (12, "many"), (0, "many"), (5, "many")],
)
def test_ukrainian_counts_as_cldr_does(count: int, category: str) -> None:
    assert plural_category(count, "uk") == category


@pytest.mark.parametrize(
    ("language", "zero", "one", "two"),
    [("hy", "one", "one", "other"), ("ka", "other", "one", "other"), ("az", "other", "one", "other")],
)
def test_the_others_count_as_cldr_does(language: StaffLanguage, zero: str, one: str, two: str) -> None:
    assert [plural_category(count, language) for count in (0, 1, 2)] == [zero, one, two]


@pytest.mark.parametrize(
    ("header", "language"),
    [
        ("", "en"),
        ("hy", "hy"),
        ("hy-AM,hy;q=0.9,en;q=0.8", "hy"),
        ("de, ka;q=0.4, uk;q=0.7", "uk"),
        ("az;q=0", "en"),
        ("ka;q=much", "en"),
        ("*", "en"),
        ("ka;q=nan", "en"),
    ],
)
def test_a_browsers_languages_are_understood(header: str, language: str) -> None:
    assert accepted_language(header) == language
