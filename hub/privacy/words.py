"""What stands in the file that a customer is given, in the languages that customers have. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Words:
    title: str
    contents: tuple[str, ...]
    with_notes: str
    without_notes: str
    times: str
    conversation: str
    yes: str
    no: str
    # Names of what stands on the card, and of the ways to reach somebody.
    card: Mapping[str, str]


_ALL: Mapping[str, Words] = {
    "en": Words(
        title="What is kept of {name}",
        contents=(
            "customer.json: the card, addresses, consents, numbers in other systems, activities, tasks",
            "timeline.html: the card and everything that was said, to be read in a browser",
            "conversations/: the same for programs, one file for each conversation, with mails, calls and surveys",
            "attachments/: files that were sent",
            "recordings/: recorded calls and voice messages",
            "missing.txt (only if there is one): files that are no longer there",
        ),
        with_notes="Notes that colleagues wrote for each other are included.",
        without_notes="Notes that colleagues wrote for each other are not included.",
        times="Times in timeline.html are by the clock of {zone}, those in the JSON files by UTC.",
        conversation="Conversation {id}",
        yes="Yes",
        no="No",
        card={
            "name": "Name",
            "number": "Customer number",
            "company": "Company",
            "job_title": "Job title",
            "birthday": "Birthday",
            "address": "Address",
            "language": "Language",
            "tags": "Tags",
            "phone": "Telephone",
            "email": "E-mail",
            "handle": "Account",
            "loopback": "Address for tests",
            "note": "Note",
        },
    ),
    "hy": Words(
        title="Ինչ է պահվում {name}-ի մասին",
        contents=(
            "customer.json՝ քարտը, հասցեները, համաձայնությունները, համարներն այլուր, գործողությունները, առաջադրանքները",
            "timeline.html՝ քարտը և այն ամենը, ինչ ասվել է, դիտարկիչում կարդալու համար",
            "conversations/՝ նույնը ծրագրերի համար, ամեն խոսակցություն մեկ ֆայլ՝ նամակներով, զանգերով, հարցումներով",
            "attachments/՝ ուղարկված ֆայլերը",
            "recordings/՝ ձայնագրված զանգերն ու ձայնային հաղորդագրությունները",
            "missing.txt (միայն եթե կա)՝ ֆայլեր, որոնք այլևս չկան",
        ),
        with_notes="Աշխատակիցների՝ միմյանց համար գրած նշումները ներառված են։",
        without_notes="Աշխատակիցների՝ միմյանց համար գրած նշումները ներառված չեն։",
        times="timeline.html-ի ժամերը {zone} ժամագոտով են, JSON ֆայլերինը՝ UTC։",
        conversation="Խոսակցություն {id}",
        yes="Այո",
        no="Ոչ",
        card={
            "name": "Անուն",
            "number": "Հաճախորդի համար",
            "company": "Ընկերություն",
            "job_title": "Պաշտոն",
            "birthday": "Ծննդյան օր",
            "address": "Հասցե",
            "language": "Լեզու",
            "tags": "Պիտակներ",
            "phone": "Հեռախոս",
            "email": "Էլ. փոստ",
            "handle": "Հաշիվ",
            "loopback": "Փորձնական հասցե",
            "note": "Նշում",
        },
    ),
    "uk": Words(
        title="Що зберігається про {name}",
        contents=(
            "customer.json: картка, адреси, згоди, номери в інших системах, дії, завдання",
            "timeline.html: картка й усе сказане, для читання у браузері",
            "conversations/: те саме для програм, окремий файл для кожної розмови, з листами, дзвінками й опитуваннями",
            "attachments/: надіслані файли",
            "recordings/: записи дзвінків і голосові повідомлення",
            "missing.txt (лише якщо є): файли, яких уже немає",
        ),
        with_notes="Нотатки, які працівники писали одне одному, додано.",
        without_notes="Нотаток, які працівники писали одне одному, не додано.",
        times="Час у timeline.html – за годинником {zone}, у файлах JSON – за UTC.",
        conversation="Розмова {id}",
        yes="Так",
        no="Ні",
        card={
            "name": "Ім’я",
            "number": "Номер клієнта",
            "company": "Компанія",
            "job_title": "Посада",
            "birthday": "День народження",
            "address": "Адреса",
            "language": "Мова",
            "tags": "Теги",
            "phone": "Телефон",
            "email": "Ел. пошта",
            "handle": "Обліковий запис",
            "loopback": "Тестова адреса",
            "note": "Нотатка",
        },
    ),
    "ka": Words(
        title="რა ინახება: {name}",
        contents=(
            "customer.json: ბარათი, მისამართები, თანხმობები, ნომრები სხვა სისტემებში, მოქმედებები, დავალებები",
            "timeline.html: ბარათი და ყველაფერი, რაც ითქვა, ბრაუზერში წასაკითხად",
            "conversations/: იგივე პროგრამებისთვის, თითო ფაილი თითო საუბრისთვის, წერილებით, ზარებითა და გამოკითხვებით",
            "attachments/: გაგზავნილი ფაილები",
            "recordings/: ჩაწერილი ზარები და ხმოვანი შეტყობინებები",
            "missing.txt (მხოლოდ თუ არის): ფაილები, რომლებიც აღარ არსებობს",
        ),
        with_notes="თანამშრომლების ერთმანეთისთვის დაწერილი შენიშვნები შედის.",
        without_notes="თანამშრომლების ერთმანეთისთვის დაწერილი შენიშვნები არ შედის.",
        times="timeline.html-ში დრო {zone} სარტყელითაა, JSON ფაილებში – UTC-ით.",
        conversation="საუბარი {id}",
        yes="კი",
        no="არა",
        card={
            "name": "სახელი",
            "number": "კლიენტის ნომერი",
            "company": "კომპანია",
            "job_title": "თანამდებობა",
            "birthday": "დაბადების დღე",
            "address": "მისამართი",
            "language": "ენა",
            "tags": "ჭდეები",
            "phone": "ტელეფონი",
            "email": "ელფოსტა",
            "handle": "ანგარიში",
            "loopback": "სატესტო მისამართი",
            "note": "შენიშვნა",
        },
    ),
    "az": Words(
        title="{name} haqqında saxlanılanlar",
        contents=(
            "customer.json: kart, ünvanlar, razılıqlar, başqa sistemlərdəki nömrələr, fəaliyyətlər, tapşırıqlar",
            "timeline.html: kart və deyilənlərin hamısı, brauzerdə oxumaq üçün",
            "conversations/: eynisi proqramlar üçün, hər söhbətə bir fayl, məktublar, zənglər və sorğularla",
            "attachments/: göndərilmiş fayllar",
            "recordings/: yazılmış zənglər və səsli mesajlar",
            "missing.txt (yalnız varsa): artıq mövcud olmayan fayllar",
        ),
        with_notes="Əməkdaşların bir-biri üçün yazdığı qeydlər daxildir.",
        without_notes="Əməkdaşların bir-biri üçün yazdığı qeydlər daxil deyil.",
        times="timeline.html faylında vaxt {zone} saatı ilədir, JSON fayllarında UTC ilə.",
        conversation="Söhbət {id}",
        yes="Bəli",
        no="Xeyr",
        card={
            "name": "Ad",
            "number": "Müştəri nömrəsi",
            "company": "Şirkət",
            "job_title": "Vəzifə",
            "birthday": "Doğum günü",
            "address": "Ünvan",
            "language": "Dil",
            "tags": "Etiketlər",
            "phone": "Telefon",
            "email": "E-poçt",
            "handle": "Hesab",
            "loopback": "Sınaq ünvanı",
            "note": "Qeyd",
        },
    ),
    "ru": Words(
        title="Что хранится: {name}",
        contents=(
            "customer.json: карточка, адреса, согласия, номера в других системах, действия, задачи",
            "timeline.html: карточка и всё сказанное, для чтения в браузере",
            "conversations/: то же для программ, отдельный файл для каждого разговора, с письмами, звонками и опросами",
            "attachments/: отправленные файлы",
            "recordings/: записи звонков и голосовые сообщения",
            "missing.txt (только если есть): файлы, которых уже нет",
        ),
        with_notes="Заметки, которые сотрудники писали друг другу, включены.",
        without_notes="Заметки, которые сотрудники писали друг другу, не включены.",
        times="Время в timeline.html – по часам {zone}, в файлах JSON – по UTC.",
        conversation="Разговор {id}",
        yes="Да",
        no="Нет",
        card={
            "name": "Имя",
            "number": "Номер клиента",
            "company": "Компания",
            "job_title": "Должность",
            "birthday": "День рождения",
            "address": "Адрес",
            "language": "Язык",
            "tags": "Метки",
            "phone": "Телефон",
            "email": "Эл. почта",
            "handle": "Учётная запись",
            "loopback": "Тестовый адрес",
            "note": "Заметка",
        },
    ),
}


def words_in(language: str) -> Words:
    return _ALL.get(language, _ALL["en"])
