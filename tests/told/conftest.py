"""A desk that can tell people: a real mail server and a real receiver of posts stand beside it."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from servicedesk.config import Webhook
from servicedesk.desk import Desk
from servicedesk.domain.incident import Actor
from tests.support.crew import crew
from tests.told.receivers import Hook, Mailbox, hook_server

SECRET = "whsec_c2VjcmV0IG9mIHRoZSB0ZXN0cw=="
KEY = b"secret of the tests"


@pytest.fixture
def mailbox() -> Iterator[Mailbox]:
    """A mail server that accepts everything until told otherwise."""
    box = Mailbox().start()
    yield box
    box.stop()


@pytest.fixture
def hook() -> Iterator[Hook]:
    """An HTTP receiver that answers 200 until told otherwise."""
    with hook_server() as receiver:
        yield receiver


@pytest.fixture
def people(desk: Desk) -> dict[str, Actor]:
    return crew(desk)


@pytest.fixture
def mailing(desk: Desk, people: dict[str, Actor], mailbox: Mailbox) -> Desk:
    """A desk with mail only; its people exist."""
    desk.config = replace(desk.config, mail=mailbox.settings())
    return desk


@pytest.fixture
def telling(mailing: Desk, hook: Hook) -> Desk:
    """A desk with mail and the webhook."""
    mailing.config = replace(mailing.config, webhook=Webhook(url=hook.url, secret=SECRET))
    return mailing
