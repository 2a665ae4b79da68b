"""Names for the files of a mail: what the message tells, made harmless, or one made from the type.

A name is only a name: no folders, no control signs, nothing that turns the reading direction (U+202E makes "exe.gpj" look
like a picture), at most NAME_LIMIT characters with the extension kept.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final
from urllib.parse import unquote

from hub.channels.channel import clean_text
from hub.mail.structure import Entity, MailUnreadable, read_head

NAME_LIMIT = 120

# Names for what comes without one, and types for what comes with a name alone.
_EXTENSIONS: Final = {
    "image/jpeg": "jpg",
    "image/png": "png",
    "image/gif": "gif",
    "image/heic": "heic",
    "image/webp": "webp",
    "image/svg+xml": "svg",
    "application/pdf": "pdf",
    "application/zip": "zip",
    "application/msword": "doc",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": "docx",
    "application/vnd.ms-excel": "xls",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": "xlsx",
    "application/rtf": "rtf",
    "audio/amr": "amr",
    "audio/mpeg": "mp3",
    "audio/ogg": "ogg",
    "video/mp4": "mp4",
    "text/plain": "txt",
    "text/html": "html",
    "text/csv": "csv",
    "text/calendar": "ics",
    "text/vcard": "vcf",
    "text/x-vcard": "vcf",
    "text/xml": "xml",
    "message/rfc822": "eml",
    "message/delivery-status": "txt",
    "application/pkcs7-mime": "p7m",
    "application/x-pkcs7-mime": "p7m",
    "application/pkcs7-signature": "p7s",
    "application/x-pkcs7-signature": "p7s",
    "application/pgp-signature": "asc",
    "application/pgp-encrypted": "asc",
}
TYPES = {extension: media_type for media_type, extension in reversed(_EXTENSIONS.items())}
_MESSAGE_TYPES = frozenset(("message/rfc822", "message/global", "message/news"))
_NAMED = {
    "text/calendar": "invite.ics",
    "application/pkcs7-mime": "smime.p7m",
    "application/x-pkcs7-mime": "smime.p7m",
    "application/pkcs7-signature": "smime.p7s",
    "application/x-pkcs7-signature": "smime.p7s",
    "application/pgp-signature": "signature.asc",
    "application/pgp-encrypted": "version.asc",
    "message/delivery-status": "delivery-status.txt",
    "message/feedback-report": "feedback-report.txt",
    "message/disposition-notification": "disposition-notification.txt",
    "text/rfc822-headers": "headers.txt",
}


def told_name(entity: Entity) -> str:
    """The name that the message gives the file, made safe; "" without one."""
    for told in (entity.disposition_parameters.get("filename"), entity.type_parameters.get("name")):
        if told:
            # Some encode the name like an address in a web page.
            name = safe_name(unquote(told) if re.search(r"%[0-9A-Fa-f]{2}", told) and told.isascii() else told)
            if name:
                return name
    return ""


def file_name(told: str, entity: Entity) -> str:
    """`told` (made safe already), or a name made from what the part is."""
    if told:
        return told
    if entity.media_type in _MESSAGE_TYPES:
        return (safe_name(_attached_subject(entity), is_path=False) or "message") + ".eml"
    if entity.media_type in _NAMED:
        return _NAMED[entity.media_type]
    main, _, sub = entity.media_type.partition("/")
    stem = main if main in ("image", "audio", "video", "text") else "file"
    extension = _EXTENSIONS.get(entity.media_type) or (sub if re.fullmatch(r"[a-z0-9]{2,5}", sub) else "bin")
    return f"{stem}.{extension}"


def _attached_subject(entity: Entity) -> str:
    try:
        return read_head(entity.content()[:100_000])[1].text("subject")[: NAME_LIMIT - 10]
    except MailUnreadable:
        return ""


def safe_name(told: str, *, is_path: bool = True) -> str:
    """A name without folders, control and direction signs, of at most NAME_LIMIT characters, its extension kept."""
    name = clean_text(told[:4_000]).replace("\\", "/")
    name = name.rpartition("/")[2] if is_path else name.replace("/", " ")
    # Cf holds U+202E, which turns "exe.jpg" around; Zl and Zp break lines.
    name = "".join(
        sign
        for sign in " ".join(name.split())
        if unicodedata.category(sign) not in ("Cc", "Cf", "Cs", "Zl", "Zp", "Cn")
    )
    name = re.sub(r'[<>:"|?*]', "_", " ".join(name.split())).strip(" .")
    if len(name) <= NAME_LIMIT:
        return name
    stem, dot, extension = name.rpartition(".")
    # An extension of more than a dozen letters is none.
    end = f".{extension}" if dot and len(extension) <= 12 else ""
    return (stem if end else name)[: NAME_LIMIT - len(end)].rstrip(" .") + end
