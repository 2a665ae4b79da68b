"""Headings of real exports, written down from their makers' documentation, and what is guessed of them.

HubSpot     knowledge.hubspot.com, "HubSpot's default contact properties": the labels of properties head the columns
Salesforce  help.salesforce.com, "Field Mapping for Other Data Sources and Organization Import", and the field names of the
            object Contact (developer.salesforce.com, Object Reference), which Data Loader writes
Zoho CRM    exports of the module Contacts: labels of fields, for a lookup with its `.id` beside it
"""

from __future__ import annotations

import pytest

from hub.customer_files.columns import NETWORKS, TARGETS, guess, words_of
from hub.timeline import customers

HUBSPOT = (
    "Record ID - Contact,First Name,Last Name,Email,Additional email addresses,Phone Number,Mobile Phone Number,"
    "Contact owner,Street Address,City,State/Region,Postal Code,Country/Region,Company name,Job Title,Date of birth,"
    "Preferred language,Time Zone,Original Traffic Source,Lifecycle Stage,Lead Status,"
    "Unsubscribed from all email,Create Date,Last Activity Date"
)
SALESFORCE = (
    "Salutation,First Name,Last Name,Title,Account Name,Mailing Street,Mailing City,Mailing State/Province,"
    "Mailing Zip/Postal Code,Mailing Country,Other Street,Other City,Business Phone,Business Fax,Mobile,"
    "Home Phone,Other Phone,Email,Birthdate,Lead Source,Contact Owner,Contact Description,"
    "Email Opt Out,Do Not Call,Contact ID"
)
SALESFORCE_FIELDS = (
    "Id,FirstName,LastName,AccountId,Title,Phone,MobilePhone,HomePhone,OtherPhone,Fax,Email,MailingStreet,MailingCity,"
    "MailingState,MailingPostalCode,MailingCountry,Birthdate,LeadSource,Description,HasOptedOutOfEmail,DoNotCall,OwnerId"
)
ZOHO = (
    "Record Id,Contact Owner.id,Contact Owner,Lead Source,First Name,Last Name,Account Name.id,Account Name,Email,Title,"
    "Department,Phone,Mobile,Home Phone,Other Phone,Fax,Date of Birth,Assistant,Asst Phone,Email Opt Out,Skype ID,Twitter,"
    "Mailing Street,Other Street,Mailing City,Mailing State,Mailing Zip,Mailing Country,Description,Tag,Created Time"
)
OWN = "Անուն Ազգանուն,Հեռախոս,Էլ. փոստ,Քաղաք,Պիտակներ"
RUSSIAN = "ФИО,Мобильный телефон,Эл. почта,Город,Дата рождения"


def guessed(row: str) -> dict[str, list[str]]:
    """Target → the headings that are it."""
    headings = row.split(",")
    found: dict[str, list[str]] = {}
    for each in guess(headings).mapping:
        found.setdefault(each.target, []).append(headings[each.column])
    return found


def test_hubspot() -> None:
    assert guess(HUBSPOT.split(",")).system == "hubspot"
    assert guessed(HUBSPOT) == {
        "external_id": ["Record ID - Contact"],
        "first_name": ["First Name"],
        "last_name": ["Last Name"],
        "email": ["Email", "Additional email addresses"],
        "phone": ["Phone Number", "Mobile Phone Number"],
        "owner": ["Contact owner"],
        "street": ["Street Address"],
        "town": ["City"],
        "region": ["State/Region"],
        "postcode": ["Postal Code"],
        "country": ["Country/Region"],
        "company": ["Company name"],
        "job_title": ["Job Title"],
        "birthday": ["Date of birth"],
        "language": ["Preferred language"],
        "time_zone": ["Time Zone"],
        "source": ["Original Traffic Source"],
        "no_ads.email": ["Unsubscribed from all email"],
    }


def test_salesforce_by_labels_and_by_field_names() -> None:
    assert guess(SALESFORCE.split(",")).system == guess(SALESFORCE_FIELDS.split(",")).system == "salesforce"
    labels, names = guessed(SALESFORCE), guessed(SALESFORCE_FIELDS)
    assert labels["street"] == ["Mailing Street"]
    assert labels["phone"] == ["Business Phone", "Mobile", "Home Phone", "Other Phone"]
    assert labels["note"] == ["Contact Description"]
    assert labels["silence.phone"] == ["Do Not Call"]
    assert names["postcode"] == ["MailingPostalCode"]
    assert names["no_ads.email"] == ["HasOptedOutOfEmail"]
    assert names["external_id"] == ["Id"]
    # A fax takes no call, and what an id of theirs means is not known here.
    assert not {"Business Fax", "Fax", "OwnerId", "AccountId"} & {
        each for found in (labels, names) for headings in found.values() for each in headings
    }


def test_zoho() -> None:
    assert guess(ZOHO.split(",")).system == "zoho"
    found = guessed(ZOHO)
    assert found["external_id"] == ["Record Id"]
    assert found["owner"] == ["Contact Owner"]
    # An assistant is somebody else.
    assert found["phone"] == ["Phone", "Mobile", "Home Phone", "Other Phone"]
    assert found["handle.x"] == ["Twitter"]
    assert (found["tags"], found["postcode"], found["company"]) == (["Tag"], ["Mailing Zip"], ["Account Name"])


@pytest.mark.parametrize("row", [OWN, RUSSIAN])
def test_headings_that_people_write_themselves_are_all_known(row: str) -> None:
    assert len(guess(row.split(",")).mapping) == len(row.split(","))


def test_phones_are_called_by_their_headings() -> None:
    found = guess(["Mobile Phone Number", "Business Phone", "Phone"])
    assert [each.label for each in found.mapping] == ["Mobile", "Work", ""]


def test_a_custom_field_is_known_by_its_name_and_comes_first() -> None:
    found = guess(["Contract No.", "Company"], [("contract_no", "Contract no."), ("company", "Company")])
    assert [each.target for each in found.mapping] == ["field.contract_no", "field.company"]


def test_targets_can_be_found_by_what_exports_call_them() -> None:
    assert {word for each in NETWORKS for word in [each]} == customers.NETWORKS
    assert len(set(TARGETS)) == len(TARGETS)
    assert words_of(" Mailing  Zip/Postal_Code ") == words_of("MailingZipPostalCode")
