"""The demo's customers: names, numbers and what they have on their minds. Invented; nobody answers at these numbers."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Dialogue:
    """What a customer writes, line by line: the first on their own account, each further one after an answer. `replies`
    are what a robot agent answers to each line, in the same order."""

    lines: tuple[str, ...]
    replies: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Person:
    """`opener` is what the handset page suggests to text."""

    name: str
    phone: str
    language: str
    opener: str
    dialogues: tuple[Dialogue, ...]


PEOPLE: tuple[Person, ...] = (
    Person(
        "Անի Սարգսյան",
        "+37491204518",
        "hy",
        "Բարև Ձեզ, իմ պատվերը դեռ չի հասել։",
        (
            Dialogue(
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
        "ka",
        "გამარჯობა, გაქვთ მიწოდება თბილისში?",
        (
            Dialogue(
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
        "uk",
        "Добрий день, чи є безкофеїнова кава?",
        (
            Dialogue(
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
        "az",
        "Salam, hədiyyə qutusu sifariş etmək istəyirəm.",
        (
            Dialogue(
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
        "en",
        "Hi, my grinder makes a strange noise.",
        (
            Dialogue(
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
        "hy",
        "Ողջույն, գրասենյակի համար սուրճ է պետք։",
        (
            Dialogue(
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
    """A robot customer: never one of PEOPLE, whose phones are for the people who try the demo."""

    name: str
    phone: str
    language: str


CALLERS: tuple[Caller, ...] = (
    Caller("Մարիամ Պետրոսյան", "+37494118203", "hy"),
    Caller("Արամ Գրիգորյան", "+37477520461", "hy"),
    Caller("Լուսինե Մկրտչյան", "+37455307719", "hy"),
    Caller("Տիգրան Ավետիսյան", "+37498460235", "hy"),
    Caller("Հասմիկ Վարդանյան", "+37443251876", "hy"),
    Caller("გიორგი კაპანაძე", "+995599204167", "ka"),
    Caller("თამარ ლომიძე", "+995577318240", "ka"),
    Caller("ლევან მაისურაძე", "+995593472015", "ka"),
    Caller("Андрій Шевченко", "+380503172846", "uk"),
    Caller("Ірина Бондаренко", "+380931840527", "uk"),
    Caller("Тарас Мельник", "+380982640173", "uk"),
    Caller("Orxan Əliyev", "+994553084127", "az"),
    Caller("Günel Hüseynova", "+994702516384", "az"),
    Caller("Hannah Clarke", "+447700900542", "en"),
    Caller("James Okafor", "+447700900677", "en"),
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
    """The script's answer to a line of a dialogue (or to the start of one, as previews hold); else a polite one."""
    text = text.strip()
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
