"""Years of alerts and tickets, put into a database at once, so that figures can be taken among them.

Rows are made by the database itself, a thousand times faster than over HTTP; they are like those that the desk writes
as far as pages and intake read them. Audit chains are not made: `audit verify` has nothing to say about them.
"""

from sqlalchemy import Connection, Engine, text

ALERTS = """
INSERT INTO alert (digest, source, key, fingerprint, name, labels, annotations, summary, severity, clears, status,
 starts_at, ends_at, first_seen, last_seen, last_seq, count, correlation, decision, rule, incident_id)
SELECT {blob}, 'old', {blob}, '', 'Old' || (n % 500),
 '{{"alertname":"Old' || (n % 500) || '","cluster":"eu-1","namespace":"ns-' || (n % 40) ||
 '","pod":"pod-' || n || '"}}',
 '{{"summary":"Pod is not ready"}}', 'Pod is not ready', 'warning', {true},
 CASE WHEN n % 50 = 0 THEN 'firing' ELSE 'recovered' END, {now} - n * 60000000,
 CASE WHEN n % 50 = 0 THEN NULL ELSE {now} - n * 60000000 + 30000000 END, {now} - n * 60000000,
 {now} - n * 60000000, 0, 3, {blob}, 'Joined.', 'default', {incident} FROM ({series}) AS s
"""
EVENTS = """
INSERT INTO event (digest, alert_id, status, starts_at, first_at, last_at, first_seq, last_seq, count)
SELECT {blob}, id, 'firing', starts_at, starts_at, starts_at, 0, 0, 3 FROM alert WHERE source = 'old' AND id > {known}
"""
EPISODES = """
INSERT INTO episode (alert_id, incident_id, starts_at, ends_at, fired)
SELECT id, incident_id, starts_at, ends_at, {true} FROM alert WHERE source = 'old' AND id > {known}
"""
# The triggers refuse `closed` without its gates, so what is over is cancelled here: pages read both alike.
INCIDENTS = """
INSERT INTO incident (id, type, status, title, description, category, impact, urgency, priority, top_priority,
 service_label, team_id, owner_id, channel, source, labels, creation, occurrences, created_at, updated_at, head_seq)
SELECT {base} + n, CASE WHEN n % 20 = 0 THEN 'request' ELSE 'incident' END,
 CASE WHEN n % 400 = 0 THEN 'new' WHEN n % 400 < 4 THEN 'in_progress' WHEN n % 400 < 6 THEN 'pending'
  WHEN n % 400 < 9 THEN 'resolved' ELSE 'cancelled' END,
 'Pod pod-' || n || ' is not ready', 'It does not answer.', 'infrastructure', 2, 2, n % 5 + 1, n % 5 + 1,
 'svc-' || (n % 60), (SELECT min(id) FROM team),
 CASE WHEN n % 400 IN (1, 2, 3) THEN (SELECT min(id) FROM user_account) END,
 'monitor', 'old', '{{"alertname":"Old' || (n % 500) || '","cluster":"eu-1"}}', '{{"rule":"default"}}', 1,
 {now} - n * 60000000, {now} - n * 60000000, 0 FROM ({series}) AS s
"""
MEMBERS = """
INSERT INTO member (incident_id, alert_id, added_at)
SELECT incident_id, id, starts_at FROM alert WHERE source = 'old' AND id > {known} AND incident_id IS NOT NULL
"""


def fill(engine: Engine, alerts: int, incidents: int) -> None:
    """Put them in; each alert belongs to one of the incidents, where there are any."""
    with engine.begin() as connection:
        words = _words(connection)
        base = connection.execute(text("SELECT coalesce(max(id), 0) FROM incident")).scalar_one()
        if incidents:
            connection.execute(text(INCIDENTS.format(base=base, series=_series(connection, incidents), **words)))
        known = connection.execute(text("SELECT coalesce(max(id), 0) FROM alert")).scalar_one()
        belongs = f"{base} + n % {incidents} + 1" if incidents else "NULL"
        series = _series(connection, alerts)
        connection.execute(text(ALERTS.format(series=series, incident=belongs, **words)))
        for statement in (EVENTS, EPISODES, MEMBERS):
            connection.execute(text(statement.format(known=known, **words)))
        if words["postgresql"]:
            connection.exec_driver_sql("SELECT setval(pg_get_serial_sequence('incident', 'id'), max(id)) FROM incident")
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("VACUUM ANALYZE" if connection.dialect.name == "postgresql" else "ANALYZE")


def _words(connection: Connection) -> dict[str, str]:
    if connection.dialect.name == "postgresql":
        blob = "decode(md5(random()::text) || md5(random()::text), 'hex')"
        now = "(extract(epoch FROM now()) * 1000000)::bigint"
        return {"blob": blob, "now": now, "true": "true", "postgresql": "yes"}
    return {"blob": "randomblob(32)", "now": "(unixepoch() * 1000000)", "true": "1", "postgresql": ""}


def _series(connection: Connection, count: int) -> str:
    """A table expression with the column n: 1 … count."""
    if connection.dialect.name == "postgresql":
        return f"SELECT n::bigint FROM generate_series(1, {count}) AS g(n)"
    return f"WITH RECURSIVE c(n) AS (VALUES (1) UNION ALL SELECT n + 1 FROM c WHERE n < {count}) SELECT n FROM c"
