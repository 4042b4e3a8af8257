"""Configuration: defaults, then `servicedesk.yaml`, then `SERVICEDESK_…` from the environment.

Every key is a field below with its sentence; `config show`, the manual and the checks are drawn from them.
Environment names join nested keys by one underscore: `http.bind` is SERVICEDESK_HTTP_BIND; lists are comma-separated.
"""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields, is_dataclass, replace
from pathlib import Path
from typing import Any

import yaml

from servicedesk.errors import ConfigError


def _key(default: Any, doc: str, *, secret: bool = False, later: bool = False) -> Any:
    """A setting. later: known already, but the part that reads it is not built yet."""
    meta = {"doc": doc, "secret": secret, "later": later}
    return field(default=default, metadata=meta)


@dataclass(frozen=True)
class Http:
    bind: str = _key("127.0.0.1:8080", "address and port of pages, API and receivers; port 0 takes a free one")
    base_url: str = _key("", "address that people use, for links in mail; empty: http://<bind>")
    trusted_proxies: tuple[str, ...] = _key((), "addresses of proxies whose X-Forwarded-* headers are believed")
    threads: int = _key(24, "requests answered at the same time")
    max_waiting: int = _key(2000, "deliveries that may wait to be stored before senders are told 503")


@dataclass(frozen=True)
class Bind:
    bind: str = _key("", "address and port; empty switches the listener off")


@dataclass(frozen=True)
class SyslogUdp:
    bind: str = _key("127.0.0.1:5514", "address and port for syslog datagrams; empty switches the listener off")
    buffer: int = _key(16 << 20, "bytes of receive buffer to ask for; past net.core.rmem_max only with CAP_NET_ADMIN")


@dataclass(frozen=True)
class SyslogTls:
    bind: str = _key("127.0.0.1:6514", "address and port for syslog over TLS; without a certificate nothing listens")
    certificate: str = _key("", "certificate chain in PEM; read again when the file changes")
    key: str = _key("", "its private key in PEM; empty: it is in the same file")
    client_ca: str = _key("", "certificates (PEM) that sign clients' certificates; empty: clients need none")
    clients: tuple[str, ...] = _key((), "clients that may send: names in the certificate or sha256:…; empty: all")


@dataclass(frozen=True)
class Syslog:
    udp: SyslogUdp = SyslogUdp()
    tcp: Bind = Bind("127.0.0.1:5514")
    tls: SyslogTls = SyslogTls()
    relp: Bind = Bind("127.0.0.1:2514")
    timezone: str = _key("UTC", "time zone of senders that name none, such as Europe/Paris")
    timezones: tuple[str, ...] = _key((), "time zones of single senders, each `host or network=Zone/Name`")
    message_limit: int = _key(65536, "bytes of one message; longer ones are cut and marked")
    connections: int = _key(4096, "connections at a time; more are refused and counted")
    max_waiting: int = _key(100_000, "lines that may wait to be stored, for datagrams and for streams each")
    new_alerts_per_hour: int = _key(20, "new tickets that one host may raise in an hour; the rest is recorded")


@dataclass(frozen=True)
class Mail:
    host: str = _key("", "SMTP server; empty: no mail is sent")
    port: int = _key(25, "SMTP port")
    security: str = _key("none", "none, starttls or tls")
    username: str = _key("", "SMTP user; empty: no authentication")
    password: str = _key("", "SMTP password", secret=True)
    sender: str = _key("servicedesk@localhost", "From address")
    timeout: float = _key(10.0, "seconds to wait for the server")


@dataclass(frozen=True)
class Webhook:
    url: str = _key("", "Slack-compatible address that notices are posted to; empty: none", secret=True)
    secret: str = _key("", "signs each request (Standard Webhooks, HMAC-SHA256)", secret=True)


@dataclass(frozen=True)
class Slack:
    token: str = _key("", "bot token of your Slack app (xoxb-…): chat:write, users:read, users:read.email", secret=True)
    channel: str = _key("", "channel that notices go to, such as C0123456789 or #operations; empty: none")
    signing_secret: str = _key("", "signing secret of the app; without it no button in Slack is believed", secret=True)
    api: str = _key("https://slack.com/api", "base address of Slack's Web API (GovSlack has another)")


@dataclass(frozen=True)
class Places:
    urls: tuple[str, ...] = _key((), "addresses, each `name: address`; the first is the usual one", secret=True)


@dataclass(frozen=True)
class Fallback:
    channel: str = _key("", "channel for what reached nobody by the usual ones, such as apprise; empty: none")
    target: str = _key("", "its place, or the mail address, that this goes to; empty: the channel's usual place")


@dataclass(frozen=True)
class Deadman:
    url: str = _key("", "address that is asked once a minute while all is well; its owner alarms when that stops")


@dataclass(frozen=True)
class Api:
    """A program of the monitoring that is asked over HTTP; its address is trusted."""

    url: str = _key("", "base address of its HTTP API, such as http://prometheus:9090; empty: it is not asked")
    username: str = _key("", "user name it asks for (basic authentication)")
    password: str = _key("", "password of that user", secret=True)
    token: str = _key("", "bearer token, instead of user name and password", secret=True)
    ca_file: str = _key("", "certificates (PEM) that its own is trusted by, instead of the system's")
    tenant: str = _key("", "X-Scope-OrgID that is sent along (Loki, Mimir, Cortex)")


@dataclass(frozen=True)
class Source:
    """A source whose own programs are asked what was missed. user, token and so on hold for all of them."""

    alertmanagers: tuple[str, ...] = _key((), "base addresses of all Alertmanagers that send under this source")
    prometheus: tuple[str, ...] = _key((), "base addresses of all Prometheus servers that these get their alerts from")
    receiver: str = _key("", "our receiver's name in the Alertmanagers; only what is routed to it may open tickets")
    matchers: tuple[str, ...] = _key(
        (), 'matchers of what may open tickets, such as severity="critical"; without, nothing that ended unseen does'
    )
    every: float = _key(60.0, "seconds between two looks")
    patience: float = _key(360.0, "seconds that its Alertmanager may take to tell us: more than its group_interval")
    gone_after: float = _key(900.0, "seconds after which an alert that is gone without a word is unconfirmed")
    down_after: float = _key(120.0, "seconds without a running worker after which what was missed is looked up")
    timeout: float = _key(10.0, "seconds to wait for one answer")
    username: str = _key("", "user name they ask for (basic authentication)")
    password: str = _key("", "password of that user", secret=True)
    token: str = _key("", "bearer token, instead of user name and password", secret=True)
    ca_file: str = _key("", "certificates (PEM) that theirs are trusted by, instead of the system's")
    tenant: str = _key("", "X-Scope-OrgID that is sent along (Mimir, Cortex)")

    def api(self, url: str) -> Api:
        """One of its programs."""
        return Api(url, self.username, self.password, self.token, self.ca_file, self.tenant)


@dataclass(frozen=True)
class Checks:
    enabled: bool = _key(True, "whether checks of playbooks are run at all; false is the kill switch")
    parallel: int = _key(4, "checks that run at the same time in one process")
    per_minute: int = _key(300, "checks begun in a minute, all together; the rest waits")
    per_target: int = _key(30, "checks begun in a minute against one target; the rest waits")
    timeout: float = _key(10.0, "seconds that any check may take at most, whatever its playbook says")
    fresh: float = _key(60.0, "seconds during which an answer also serves other tickets that ask exactly the same")
    patience: float = _key(900.0, "seconds that a check may wait to be run before it is given up as inconclusive")
    allow: tuple[str, ...] = _key(
        (), "networks, hosts and *.domains that checks may address; empty: all but loopback, link-local and metadata"
    )
    commands: tuple[str, ...] = _key((), "local commands that may be run, each `name: /path/to/program arg ${value}`")
    sql: tuple[str, ...] = _key((), "PostgreSQL connections, each `name: postgresql://reader@host/db`", secret=True)
    memory: int = _key(256, "MiB of memory that a command may use")
    processes: int = _key(16, "processes that a command may have at a time, itself included")
    output: int = _key(65536, "bytes of output that are kept of a check")


@dataclass(frozen=True)
class Oidc:
    issuer: str = _key("", "OpenID Connect issuer", later=True)
    client_id: str = _key("", "OpenID Connect client", later=True)
    client_secret: str = _key("", "OpenID Connect secret", secret=True, later=True)


@dataclass(frozen=True)
class Audit:
    key: str = _key("", "key of the timeline's chain, the same on all nodes; empty: <data_dir>/audit.key", secret=True)


@dataclass(frozen=True)
class Retention:
    """Raw deliveries that are done; those that wait or are dead stay, as do alerts, events and timelines."""

    days: float = _key(14.0, "days that raw deliveries are kept after they came")
    gb: float = _key(5.0, "GB (compressed) of raw deliveries that are kept at most; the oldest go first")
    syslog_hours: float = _key(24.0, "hours that raw syslog lines are kept")
    syslog_gb: float = _key(5.0, "GB (compressed) of raw syslog lines that are kept at most")


@dataclass(frozen=True)
class Backup:
    folder: str = _key("", "folder of the nightly backup; empty: <data_dir>/backups for SQLite, none for PostgreSQL")
    at: str = _key("02:30", "UTC time of day of the nightly backup; empty: none is made")
    keep: int = _key(7, "nightly backups that are kept")


@dataclass(frozen=True)
class Log:
    level: str = _key("info", "debug, info, warning or error")
    format: str = _key("auto", "console, json, or auto (json when not a terminal)")


@dataclass(frozen=True)
class Config:
    data_dir: str = _key("./data", "folder for the database, the audit key and anchors; created when absent")
    database_url: str = _key("", "empty: SQLite in data_dir; or postgresql://user:password@host/name", secret=True)
    bus_url: str = _key("", "message engine in front of the database; empty: the database itself", later=True)
    policies: str = _key("", "folder or file with policies that override the shipped ones")
    playbooks: str = _key("", "folder with playbooks of your own, read beside the shipped ones")
    rules: str = _key(
        "",
        "folder with correlation and syslog rules of your own, asked first; empty: <data_dir>/rules for syslog",
    )
    mappings: str = _key("", "folder with mappings of your own: how the JSON of a sender becomes events")
    http: Http = Http()
    syslog: Syslog = Syslog()
    mail: Mail = Mail()
    webhook: Webhook = Webhook()
    slack: Slack = Slack()
    mattermost: Places = Places()
    teams: Places = Places()
    apprise: Places = Places()
    fallback: Fallback = Fallback()
    deadman: Deadman = Deadman()
    prometheus: Api = Api()
    alertmanager: Api = Api()
    loki: Api = Api()
    sources: Mapping[str, Source] = field(default_factory=dict, metadata={"each": Source})
    checks: Checks = Checks()
    oidc: Oidc = Oidc()
    audit: Audit = Audit()
    retention: Retention = Retention()
    backup: Backup = Backup()
    log: Log = Log()
    origins: Mapping[str, str] = field(default_factory=dict, compare=False)

    @property
    def data_path(self) -> Path:
        return Path(self.data_dir).expanduser().absolute()

    @property
    def effective_database_url(self) -> str:
        return self.database_url or f"sqlite:///{self.data_path / 'servicedesk.db'}"

    @property
    def base_url(self) -> str:
        return (self.http.base_url or f"http://{self.http.bind}").rstrip("/")


@dataclass(frozen=True)
class Setting:
    """One effective value, as `config show` prints it."""

    name: str
    value: str
    origin: str
    doc: str
    later: bool


def load(path: str | None = None, environ: Mapping[str, str] | None = None) -> Config:
    """Read the configuration. Raises ConfigError with the file, the key and what to do."""
    environ = os.environ if environ is None else environ
    named = path or environ.get("SERVICEDESK_CONFIG")
    file = Path(named or "servicedesk.yaml")
    origins: dict[str, str] = {}
    data = _read(file, required=named is not None)
    config: Config = _overlay(Config(), data, "", str(file), origins)
    config = _environment(config, "SERVICEDESK", "", environ, origins)
    return replace(config, origins=origins)


def settings(config: Config) -> Iterator[Setting]:
    """Every key with its effective value (secrets masked) and where it came from."""
    yield from _settings(config, "", config.origins)


def _settings(node: Any, prefix: str, origins: Mapping[str, str]) -> Iterator[Setting]:
    for f in fields(node):
        value, name = getattr(node, f.name), prefix + f.name
        if is_dataclass(value):
            yield from _settings(value, name + ".", origins)
        elif "each" in f.metadata:
            for one, below in (value or {"<name>": f.metadata["each"]()}).items():
                yield from _settings(below, f"{name}.{one}.", origins)
        elif "doc" in f.metadata:
            text = ",".join(value) if isinstance(value, tuple) else str(value)
            shown = "********" if f.metadata["secret"] and text else text
            yield Setting(name, shown, origins.get(name, "default"), f.metadata["doc"], f.metadata["later"])


def check_folder(config: Config) -> None:
    """Whether data_dir can be used, or made. Raises ConfigError."""
    folder = config.data_path
    there = next(p for p in (folder, *folder.parents) if p.exists())
    if not there.is_dir():
        raise ConfigError(f"data_dir {config.data_dir} cannot be used: {there} is not a folder")
    if not os.access(there, os.W_OK | os.X_OK):
        raise ConfigError(f"data_dir {config.data_dir} cannot be used: {there} may not be written to")


# What is read elsewhere, and what Kubernetes sets for a service that is named like the program.
_OTHERS = re.compile(
    r"SERVICEDESK_(CONFIG|AS|FAULT|TESTS_.*|(.+_)?SERVICE_(HOST|PORT.*)|(.+_)?PORT(_\d+_(TCP|UDP|SCTP).*)?)"
)


def unknown_variables(config: Config, environ: Mapping[str, str] | None = None) -> tuple[str, ...]:
    """Variables that begin with SERVICEDESK_ and set nothing, each with the name that was meant, where one is near."""
    known = {"SERVICEDESK_" + _word(s.name) for s in settings(config)}
    found = (os.environ if environ is None else environ).keys() - known
    wrong = sorted(name for name in found if name.startswith("SERVICEDESK_") and not _OTHERS.fullmatch(name))
    near = {name: difflib.get_close_matches(name, known, 1) for name in wrong}
    return tuple(f"{name} (is {near[name][0]} meant?)" if near[name] else name for name in wrong)


def _read(file: Path, required: bool) -> dict[str, Any]:
    if not file.exists():
        if required:
            raise ConfigError(f"{file}: there is no such configuration file")
        return {}
    try:
        data = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (yaml.YAMLError, OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file}: cannot be read: {' '.join(str(error).split())}") from error
    if data is None:
        return {}
    if not isinstance(data, dict):
        raise ConfigError(f"{file}: must hold keys and values, such as `data_dir: /var/lib/servicedesk`")
    return data


def _overlay(node: Any, data: Mapping[str, Any], prefix: str, file: str, origins: dict[str, str]) -> Any:
    known = {f.name: f for f in fields(node) if f.name != "origins"}
    changes: dict[str, Any] = {}
    for key, value in data.items():
        name = f"{prefix}{key}"
        if key not in known:
            raise ConfigError(f"{file}: {name}: unknown key; known here: {', '.join(sorted(known))}")
        current = getattr(node, key)
        if is_dataclass(current):
            changes[key] = _below(current, value, name, file, origins)
        elif "each" in known[key].metadata:
            if not isinstance(value, dict):
                raise ConfigError(f"{file}: {name}: needs a name, and keys below that")
            empty = known[key].metadata["each"]()
            changes[key] = {str(one): _below(empty, v, f"{name}.{one}", file, origins) for one, v in value.items()}
        else:
            changes[key] = _convert(value, current, f"{file}: {name}")
            origins[name] = file
    return replace(node, **changes)


def _below(node: Any, data: Any, name: str, file: str, origins: dict[str, str]) -> Any:
    if not isinstance(data, dict):
        raise ConfigError(f"{file}: {name}: needs keys below it: {', '.join(f.name for f in fields(node))}")
    return _overlay(node, data, name + ".", file, origins)


def _environment(node: Any, env: str, prefix: str, environ: Mapping[str, str], origins: dict[str, str]) -> Any:
    changes: dict[str, Any] = {}
    for f in fields(node):
        current, variable, name = getattr(node, f.name), f"{env}_{f.name.upper()}", prefix + f.name
        if is_dataclass(current):
            changes[f.name] = _environment(current, variable, name + ".", environ, origins)
        elif "each" in f.metadata:
            changes[f.name] = {
                one: _environment(below, f"{variable}_{_word(one)}", f"{name}.{one}.", environ, origins)
                for one, below in current.items()
            }
        elif "doc" in f.metadata and variable in environ:
            changes[f.name] = _convert(environ[variable], current, variable)
            origins[name] = variable
    return replace(node, **changes)


def _word(name: str) -> str:
    return "".join(c if c.isalnum() else "_" for c in name.upper())


def _convert(value: Any, default: Any, where: str) -> Any:
    try:
        if isinstance(default, tuple):
            parts = value.split(",") if isinstance(value, str) else list(value)
            return tuple(str(part).strip() for part in parts if str(part).strip())
        if isinstance(default, bool):
            return {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}[str(value).lower()]
        if isinstance(default, int | float):
            return type(default)(value)
        return "" if value is None else str(value)
    except (ValueError, TypeError, KeyError) as error:
        raise ConfigError(f"{where}: {value!r} is not a {type(default).__name__}") from error
