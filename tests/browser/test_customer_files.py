"""An administrator brings customers along from a file of another system, tries it, runs it, and takes some out again."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.people import Agent, NewPage, show
from tests.support.hub_process import HubProcess

pytestmark = pytest.mark.browser

FILE = (
    "Record ID - Contact,First Name,Last Name,Email,Mobile Phone Number,City,Lead Status\n"
    "901,Շուշան,Վարդանյան,shushan@example.com,+37491900001,Գյումրի,New\n"
    "902,Givi,Beridze,givi@example.com,+995591900002,Batumi,Open\n"
    "903,Bad,Number,bad@example.com,12,Yerevan,Open\n"
)


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HubProcess]:
    data_dir = tmp_path_factory.mktemp("demo") / "data"
    with HubProcess(["demo", "--quiet"], data_dir) as hub:
        yield hub
    assert "Traceback" not in hub.log


def test_customers_come_from_a_file_and_go_into_one(demo: HubProcess, new_page: NewPage, tmp_path: Path) -> None:
    path = tmp_path / "hubspot.csv"
    path.write_text(FILE, encoding="utf-8")
    page = new_page("admin")
    Agent(page, "admin@demo.test").sign_in(demo.url)
    expect(page.get_by_test_id("my-state")).to_be_visible()
    page.goto(f"{demo.url}/admin/imports")
    page.get_by_test_id("import-file").set_input_files(path)

    # The headings are understood; what nobody here keeps is left out.
    columns = page.get_by_test_id("import-column")
    expect(columns).to_have_count(7)
    expect(columns.nth(4).get_by_role("combobox")).to_have_value("phone")
    expect(columns.nth(6).get_by_role("combobox")).to_have_value("")
    columns.nth(6).get_by_role("combobox").select_option("source")
    page.get_by_test_id("import-tags").fill("brought")
    show(page, "import-columns")

    page.get_by_test_id("try-import").click()
    expect(page.get_by_test_id("import")).to_have_attribute("data-state", "tried")
    expect(page.get_by_test_id("import-made")).to_have_text("2")
    expect(page.get_by_test_id("refused-line")).to_contain_text("Mobile Phone Number")
    show(page, "import-tried")
    page.get_by_test_id("run-import").click()
    expect(page.get_by_test_id("import")).to_have_attribute("data-state", "done")
    expect(page.get_by_test_id("import-refused")).to_have_text("1")
    show(page, "import-done")
    with page.expect_download() as refused:
        page.get_by_test_id("refused-file").click()
    with open(refused.value.path(), encoding="utf-8-sig", newline="") as file:
        lines = list(csv.reader(file))
    assert (lines[1][0], lines[1][2:5]) == ("4", ["903", "Bad", "Number"])

    # The same lines in Armenian, as the screen is by then, and in a file with commas as that which came.
    here = page.url
    page.goto(f"{demo.url}/account")
    with page.expect_response("**/api/v1/me"):
        page.locator("select", has=page.locator("option[value=hy]")).select_option("hy")
    expect(page.locator("html")).to_have_attribute("lang", "hy")
    page.goto(here)
    expect(page.get_by_test_id("refused-line")).to_contain_text("թվանշան")
    show(page, "import-armenian")
    with page.expect_download() as in_armenian:
        page.get_by_test_id("refused-file").click()
    assert "թվանշան" in Path(in_armenian.value.path()).read_text(encoding="utf-8-sig")
    page.goto(f"{demo.url}/account")
    with page.expect_response("**/api/v1/me"):
        page.locator("select", has=page.locator("option[value=en]")).select_option("en")
    expect(page.locator("html")).to_have_attribute("lang", "en")

    # Who came is found at once, and goes out with the tag they got.
    page.goto(f"{demo.url}/search?q=shushan@example.com&kind=customer")
    expect(page.get_by_text("Շուշան Վարդանյան").first).to_be_visible()
    page.get_by_test_id("export-found").click()
    expect(page.get_by_test_id("export-count")).to_have_text("1 customer")
    page.get_by_test_id("export-words").fill("")
    page.get_by_test_id("export-tag").fill("brought")
    expect(page.get_by_test_id("export-count")).to_have_text("2 customers")
    show(page, "export")
    with page.expect_download() as exported:
        page.get_by_test_id("export-download").click()
    with open(exported.value.path(), encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["Name"], row["Customer id"], row["Source"]) for row in rows] == [
        ("Շուշան Վարդանյան", "901", "New"),
        ("Givi Beridze", "902", "Open"),
    ]
