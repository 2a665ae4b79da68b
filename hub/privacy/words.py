"""What stands in the file that a customer is given, in the languages of the console. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Words:
    title: str
    contents: tuple[str, ...]
    with_notes: str
    without_notes: str
    customer: str
    call: str


_ALL: Mapping[str, Words] = {
    "en": Words(
        title="What is kept of {name}",
        contents=(
            "customer.json: the card, addresses, consents, numbers in other systems, activities, tasks",
            "timeline.html: everything that was said, to be read in a browser",
            "conversations/: the same for programs, one file for each conversation, with mails, calls and surveys",
            "attachments/: files that were sent",
            "recordings/: recorded calls and voice messages",
            "missing.txt (only if there is one): files that are no longer there",
            "All times are UTC.",
        ),
        with_notes="Notes that colleagues wrote for each other are included.",
        without_notes="Notes that colleagues wrote for each other are not included.",
        customer="Customer",
        call="Call",
    ),
    "hy": Words(
        title="Ինչ է պահվում {name}-ի մասին",
        contents=(
            "customer.json՝ քարտը, հասցեները, համաձայնությունները, համարներն այլուր, գործողությունները, առաջադրանքները",
            "timeline.html՝ այն ամենը, ինչ ասվել է, դիտարկիչում կարդալու համար",
            "conversations/՝ նույնը ծրագրերի համար, ամեն խոսակցություն մեկ ֆայլ՝ նամակներով, զանգերով, հարցումներով",
            "attachments/՝ ուղարկված ֆայլերը",
            "recordings/՝ ձայնագրված զանգերն ու ձայնային հաղորդագրությունները",
            "missing.txt (միայն եթե կա)՝ ֆայլեր, որոնք այլևս չկան",
            "Բոլոր ժամերը UTC են։",
        ),
        with_notes="Աշխատակիցների՝ միմյանց համար գրած նշումները ներառված են։",
        without_notes="Աշխատակիցների՝ միմյանց համար գրած նշումները ներառված չեն։",
        customer="Հաճախորդ",
        call="Զանգ",
    ),
    "uk": Words(
        title="Що зберігається про {name}",
        contents=(
            "customer.json: картка, адреси, згоди, номери в інших системах, дії, завдання",
            "timeline.html: усе сказане, для читання у браузері",
            "conversations/: те саме для програм, окремий файл для кожної розмови, з листами, дзвінками й опитуваннями",
            "attachments/: надіслані файли",
            "recordings/: записи дзвінків і голосові повідомлення",
            "missing.txt (лише якщо є): файли, яких уже немає",
            "Усі часи подано за UTC.",
        ),
        with_notes="Нотатки, які працівники писали одне одному, додано.",
        without_notes="Нотаток, які працівники писали одне одному, не додано.",
        customer="Клієнт",
        call="Дзвінок",
    ),
    "ka": Words(
        title="რა ინახება: {name}",
        contents=(
            "customer.json: ბარათი, მისამართები, თანხმობები, ნომრები სხვა სისტემებში, მოქმედებები, დავალებები",
            "timeline.html: ყველაფერი, რაც ითქვა, ბრაუზერში წასაკითხად",
            "conversations/: იგივე პროგრამებისთვის, თითო ფაილი თითო საუბრისთვის, წერილებით, ზარებითა და გამოკითხვებით",
            "attachments/: გაგზავნილი ფაილები",
            "recordings/: ჩაწერილი ზარები და ხმოვანი შეტყობინებები",
            "missing.txt (მხოლოდ თუ არის): ფაილები, რომლებიც აღარ არსებობს",
            "ყველა დრო UTC-ითაა.",
        ),
        with_notes="თანამშრომლების ერთმანეთისთვის დაწერილი შენიშვნები შედის.",
        without_notes="თანამშრომლების ერთმანეთისთვის დაწერილი შენიშვნები არ შედის.",
        customer="კლიენტი",
        call="ზარი",
    ),
    "az": Words(
        title="{name} haqqında saxlanılanlar",
        contents=(
            "customer.json: kart, ünvanlar, razılıqlar, başqa sistemlərdəki nömrələr, fəaliyyətlər, tapşırıqlar",
            "timeline.html: deyilənlərin hamısı, brauzerdə oxumaq üçün",
            "conversations/: eynisi proqramlar üçün, hər söhbətə bir fayl, məktublar, zənglər və sorğularla",
            "attachments/: göndərilmiş fayllar",
            "recordings/: yazılmış zənglər və səsli mesajlar",
            "missing.txt (yalnız varsa): artıq mövcud olmayan fayllar",
            "Bütün vaxtlar UTC ilədir.",
        ),
        with_notes="Əməkdaşların bir-biri üçün yazdığı qeydlər daxildir.",
        without_notes="Əməkdaşların bir-biri üçün yazdığı qeydlər daxil deyil.",
        customer="Müştəri",
        call="Zəng",
    ),
}


def words_in(language: str) -> Words:
    return _ALL.get(language, _ALL["en"])
