"""What customers are asked, in each language that a customer can have."""

import pytest

from hub.domain.values import SurveyKind
from hub.surveys import words


@pytest.mark.parametrize("language", words.LANGUAGES)
@pytest.mark.parametrize("kind", SurveyKind)
def test_everything_is_said_in_every_language(kind: SurveyKind, language: str) -> None:
    said = [words.sms(kind, language), words.keys(kind, language), words.page(language).title]
    assert all(said)
    assert words.language_of(f"{language}-XX", "") == language
    assert words.language_of(f"{language}x", "uk") == "uk"  # a language of three letters is another one
    assert str(kind.scale[-1]) in words.letter(
        kind, language, words.asked(kind, language).question, "https://hub.test/s"
    )


@pytest.mark.parametrize(
    ("own", "language", "begins"),
    [
        ("Were we any good", "en", "Were we any good. Please reply"),
        ("Were we any good?", "en", "Were we any good? Please reply"),
        ("Գո՞հ եք", "hy", "Գո՞հ եք։ Խնդրում ենք"),
        ("Вы довольны", "ru", "Вы довольны. Пожалуйста"),
    ],
)
def test_a_question_of_ones_own_is_a_sentence_of_its_own(own: str, language: str, begins: str) -> None:
    assert words.sms(SurveyKind.CSAT, language, {language: own}).startswith(begins)
