"""Files: who may have them, what a browser may do with them, and what an upload must be."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from hub.domain.values import Role
from hub.timeline.sending import file_path
from hub.web.attachments import clean_name
from tests.support.running_hub import Api, House, run_hub

pytestmark = pytest.mark.anyio

PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 64
LIMIT_BYTES = 100_000


@pytest.fixture(scope="module")
async def running(module_sqlite_url: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    async with run_hub(module_sqlite_url, tmp_path_factory.mktemp("hub"), upload_limit_bytes=LIMIT_BYTES) as house:
        yield house


@pytest.fixture
async def house(running: House) -> House:
    return await running.empty()


@pytest.fixture
async def nare(house: House) -> Api:
    return house.api(await house.person("Nare"))


async def test_a_picture_comes_back_as_it_went_and_is_shown_in_place(nare: Api) -> None:
    told = await nare.upload(PNG, "picture.png")
    assert told.status_code == 201, told.text
    view = told.json()
    assert (view["name"], view["media_type"], view["size_bytes"], view["state"]) == (
        "picture.png",
        "image/png",
        len(PNG),
        "stored",
    )
    got = await nare.client.get(view["url"], headers={"cookie": nare.person.cookie})  # type: ignore[union-attr]
    assert got.content == PNG
    assert got.headers["content-type"] == "image/png"
    assert got.headers["content-disposition"].startswith("inline;")


@pytest.mark.parametrize(
    "media_type",
    ["text/html", "image/svg+xml", "application/xhtml+xml", "text/javascript", "application/pdf", "nonsense", ""],
)
async def test_what_could_act_is_a_download_in_a_sandbox(nare: Api, media_type: str) -> None:
    view = (await nare.upload(b"<script>alert(1)</script>", "page.html", media_type)).json()
    got = await nare.get(f"/attachments/{view['id']}/content")
    assert got.headers["content-type"] == "application/octet-stream"
    assert got.headers["content-disposition"].startswith("attachment;")
    assert got.headers["content-security-policy"] == "default-src 'none'; sandbox"
    assert got.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("../../etc/passwd", ".._.._etc_passwd"),
        ("C:\\evil.exe", "C:_evil.exe"),
        ("a\0b\r\nc", "a_b__c"),
        ("  ", "file"),
        ("ֆայլ 🇦🇲.png", "ֆայլ 🇦🇲.png"),
        ("x" * 500 + ".png", "x" * 116 + ".png"),
    ],
)
def test_a_name_is_a_name_and_no_path(name: str, kept: str) -> None:
    assert clean_name(name) == kept


async def test_a_strange_name_harms_no_header(nare: Api) -> None:
    view = (await nare.upload(PNG, 'ֆ"; x=1.png')).json()
    got = await nare.get(f"/attachments/{view['id']}/content")
    assert got.status_code == 200
    disposition = got.headers["content-disposition"]
    assert disposition.isascii()
    assert '"' not in disposition


async def test_a_file_over_the_limit_is_413(nare: Api) -> None:
    assert (await nare.upload(b"x" * LIMIT_BYTES)).status_code == 201
    for size in (LIMIT_BYTES + 1, LIMIT_BYTES + 200_000):
        answer = await nare.upload(b"x" * size)
        assert (answer.status_code, answer.json()["code"]) == (413, "too_large")


async def test_an_empty_file_is_told(nare: Api) -> None:
    answer = await nare.upload(b"")
    assert (answer.status_code, answer.json()["fields"]) == (422, {"file": "is empty"})


HOSTILE = {
    "no multipart": ("application/json", b"{}"),
    "no boundary": ("multipart/form-data", b"x"),
    "no file": (
        "multipart/form-data; boundary=b",
        b'--b\r\ncontent-disposition: form-data; name="x"\r\n\r\ny\r\n--b--',
    ),
    "a text for a file": (
        "multipart/form-data; boundary=b",
        b'--b\r\ncontent-disposition: form-data; name="file"\r\n\r\ny\r\n--b--',
    ),
    "cut": ("multipart/form-data; boundary=b", b'--b\r\ncontent-disposition: form-data; name="file"; filename="x"\r\n'),
    "garbage": ("multipart/form-data; boundary=b", b"\xff\0" * 500),
    "two files": (
        "multipart/form-data; boundary=b",
        b'--b\r\ncontent-disposition: form-data; name="file"; filename="x"\r\n\r\ny\r\n' * 2 + b"--b--",
    ),
}


@pytest.mark.parametrize(("content_type", "body"), HOSTILE.values(), ids=HOSTILE.keys())
async def test_what_is_no_upload_is_told_in_the_error_shape(nare: Api, content_type: str, body: bytes) -> None:
    answer = await nare.request("POST", "/attachments", content=body, headers={"content-type": content_type})
    assert answer.status_code in (400, 422), answer.text
    assert answer.json().keys() <= {"code", "message", "fields"}


async def test_an_upload_is_its_uploaders_until_it_is_sent_and_then_its_conversations(house: House, nare: Api) -> None:
    colleague, boss = house.api(await house.person()), house.api(await house.person(role=Role.SUPERVISOR, queue_ids=[]))
    stranger = house.api(await house.person(queue_ids=[]))
    view = (await nare.upload(PNG)).json()
    path = f"/attachments/{view['id']}/content"
    assert [(await each.get(path)).status_code for each in (nare, colleague, boss, stranger)] == [200, 404, 404, 404]
    await house.write("Hello")
    (conversation,) = (await nare.get("/conversations")).json()["items"]
    body = {"attachment_ids": [view["id"]]}
    assert (await nare.post(f"/conversations/{conversation['id']}/messages", body)).status_code == 201
    assert [(await each.get(path)).status_code for each in (nare, colleague, boss, stranger)] == [200, 200, 200, 404]
    assert (await house.api(None).get(path)).status_code == 401


async def test_a_provider_fetches_an_outgoing_file_by_its_signed_address_and_by_no_other(
    house: House, nare: Api
) -> None:
    ids = [(await nare.upload(PNG + bytes([number]))).json()["id"] for number in range(2)]
    signed = file_path(house.hub.vault, str(ids[0]))
    got = await house.client.get(signed)
    assert got.content == PNG + b"\0"
    signature = signed.rpartition("/")[2]
    for path in (
        f"/files/{ids[1]}/{signature}",
        f"/files/{ids[0]}/{signature[:-1]}",
        f"/files/{ids[0]}/x",
        "/files/a/b",
    ):
        assert (await house.client.get(path)).status_code == 404


@pytest.mark.parametrize("number", ["0", "-1", "abc", "9" * 30, "1%00"])
async def test_a_number_that_names_no_file_is_404(nare: Api, number: str) -> None:
    assert (await nare.get(f"/attachments/{number}/content")).status_code == 404
