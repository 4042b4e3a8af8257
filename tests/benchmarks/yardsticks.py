"""Two local yardsticks: the raw batched upsert on a database, and a bare Flask that only answers.

python -m tests.benchmarks.yardsticks PORT      # the bare Flask, under waitress as the program runs
"""

import json
import sqlite3
import sys
import time
from pathlib import Path

import psycopg
from flask import Flask, request
from waitress import serve

TABLE = """CREATE TABLE raw (k {kind} PRIMARY KEY, labels TEXT NOT NULL, status TEXT NOT NULL,
 last_seen BIGINT NOT NULL, count INTEGER NOT NULL)"""
UPSERT = """INSERT INTO raw (k, labels, status, last_seen, count) {rows}
 ON CONFLICT (k) DO UPDATE SET last_seen = excluded.last_seen, status = excluded.status, count = raw.count + 1"""
LABELS = json.dumps({"alertname": "Bench", "namespace": "ns-1", "pod": "pod-1", "severity": "warning", "job": "ksm"})
KNOWN = 4000


def rows_of(first: int, size: int) -> list[tuple[bytes, str, str, int, int]]:
    numbers = ((first + i) % KNOWN for i in range(size))
    return [(number.to_bytes(32, "big"), LABELS, "firing", first, 1) for number in numbers]


def sqlite_upserts(path: Path, size: int, seconds: float) -> float:
    """Rows a second into SQLite, one transaction per `size` rows, WAL and synchronous FULL."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("DROP TABLE IF EXISTS raw")
    connection.execute(TABLE.format(kind="BLOB"))
    statement = UPSERT.format(rows="VALUES (?, ?, ?, ?, ?)")
    done, begun = 0, time.perf_counter()
    while time.perf_counter() - begun < seconds:
        connection.execute("BEGIN IMMEDIATE")
        connection.executemany(statement, rows_of(done, size))
        connection.execute("COMMIT")
        done += size
    connection.close()
    return done / (time.perf_counter() - begun)


def postgresql_upserts(url: str, size: int, seconds: float) -> float:
    """Rows a second into PostgreSQL, one statement with one JSON parameter and one commit per `size` rows."""
    source = """SELECT decode(e->>0, 'hex'), e->>1, e->>2, (e->>3)::bigint, (e->>4)::int
 FROM jsonb_array_elements(%s::jsonb) AS e"""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("DROP TABLE IF EXISTS raw")
        connection.execute(TABLE.format(kind="BYTEA"))
        statement = UPSERT.format(rows=source)
        done, begun = 0, time.perf_counter()
        while time.perf_counter() - begun < seconds:
            rows = [(row[0].hex(), *row[1:]) for row in rows_of(done, size)]
            connection.execute(statement, (json.dumps(rows),))
            done += size
        return done / (time.perf_counter() - begun)


def bare_flask(port: int) -> None:
    """A Flask that reads the body and answers, nothing else."""
    app = Flask("bare")

    @app.get("/readyz")
    def readyz() -> dict[str, str]:
        return {}

    @app.post("/")
    def receive() -> dict[str, int]:
        return {"delivery": len(request.get_data())}

    serve(app, host="127.0.0.1", port=port, threads=16, _quiet=True)


if __name__ == "__main__":
    bare_flask(int(sys.argv[1]))
