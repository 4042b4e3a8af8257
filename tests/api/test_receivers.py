"""Where senders post: what is stored, what is refused and how, and that each answer is counted."""

from __future__ import annotations

import base64
import gzip
import time
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client import generate_latest
from sqlalchemy import create_engine, text
from sqlalchemy.engine import make_url

from servicedesk import metrics
from servicedesk.app import create_app
from servicedesk.config import Config, Http
from servicedesk.desk import Desk, open_desk
from servicedesk.store.views import deliveries
from tests.api.conftest import Caller, Callers

PATH = "/receivers/alertmanager"
HOSTILE = b"\x00\xff\xfe{{7*7}}<script>alert(1)</script>\r\n\xe2\x80\xae"


def stored(callers: Callers, delivery: int) -> deliveries.Delivery:
    with callers.desk.read() as tx:
        found = deliveries.find(tx, delivery)
    assert found is not None
    return found


def counted(result: str, receiver: str = "alertmanager") -> float:
    wanted = f'servicedesk_deliveries_total{{receiver="{receiver}",result="{result}"}} '
    lines = generate_latest(metrics.REGISTRY).decode().splitlines()
    return sum(float(line.split(" ")[1]) for line in lines if line.startswith(wanted))


@pytest.mark.feature("I1", "I4", "I21")
def test_a_body_is_stored_as_it_came_then_answered(callers: Callers) -> None:
    before = counted("stored")
    answer = callers.sender.call("POST", PATH, data=HOSTILE, content_type="application/json")
    assert answer.status_code == 200
    found = stored(callers, answer.json["delivery"])
    assert (found.receiver, found.source, found.size) == ("alertmanager", "prod-am", len(HOSTILE))
    assert found.received_at == callers.desk.now()
    assert counted("stored") == before + 1


@pytest.mark.parametrize("content_type", ["application/json", "text/plain", "weird/thing; x=y", ""])
def test_any_content_type_is_stored(one: Callers, content_type: str) -> None:
    headers = {"Content-Type": content_type} if content_type else {}
    answer = one.sender.call("POST", PATH, data=b"not json at all", headers=headers)
    assert answer.status_code == 200
    assert stored(one, answer.json["delivery"]).content_type == content_type


@pytest.mark.feature("I1")
@pytest.mark.parametrize("encoding", ["gzip", "x-gzip", "GZIP", "deflate", "identity"])
def test_compressed_bodies_are_unpacked(one: Callers, encoding: str) -> None:
    plain = b'{"alerts": []}' * 1000
    packed = {"identity": plain, "deflate": zlib.compress(plain)}.get(encoding, gzip.compress(plain))
    answer = one.sender.call("POST", PATH, data=packed, headers={"Content-Encoding": encoding})
    assert answer.status_code == 200
    assert stored(one, answer.json["delivery"]).size == len(plain)


def test_several_gzip_members_after_each_other_are_one_body(one: Callers) -> None:
    packed = gzip.compress(b"a" * 1000) + gzip.compress(b"b" * 10)
    answer = one.sender.call("POST", PATH, data=packed, headers={"Content-Encoding": "gzip"})
    assert stored(one, answer.json["delivery"]).size == 1010


def test_an_unknown_encoding_is_kept_as_it_is_and_named(one: Callers) -> None:
    answer = one.sender.call("POST", PATH, data=b"\x28\xb5\x2f\xfd", headers={"Content-Encoding": "zstd"})
    assert "content-encoding=zstd" in stored(one, answer.json["delivery"]).content_type


@pytest.mark.parametrize("packed", [b"no gzip", gzip.compress(b"x" * 5000, mtime=0)[:-4], b""])
def test_broken_compression_is_400(one: Callers, packed: bytes) -> None:
    before = counted("broken")
    answer = one.sender.call("POST", PATH, data=packed, headers={"Content-Encoding": "gzip"})
    assert answer.status_code == 400
    assert counted("broken") == before + 1


@pytest.mark.feature("I1")
def test_caps(one: Callers) -> None:
    before = counted("too_large")
    mib = 1024 * 1024
    assert one.sender.call("POST", PATH, data=b"x" * (32 * mib)).status_code == 200
    assert one.sender.call("POST", PATH, data=b"x" * (32 * mib + 1)).status_code == 413
    fits, bomb = gzip.compress(bytes(64 * mib), 1), gzip.compress(bytes(64 * mib + 1), 1)
    assert one.sender.call("POST", PATH, data=bomb, headers={"Content-Encoding": "gzip"}).status_code == 413
    answer = one.sender.call("POST", PATH, data=fits, headers={"Content-Encoding": "gzip"})
    assert stored(one, answer.json["delivery"]).size == 64 * mib
    assert counted("too_large") == before + 2


@pytest.mark.feature("I1", "A1")
def test_who_may_deliver(one: Callers) -> None:
    before = counted("unauthorized")
    token = one.sender.token
    basic = base64.b64encode(f"anything:{token}".encode()).decode()
    assert Caller(one.app).call("POST", PATH, headers={"Authorization": f"Basic {basic}"}).status_code == 200
    for header in ("", "Bearer sd_000000000000_wrong", "Bearer ", "Basic ???", "Digest x", f"Basic {token}"):
        headers = {"Authorization": header} if header else {}
        answer = Caller(one.app).call("POST", PATH, headers=headers)
        assert answer.status_code == 401, header
        assert "Bearer" in answer.headers["WWW-Authenticate"]
        assert "Basic" in answer.headers["WWW-Authenticate"]
    assert one.lead.call("POST", PATH).status_code == 403, "a token without the scope ingest"
    assert counted("unauthorized") == before + 7


def test_a_browsers_session_delivers_nothing(one: Callers) -> None:
    """It carries no scope: otherwise any page could make a signed-in person's browser deliver alerts."""
    from servicedesk.services import people, sessions
    from servicedesk.web.auth import CSRF_HEADER

    secret = people.signin_link(one.desk, one.people["admin"], "admin")
    signed_in = sessions.use_link(one.desk, secret)
    client = one.app.test_client()
    client.set_cookie("servicedesk", signed_in.cookie)
    answer = client.post(f"/api/v1{PATH}", data=b"{}", headers={CSRF_HEADER: signed_in.csrf})
    assert answer.status_code == 403


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "PATCH"])
def test_other_methods_are_405(one: Callers, method: str) -> None:
    before = counted("method")
    answer = one.sender.call(method, PATH)
    assert answer.status_code == 405
    assert "POST" in answer.headers["Allow"]
    assert counted("method") == before + 1


def test_an_unknown_receiver_is_404_and_counted_without_its_name(one: Callers) -> None:
    before = counted("unknown", "unknown")
    one.sender.post("/receivers/nonsense", status=404)
    assert counted("unknown", "unknown") == before + 1


@pytest.mark.feature("I1")
@pytest.mark.parametrize("path", [f"{PATH}/", f"/{PATH}", "/receivers//alertmanager", f"{PATH}?x=1"])
def test_no_answer_is_a_redirect(one: Callers, path: str) -> None:
    """A redirected POST loses its body, or comes twice."""
    assert one.sender.call("POST", path, data=b"{}").status_code in (200, 404)
    assert one.sender.call("POST", f"{PATH}/", data=b"{}").status_code == 200


@pytest.fixture
def locked(sqlite_database: str, tmp_path: Path) -> Iterator[tuple[Caller, Desk]]:
    """A desk whose database another program holds locked."""
    desk = open_desk(Config(data_dir=str(tmp_path / "data"), database_url=sqlite_database))
    callers = Callers(desk)
    caller = callers.sender
    assert caller.call("POST", PATH, data=b"{}").status_code == 200  # the token is known from now on
    other = create_engine(sqlite_database)
    with other.connect() as connection:
        connection.execute(text("BEGIN EXCLUSIVE"))
        yield caller, desk
    other.dispose()
    desk.close()


@pytest.mark.feature("I4")
def test_not_now_is_503(locked: tuple[Caller, Desk]) -> None:
    caller, _ = locked
    before, began = counted("busy"), time.monotonic()
    answer = caller.call("POST", PATH, data=b"{}")
    assert answer.status_code == 503
    assert time.monotonic() - began < 5, "Alertmanager gives up at about that time"
    assert answer.headers["Retry-After"].isdigit()
    assert answer.content_type == "application/problem+json"
    assert counted("busy") == before + 1


@pytest.mark.postgres
@pytest.mark.feature("I4")
def test_an_unreachable_database_is_503_even_for_unknown_tokens(
    postgres_database: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """401 would be a lie: nobody could look. The sender comes again."""
    from tests.support import databases

    config = Config(data_dir=str(tmp_path / "data"), database_url=postgres_database, http=Http(base_url="http://x"))
    desk = open_desk(config)
    caller = Caller(create_app(desk), "sd_000000000000_0000000000000000000000000000000000000000000")
    assert caller.call("POST", PATH, data=b"{}").status_code == 401
    name = make_url(postgres_database).database
    admin = create_engine(make_url(databases.postgres_url()).set(drivername="postgresql+psycopg"))
    request.addfinalizer(admin.dispose)
    request.addfinalizer(desk.close)
    with admin.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false"))
        connection.execute(text(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'"))
        assert caller.call("POST", PATH, data=b"{}").status_code == 503
        connection.execute(text(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true"))
    assert caller.call("POST", PATH, data=b"{}").status_code == 401
