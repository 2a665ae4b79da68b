"""The hub's settings: read once from the environment (prefix HUB_), then frozen.

Everything an administrator changes at run time lives in the database instead. `hub doctor` prints and checks these.
"""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import urlsplit

from hub.errors import Misconfigured

# Fewer characters than this cannot carry the 128 bits we want of a key.
_SECRET_KEY_MIN_LENGTH = 22
# HUB_MEDIA_URL of a hub without a telephone line of its own.
MEDIA_OFF = "off"
_LOG_LEVELS = ("debug", "info", "warning", "error")


@dataclass(frozen=True, slots=True)
class Settings:
    """`public_url` is how customers' browsers and providers reach the hub: scheme and host, no trailing slash.
    `smtp_listen` and `lmtp_listen`: where mail may be handed in, host:port or (LMTP) the path of a socket; empty: nowhere.
    `media_url`: where the media process of the hub's own telephone line answers; empty: the hub starts one itself; "off":
    there is none. `media_…` else is for the media process: its codec, the calls it carries (0: as many as are sensible), the
    addresses and UDP ports on which it takes sound, and the address by which the world sees it behind a router.
    `recordings_url`: the bucket where recordings of calls lie, s3://bucket/prefix; empty: the directory of files.
    `s3_endpoint`: where that bucket's store answers, if it is not Amazon's.
    `private_webhooks`: webhooks may lead into our own network.
    `webhook_log_days`: so long deliveries of webhooks are kept that arrived.
    `snapshot_conversations`: the open conversations a console starts with; it pages through the rest."""

    data_dir: Path
    database_url: str
    public_url: str
    secret_key: str = field(repr=False)
    log_level: str = "info"
    log_json: bool = False
    session_idle_s: int = 12 * 3600
    session_max_s: int = 7 * 24 * 3600
    presence_grace_s: float = 15.0
    visitor_grace_s: float = 25.0
    event_retention_days: int = 7
    arrival_retention_days: int = 90
    audit_retention_days: int = 730
    body_limit_bytes: int = 1 << 20
    upload_limit_bytes: int = 25 << 20
    mail_limit_bytes: int = 40 << 20
    smtp_listen: str = ""
    lmtp_listen: str = ""
    smtp_tls_cert: Path | None = None
    smtp_tls_key: Path | None = None
    media_url: str = ""
    media_codec: str = "opus"
    media_calls: int = 0
    media_addresses: tuple[str, ...] = ()
    media_ports: tuple[int, int] | None = None
    media_public_address: str = ""
    recordings_url: str = ""
    s3_endpoint: str = ""
    private_webhooks: bool = False
    webhook_log_days: int = 7
    snapshot_conversations: int = 2_000

    @property
    def line_url(self) -> str:
        """Where the media process answers; empty where there is none."""
        return "" if self.media_url == MEDIA_OFF else self.media_url

    @property
    def secure_cookies(self) -> bool:
        return self.public_url.startswith("https://")

    @property
    def is_sqlite(self) -> bool:
        return self.database_url.startswith("sqlite")

    @property
    def files_dir(self) -> Path:
        return self.data_dir / "files"


def load_settings(env: Mapping[str, str] = os.environ, *, port: int = 8080) -> Settings:
    """The settings that `env` holds; Misconfigured names every wrong variable at once."""
    faults: dict[str, str] = {}

    def number(name: str, default: float, low: float, high: float) -> float:
        text = env.get(name, "")
        try:
            value = float(text) if text else default
        except ValueError:
            faults[name] = f"is not a number: {text!r}"
            return default
        if not low <= value <= high:
            faults[name] = f"must be between {low:g} and {high:g}, not {value:g}"
            return default
        return value

    data_dir = Path(env.get("HUB_DATA_DIR") or "./data").absolute()
    database_url = env.get("HUB_DATABASE_URL") or f"sqlite:///{data_dir / 'hub.db'}"
    if database_url.startswith(("postgres://", "postgresql://")):
        database_url = "postgresql+asyncpg://" + database_url.split("://", 1)[1]
    if not database_url.startswith(("sqlite:///", "postgresql+asyncpg://")):
        faults["HUB_DATABASE_URL"] = "must start with sqlite:/// or postgresql://"
    public_url = (env.get("HUB_PUBLIC_URL") or f"http://127.0.0.1:{port}").rstrip("/")
    parts = urlsplit(public_url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        faults["HUB_PUBLIC_URL"] = "must look like https://hub.example.org"
    log_level = (env.get("HUB_LOG_LEVEL") or "info").lower()
    if log_level not in _LOG_LEVELS:
        faults["HUB_LOG_LEVEL"] = f"must be one of {', '.join(_LOG_LEVELS)}"
    secret_key = env.get("HUB_SECRET_KEY") or ""
    if secret_key and len(secret_key) < _SECRET_KEY_MIN_LENGTH:
        faults["HUB_SECRET_KEY"] = f"must have at least {_SECRET_KEY_MIN_LENGTH} characters"
    if not secret_key and not database_url.startswith("sqlite"):
        faults["HUB_SECRET_KEY"] = "must be set with PostgreSQL (every process needs the same one)"  # noqa: S105
    values = {
        "session_idle_s": int(number("HUB_SESSION_IDLE_S", 12 * 3600, 60, 31 * 24 * 3600)),
        "session_max_s": int(number("HUB_SESSION_MAX_S", 7 * 24 * 3600, 60, 366 * 24 * 3600)),
        "event_retention_days": int(number("HUB_EVENT_RETENTION_DAYS", 7, 1, 3650)),
        "arrival_retention_days": int(number("HUB_ARRIVAL_RETENTION_DAYS", 90, 1, 3650)),
        # Two years: long enough that a yearly review sees the whole of the year before.
        "audit_retention_days": int(number("HUB_AUDIT_RETENTION_DAYS", 730, 1, 3650)),
        "body_limit_bytes": int(number("HUB_BODY_LIMIT_BYTES", 1 << 20, 1 << 10, 1 << 28)),
        "upload_limit_bytes": int(number("HUB_UPLOAD_LIMIT_BYTES", 25 << 20, 1 << 10, 1 << 30)),
        # Providers' own limits are 25 to 35 MB for the files, which base64 makes a third larger.
        "mail_limit_bytes": int(number("HUB_MAIL_LIMIT_BYTES", 40 << 20, 1 << 10, 1 << 30)),
        "media_calls": int(number("HUB_MEDIA_CALLS", 0, 0, 10_000)),
        # What is told twice is known by the row of the first time, for a day (webhooks.deliveries).
        "webhook_log_days": int(number("HUB_WEBHOOK_LOG_DAYS", 7, 2, 90)),
        # Each is 700 bytes of a snapshot that every console asks for: 2,000 are 1.4 MB.
        "snapshot_conversations": int(number("HUB_SNAPSHOT_CONVERSATIONS", 2_000, 1, 20_000)),
    }
    smtp_listen, lmtp_listen = env.get("HUB_SMTP_LISTEN", ""), env.get("HUB_LMTP_LISTEN", "")
    if smtp_listen and not _is_place(smtp_listen):
        faults["HUB_SMTP_LISTEN"] = "must look like 127.0.0.1:2525"
    if lmtp_listen and not lmtp_listen.startswith("/") and not _is_place(lmtp_listen):
        faults["HUB_LMTP_LISTEN"] = "must look like 127.0.0.1:2424 or be the full path of a socket"
    tls_files = {name: env.get(name, "") for name in ("HUB_SMTP_TLS_CERT", "HUB_SMTP_TLS_KEY")}
    for name, path in tls_files.items():
        if path and not os.access(path, os.R_OK):
            faults[name] = f"cannot be read: {path}"
        elif not path and any(tls_files.values()):
            faults[name] = "must be set, too: a certificate and its key belong together"
    presence_grace_s = number("HUB_PRESENCE_GRACE_S", 15.0, 0.5, 600)
    visitor_grace_s = number("HUB_VISITOR_GRACE_S", 25.0, 0.5, 600)
    media_codec = (env.get("HUB_MEDIA_CODEC") or "opus").lower()
    if media_codec not in ("opus", "pcmu"):
        faults["HUB_MEDIA_CODEC"] = "must be opus or pcmu"
    media_addresses = tuple(each.strip() for each in env.get("HUB_MEDIA_ADDRESSES", "").split(",") if each.strip())
    if not all(map(_is_address, media_addresses)):
        faults["HUB_MEDIA_ADDRESSES"] = "must be IP addresses of this machine, with commas between them"
    media_public_address = env.get("HUB_MEDIA_PUBLIC_ADDRESS", "")
    if media_public_address and not _is_address(media_public_address):
        faults["HUB_MEDIA_PUBLIC_ADDRESS"] = "must be an IP address"
    media_ports = _port_range(env.get("HUB_MEDIA_PORTS", ""))
    if env.get("HUB_MEDIA_PORTS") and media_ports is None:
        faults["HUB_MEDIA_PORTS"] = "must look like 40000-40999"
    recordings_url = env.get("HUB_RECORDINGS_URL", "").rstrip("/")
    if recordings_url and not re.fullmatch(
        r"s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](/[A-Za-z0-9!_.*'()/-]+)?", recordings_url
    ):
        faults["HUB_RECORDINGS_URL"] = "must look like s3://bucket or s3://bucket/prefix, or be empty"
    s3_endpoint = env.get("HUB_S3_ENDPOINT", "").rstrip("/")
    if s3_endpoint and (urlsplit(s3_endpoint).scheme not in ("http", "https") or not urlsplit(s3_endpoint).hostname):
        faults["HUB_S3_ENDPOINT"] = "must look like https://s3.example.org"
    if faults:
        raise Misconfigured("; ".join(f"{name} {fault}" for name, fault in sorted(faults.items())), fields=faults)
    return Settings(
        data_dir=data_dir,
        database_url=database_url,
        public_url=public_url,
        secret_key=secret_key or _kept_secret_key(data_dir),
        log_level=log_level,
        log_json=env.get("HUB_LOG_JSON", "") in ("1", "true", "yes"),
        presence_grace_s=presence_grace_s,
        visitor_grace_s=visitor_grace_s,
        smtp_listen=smtp_listen,
        lmtp_listen=lmtp_listen,
        smtp_tls_cert=Path(tls_files["HUB_SMTP_TLS_CERT"]) if tls_files["HUB_SMTP_TLS_CERT"] else None,
        smtp_tls_key=Path(tls_files["HUB_SMTP_TLS_KEY"]) if tls_files["HUB_SMTP_TLS_KEY"] else None,
        media_url=env.get("HUB_MEDIA_URL", "").rstrip("/"),
        media_codec=media_codec,
        media_addresses=media_addresses,
        media_ports=media_ports,
        media_public_address=media_public_address,
        recordings_url=recordings_url,
        s3_endpoint=s3_endpoint,
        private_webhooks=env.get("HUB_PRIVATE_WEBHOOKS", "") in ("1", "true", "yes"),
        **values,
    )


def _is_place(text: str) -> bool:
    host, _, port = text.rpartition(":")
    return bool(host) and port.isascii() and port.isdecimal() and 0 <= int(port) < 65536


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def _port_range(text: str) -> tuple[int, int] | None:
    first, _, last = text.partition("-")
    if not (text.isascii() and first.isdecimal() and last.isdecimal()):
        return None
    return (int(first), int(last)) if 1024 <= int(first) <= int(last) < 65536 else None


def _kept_secret_key(data_dir: Path) -> str:
    """The key kept beside the SQLite file, made at the first start: one machine, one process, no set-up."""
    path = data_dir / "secret.key"
    try:
        data_dir.mkdir(parents=True, exist_ok=True)
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            key = path.read_text().strip()
            if len(key) < _SECRET_KEY_MIN_LENGTH:
                raise Misconfigured(
                    f"{path} holds no usable key; restore it from a backup or set HUB_SECRET_KEY",
                    fields={"HUB_SECRET_KEY": "the kept key file is damaged"},
                ) from None
            return key
        with os.fdopen(descriptor, "w") as file:
            key = secrets.token_urlsafe(32)
            file.write(key + "\n")
            return key
    except OSError as error:
        raise Misconfigured(
            f"cannot use the data directory {data_dir}: {error.strerror}", fields={"HUB_DATA_DIR": str(error.strerror)}
        ) from error
