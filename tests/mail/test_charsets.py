"""Bytes without a right label, and what a person would read in them."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.mail.charsets import codec_name, decode

RUSSIAN = "Добрый день! Когда придёт мой заказ? Я жду его уже вторую неделю."
UKRAINIAN = "Доброго дня! Коли прийде моє замовлення? Я чекаю на нього вже другий тиждень."
TABLE = "┌──┐ Таблица остатков товара на складе в Москве │"
ARMENIAN = "Բարև ձեզ, երբ կստանամ իմ պատվերը, արդեն երկու շաբաթ է սպասում եմ"
GEORGIAN = "გამარჯობა, როდის მივიღებ ჩემს შეკვეთას, უკვე ორი კვირაა ველოდები"


@pytest.mark.parametrize(
    ("label", "name"),
    [
        ("utf-8", "utf-8"),
        ("UTF8", "utf-8"),
        ('"utf-8"', "utf-8"),
        ("utf8mb4", "utf-8"),
        ("utf-8; format=flowed", "utf-8"),
        ("charset=utf-8", "utf-8"),
        ("utf-8*uk", "utf-8"),
        ("cp-1251", "cp1251"),
        ("Windows-1251", "cp1251"),
        ("win-1251", "cp1251"),
        ("x-cp1251", "cp1251"),
        ("KOI8-R", "koi8-r"),
        ("koi8-u", "koi8-u"),
        ("ISO_8859-5", "iso8859-5"),
        ("ibm866", "cp866"),
        ("iso-8859-1", "cp1252"),
        ("latin9", "iso8859-15"),
        ("iso-8859-9", "cp1254"),
        ("ArmSCII-8", "armscii-8"),
        ("GEO-ITA8", "georgian"),
        ("ks_c_5601-1987", "cp949"),
        ("unicode-1-1-utf-7", "utf-7"),
        ("macintosh", "mac-roman"),
        ("windows-65001", "utf-8"),
        ("x-unknown", None),
        ("default", None),
        ("", None),
        # Codecs of Python that are no charsets, or slow.
        ("punycode", None),
        ("idna", None),
        ("unicode_escape", None),
        ("rot13", None),
        ("../../etc/passwd", None),
        ("utf-8\0", None),
        ("a" * 100_000, None),
    ],
)
def test_a_label_means_what_its_sender_meant(label: str, name: str | None) -> None:
    assert codec_name(label) == name


@pytest.mark.parametrize("text", [RUSSIAN, UKRAINIAN])
@pytest.mark.parametrize("charset", ["cp1251", "koi8-u", "cp866", "iso8859-5"])
@pytest.mark.parametrize("label", [None, "x-unknown", "us-ascii", "iso-8859-1", "utf-8"])
def test_cyrillic_is_found_under_any_wrong_label(text: str, charset: str, label: str | None) -> None:
    sent = text.replace("і", "i").replace("є", "e") if charset == "cp866" else text
    assert decode(sent.encode(charset, "replace"), label) == sent


@pytest.mark.parametrize("declared", ["windows-1251", "koi8-r", "iso-8859-5", "cp866"])
@pytest.mark.parametrize("real", ["cp1251", "koi8-r", "iso8859-5", "cp866"])
def test_one_cyrillic_charset_under_the_name_of_another(real: str, declared: str) -> None:
    assert decode(RUSSIAN.encode(real), declared) == RUSSIAN


def test_shouting_in_cyrillic_is_no_other_charset() -> None:
    text = "СРОЧНО ПОЗВОНИТЕ ПО ЗАКАЗУ, ТОВАР ПРИШЁЛ СЛОМАННЫЙ"
    assert decode(text.encode("cp1251"), None) == text
    assert decode(text.encode("cp1251"), "windows-1251") == text
    assert decode(text.encode("koi8-r"), None) == text


@pytest.mark.parametrize("text", ["Да", "Нет.", "Спасибо!", "№5", "ОК, жду"])
def test_a_short_text_is_read_as_it_is_labelled(text: str) -> None:
    assert decode(text.encode("cp1251"), "windows-1251") == text


@pytest.mark.parametrize(
    ("text", "charset"),
    [
        ("Größe und Farbe müssen geändert werden, schöne Grüße", "cp1252"),
        ("Où est passée ma commande ? J'ai payé à l'été dernier, ça suffit", "cp1252"),
        ("¿Dónde está mi envío? Mañana vendrá el señor Núñez", "cp1252"),
        ("“Smart quotes” – and a €5 fee…", "cp1252"),
        ("Þetta er íslenska, ég á að fá pakkann í dag", "cp1252"),
        ("Siparişim nerede, şu ana kadar ulaşmadı, teşekkürler Işıl", "cp1254"),
        ("Proszę o przesłanie faktury, dziękuję. Pozdrawiam, Łukasz był tu", "cp1250"),
    ],
)
@pytest.mark.parametrize("label", [None, "iso-8859-1"])
def test_western_text_stays_western(text: str, charset: str, label: str | None) -> None:
    assert decode(text.encode(charset), label) == text


@pytest.mark.parametrize(
    "label", ["iso-8859-1", "us-ascii", "windows-1251", "windows-1252", "koi8-r", None, "gb2312", "armscii-8"]
)
@pytest.mark.parametrize("text", [RUSSIAN, ARMENIAN, GEORGIAN, "Größe, Prüfung, Straße, über, schön, Bär"])
def test_utf8_is_utf8_whatever_it_is_called(text: str, label: str | None) -> None:
    assert decode(text.encode(), label) == text


def test_damaged_utf8_stays_utf8() -> None:
    assert decode(RUSSIAN.encode()[:-2] + b"\xd0", "utf-8").startswith(RUSSIAN[:-2])
    assert decode(b"\xff" + RUSSIAN.encode(), "utf-8") == "\ufffd" + RUSSIAN


def test_a_byte_order_mark_is_believed_and_taken_off() -> None:
    assert decode(b"\xef\xbb\xbf" + RUSSIAN.encode(), "windows-1251") == RUSSIAN
    assert decode(("\ufeff" + RUSSIAN).encode("utf-16-le"), "utf-8") == RUSSIAN
    assert decode(("\ufeff" + RUSSIAN).encode("utf-16-be"), None) == RUSSIAN


def test_utf_16_without_a_mark_is_read_by_its_zeros() -> None:
    assert decode("Hello, друзья".encode("utf-16-be"), "utf-16") == "Hello, друзья"
    assert decode("Hello, друзья".encode("utf-16-le"), "utf-16") == "Hello, друзья"


def test_the_whole_armenian_alphabet() -> None:
    capitals, small = "".join(map(chr, range(0x531, 0x557))), "".join(map(chr, range(0x561, 0x587)))
    assert decode(bytes(range(0xB2, 0xFE, 2)), "armscii-8") == capitals
    assert decode(bytes(range(0xB3, 0xFE, 2)), "armscii-8") == small
    dos = bytes([*range(0x80, 0xAE), *range(0xE0, 0xFE)])
    assert decode(dos[::2], "armscii-8a") == capitals
    assert decode(dos[1::2], "armscii-8a") == small
    assert decode(b"\xa2\xa3\xb1\xaf\xb0\xfe", "armscii-8") == "և։՞՜՛՚"


def test_the_whole_georgian_alphabet_in_both_orders() -> None:
    parliament = "აბგდევზჱთიკლმნჲოპჟრსტჳუფქღყშჩცძწჭხჴჯჰჵ"
    modern = [letter for letter in parliament if letter not in "ჱჲჳჴჵ"]
    assert decode(bytes(0xC0 + parliament.index(letter) for letter in modern), "geostd8") == "".join(modern)
    assert decode(bytes(range(0xC0, 0xE1)), "geo-ita8") == "".join(modern)
    assert decode(b"\xfd \x80 \x84\x93", "geostd8") == "№ € „“"


def test_koi8_with_ukrainian_letters_is_koi8_u() -> None:
    assert decode("Їжак і ґанок".encode("koi8-u"), "koi8-r") == "Їжак і ґанок"
    assert decode(TABLE.encode("koi8-r"), "koi8-r") == TABLE


@pytest.mark.parametrize("charset", ["iso-2022-jp", "shift_jis", "euc-jp", "utf-8"])
def test_japanese_in_its_charsets(charset: str) -> None:
    assert decode("ご注文の確認をお願いします。".encode(charset), charset) == "ご注文の確認をお願いします。"


@given(
    st.binary(max_size=300),
    st.one_of(st.none(), st.text(max_size=12), st.sampled_from(["utf-16", "hz", "utf-7", "georgian", "big5"])),
)
def test_nothing_raises_and_everything_can_be_stored(content: bytes, label: str | None) -> None:
    text = decode(content, label)
    assert "\0" not in text
    assert text.encode("utf-8").decode() == text


@given(st.text(alphabet=st.characters(codec="cp1251", exclude_characters="\0"), min_size=1, max_size=80))
def test_what_is_rightly_called_utf8_comes_back_whole(text: str) -> None:
    assert decode(text.encode(), "utf-8") == text.removeprefix("\ufeff")


def test_a_megabyte_of_anything_takes_no_time() -> None:
    started = time.process_time()
    for label in ("koi8-r", "armscii-8", "georgian", "utf-7", "hz", "iso-2022-jp", "gb18030", None):
        decode(bytes(range(128, 256)) * 8_000, label)
    assert time.process_time() - started < 4
