"""Words as search sees them: one form for writing them down and for asking, and a Latin key for names.

    words_in("Ёлка, Ձմեռ")   → Word(0, 4, "елка"), Word(6, 10, "ձմեռ")
    name_keys("Հովհաննես")   → {"hovhanes"}, and so are "Hovhannes" and "HOVHANES"
    numbers_in("077 12-34")  → the digits of what is written with gaps

Two texts meet where their folded words are equal. Folding takes away how a word is written (case, accents, width, apostrophes
inside it) and leaves what it says: й and ї are letters of their own, an accent is not. Names may also meet by their key: they
are spelt in as many ways as there are passports, so each script is written in Latin by its national table and the result is
reduced until the usual variants are one. A letter that Latin writes in two ways that should not be one (Cyrillic г is g or h)
gives a name two keys; names meet that share one.

Sources of the tables (facts; the reductions are ours):
  Armenian     BGN/PCGN 1981 romanization of Armenian
  Georgian     national system of Georgia, 2002
  Ukrainian    Cabinet of Ministers of Ukraine, resolution 55 of 2010
  Russian      BGN/PCGN 1947; ICAO Doc 9303-3 for ё, щ and ъ
  Azerbaijani  the Latin alphabet of 1991 (law of 25 December), as read in English
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import product

# Longer than any word anybody looks for; what goes on is a code or an attack, and its beginning finds it.
WORD_LENGTH = 64
# A word in more ways than this has no reading that anybody would guess.
_KEY_LIMIT = 8

_MARKS = "".join(
    chr(code) for code in range(0x300, 0x3100) if unicodedata.category(chr(code)) in ("Mn", "Mc") and code != 0x345
)
# Apostrophes and what is typed for them: inside a word they are spelling (об'єкт, o'clock), not an end of it.
_APOSTROPHES = "'’‘ʼʻʹ`´′＇"
_WORD = re.compile(f"[^\\W_](?:[^\\W_]|[{_MARKS}]|[{_APOSTROPHES}](?=[^\\W_]))*")

# What canonical and compatibility decomposition leave as it is, though it is another way to write the same.
_SAME = {
    "ə": "e",  # typed e where there is no such key
    "ı": "i",
    "ø": "o",
    "ł": "l",
    "đ": "d",
    "ð": "d",
    "þ": "th",
    "ħ": "h",
    "æ": "ae",
    "œ": "oe",
    "ґ": "г",
    # Ѓ and Ќ, Macedonian, lose their accents; й, ї and ў keep their marks (_LETTERS).
}
# Letters whose mark makes another letter of them.
_LETTERS = frozenset("йїў")
# և, its two letters, and how Eastern Armenian writes it in capitals (ԵՎ): one.
_ARMENIAN_EV = re.compile("եւ|եվ|և")
# Asomtavruli and Nuskhuri, the church's alphabets; Mtavruli is folded by Unicode itself (CaseFolding.txt, since 11.0).
_GEORGIAN = {0x10A0 + i: 0x10D0 + i for i in range(38)} | {0x2D00 + i: 0x10D0 + i for i in range(38)}


@dataclass(frozen=True, slots=True)
class Word:
    """`text[start:end]` of the text it was found in, which is in NFC, and its folded form (never empty)."""

    start: int
    end: int
    folded: str


def composed(text: str) -> str:
    """`text` in NFC, the form that places of words are counted in."""
    return unicodedata.normalize("NFC", text)


def words_in(text: str) -> Iterator[Word]:
    """The words of a text in NFC (`composed`), in their order."""
    for found in _WORD.finditer(text):
        folded = fold(found.group())
        if folded:
            yield Word(found.start(), found.end(), folded)


@lru_cache(maxsize=50_000)
def fold(word: str) -> str:
    """The one form of a word. Empty if nothing of it is a letter or a digit."""
    if word.isascii():
        return word.replace("'", "").replace("`", "").lower()[:WORD_LENGTH]
    # İ would become i and a mark of its own, I is already i: dotted, dotless and plain are one.
    plain = word.translate(_GEORGIAN).casefold()
    letters = []
    for letter in unicodedata.normalize("NFC", plain):
        if letter in _LETTERS:
            letters.append(letter)
            continue
        for part in unicodedata.normalize("NFKD", _SAME.get(letter, letter)):
            if part in _APOSTROPHES or unicodedata.combining(part):
                continue
            if part.isdecimal():
                letters.append(str(unicodedata.decimal(part)))
            elif part.isalnum() or unicodedata.category(part) in ("Mn", "Mc"):
                letters.append(_SAME.get(part, part))
    return _ARMENIAN_EV.sub("եւ", "".join(letters).casefold())[:WORD_LENGTH]


# --- numbers ------------------------------------------------------------------------------------------------------------

# Digits with what people put between them: (077) 12-34-56, +374 77 12.34.56, 12 345/6.
_NUMBER = re.compile(r"\d(?:[ \u00a0\u202f().\-–/]{0,3}\d){4,}")
# E.164 allows 15 digits; longer ones are cards and codes, found by how they begin.
_NUMBER_LENGTH = 20


@dataclass(frozen=True, slots=True)
class Number:
    start: int
    end: int
    digits: str


def numbers_in(text: str) -> Iterator[Number]:
    """What has at least five digits, whatever stands between them. ASCII digits come out."""
    for found in _NUMBER.finditer(text):
        digits = "".join(str(unicodedata.decimal(sign)) for sign in found.group() if sign.isdecimal())
        yield Number(found.start(), found.end(), digits[:_NUMBER_LENGTH])


def number_without_prefix(digits: str) -> tuple[str, ...]:
    """How a number that was typed may stand in its international form, best first: as it is, without the 00 of a call abroad
    or the 0 of one at home, and without the 8 that Russian numbers begin with at home (11 digits in all)."""
    if digits.startswith("00"):
        return (digits[2:],) if len(digits) > 6 else (digits,)
    if digits.startswith("0") and len(digits) > 4:
        return (digits[1:], digits)
    if digits.startswith("8") and len(digits) == 11:
        return (digits, digits[1:])
    return (digits,)


# --- names --------------------------------------------------------------------------------------------------------------


# Sounds that Latin writes with several letters are one capital while a key is made: S sh, C ch, Z zh, T ts, J the j of Jack.
# A value with | is written in several ways.
def _table(pairs: str) -> dict[str, str]:
    """Each pair is a letter and how it sounds."""
    return {pair[0]: pair[1:] for pair in pairs.split()}


_ARMENIAN = _table(
    "աa բb գg դd եe զz էe ըe թt ժZ իi լl խh ծT կk հh ձdz ղg ճC մm յi նn շS ոo չC պp ջJ ռr սs վv տt րr ցT փp քk օo ֆf ւv"
    " ևev"
)
_GEORGIAN_LETTERS = _table(
    "აa ბb გg დd ეe ვv ზz თt იi კk ლl მm ნn ოo პp ჟZ რr სs ტt უu ფp ქk ღg ყk შS ჩC ცT ძdz წT ჭC ხh ჯJ ჰh ჲi ჳv ჴk ჵo"
)
# г is g in Russian and h in Ukrainian.
_CYRILLIC = _table(
    "аa бb вv гg|h дd еe зz иi йi кk лl мm нn оo пp рr сs тt уu фf хh цT чC шS щS ыi эe юiu яia іi ґg ёe|io єe|ie їi жZ ўu"
    " ь ъ ђJ јi љli њni ћC џJ"
)
_SCRIPTS = _ARMENIAN | _GEORGIAN_LETTERS | _CYRILLIC

# Latin letters with marks say how they sound; the rest lose theirs.
_MARKED = {
    "š": "S",
    "ş": "S",
    "ș": "S",
    "č": "C",
    "ç": "C",
    "ć": "C",
    "ž": "Z",
    "ğ": "g",
    "ż": "Z",
    "ə": "a|e",
    "ț": "T",
}
# A word with one of these is Azerbaijani (or Turkish), where c is j and x is kh; q is read as k and as g.
_AZERBAIJANI = frozenset("əğış")
_AZERBAIJANI_LETTERS = {"c": "J", "x": "h", "q": "k|g", "j": "Z"}
# Longest first: what several letters say together.
_TOGETHER = (
    ("shch", "S"),
    ("sch", "S"),
    ("tsch", "C"),
    ("tch", "C"),
    ("dzh", "J"),
    ("dž", "J"),
    ("dj", "J"),
    ("sh", "S"),
    ("ch", "C"),
    ("cz", "C"),
    ("zh", "Z"),
    ("kh", "h"),
    ("gh", "g"),
    ("ph", "f"),
    ("th", "t"),
    ("ts", "T"),
    ("tz", "T"),
    ("ck", "k"),
    ("oo", "u"),
    ("ou", "u"),
    ("ee", "i"),
)
_TOGETHER_RE = re.compile("|".join(latin for latin, _ in sorted(_TOGETHER, key=lambda pair: -len(pair[0]))))
_SOUND = dict(_TOGETHER)
# Single letters with more than one reading: c of Caturyan and of Carlos, j of Jack and of Jurij, x of Xachatryan and of Max.
_ALONE = {"c": "T|k", "j": "J|i", "q": "k|g", "x": "h|ks", "w": "v", "y": "i"}
_CYRILLIC_SOFT = re.compile("[ьъ](?=[еєёюяіїио])")
_SOUNDS_IN_CYRILLIC = (("дж", "J"), ("сч", "S"), ("тс", "T"), ("кс", "ks"))
_REPEATED = re.compile(r"(.)\1+")
_VOWELS = "aeiou"


@lru_cache(maxsize=50_000)
def name_keys(word: str) -> frozenset[str]:
    """The Latin keys of one word of a name, as it is written (NFC); none for a word that has no letter of a known script.
    At most eight."""
    lower = word.translate(_GEORGIAN).casefold().replace("i̇", "i")
    lower = unicodedata.normalize("NFC", lower)
    lower = "".join(letter for letter in lower if letter not in _APOSTROPHES)
    if not lower or any(letter.isdigit() for letter in lower):
        return frozenset()
    readings = _readings(lower)
    if readings is None:
        return frozenset()
    return frozenset(key for reading in readings if (key := _reduced(reading)))


def _readings(lower: str) -> Iterator[str] | None:
    """The ways to say a word, in sounds; None if a letter has none."""
    if any(letter in _SCRIPTS for letter in lower):
        return _from_script(lower)
    if all(letter.isascii() or letter in _MARKED or _bare(letter).isascii() for letter in lower):
        return _from_latin(lower)
    return None


def _from_script(lower: str) -> Iterator[str]:
    text = lower.replace("եւ", "և").replace("ու", "u").replace("ոյ", "ui")
    initial_vo = text.startswith(
        "ո"
    )  # Armenian: vo at the begin of a word, where speech keeps it and passports may not
    text = _CYRILLIC_SOFT.sub("i", text)
    for letters, sound in _SOUNDS_IN_CYRILLIC:
        text = text.replace(letters, sound)
    # What is written with the softener and a vowel has the glide already: ьи is ii, which is i.
    parts = [_SCRIPTS.get(letter, letter if letter.isascii() else "") for letter in text]
    if initial_vo:
        parts[0] = "o|vo"
    return _combinations(parts)


def _from_latin(lower: str) -> Iterator[str]:
    is_azerbaijani = not _AZERBAIJANI.isdisjoint(lower)
    parts: list[str] = []
    place = 0
    while place < len(lower):
        together = _TOGETHER_RE.match(lower, place)
        if together and not (is_azerbaijani and together.group()[0] in _AZERBAIJANI_LETTERS):
            parts.append(_SOUND[together.group()])
            place = together.end()
            continue
        letter = lower[place]
        place += 1
        if is_azerbaijani and letter in _AZERBAIJANI_LETTERS:
            parts.append(_AZERBAIJANI_LETTERS[letter])
        elif letter in _MARKED:
            parts.append(_MARKED[letter])
        else:
            bare = _bare(letter)
            parts.append(_ALONE.get(bare, bare))
    return _combinations(parts)


def _bare(letter: str) -> str:
    if letter.isascii():
        return letter
    same = _SAME.get(letter)
    return same or "".join(part for part in unicodedata.normalize("NFKD", letter) if not unicodedata.combining(part))


def _combinations(parts: list[str]) -> Iterator[str]:
    """A letter with two readings is read alike wherever it stands in a word: nobody mixes them."""
    open_ = list(dict.fromkeys(part for part in parts if "|" in part))
    for number, chosen in enumerate(product(*(part.split("|") for part in open_))):
        if number == _KEY_LIMIT:
            return
        reading = dict(zip(open_, chosen, strict=True))
        yield "".join(reading.get(part, part) for part in parts)


def _reduced(sounds: str) -> str:
    """What variants of one name have in common: doubled sounds are one, y is i, a glide before e is nothing where a vowel or
    nothing stands before it (Yelena, Nikolayev), and so is one that was written twice (Yuliia)."""
    key = _REPEATED.sub(r"\1", sounds)
    if key.endswith(("of", "ef")) and len(key) > 4:  # Ivanoff
        key = key[:-1] + "v"
    letters: list[str] = []
    for place, sound in enumerate(key):
        before = letters[-1] if letters else ""
        after = key[place + 1 : place + 2]
        if sound == "i" and after == "e" and (before == "" or before in _VOWELS):
            continue
        letters.append(sound)
    return _REPEATED.sub(r"\1", "".join(letters))


# A Latin word that is still being typed may end in the middle of one of these.
_BEGINS_SOUND = frozenset("cdgkpstyzijeo")


def beginning_keys(word: str) -> frozenset[str]:
    """The keys of a word of which only the beginning was typed: the last letter may be half a sound (Khac…), so it counts
    only where enough stands before it."""
    keys = name_keys(word)
    if len(word) > 3 and word[-1:].lower() in _BEGINS_SOUND:
        return keys | name_keys(word[:-1])
    return keys
