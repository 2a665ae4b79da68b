"""What customers are asked, in their language: the questions, the ends of the scales, and the sentences around them. Pure.

    question     what is asked, the queue's own words or these
    sms          the question and how to answer it
    keys         how it is answered on a telephone
    letter       the question and one link for each score
    page         the sentences of the page behind the link

CSAT, NPS and CES are asked as their authors ask: satisfaction from 1 to 5; how likely one is to recommend us, 0 to 10
(Reichheld, "The One Number You Need to Grow", Harvard Business Review, December 2003); how easy it was, 1 to 5 and more is
easier (the wording of CES 2.0, CEB 2013, on a scale of five).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from hub.domain.values import SurveyKind

# Those that a customer's card offers. Callers hear what the hub speaks (calls.phrases), which Russian is not.
LANGUAGES = ("en", "hy", "ka", "az", "uk", "ru")
# After which a sentence of one's own needs no full stop: the Armenian question ends like a sentence, and marks its word.
_ENDS = (".", "?", "!", "…", ":", "։", "՞")


@dataclass(frozen=True, slots=True)
class Asked:
    """A question and what the lowest and the highest score mean."""

    question: str
    low: str
    high: str


@dataclass(frozen=True, slots=True)
class PageWords:
    """`title` names the page, `over` is said of a link that is no longer good, `missing` when no score was chosen, `later`
    when nothing can be taken now, `staff` to people of the house, whose answer is not taken."""

    title: str
    comment: str
    send: str
    thanks: str
    given: str
    change: str
    over: str
    missing: str
    later: str
    staff: str
    test: str


_ASKED: Mapping[str, Mapping[SurveyKind, Asked]] = {
    "en": {
        SurveyKind.CSAT: Asked("How satisfied are you with our help?", "very dissatisfied", "very satisfied"),
        SurveyKind.NPS: Asked(
            "How likely are you to recommend us to a friend or colleague?", "not at all likely", "extremely likely"
        ),
        SurveyKind.CES: Asked("How easy was it to get this solved with us?", "very difficult", "very easy"),
    },
    "hy": {
        SurveyKind.CSAT: Asked("Որքանո՞վ եք գոհ մեր օգնությունից։", "շատ դժգոհ", "շատ գոհ"),
        SurveyKind.NPS: Asked(
            "Որքանո՞վ է հավանական, որ մեզ խորհուրդ կտաք ընկերոջը կամ գործընկերոջը։", "ամենևին", "անպայման"
        ),
        SurveyKind.CES: Asked("Որքանո՞վ հեշտ էր մեզ հետ լուծել հարցը։", "շատ դժվար", "շատ հեշտ"),
    },
    "ka": {
        SurveyKind.CSAT: Asked("რამდენად კმაყოფილი ხართ ჩვენი დახმარებით?", "ძალიან უკმაყოფილო", "ძალიან კმაყოფილი"),
        SurveyKind.NPS: Asked(
            "რამდენად სავარაუდოა, რომ მეგობარს ან კოლეგას გვირჩევთ?", "სულ არ არის სავარაუდო", "აუცილებლად"
        ),
        SurveyKind.CES: Asked("რამდენად მარტივი იყო საკითხის ჩვენთან მოგვარება?", "ძალიან რთული", "ძალიან მარტივი"),
    },
    "az": {
        SurveyKind.CSAT: Asked("Köməyimizdən nə dərəcədə razısınız?", "çox narazıyam", "çox razıyam"),
        SurveyKind.NPS: Asked(
            "Bizi dostunuza və ya həmkarınıza tövsiyə etmə ehtimalınız nə qədərdir?", "heç vaxt", "mütləq"
        ),
        SurveyKind.CES: Asked("Məsələni bizimlə həll etmək nə dərəcədə asan oldu?", "çox çətin", "çox asan"),
    },
    "uk": {
        SurveyKind.CSAT: Asked("Наскільки ви задоволені нашою допомогою?", "дуже незадоволені", "дуже задоволені"),
        SurveyKind.NPS: Asked(
            "Наскільки ймовірно, що ви порекомендуєте нас другові чи колезі?", "зовсім не ймовірно", "дуже ймовірно"
        ),
        SurveyKind.CES: Asked("Наскільки легко було вирішити питання з нами?", "дуже важко", "дуже легко"),
    },
    "ru": {
        SurveyKind.CSAT: Asked("Насколько вы довольны нашей помощью?", "совсем недоволен", "очень доволен"),
        SurveyKind.NPS: Asked(
            "Насколько вероятно, что вы порекомендуете нас другу или коллеге?", "совсем маловероятно", "очень вероятно"
        ),
        SurveyKind.CES: Asked("Насколько легко было решить вопрос с нами?", "очень трудно", "очень легко"),
    },
}

# {low}, {high}: the numbers at the ends of the scale; {low_words}, {high_words}: what they mean.
_BY_SMS: Mapping[str, str] = {
    "en": "Please reply with a number from {low} ({low_words}) to {high} ({high_words}).",
    "hy": "Խնդրում ենք պատասխանել թվով՝ {low} ({low_words})-ից {high} ({high_words})։",
    "ka": "გთხოვთ, გვიპასუხოთ რიცხვით {low}-დან ({low_words}) {high}-მდე ({high_words}).",
    "az": "Zəhmət olmasa, {low} ({low_words}) ilə {high} ({high_words}) arasında bir rəqəmlə cavab verin.",
    "uk": "Будь ласка, надішліть у відповідь число від {low} ({low_words}) до {high} ({high_words}).",
    "ru": "Пожалуйста, отправьте в ответ число от {low} ({low_words}) до {high} ({high_words}).",
}

_BY_KEY: Mapping[str, str] = {
    "en": "Please press a key from {low}, {low_words}, to {high}, {high_words}.",
    "hy": "Խնդրում ենք սեղմել {low}, {low_words}, մինչև {high}, {high_words}, ստեղներից մեկը։",
    "ka": "გთხოვთ, დააჭიროთ ღილაკს {low}, {low_words}, {high}-მდე, {high_words}.",
    "az": "Zəhmət olmasa, {low}, {low_words}, ilə {high}, {high_words}, arasında bir düymə basın.",
    "uk": "Будь ласка, натисніть кнопку від {low}, {low_words}, до {high}, {high_words}.",
    "ru": "Пожалуйста, нажмите кнопку от {low}, {low_words}, до {high}, {high_words}.",
}
# After it, where there is a ten: one key is one score (surveys.by_phone.TEN).
_TEN_BY_KEY: Mapping[str, str] = {
    "en": "For ten, press the star key.",
    "hy": "Տասի համար սեղմեք աստղանիշը։",
    "ka": "ათისთვის დააჭირეთ ფიფქს.",
    "az": "On üçün ulduz düyməsini basın.",
    "uk": "Для десяти натисніть зірочку.",
    "ru": "Для десяти нажмите звёздочку.",
}

# After the question of a test by text message: whatever is answered to it is a message like others.
_TEST_BY_SMS: Mapping[str, str] = {
    "en": "This is a test: there is no need to answer.",
    "hy": "Սա փորձ է․ պատասխանելու կարիք չկա։",
    "ka": "ეს ცდაა: პასუხი საჭირო არ არის.",
    "az": "Bu sınaqdır: cavab verməyə ehtiyac yoxdur.",
    "uk": "Це перевірка: відповідати не потрібно.",
    "ru": "Это проверка: отвечать не нужно.",
}

_PAGES: Mapping[str, PageWords] = {
    "en": PageWords(
        title="Your opinion",
        comment="Would you like to add something? (optional)",
        send="Send",
        thanks="Thank you!",
        given="Your score: {score}",
        change="You can change it until this link ends.",
        over="This link is no longer valid.",
        missing="Please choose a number.",
        later="Please try again in a few minutes.",
        staff="You are signed in here as staff: only customers answer. Nothing was stored.",
        test="This is a test: nothing is stored.",
    ),
    "hy": PageWords(
        title="Ձեր կարծիքը",
        comment="Ցանկանո՞ւմ եք ինչ-որ բան ավելացնել (ոչ պարտադիր)",
        send="Ուղարկել",
        thanks="Շնորհակալություն։",
        given="Ձեր գնահատականը՝ {score}",
        change="Կարող եք փոխել այն, քանի դեռ հղումը գործում է։",
        over="Այս հղումն այլևս չի գործում։",
        missing="Խնդրում ենք ընտրել թիվ։",
        later="Խնդրում ենք փորձել մի քանի րոպեից։",
        staff="Դուք այստեղ մուտք եք գործել որպես աշխատակից․ պատասխանում են միայն հաճախորդները։ Ոչինչ չի պահվել։",
        test="Սա փորձ է․ ոչինչ չի պահվում։",
    ),
    "ka": PageWords(
        title="თქვენი აზრი",
        comment="გსურთ რამის დამატება? (არასავალდებულო)",
        send="გაგზავნა",
        thanks="გმადლობთ!",
        given="თქვენი შეფასება: {score}",
        change="მისი შეცვლა შეგიძლიათ, სანამ ბმული მოქმედებს.",
        over="ეს ბმული აღარ მოქმედებს.",
        missing="გთხოვთ, აირჩიოთ რიცხვი.",
        later="გთხოვთ, სცადოთ რამდენიმე წუთში.",
        staff="აქ შესული ხართ როგორც თანამშრომელი: პასუხობენ მხოლოდ მომხმარებლები. არაფერი შენახულა.",
        test="ეს ცდაა: არაფერი ინახება.",
    ),
    "az": PageWords(
        title="Sizin fikriniz",
        comment="Nəsə əlavə etmək istəyirsiniz? (istəyə görə)",
        send="Göndər",
        thanks="Təşəkkür edirik!",
        given="Sizin qiymətiniz: {score}",
        change="Keçid qüvvədə olduğu müddətdə onu dəyişə bilərsiniz.",
        over="Bu keçid artıq qüvvədə deyil.",
        missing="Zəhmət olmasa, rəqəm seçin.",
        later="Zəhmət olmasa, bir neçə dəqiqədən sonra yenidən cəhd edin.",
        staff="Burada əməkdaş kimi daxil olmusunuz: yalnız müştərilər cavab verir. Heç nə saxlanılmadı.",
        test="Bu sınaqdır: heç nə saxlanılmır.",
    ),
    "uk": PageWords(
        title="Ваша думка",
        comment="Хочете щось додати? (необовʼязково)",
        send="Надіслати",
        thanks="Дякуємо!",
        given="Ваша оцінка: {score}",
        change="Її можна змінити, доки діє посилання.",
        over="Це посилання вже не діє.",
        missing="Будь ласка, оберіть число.",
        later="Будь ласка, спробуйте за кілька хвилин.",
        staff="Ви увійшли тут як співробітник: відповідають лише клієнти. Нічого не збережено.",
        test="Це перевірка: нічого не зберігається.",
    ),
    "ru": PageWords(
        title="Ваше мнение",
        comment="Хотите что-нибудь добавить? (необязательно)",
        send="Отправить",
        thanks="Спасибо!",
        given="Ваша оценка: {score}",
        change="Её можно изменить, пока действует ссылка.",
        over="Эта ссылка больше не действует.",
        missing="Пожалуйста, выберите число.",
        later="Пожалуйста, попробуйте через несколько минут.",
        staff="Вы вошли здесь как сотрудник: отвечают только клиенты. Ничего не сохранено.",
        test="Это проверка: ничего не сохраняется.",
    ),
}


def language_of(wanted: str | None, otherwise: str = "en") -> str:
    """The first of the two that is spoken here, by what stands before its hyphen; else English."""
    for each in (wanted, otherwise):
        short = (each or "").partition("-")[0].lower()
        if short in LANGUAGES:
            return short
    return "en"


def asked(kind: SurveyKind, language: str, questions: Mapping[str, str] | None = None) -> Asked:
    """In `language`, one of LANGUAGES; the question by `questions` where they have one."""
    usual = _ASKED[language][kind]
    own = (questions or {}).get(language, "").strip()
    return Asked(own, usual.low, usual.high) if own else usual


def sms(kind: SurveyKind, language: str, questions: Mapping[str, str] | None = None) -> str:
    words = asked(kind, language, questions)
    how = _BY_SMS[language].format(low=kind.scale[0], high=kind.scale[-1], low_words=words.low, high_words=words.high)
    return f"{_sentence(words.question, language)} {how}"


def _sentence(question: str, language: str) -> str:
    """One's own words, so that what follows is a sentence of its own."""
    if question.endswith(_ENDS):
        return question
    return question + ("։" if language == "hy" else ".")


def sms_of_test(kind: SurveyKind, language: str, questions: Mapping[str, str] | None = None) -> str:
    return f"{sms(kind, language, questions)} {_TEST_BY_SMS[language]}"


def keys(kind: SurveyKind, language: str) -> str:
    usual = _ASKED[language][kind]
    low, high = kind.scale[0], kind.scale[-1]
    how = _BY_KEY[language].format(low=low, high=high, low_words=usual.low, high_words=usual.high)
    return f"{how} {_TEN_BY_KEY[language]}" if high == 10 else how


def phrases(language: str) -> Mapping[str, str]:
    """What callers hear of surveys in the usual words, by the names of its recordings (calls.phrases)."""
    questions = {f"survey_{kind.value}": _ASKED[language][kind].question for kind in SurveyKind}
    return questions | {f"survey_{kind.value}_keys": keys(kind, language) for kind in SurveyKind}


def letter(kind: SurveyKind, language: str, question: str, url: str) -> str:
    """A mail's text (hub.mail.markup): a link for each score, best first."""
    usual = _ASKED[language][kind]
    ends = {kind.scale[0]: f" · {usual.low}", kind.scale[-1]: f" · {usual.high}"}
    links = [f"[{score}{ends.get(score, '')}]({url}?score={score})" for score in reversed(kind.scale)]
    return "\n".join([question, "", *links])


def page(language: str) -> PageWords:
    return _PAGES[language]
