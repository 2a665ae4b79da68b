"""The demo's customers: names, numbers, mail addresses and what they have on their minds. Invented; nobody answers there."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


@dataclass(frozen=True, slots=True)
class Dialogue:
    """What a customer writes, line by line: the first on their own account, each further one after an answer. `replies`
    are what a robot agent answers to each line, in the same order; `subject` is what stands over it in a mail."""

    subject: str
    lines: tuple[str, ...]
    replies: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Person:
    """`opener` is what the handset page suggests to text."""

    name: str
    phone: str
    email: str
    language: str
    opener: str
    dialogues: tuple[Dialogue, ...]


PEOPLE: tuple[Person, ...] = (
    Person(
        "Անի Սարգսյան",
        "+37491204518",
        "ani.sargsyan@mail.demo.test",
        "hy",
        "Բարև Ձեզ, իմ պատվերը դեռ չի հասել։",
        (
            Dialogue(
                "Պատվեր 20417",
                (
                    "Բարև Ձեզ։ Երեկ սուրճ էի պատվիրել, ե՞րբ կհասնի։",
                    "Պատվերի համարը 20417 է։",
                    "Շատ շնորհակալ եմ 🙏",
                ),
                (
                    "Բարև Ձեզ։ Հիմա կստուգեմ։ Կասե՞ք պատվերի համարը։",
                    "Գտա. առաքիչն այսօր ժամը 15-ից 18-ն ընկած ժամանակում կլինի Ձեզ մոտ։",
                    "Խնդրեմ, հաճելի օր եմ մաղթում։",
                ),
            ),
            Dialogue(
                "Աղացած սուրճ ջազվեի համար",
                ("Կարելի՞ է հատիկավոր սուրճն աղալ ջազվեի համար։", "Լավ, ուրեմն 500 գրամ կվերցնեմ։"),
                (
                    "Իհարկե, պատվերի մեկնաբանության մեջ գրեք «ջազվե», և մենք մանր կաղանք։",
                    "Հիանալի ընտրություն է։ Պատվերը պահեցի Ձեր անունով։",
                ),
            ),
        ),
    ),
    Person(
        "ნინო ბერიძე",
        "+995555123418",
        "nino.beridze@mail.demo.test",
        "ka",
        "გამარჯობა, გაქვთ მიწოდება თბილისში?",
        (
            Dialogue(
                "მიწოდება თბილისში",
                (
                    "გამარჯობა! თბილისში თუ აგზავნით შეკვეთებს?",
                    "და რამდენი დღე სჭირდება?",
                    "კარგი, გმადლობთ!",
                ),
                (
                    "გამარჯობა! დიახ, თბილისში ყოველ სამშაბათს და პარასკევს ვაგზავნით.",
                    "ჩვეულებრივ ორი სამუშაო დღე. მიწოდება 50 ლარიდან უფასოა.",
                    "არაფრის, კარგ დღეს გისურვებთ!",
                ),
            ),
            Dialogue(
                "დაზიანებული ნაკრები",
                ("ჩაის ნაკრები დაზიანებული მოვიდა, კოლოფი გახეულია.", "დიახ, შეცვლა მირჩევნია."),
                (
                    "ძალიან ვწუხვართ! შეგიძლიათ აირჩიოთ: თანხის დაბრუნება თუ შეცვლა?",
                    "ახალ ნაკრებს ხვალვე გამოგიგზავნით, ძველის დაბრუნება არ არის საჭირო.",
                ),
            ),
        ),
    ),
    Person(
        "Олена Коваленко",
        "+380671240519",
        "olena.kovalenko@mail.demo.test",
        "uk",
        "Добрий день, чи є безкофеїнова кава?",
        (
            Dialogue(
                "Кава без кофеїну",
                (
                    "Добрий день! Чи є у вас кава без кофеїну?",
                    "А яка м’якша на смак?",
                    "Беру, дякую вам!",
                ),
                (
                    "Добрий день! Так, є дві: колумбійська та ефіопська.",
                    "Колумбійська: какао, горіх, майже без кислинки.",
                    "Дякуємо за замовлення! Надішлю номер відправлення ввечері.",
                ),
            ),
            Dialogue(
                "Помилка під час оплати",
                ("Не можу оплатити карткою, пише помилку.", "Так, зараз вийшло. Дякую!"),
                (
                    "Перепрошую за незручності. Спробуйте, будь ласка, ще раз: щойно оновили сторінку оплати.",
                    "Чудово! Гарного вам дня.",
                ),
            ),
        ),
    ),
    Person(
        "Leyla Məmmədova",
        "+994502130417",
        "leyla.mammadova@mail.demo.test",
        "az",
        "Salam, hədiyyə qutusu sifariş etmək istəyirəm.",
        (
            Dialogue(
                "Hədiyyə qutusu, Bakıya",
                (
                    "Salam! Hədiyyə qutusu sifariş etmək istəyirəm, Bakıya çatdırırsınız?",
                    "Bəs üzərinə açıqca yazmaq olar?",
                    "Əla, çox sağ olun 😊",
                ),
                (
                    "Salam! Bəli, Bakıya üç iş günü ərzində çatdırırıq.",
                    "Əlbəttə, mətni bura yazın, əl ilə yazıb qutuya qoyarıq.",
                    "Siz sağ olun! Sifariş hazır olanda xəbər verəcəyik.",
                ),
            ),
        ),
    ),
    Person(
        "Tom Ashworth",
        "+447700900318",
        "tom.ashworth@mail.demo.test",
        "en",
        "Hi, my grinder makes a strange noise.",
        (
            Dialogue(
                "Grinder makes a rattling noise",
                (
                    "Hi, the grinder I bought last week makes a rattling noise.",
                    "Only when it's empty. With beans it's fine.",
                    "Makes sense. Thanks for the quick answer!",
                ),
                (
                    "Hello, sorry to hear that. Does it rattle with beans in it, or only when empty?",
                    "Then all is well: the burrs touch lightly when nothing is between them. It does them no harm.",
                    "Any time. Enjoy your coffee!",
                ),
            ),
            Dialogue(
                "Opening hours this weekend",
                ("Could you tell me your opening hours this weekend?", "Perfect, see you then."),
                (
                    "Of course: Saturday 9 to 20, Sunday 10 to 18, at 14 Abovyan Street.",
                    "Looking forward to it!",
                ),
            ),
        ),
    ),
    Person(
        "Դավիթ Հակոբյան",
        "+37499340127",
        "davit.hakobyan@mail.demo.test",
        "hy",
        "Ողջույն, գրասենյակի համար սուրճ է պետք։",
        (
            Dialogue(
                "Սուրճ գրասենյակի համար, ամսական 10 կգ",
                (
                    "Ողջույն, գրասենյակի համար ամսական 10 կգ սուրճ է պետք։ Զեղչ կա՞։",
                    "Հաշիվ-ապրանքագիր կարո՞ղ եք տալ։",
                    "Պայմանավորվեցինք, շնորհակալություն։",
                ),
                (
                    "Ողջույն։ 10 կգ-ից սկսած 15% զեղչ ենք տալիս և առաքումն անվճար է։",
                    "Այո, էլեկտրոնային հաշիվը կուղարկենք առաքման օրը։",
                    "Շնորհակալություն Ձեզ, առաջին առաքումը երկուշաբթի է։",
                ),
            ),
        ),
    ),
)


@dataclass(frozen=True, slots=True)
class Caller:
    """A robot customer: never one of PEOPLE, whose phones and mail boxes are for the people who try the demo."""

    name: str
    phone: str
    email: str
    language: str


CALLERS: tuple[Caller, ...] = (
    Caller("Մարիամ Պետրոսյան", "+37494118203", "mariam.petrosyan@mail.demo.test", "hy"),
    Caller("Արամ Գրիգորյան", "+37477520461", "aram.grigoryan@mail.demo.test", "hy"),
    Caller("Լուսինե Մկրտչյան", "+37455307719", "lusine.mkrtchyan@mail.demo.test", "hy"),
    Caller("Տիգրան Ավետիսյան", "+37498460235", "tigran.avetisyan@mail.demo.test", "hy"),
    Caller("Հասմիկ Վարդանյան", "+37443251876", "hasmik.vardanyan@mail.demo.test", "hy"),
    Caller("გიორგი კაპანაძე", "+995599204167", "giorgi.kapanadze@mail.demo.test", "ka"),
    Caller("თამარ ლომიძე", "+995577318240", "tamar.lomidze@mail.demo.test", "ka"),
    Caller("ლევან მაისურაძე", "+995593472015", "levan.maisuradze@mail.demo.test", "ka"),
    Caller("Андрій Шевченко", "+380503172846", "andrii.shevchenko@mail.demo.test", "uk"),
    Caller("Ірина Бондаренко", "+380931840527", "iryna.bondarenko@mail.demo.test", "uk"),
    Caller("Тарас Мельник", "+380982640173", "taras.melnyk@mail.demo.test", "uk"),
    Caller("Orxan Əliyev", "+994553084127", "orxan.aliyev@mail.demo.test", "az"),
    Caller("Günel Hüseynova", "+994702516384", "gunel.huseynova@mail.demo.test", "az"),
    Caller("Hannah Clarke", "+447700900542", "hannah.clarke@mail.demo.test", "en"),
    Caller("James Okafor", "+447700900677", "james.okafor@mail.demo.test", "en"),
)


class Habit(StrEnum):
    """What becomes of a mail to somebody: it is read; the box is full, and it comes back; a note says that they are away."""

    READS = "reads"
    FULL = "full"
    AWAY = "away"


@dataclass(frozen=True, slots=True)
class Correspondent:
    """Somebody who has a mail box. `opener`: a first mail to suggest, subject and text."""

    name: str
    email: str
    language: str
    habit: Habit = Habit.READS
    opener: tuple[str, str] = ("", "")


# Those whose boxes a person can open at /demo/mail. The last two show what goes wrong with mail.
CORRESPONDENTS: tuple[Correspondent, ...] = (
    *(
        Correspondent(person.name, person.email, person.language, opener=(person.dialogues[0].subject, person.opener))
        for person in PEOPLE
    ),
    Correspondent(
        "Marcus Bell",
        "marcus.bell@mail.demo.test",
        "en",
        Habit.FULL,
        ("Invoice for September", "Hello, could you send me the invoice for September once more?"),
    ),
    Correspondent(
        "ელენე გელაშვილი",
        "elene.gelashvili@mail.demo.test",
        "ka",
        Habit.AWAY,
        ("საჩუქრის ბარათი", "გამარჯობა, შესაძლებელია საჩუქრის ბარათის შეკვეთა?"),
    ),
)
ROBOT_CORRESPONDENTS: tuple[Correspondent, ...] = tuple(
    Correspondent(caller.name, caller.email, caller.language) for caller in CALLERS
)


@dataclass(frozen=True, slots=True)
class Reply:
    """What a robot agent answers; `closes`: after it there is nothing more to say."""

    text: str
    closes: bool


_REPLIES: dict[str, Reply] = {
    line: Reply(reply, closes=reply == dialogue.replies[-1])
    for person in PEOPLE
    for dialogue in person.dialogues
    for line, reply in zip(dialogue.lines, dialogue.replies, strict=True)
}

# To words that are in no script: by the alphabet they are written in.
_POLITE = {
    "hy": "Շնորհակալություն հաղորդագրության համար։ Կճշտեմ և շուտով կպատասխանեմ։",
    "ka": "გმადლობთ შეტყობინებისთვის. დავაზუსტებ და მალე გიპასუხებთ.",
    "uk": "Дякуємо за повідомлення. Я уточню й невдовзі відповім.",
    "en": "Thank you for your message. Let me check and come back to you shortly.",
}


def dialogues_of(language: str) -> tuple[Dialogue, ...]:
    return tuple(d for person in PEOPLE if person.language == language for d in person.dialogues)


def find_reply(text: str) -> Reply:
    """The script's answer to a line of a dialogue (or to the start of one, as previews hold); else a polite one. In a mail
    the line stands first, a greeting below it."""
    text = text.strip().partition("\n")[0].strip()
    if text in _REPLIES:
        return _REPLIES[text]
    start = text.rstrip("…")
    if len(start) >= 20:
        for line, reply in _REPLIES.items():
            if line.startswith(start):
                return reply
    return Reply(_POLITE[_alphabet(text)], closes=False)


def _alphabet(text: str) -> str:
    for character in text:
        if "\u0530" <= character <= "\u058f":
            return "hy"
        if "\u10a0" <= character <= "\u10ff":
            return "ka"
        if "\u0400" <= character <= "\u04ff":
            return "uk"
    return "en"
