"""What the hub says to callers by itself, in each language. Pure.

A phrase has a name, so that recordings of it can be shipped (hub/media/phrases/LANGUAGE/NAME.ogg) for machines that
cannot speak; `spoken` gives its words as a Prompt for whoever can.
"""

from __future__ import annotations

from collections.abc import Mapping

from hub.channels.voice import Prompt
from hub.surveys import words

# Places beyond this are not told: they say nothing but "long".
TOLD_PLACES = 20
# Waits are told in full minutes up to this.
TOLD_MINUTES = 15

_EN: Mapping[str, str] = {
    "please_wait": "Please stay on the line. The next free colleague will take your call.",
    "place": "You are number {n} in the queue.",
    "place_next": "You are next in the queue.",
    "place_many": "There are more than twenty callers before you.",
    "minute": "The wait is about one minute.",
    "minutes": "The wait is about {n} minutes.",
    "minutes_many": "The wait is more than a quarter of an hour.",
    "callback_offer": "Press 1 if we shall call you back instead. You keep your place in the queue.",
    "callback_taken": "Thank you. We will call you back. Goodbye.",
    "callback_no_number": "We cannot call you back, because your number is withheld.",
    "one_moment": "One moment, please. The line was interrupted, and you are being reconnected.",
    "transferring": "Please hold. You are being put through.",
    "leave_message": "Please leave a message after the tone. Press the hash key when you are done.",
    "message_saved": "Thank you. Your message has been saved. Goodbye.",
    "not_understood": "Sorry, that was not one of the choices.",
    "not_reached": "Nobody answers there at the moment.",
    "recorded": "This call is recorded.",
    "all_busy": "All lines are busy at the moment. Please try again later.",
    "goodbye": "Thank you for calling. Goodbye.",
    "trouble": "We are sorry, something went wrong here. Please call again.",
    "test_call": "This is a test call. Your telephone line works.",
}
_HY: Mapping[str, str] = {
    "please_wait": "Խնդրում ենք մնալ գծի վրա։ Ձեզ կպատասխանի առաջին ազատ աշխատակիցը։",
    "place": "Դուք հերթում {n}-րդն եք։",
    "place_next": "Հերթում հաջորդը Դուք եք։",
    "place_many": "Ձեզնից առաջ քսանից ավելի զանգահարող կա։",
    "minute": "Սպասման ժամանակը մոտ մեկ րոպե է։",
    "minutes": "Սպասման ժամանակը մոտ {n} րոպե է։",
    "minutes_many": "Սպասման ժամանակը քառորդ ժամից ավելի է։",
    "callback_offer": "Սեղմեք 1, եթե ցանկանում եք, որ մենք Ձեզ հետ զանգենք։ Ձեր տեղը հերթում կպահպանվի։",
    "callback_taken": "Շնորհակալություն։ Մենք Ձեզ հետ կզանգենք։ Ցտեսություն։",
    "callback_no_number": "Մենք չենք կարող հետ զանգել, քանի որ Ձեր համարը թաքնված է։",
    "one_moment": "Մեկ վայրկյան, խնդրեմ։ Կապն ընդհատվեց, Ձեզ նորից միացնում ենք։",
    "transferring": "Խնդրում ենք սպասել։ Ձեզ միացնում են։",
    "leave_message": "Խնդրում ենք ազդանշանից հետո թողնել հաղորդագրություն։ Ավարտելուց հետո սեղմեք վանդականիշը։",
    "message_saved": "Շնորհակալություն։ Ձեր հաղորդագրությունը պահպանված է։ Ցտեսություն։",
    "not_understood": "Ներեցեք, այդպիսի ընտրություն չկա։",
    "not_reached": "Այնտեղ այս պահին ոչ ոք չի պատասխանում։",
    "recorded": "Այս զանգը ձայնագրվում է։",
    "all_busy": "Այս պահին բոլոր գծերը զբաղված են։ Խնդրում ենք զանգահարել ավելի ուշ։",
    "goodbye": "Շնորհակալություն զանգի համար։ Ցտեսություն։",
    "trouble": "Ներեցեք, սխալ տեղի ունեցավ։ Խնդրում ենք նորից զանգահարել։",
    "test_call": "Սա փորձնական զանգ է։ Ձեր հեռախոսագիծն աշխատում է։",
}
_KA: Mapping[str, str] = {
    "please_wait": "გთხოვთ, დარჩეთ ხაზზე. თქვენს ზარს პირველივე თავისუფალი თანამშრომელი უპასუხებს.",
    "place": "თქვენ რიგში ხართ ნომერი {n}.",
    "place_next": "რიგში თქვენ ხართ შემდეგი.",
    "place_many": "თქვენ წინ ოცზე მეტი ადამიანია.",
    "minute": "ლოდინის დრო დაახლოებით ერთი წუთია.",
    "minutes": "ლოდინის დრო დაახლოებით {n} წუთია.",
    "minutes_many": "ლოდინის დრო თხუთმეტ წუთზე მეტია.",
    "callback_offer": "დააჭირეთ 1-ს, თუ გსურთ, რომ გადმოგირეკოთ. თქვენი ადგილი რიგში შენარჩუნდება.",
    "callback_taken": "გმადლობთ. ჩვენ გადმოგირეკავთ. ნახვამდის.",
    "callback_no_number": "ვერ გადმოგირეკავთ, რადგან თქვენი ნომერი დაფარულია.",
    "one_moment": "ერთი წუთით. კავშირი გაწყდა, ხელახლა გაერთებთ.",
    "transferring": "გთხოვთ, დაელოდოთ. გაერთებთ.",
    "leave_message": "გთხოვთ, სიგნალის შემდეგ დატოვოთ შეტყობინება. დასრულებისას დააჭირეთ გისოსს.",
    "message_saved": "გმადლობთ. თქვენი შეტყობინება შენახულია. ნახვამდის.",
    "not_understood": "უკაცრავად, ასეთი არჩევანი არ არის.",
    "not_reached": "იქ ამჟამად არავინ პასუხობს.",
    "recorded": "ეს ზარი იწერება.",
    "all_busy": "ამჟამად ყველა ხაზი დაკავებულია. გთხოვთ, დარეკოთ მოგვიანებით.",
    "goodbye": "გმადლობთ ზარისთვის. ნახვამდის.",
    "trouble": "უკაცრავად, მოხდა შეცდომა. გთხოვთ, დარეკოთ ხელახლა.",
    "test_call": "ეს სატესტო ზარია. თქვენი სატელეფონო ხაზი მუშაობს.",
}
_AZ: Mapping[str, str] = {
    "please_wait": "Zəhmət olmasa, xətdə qalın. Zənginizi ilk boş əməkdaş cavablandıracaq.",
    "place": "Siz növbədə {n} nömrəsiniz.",
    "place_next": "Növbədə sıra sizindir.",
    "place_many": "Sizdən əvvəl iyirmidən çox zəng var.",
    "minute": "Gözləmə vaxtı təxminən bir dəqiqədir.",
    "minutes": "Gözləmə vaxtı təxminən {n} dəqiqədir.",
    "minutes_many": "Gözləmə vaxtı on beş dəqiqədən çoxdur.",
    "callback_offer": "Sizə geri zəng etməyimizi istəyirsinizsə, 1 düyməsini basın. Növbədəki yeriniz saxlanılacaq.",
    "callback_taken": "Təşəkkür edirik. Sizə geri zəng edəcəyik. Sağ olun.",
    "callback_no_number": "Nömrəniz gizli olduğu üçün geri zəng edə bilmirik.",
    "one_moment": "Bir an, zəhmət olmasa. Əlaqə kəsildi, sizi yenidən qoşuruq.",
    "transferring": "Zəhmət olmasa, gözləyin. Sizi qoşuruq.",
    "leave_message": "Zəhmət olmasa, siqnaldan sonra mesaj buraxın. Bitirdikdə diyez düyməsini basın.",
    "message_saved": "Təşəkkür edirik. Mesajınız saxlanıldı. Sağ olun.",
    "not_understood": "Bağışlayın, belə seçim yoxdur.",
    "not_reached": "Orada hazırda heç kim cavab vermir.",
    "recorded": "Bu zəng yazılır.",
    "all_busy": "Hazırda bütün xətlər məşğuldur. Zəhmət olmasa, bir az sonra zəng edin.",
    "goodbye": "Zəng etdiyiniz üçün təşəkkür edirik. Sağ olun.",
    "trouble": "Bağışlayın, xəta baş verdi. Zəhmət olmasa, yenidən zəng edin.",
    "test_call": "Bu, sınaq zəngidir. Telefon xəttiniz işləyir.",
}
_UK: Mapping[str, str] = {
    "please_wait": "Будь ласка, залишайтеся на лінії. Вам відповість перший вільний співробітник.",
    "place": "Ваш номер у черзі: {n}.",
    "place_next": "Ви наступні в черзі.",
    "place_many": "Перед вами понад двадцять дзвінків.",
    "minute": "Орієнтовний час очікування: одна хвилина.",
    "minutes": "Орієнтовний час очікування, хвилин: {n}.",
    "minutes_many": "Час очікування понад п'ятнадцять хвилин.",
    "callback_offer": "Натисніть 1, якщо бажаєте, щоб ми вам передзвонили. Ваше місце в черзі збережеться.",
    "callback_taken": "Дякуємо. Ми вам передзвонимо. До побачення.",
    "callback_no_number": "Ми не можемо передзвонити, бо ваш номер прихований.",
    "one_moment": "Хвилинку, будь ласка. Зв'язок перервався, вас з'єднують знову.",
    "transferring": "Будь ласка, зачекайте. Вас з'єднують.",
    "leave_message": "Будь ласка, залиште повідомлення після сигналу. Завершивши, натисніть решітку.",
    "message_saved": "Дякуємо. Ваше повідомлення збережено. До побачення.",
    "not_understood": "Вибачте, такого вибору немає.",
    "not_reached": "Там зараз ніхто не відповідає.",
    "recorded": "Ця розмова записується.",
    "all_busy": "Зараз усі лінії зайняті. Будь ласка, зателефонуйте пізніше.",
    "goodbye": "Дякуємо за дзвінок. До побачення.",
    "trouble": "Вибачте, сталася помилка. Будь ласка, зателефонуйте ще раз.",
    "test_call": "Це пробний дзвінок. Ваша телефонна лінія працює.",
}

PHRASES: Mapping[str, Mapping[str, str]] = {
    language: {**own, **words.phrases(language)}
    for language, own in {"en": _EN, "hy": _HY, "ka": _KA, "az": _AZ, "uk": _UK}.items()
}


def language_of(wanted: str | None) -> str:
    """The language in which the hub can speak to whoever wants `wanted` (BCP 47); English for any other."""
    short = (wanted or "").partition("-")[0].lower()
    return short if short in PHRASES else "en"


def spoken(name: str, language: str | None, n: int | None = None) -> Prompt:
    """The phrase as a prompt; with a number its recording is called `name_n`."""
    known = language_of(language)
    text = PHRASES[known][name]
    if n is None:
        return Prompt(text, known, phrase=name)
    return Prompt(text.format(n=n), known, phrase=f"{name}_{n}")


def place_prompts(position: int | None, wait_s: float | None, language: str | None) -> tuple[Prompt, ...]:
    """Where a caller stands, and for how long; nothing of what is not known."""
    told: list[Prompt] = []
    if position is not None:
        if position <= 1:
            told.append(spoken("place_next", language))
        elif position <= TOLD_PLACES:
            told.append(spoken("place", language, position))
        else:
            told.append(spoken("place_many", language))
    if wait_s is not None:
        minutes = max(1, round(wait_s / 60))
        if minutes == 1:
            told.append(spoken("minute", language))
        elif minutes <= TOLD_MINUTES:
            told.append(spoken("minutes", language, minutes))
        else:
            told.append(spoken("minutes_many", language))
    return tuple(told)
