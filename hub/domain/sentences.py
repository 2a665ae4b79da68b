"""What the hub says is wrong, in the reader's language. Pure.

A sentence is written once, in English, where the fault is found: `Sentence("must have {count} characters", count=6)`. It is a
text like any other, the English one, and remembers what it was made of. So the edge can say it in another language
(`hub/web/languages.py`, with a catalogue for each), after years in a database, too (`to_json`, `from_json`; in a column of
text `to_text`, `from_text`).

A catalogue's entry is a text with the same names in braces, or several by the plural category of `count` (CLDR: one, few,
many, other). Names, numbers and codes are put in as they are.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, Self

from hub.domain.languages import StaffLanguage

Value = str | int | float
# English template → what another language makes of it.
Catalogue = Mapping[str, str | Mapping[str, str]]

_NAMES = re.compile(r"\{([a-z_]+)\}")


class Sentence(str):
    """`template` in English with `{names}`, each of which is among `values`. KeyError for one that is not."""

    __slots__ = ("parts", "separator", "template", "values")

    template: str
    values: Mapping[str, Value]
    # What `joined` put together, and with what between.
    parts: Sequence[str]
    separator: str

    def __new__(cls, template: str, /, **values: Value) -> Self:
        self = super().__new__(cls, _filled(template, values))
        self.template, self.values, self.parts, self.separator = template, values, (), ""
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        """Copied (`dataclasses.asdict` does) it is the same; by itself a text would be taken for a template, and a brace that
        somebody typed for a name."""
        return from_json, (to_json(self),)

    @classmethod
    def joined(cls, separator: str, parts: Sequence[str]) -> Self:
        """Several, one after the other; plain texts among them stay as they are."""
        self = super().__new__(cls, separator.join(parts))
        self.template, self.values, self.parts, self.separator = "", {}, tuple(parts), separator
        return self


def in_language(text: str, language: StaffLanguage, catalogue: Catalogue) -> str:
    """The same in another language, whose `catalogue` it is; what is no sentence, or is not in it, as it is."""
    if not isinstance(text, Sentence):
        return text
    if text.parts:
        return text.separator.join(in_language(part, language, catalogue) for part in text.parts)
    values = {
        name: in_language(value, language, catalogue) if isinstance(value, str) else value
        for name, value in text.values.items()
    }
    entry = catalogue.get(text.template, text.template)
    return _filled(_form(entry, text.values.get("count"), language), values)


def to_json(text: str) -> Any:
    """What `from_json` makes the same of."""
    if not isinstance(text, Sentence):
        return str(text)
    if text.parts:
        return {"parts": [to_json(part) for part in text.parts], "separator": text.separator}
    values = {name: to_json(value) if isinstance(value, str) else value for name, value in text.values.items()}
    return {"sentence": text.template, "values": values}


def from_json(stored: Any) -> str:
    """Texts of before there were sentences stay texts."""
    if not isinstance(stored, dict):
        return str(stored)
    if "parts" in stored:
        return Sentence.joined(stored["separator"], [from_json(part) for part in stored["parts"]])
    values = {name: from_json(value) if isinstance(value, dict) else value for name, value in stored["values"].items()}
    return Sentence(stored["sentence"], **values)


def to_text(text: str) -> str:
    """The same for a column of text: what is no sentence stands there as it is."""
    return json.dumps(to_json(text), ensure_ascii=False) if isinstance(text, Sentence) else text


def from_text(stored: str) -> str:
    """What `to_text` made; texts of before there were sentences, and what others said, stay texts."""
    try:
        found = json.loads(stored) if stored.startswith("{") else None
    except ValueError:
        found = None
    is_ours = isinstance(found, dict) and set(found) in ({"sentence", "values"}, {"parts", "separator"})
    return from_json(found) if is_ours else stored


def plural_category(count: float, language: StaffLanguage) -> str:
    """CLDR 48's category of a number without decimals."""
    if language == "hy":
        return "one" if count in (0, 1) else "other"
    if language != "uk":
        return "one" if count == 1 else "other"
    last, last_two = count % 10, count % 100
    if last == 1 and last_two != 11:
        return "one"
    return "few" if 2 <= last <= 4 and not 12 <= last_two <= 14 else "many"


def _form(entry: str | Mapping[str, str], count: object, language: StaffLanguage) -> str:
    if isinstance(entry, str):
        return entry
    category = plural_category(count, language) if isinstance(count, int | float) else "other"
    return entry.get(category) or entry.get("other") or entry["many"]


def _filled(template: str, values: Mapping[str, Value]) -> str:
    # Not str.format: it would look into what it is given ({name.attribute}).
    return _NAMES.sub(lambda found: str(values[found[1]]), template)
