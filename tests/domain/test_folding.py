"""Which writings of a word are one, and which spellings of a name meet: tables to be read by whoever speaks the language."""

from __future__ import annotations

import pytest

from hub.domain.folding import beginning_keys, composed, fold, name_keys, number_without_prefix, numbers_in, words_in

SAME_WORD = [
    # Armenian: և, its two letters, and its capitals in both spellings
    ("և", "ԵՎ"),
    ("և", "եւ"),
    ("Եւ", "ԵՒ"),
    ("Երևան", "ԵՐԵՎԱՆ"),
    ("հայաստան", "ՀԱՅԱՍՏԱՆ"),
    # Georgian: Mtavruli and the church's alphabets
    ("თბილისი", "ᲗᲑᲘᲚᲘᲡᲘ"),
    ("გიორგი", "Ⴂიორგი"),
    # Azerbaijani and Turkish
    ("İlham", "ilham"),
    ("ILHAM", "ılham"),
    ("Əliyev", "eliyev"),
    ("Gəncə", "GƏNCƏ"),
    ("çörək", "corek"),
    ("ağ", "ag"),
    ("şüşə", "suse"),
    # Ukrainian and Russian
    ("ґанок", "ганок"),
    ("об'єкт", "обʼєкт"),
    ("об’єкт", "об`єкт"),
    ("ЇЖАК", "їжак"),
    ("ёлка", "Елка"),
    ("Королёв", "КОРОЛЕВ"),
    # Any language
    ("café", "CAFE"),
    ("cafe\u0301", "café"),
    ("Straße", "STRASSE"),
    ("Øre", "ore"),
    ("Łódź", "lodz"),
    ("ﬁnal", "final"),
    ("ＡＢＣ", "abc"),
    ("don’t", "dont"),
    ("١٢٣", "123"),
]

OTHER_WORD = [
    ("мои", "мой"),
    ("їх", "іх"),
    ("єство", "ество"),
    ("լոր", "լօր"),
    ("კარი", "ქარი"),
    ("on", "one"),
    ("2", "²3"),
]


@pytest.mark.parametrize(("one", "other"), SAME_WORD)
def test_these_are_one_word(one: str, other: str) -> None:
    assert fold(composed(one)) == fold(composed(other)) != ""


@pytest.mark.parametrize(("one", "other"), OTHER_WORD)
def test_these_are_two_words(one: str, other: str) -> None:
    assert fold(composed(one)) != fold(composed(other))


SAME_NAME = {
    "Armenian": [
        ("Hovhannes", "Հովհաննես"),
        ("Khachatryan", "Խաչատրյան"),
        ("Xachatryan", "Խաչատրյան"),
        ("Hachatrian", "ԽԱՉԱՏՐՅԱՆ"),
        ("Хачатрян", "Խաչատրյան"),
        ("Tsaturyan", "Ծատուրյան"),
        ("Caturyan", "Ծատուրյան"),
        ("Ghazaryan", "Ղազարյան"),
        ("Hayk", "Հայկ"),
        ("Haik", "Հայկ"),
        ("Gevorg", "ԳԵՎՈՐԳ"),
        ("Gevorg", "Գեւորգ"),
        ("Mkhitaryan", "Մխիթարյան"),
        ("Wardan", "Վարդան"),
        ("Voskan", "Ոսկան"),
        ("Yeghishe", "Եղիշե"),
        ("Ruben", "Ռուբեն"),
    ],
    "Georgian": [
        ("Giorgi", "გიორგი"),
        ("Гиорги", "გიორგი"),
        ("Kvaratskhelia", "კვარაცხელია"),
        ("Saakashvili", "სააკაშვილი"),
        ("Chavchavadze", "ჭავჭავაძე"),
        ("Beridze", "ᲑᲔᲠᲘᲫᲔ"),
        ("Gvantsa", "გვანცა"),
        ("Zhvania", "ჟვანია"),
        ("Javakhishvili", "ჯავახიშვილი"),
    ],
    "Azerbaijani": [
        ("Aliyev", "Əliyev"),
        ("Aliev", "Əliyev"),
        ("Алиев", "Əliyev"),
        ("Jafarov", "Cəfərov"),
        ("Dzhafarov", "Cəfərov"),
        ("Guliyev", "Quliyev"),
        ("Kuliyev", "Quliyev"),
        ("Кулиев", "Quliyev"),
        ("Huseynov", "Hüseynov"),
        ("Гусейнов", "Hüseynov"),
        ("Ilham", "İLHAM"),
    ],
    "Ukrainian": [
        ("Shevchenko", "Шевченко"),
        ("Ševčenko", "Шевченко"),
        ("Zelenskyy", "Зеленський"),
        ("Zelensky", "Зеленський"),
        ("Matvienko", "Матвієнко"),
        ("Matviienko", "Матвієнко"),
        ("Yuliia", "Юлія"),
        ("Julia", "Юлія"),
        ("Hryhorii", "Григорій"),
        ("Yevhen", "Євген"),
        ("Shcherbak", "Щербак"),
        ("Scherbak", "Щербак"),
        ("Solomiya", "Соломія"),
    ],
    "Russian": [
        ("Grigory", "Григорий"),
        ("Yevgeniy", "Евгений"),
        ("Evgeny", "Евгений"),
        ("Petr", "Пётр"),
        ("Pyotr", "Пётр"),
        ("Korolyov", "Королёв"),
        ("Solovyov", "Соловьёв"),
        ("Soloviev", "Соловьев"),
        ("Nikolaev", "Николаев"),
        ("Nikolayev", "Николаев"),
        ("Alexandr", "Александр"),
        ("Aleksandr", "Александр"),
        ("Čexov", "Чехов"),
        ("Ivanoff", "Иванов"),
        ("Natalya", "Наталья"),
        ("Maya", "Майя"),
        ("Zhanna", "Жанна"),
    ],
    "Latin": [("Nikolaou", "Nicolaou"), ("Philipp", "Filip"), ("Wilson", "Vilson"), ("Catherine", "Katherine")],
}

OTHER_NAME = [
    ("Maria", "Mariam"),
    ("Мария", "Մարիամ"),
    ("Anna", "Ann"),
    ("Gor", "Igor"),
    ("Hayk", "Gayk"),
    ("Karen", "Karine"),
    ("Иванов", "Ivanova"),
    ("Aram", "Armen"),
    ("Giorgi", "Gevorg"),
    ("Shota", "Sota"),
    ("Zurab", "Zhurab"),
    ("Levan", "Լեւոն"),
    ("Olga", "Олег"),
    ("Tsira", "Tira"),
    ("Chkheidze", "Kheidze"),
    ("Sergo", "Serzh"),
    ("Aliyev", "Valiyev"),
]


@pytest.mark.parametrize(
    ("one", "other"),
    [pytest.param(*pair, id="-".join((where, *pair))) for where, pairs in SAME_NAME.items() for pair in pairs],
)
def test_these_are_spellings_of_one_name(one: str, other: str) -> None:
    assert not name_keys(composed(one)).isdisjoint(name_keys(composed(other)))


@pytest.mark.parametrize(("one", "other"), OTHER_NAME)
def test_these_are_two_names(one: str, other: str) -> None:
    assert name_keys(composed(one)).isdisjoint(name_keys(composed(other)))


@pytest.mark.parametrize(
    ("typed", "name"), [("Khac", "Խաչատրյան"), ("Shevc", "Шевченко"), ("Nikolay", "Николаев"), ("Hov", "Հովհաննես")]
)
def test_a_name_is_met_while_it_is_typed(typed: str, name: str) -> None:
    keys = name_keys(name)
    assert any(key.startswith(begin) for key in keys for begin in beginning_keys(typed))


@pytest.mark.parametrize("word", ["", "12", "x1", "北京", "ไทย", "'", "ь"])
def test_what_is_no_name_we_can_say_has_no_key(word: str) -> None:
    assert name_keys(word) == frozenset()


def test_no_word_has_more_keys_than_are_worth_looking_up() -> None:
    assert all(len(name_keys(word)) <= 8 for word in ("cjqxcjqx", "гёєгёє", "cjqxəğ"))


def test_words_are_told_with_their_places() -> None:
    text = composed("Ёлка, об'єкт e-mail 'x'")
    assert [(text[word.start : word.end], word.folded) for word in words_in(text)] == [
        ("Ёлка", "елка"),
        ("об'єкт", "обєкт"),
        ("e", "e"),
        ("mail", "mail"),
        ("x", "x"),
    ]


def test_a_number_is_its_digits_whatever_stands_between() -> None:
    text = "077 12-34-56, +374 (77) 12.34.56 or 12 34"
    assert [number.digits for number in numbers_in(text)] == ["077123456", "37477123456"]


@pytest.mark.parametrize(
    ("digits", "meant"),
    [
        ("077123456", ("77123456", "077123456")),
        ("0037477123456", ("37477123456",)),
        ("89123456789", ("89123456789", "9123456789")),
        ("37477123456", ("37477123456",)),
        ("0000", ("0000",)),
    ],
)
def test_a_number_at_home_is_one_abroad(digits: str, meant: tuple[str, ...]) -> None:
    assert number_without_prefix(digits) == meant
