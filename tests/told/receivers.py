"""Who is told, for real: an SMTP server and an HTTP receiver on the loopback, with moods."""

import asyncio
import base64
import email
import email.policy
import hmac
import json
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP as SmtpServer
from aiosmtpd.smtp import AuthResult, Envelope, LoginPassword, Session

from servicedesk.config import Mail
from tests.support.server import free_port


class Mailbox:
    """A mail server: `answers` maps a recipient to what RCPT answers; `data_answer` is said after DATA."""

    def __init__(self, tls: ssl.SSLContext | None = None, login: tuple[str, str] | None = None) -> None:
        self.port, self.tls, self.login = free_port(), tls, login
        self.answers: dict[str, str] = {}
        self.data_answer = "250 2.0.0 Ok: queued as 4X1"
        self.sender_answer = ""
        self._released: asyncio.Event | None = None
        self.connections = 0
        self.received: list[tuple[list[str], EmailMessage]] = []
        self.raw: list[bytes] = []
        self._controller: Controller | None = None

    def settings(self, **more: Any) -> Mail:
        return Mail(host="127.0.0.1", port=self.port, sender="Desk <desk@example.org>", **{"timeout": 5.0} | more)

    def start(self) -> "Mailbox":
        options: dict[str, Any] = {"hostname": "127.0.0.1", "port": self.port, "enable_SMTPUTF8": True}
        if self.tls:
            options["tls_context"] = self.tls
        if self.login:
            options |= {"authenticator": self._authenticate, "auth_required": True, "auth_require_tls": bool(self.tls)}
        self._controller = Controller(self, **options)
        self._controller.start()
        self.connections = 0  # the controller has knocked once itself
        return self

    def stop(self) -> None:
        if self._controller is not None:
            self._controller.stop(no_assert=True)
            self._controller = None

    def hang(self) -> None:
        """From now on nobody gets an answer to EHLO, until `release`."""
        self._released = asyncio.Event()

    def release(self) -> None:
        assert self._controller is not None
        assert self._released is not None
        self._controller.loop.call_soon_threadsafe(self._released.set)

    @property
    def mails(self) -> list[EmailMessage]:
        return [mail for _, mail in self.received]

    def to(self, address: str) -> list[EmailMessage]:
        return [mail for recipients, mail in self.received if recipients == [address]]

    def _authenticate(
        self, _server: SmtpServer, _session: Session, _envelope: Envelope, _mechanism: str, data: LoginPassword
    ) -> AuthResult:
        assert self.login is not None
        given = (data.login.decode(), data.password.decode())
        return AuthResult(success=given == self.login, handled=False)

    async def handle_EHLO(
        self, _server: SmtpServer, session: Session, _envelope: Envelope, name: str, responses: list[str]
    ) -> list[str]:
        session.host_name = name
        self.connections += 1
        if self._released is not None:
            await self._released.wait()
        return responses

    async def handle_MAIL(
        self, _server: SmtpServer, _session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if self.sender_answer:
            return self.sender_answer
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return "250 OK"

    async def handle_RCPT(
        self, _server: SmtpServer, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        answer = self.answers.get(address, "250 OK")
        if answer.startswith("250"):
            envelope.rcpt_tos.append(address)
        return answer

    async def handle_DATA(self, _server: SmtpServer, _session: Session, envelope: Envelope) -> str:
        content = envelope.content
        assert isinstance(content, bytes)
        if self.data_answer.startswith("250"):
            self.raw.append(content)
            mail = email.message_from_bytes(content, policy=email.policy.default)
            assert isinstance(mail, EmailMessage)
            self.received.append((list(envelope.rcpt_tos), mail))
        return self.data_answer


@dataclass
class Post:
    headers: dict[str, str]
    raw: bytes
    path: str

    @property
    def body(self) -> Any:
        return json.loads(self.raw)

    def signed_with(self, key: bytes) -> bool:
        """Does the signature hold? Written from the specification of Standard Webhooks, not from our code."""
        message = ".".join([self.headers["webhook-id"], self.headers["webhook-timestamp"], self.raw.decode()])
        expected = base64.b64encode(hmac.new(key, message.encode(), "sha256").digest()).decode()
        return f"v1,{expected}" in self.headers["webhook-signature"].split(" ")


@dataclass
class Hook:
    """An HTTP receiver. answers: (status, headers, body) for the next posts, then 200."""

    answers: list[tuple[int, dict[str, str], bytes]] = field(default_factory=list)
    posts: list[Post] = field(default_factory=list)
    url: str = ""
    base: str = ""


@contextmanager
def hook_server(answer_to: Callable[[str, bytes], bytes] = lambda _path, _body: b"ok") -> Iterator[Hook]:
    """answer_to(path, body): what is answered, with 200, unless `answers` holds something."""
    hook = Hook()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            hook.posts.append(Post({k.lower(): v for k, v in self.headers.items()}, body, self.path))
            status, headers, answer = hook.answers.pop(0) if hook.answers else (200, {}, answer_to(self.path, body))
            self.send_response(status)
            for name, value in (headers | {"Content-Length": str(len(answer))}).items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(answer)

        do_GET = do_POST

        def log_message(self, *_args: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    hook.base = f"http://127.0.0.1:{server.server_address[1]}"
    hook.url = hook.base + "/services/T0/B0"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield hook
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)
