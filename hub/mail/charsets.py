"""Bytes to text, for every charset that real mail comes in, rightly labelled, wrongly or not at all.

    decode(content, label)   never raises; what cannot be read becomes U+FFFD

The order of belief: a byte order mark, plain ASCII, valid UTF-8 under a label that is no UTF-8, the label, and last the
bytes' own statistics. A label is overruled only where it is plainly wrong: valid UTF-8 of some length is no accident,
and a run of bytes that reads as Russian, Armenian or Georgian is none under a Western label, since accents there stand
alone.

Invariants: linear time; statistics look at a sample of fixed size; only charsets named here are ever asked of Python's
codecs (some of those are slow or no charsets at all: punycode, idna, unicode_escape).
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable
from encodings.aliases import aliases
from functools import lru_cache

from hub.channels.channel import clean_text

# Statistics want a few hundred letters; more only costs time.
SAMPLE_BYTES = 4_096
# A label is a word; a longer one is an attack on the cache.
LABEL_LIMIT = 80

_REPLACEMENT = "\ufffd"


# --- charsets that Python lacks ---------------------------------------------------------------------------------------


def _pairs(first: int, last: int) -> list[str]:
    """Armenian letters from number `first` to `last`, each capital followed by its small letter."""
    return [chr(code + number) for number in range(first, last + 1) for code in (0x531, 0x561)]


def _upper_half(**ranges: list[str]) -> str:
    table = [_REPLACEMENT] * 128
    for start, characters in ranges.items():
        at = int(start[1:], 16) - 0x80
        table[at : at + len(characters)] = characters
    return "".join(table)


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


_ASCII = "".join(map(chr, range(128)))
_LATIN_SIGNS = [chr(code) for code in range(0xA0, 0xC0)]
_QUOTES = list("‘’“”•–—")

# AST 34.002, the Armenian national standard (as told in RFC 1345's manner by H. Melikyan, "ArmSCII"; glibc agrees).
# Punctuation from A2, then 38 letters in pairs; A1 is the sign of eternity.
_ARMSCII_8 = _upper_half(
    x80=[chr(code) for code in range(0x80, 0xA1)],
    xA1=list("\u058dև։)(»«—.՝,-֊…՜՛՞"),
    xB2=_pairs(0, 37),
    xFE=["՚"],
)
# The same standard's layout for DOS: the letters stand aside for the box drawing of code page 437.
_ARMSCII_8A = _upper_half(x80=_pairs(0, 22), xAE=list("«»"), xDD=list("֊…՞"), xE0=_pairs(23, 37), xFE=["՚"])
# The old letters stand among the others in the "parliament" order (GEORGIAN-PS, GEOSTD8 as MySQL has it) and behind
# them in the "academy" order (GEORGIAN-ACADEMY, ITA). Both differ from Windows' Western page in the letters alone.
_GEORGIAN_PS_ORDER = list("აბგდევზჱთიკლმნჲოპჟრსტჳუფქღყშჩცძწჭხჴჯჰჵ")
_GEORGIAN_OLD = frozenset("ჱჲჳჴჵ")
_GEORGIAN_SIGNS = {"x80": list("€\ufffd‚ƒ„…†‡ˆ‰Š‹"), "x91": [*_QUOTES, "˜", "™", "š", "›"], "xA0": _LATIN_SIGNS}
_GEOSTD8 = _upper_half(**_GEORGIAN_SIGNS, xC0=_GEORGIAN_PS_ORDER, xFD=["№"])
_GEO_ACADEMY = _upper_half(**_GEORGIAN_SIGNS, xC0=[chr(code) for code in range(0x10D0, 0x10F7)], xFD=["№"])


def _table(upper_half: str) -> Callable[[bytes], str]:
    whole = _ASCII + upper_half
    return lambda content: codecs.charmap_decode(content, "replace", whole)[0]


def _georgian(content: bytes) -> str:
    """Both orders go under each other's names; the wrong one shows letters that nobody has written since 1879."""
    both = [_table(half)(content) for half in (_GEOSTD8, _GEO_ACADEMY)]
    return min(both, key=lambda text: sum(text.count(letter) for letter in _GEORGIAN_OLD) + text.count(_REPLACEMENT))


_OWN_TABLES: dict[str, Callable[[bytes], str]] = {
    "armscii-8": _table(_ARMSCII_8),
    "armscii-8a": _table(_ARMSCII_8A),
    "georgian": _georgian,
}


# --- labels -----------------------------------------------------------------------------------------------------------

# What a label means in practice (WHATWG "Encoding" 2024, section 4.2: Western labels mean Windows' supersets, and so do
# the Eastern ones), beside the names that Python knows by itself.
_ALIASES = {
    **dict.fromkeys(("iso-8859-1", "latin1", "latin-1", "iso8859-1", "8859-1", "ansi", "western"), "cp1252"),
    **dict.fromkeys(("ascii", "us-ascii", "usascii", "7bit", "8bit", "ansi-x3.4-1968", "iso-646"), "ascii"),
    **dict.fromkeys(("utf8mb4", "utf8mb3", "utf-8mb4", "utf-8-bom", "utf-8-sig", "unicode-1-1-utf-8", "utf"), "utf-8"),
    **dict.fromkeys(("unicode-1-1-utf-7", "unicode-2-0-utf-7", "x-unicode-1-1-utf-7", "utf7"), "utf-7"),
    # Windows' numbers of code pages, as winmail.dat has them.
    **{"cp65001": "utf-8", "cp65000": "utf-7", "cp20127": "ascii", "cp28591": "cp1252", "cp28595": "iso8859-5"},
    **{"cp20866": "koi8-r", "cp21866": "koi8-u", "cp1200": "utf-16-le", "cp54936": "gb18030", "cp28599": "cp1254"},
    **dict.fromkeys(("unicode", "ucs-2", "ucs2", "iso-10646-ucs-2", "csunicode", "unicodefffe"), "utf-16"),
    **dict.fromkeys(("iso-8859-9", "latin5", "iso8859-9", "turkish"), "cp1254"),
    **dict.fromkeys(("tis-620", "iso-8859-11"), "cp874"),
    **dict.fromkeys(("iso-8859-8-i", "iso-8859-8-e", "iso-8859-8", "logical", "hebrew"), "cp1255"),
    **dict.fromkeys(("gb2312", "gbk", "gb-2312-80", "x-gbk", "euc-cn", "cp936", "gb18030-2000", "chinese"), "gb18030"),
    **dict.fromkeys(("shift-jis", "sjis", "x-sjis", "shift-jis-2004", "windows-31j", "ms-kanji"), "cp932"),
    **dict.fromkeys(("euc-kr", "ks-c-5601-1987", "ks-c-5601", "korean", "windows-949", "ksc5601"), "cp949"),
    **dict.fromkeys(("big5", "x-x-big5", "big-5", "cn-big5"), "big5hkscs"),
    **dict.fromkeys(("iso-2022-jp", "iso-2022-jp-1", "iso-2022-jp-2", "csiso2022jp", "cp50220", "jis"), "iso2022_jp_ext"),
    **dict.fromkeys(("x-euc-jp", "eucjp"), "euc_jp"),
    **dict.fromkeys(("koi8r", "koi", "koi8", "cskoi8r", "koi8-ru"), "koi8-r"),
    **dict.fromkeys(("win", "win1251", "windows1251", "win-1251", "x-cp1251", "ansi-1251", "cyrillic-1251"), "cp1251"),
    **dict.fromkeys(("dos", "dos-866", "alt", "x-cp866", "866"), "cp866"),
    **dict.fromkeys(("macintosh", "x-mac-roman", "mac"), "mac-roman"),
    **dict.fromkeys(("x-mac-cyrillic", "x-mac-ukrainian"), "mac-cyrillic"),
    **dict.fromkeys(("armscii8", "arm-scii-8", "x-armscii-8", "ast-34.002", "armscii", "ast34.002"), "armscii-8"),
    **dict.fromkeys(("armscii-8a", "armscii8a", "x-armscii-8a"), "armscii-8a"),
    **dict.fromkeys(
        (
            "geostd8", "geo-std8", "geostd-8", "geo-ps", "georgian-ps", "georgian", "geo-ita8", "geo8", "x-geo-ps",
            "geo-ita", "georgian-academy", "georgian-ita", "x-geostd8",
        ),
        "georgian",
    ),
}  # fmt: skip

_SINGLE_BYTE = _names(
    "cp1250 cp1251 cp1252 cp1253 cp1254 cp1255 cp1256 cp1257 cp1258 cp437 cp737 cp850 cp852 cp855 cp857 cp862 cp866 "
    "cp874 iso8859-2 iso8859-3 iso8859-4 iso8859-5 iso8859-6 iso8859-7 iso8859-10 iso8859-13 iso8859-14 iso8859-15 "
    "iso8859-16 koi8-r koi8-u koi8-t kz1048 mac-roman mac-cyrillic mac-greek mac-turkish mac-latin2 ptcp154 "
    "armscii-8 armscii-8a georgian"
)
_MULTI_BYTE = _names("gb18030 big5hkscs cp932 cp949 cp950 euc_jp euc_jis_2004 johab")
# Seven-bit charsets, in which plain ASCII is not all that it seems.
_STATEFUL = _names("utf-7 iso2022_jp_ext iso2022_kr hz")
_WIDE = _names("utf-16 utf-16-le utf-16-be utf-32 utf-32-le utf-32-be")
_KNOWN = _SINGLE_BYTE | _MULTI_BYTE | _STATEFUL | _WIDE | {"utf-8", "ascii"}


# Python's own list of names; asking codecs.lookup for a stranger's label would look for a module of that name on disk.
_PYTHON_NAMES = {
    alias.replace("_", "-"): known
    for alias, module in (*aliases.items(), *((module, module) for module in aliases.values()))
    for plain in (module.replace("_", "-"),)
    for known in (_ALIASES.get(plain, module), plain)
    if known in _KNOWN
}


@lru_cache(maxsize=512)
def codec_name(label: str | None) -> str | None:
    """The charset that a label stands for, in the names of this file; None when it stands for nothing we know."""
    if not label:
        return None
    # Labels are found in quotes, with a language behind a star (RFC 2231), with a stray "charset=" or parameter.
    plain = label[:LABEL_LIMIT].strip().strip("\"'<>").partition("*")[0].partition(";")[0].strip().lower()
    plain = plain.removeprefix("charset=").strip("\"' ").replace("_", "-").replace(" ", "-")
    numbered = re.sub(r"^(?:x-|cs)?(?:windows|win|cp|ibm|ms|microsoft)-?(?:cp)?-?(?=\d)", "cp", plain)
    for name in (_ALIASES.get(plain, plain), _ALIASES.get(numbered, numbered)):
        if name in _KNOWN:
            return name
        known = _PYTHON_NAMES.get(name)
        if known is not None:
            return known
    return None


# --- statistics -------------------------------------------------------------------------------------------------------

# The commonest pairs of letters of each language, counted over ordinary prose (any frequency table has them).
_CYRILLIC_PAIRS = _names(
    "ст но то на ен ов ни ра во ко ро по ос пр ер ка не го ал ре ом ва ет ор ол ли ел ан ат ла ло од та ть ес ин те де "
    "да ль ем ит от ил ве ви ки об ме до за ис ич сь ся мо ри же ми тр се бы ча че ще ві ти ін ні ії бу ій зв ав що ід "
    "єт ам пе ує ку аю ою мі ля ди ру му зд др вс ап ак зн жа лу ук сп пи пл ый ий ая ое ые их ым ой ей ую"
)
_ARMENIAN_PAIRS = _names(
    "եր ան ու ար ին որ ակ նե րի եմ ած ել ալ ից ատ ում այ աս են ամ իս վո ձե րկ կա հա մա սա պա տա րա րո ով"
)
_GEORGIAN_PAIRS = _names(
    "არ და ის ებ რი ელ ად მა ან გა ერ თვ ლი ამ სა ვა ში იც ენ ობ ია ით მე ნი ას ულ ომ რო ქვ ლა ბი მი ვე რა თქ"
)
_LETTER_RUN = re.compile(r"[^\W\d_]{2,}")


def _score(text: str, pairs: frozenset[str], first: str, last: str) -> float:
    """How much `text` reads like the language: the share of its letter pairs that are common ones, less what no text in
    that language has (other letters, capitals within words, boxes and control characters)."""
    common = total = odd = 0
    for run in _LETTER_RUN.findall(text):
        if run.isascii():
            continue
        low = run.lower()
        total += len(run) - 1
        common += sum(low[at : at + 2] in pairs for at in range(len(low) - 1))
        odd += sum(not first <= letter <= last for letter in run)
        if not run.isupper():
            odd += sum(letter.isupper() for letter in run[1:])
    odd += sum(1 for sign in text if sign == _REPLACEMENT or "\x80" <= sign < "\xa0" or "\u2500" <= sign < "\u25a1")
    return (common - odd) / total if total else -1.0


_CYRILLIC = ("cp1251", "koi8-r", "cp866", "iso8859-5", "mac-cyrillic")
# How much better another reading must be before a label is overruled, and how good it must be at all: ordinary Russian,
# Ukrainian, Armenian and Georgian sentences score 0.3 to 0.6, the same bytes read wrongly below 0.1 (tests/mail).
_MARGIN = 0.15
_GOOD = 0.2


def _readings(sample: bytes) -> list[tuple[float, str]]:
    scored = [(_score(_read(sample, name), _CYRILLIC_PAIRS, "\u0400", "\u0491"), name) for name in _CYRILLIC]
    scored.append((_score(_read(sample, "armscii-8"), _ARMENIAN_PAIRS, "\u0531", "\u0587"), "armscii-8"))
    scored.append((_score(_read(sample, "georgian"), _GEORGIAN_PAIRS, "\u10d0", "\u10ff"), "georgian"))
    return sorted(scored, reverse=True)


def _sample(content: bytes) -> bytes:
    """What is worth counting: the neighbourhood of bytes that are not ASCII."""
    first = re.search(rb"[\x80-\xff]", content)
    start = first.start() if first else 0
    return content[start : start + SAMPLE_BYTES]


# In Western text letters with accents stand alone; in any other script they come in runs.
_RUNS = re.compile(rb"[\x80-\xff]{3,}")
_HIGH = re.compile(rb"[\x80-\xff]")


def _in_runs(sample: bytes) -> bool:
    high = len(_HIGH.findall(sample))
    return high >= 4 and sum(map(len, _RUNS.findall(sample))) > high * 0.6


# Turkish and Azerbaijani letters of windows-1254 that are Icelandic in windows-1252, where other letters would tell.
_TURKISH = re.compile(rb"[\xfd\xfe\xf0\xdd\xde\xd0]")
_ICELANDIC = re.compile(rb"[\xe6\xc6\xe1\xed\xfa\xf3]")
# Polish letters of windows-1250 that are signs in windows-1252, where no sign stands within a word.
_POLISH = re.compile(rb"[A-Za-z\xea\xf3][\xb3\xb9\xbf\x9c\x9f][A-Za-z\xea\xf3]|[\xb3\xb9\x9c]\xe6")


def _guess(sample: bytes) -> str:
    """A charset for bytes without a usable label."""
    if _in_runs(sample):
        score, name = _readings(sample)[0]
        if score >= _GOOD:
            return name
    if len(_TURKISH.findall(sample)) >= 2 and not _ICELANDIC.search(sample):
        return "cp1254"
    if _POLISH.search(sample):
        return "cp1250"
    return "cp1252"


def _checked(sample: bytes, declared: str) -> str:
    """The declared single-byte charset, or another one where the bytes plainly say so."""
    if declared in ("cp1252", "ascii"):
        return _guess(sample)
    if declared in (*_CYRILLIC, "koi8-u") and len(_HIGH.findall(sample)) >= 8:
        own = _score(_read(sample, declared), _CYRILLIC_PAIRS, "\u0400", "\u0491")
        score, name = _readings(sample)[0]
        if score >= _GOOD and score > own + _MARGIN:
            return name
    return declared


# --- decoding ---------------------------------------------------------------------------------------------------------

_BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
# Valid UTF-8 by accident: two letters of windows-1251 may be, ten of them are not (and a pair of Chinese characters may).
_UTF8_PROOF = {"single": 4, "multi": 12}
# Ukrainian letters of KOI8-U, boxes in KOI8-R.
_KOI8_UKRAINIAN = re.compile(rb"[\xa4\xa6\xa7\xad\xb4\xb6\xb7\xbd]")
_KOI8_BOXES = re.compile(rb"[\x80-\x93\xa0-\xa2\xa8-\xac\xae\xb0-\xb2\xb8-\xbc\xbe]")


def _read(content: bytes, name: str) -> str:
    own = _OWN_TABLES.get(name)
    if own is not None:
        return own(content)
    if name == "koi8-r" and _KOI8_UKRAINIAN.search(content) and not _KOI8_BOXES.search(content):
        name = "koi8-u"
    return content.decode(name, "replace")


def _is_utf8(content: bytes) -> str | None:
    try:
        return content.decode()
    except UnicodeDecodeError:
        return None


def _wide(content: bytes, name: str) -> str:
    """UTF-16 and UTF-32; a label without byte order is little-endian unless the zeros of ASCII stand in front."""
    if name in ("utf-16", "utf-32"):
        start = content[:SAMPLE_BYTES]
        name += "-be" if start[::2].count(0) > start[1::2].count(0) else "-le"
    return content.decode(name, "replace")


def decode(content: bytes, label: str | None) -> str:
    """`content` as text the database can keep. `label` is what the message said about it, however wrong."""
    if not content:
        return ""
    return clean_text(_decode(content, codec_name(label)))


def _decode(content: bytes, name: str | None) -> str:
    for mark, marked in _BYTE_ORDER_MARKS:
        if content.startswith(mark):
            return content[len(mark) :].decode(marked, "replace")
    if name in _WIDE and (b"\0" in content or not content.isascii()):
        return _wide(content, name)
    if content.isascii():
        if name in _STATEFUL:
            return content.decode(name, "replace")
        if b"\x1b$" in content[:SAMPLE_BYTES] and name is None:
            return content.decode("iso2022_jp_ext", "replace")
        return content.decode("ascii")
    # One byte that is not ASCII may be an accident at the very end of a cut text; utf-8 is asked strictly first.
    text = _is_utf8(content)
    if name in (None, "utf-8", "ascii", *_STATEFUL):
        if text is not None:
            return text
        if name in _STATEFUL:
            return content.decode(name, "replace")
        sample = _sample(content)
        if name == "utf-8":
            # Damaged UTF-8 stays UTF-8: mostly valid sequences, a few that are cut.
            lenient = content.decode("utf-8", "replace")
            broken = lenient.count(_REPLACEMENT)
            if broken * 4 <= sum(1 for letter in lenient[:SAMPLE_BYTES] if letter > "\x7f") or broken == 1:
                return lenient
        return _read(content, _guess(sample))
    if text is not None:
        proof = _UTF8_PROOF["multi" if name in _MULTI_BYTE else "single"]
        high = len(_HIGH.findall(content[: SAMPLE_BYTES * 4]))
        if high >= proof or (name == "cp1252" and high >= 2):
            return text
    if name in _SINGLE_BYTE:
        return _read(content, _checked(_sample(content), name))
    return _read(content, name or "cp1252")
