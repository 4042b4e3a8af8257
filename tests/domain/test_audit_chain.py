"""The chain: whatever is done to the rows of one ticket, the first row that it touched is named."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from servicedesk.domain import anchor
from servicedesk.domain.audit import GENESIS, Entry, content_digest, first_fault, link

KEY = b"k" * 32


def chain(length: int) -> list[Entry]:
    rows, prev = [], GENESIS
    for seq in range(1, length + 1):
        content, salt = {"text": f"line {seq} é"}, bytes([seq % 256]) * 16
        digest = content_digest(salt, content)
        mac = link(KEY, prev, 42, seq, 1000 + seq, "note", 7, "agent", "M2", digest)
        rows.append(Entry(42, seq, 1000 + seq, "note", 7, "agent", "M2", digest, prev, mac, salt, content))
        prev = mac
    return rows


def fault(rows: list[Entry], head: int, mac: bytes | None = None) -> str | None:
    """The head is that of the untouched chain unless a mac is told."""
    return first_fault(KEY, rows, head, mac if mac is not None else (chain(head)[-1].mac if head else None))


def renumbered(rows: list[Entry]) -> list[Entry]:
    return [replace(row, seq=seq) for seq, row in enumerate(rows, 1)]


lengths = st.integers(2, 12)


@given(lengths, st.data())
def test_a_whole_chain_has_no_fault_also_with_contents_erased(length: int, data: st.DataObject) -> None:
    rows = chain(length)
    erased = data.draw(st.sets(st.integers(0, length - 1)))
    rows = [replace(row, salt=None, content=None) if i in erased else row for i, row in enumerate(rows)]
    assert fault(rows, length) is None
    assert first_fault(KEY, [], 0, None) is None


CHANGES = {
    "at_us": 5, "kind": "status", "actor_id": 8, "actor_role": "admin", "rule": "M9",
    "content_digest": b"d" * 32, "mac": b"m" * 32, "prev": b"p" * 32,
}  # fmt: skip


@given(lengths, st.data(), st.sampled_from(sorted(CHANGES)))
def test_an_edited_field(length: int, data: st.DataObject, name: str) -> None:
    at = data.draw(st.integers(1, length))
    rows = chain(length)
    rows[at - 1] = replace(rows[at - 1], **{name: CHANGES[name]})
    assert fault(rows, length) == f"row {at}: was edited"


@given(lengths, st.data())
def test_edited_content(length: int, data: st.DataObject) -> None:
    at = data.draw(st.integers(1, length))
    rows = chain(length)
    rows[at - 1] = replace(rows[at - 1], content={"text": "other"})
    assert fault(rows, length) == f"row {at}: its content was edited"


@given(lengths, st.data(), st.booleans())
def test_a_dropped_row(length: int, data: st.DataObject, move_up: bool) -> None:
    at = data.draw(st.integers(1, length - 1))
    rows = chain(length)
    del rows[at - 1]
    moved = " and the rows after it moved up" if move_up else ""
    assert fault(renumbered(rows) if move_up else rows, length) == f"row {at}: was dropped{moved}"


@given(lengths, st.data(), st.booleans(), st.booleans())
def test_an_inserted_row(length: int, data: st.DataObject, forged: bool, linked: bool) -> None:
    """A forged row, also one that names the row before it; or a copy of a genuine one."""
    at = data.draw(st.integers(1, length + 1))
    rows = chain(length)
    copied = rows[data.draw(st.integers(0, length - 1))]
    prev = (rows[at - 2].mac if at > 1 else GENESIS) if linked else b"x" * 32
    new = replace(copied, mac=b"f" * 32, prev=prev) if forged else copied
    rows.insert(at - 1, new)
    first = at if forged or at > length or rows[at] != copied else at + 1  # a copy before its original: the second
    assert fault(renumbered(rows), length) in {f"row {at}: was inserted", f"row {first}: was inserted"}


@given(st.integers(3, 12), st.data())
def test_two_rows_swapped(length: int, data: st.DataObject) -> None:
    one = data.draw(st.integers(0, length - 2))
    other = data.draw(st.integers(one + 1, length - 1))
    rows = chain(length)
    rows[one], rows[other] = rows[other], rows[one]
    assert fault(renumbered(rows), length) == f"row {one + 1}: was reordered"


@given(lengths, st.data())
def test_a_cut_tail_and_a_wrong_head(length: int, data: st.DataObject) -> None:
    kept = data.draw(st.integers(0, length - 1))
    rows = chain(length)
    assert fault(rows[:kept], length) == f"the tail is cut: the head says {length} rows, {kept} are there"
    if kept:
        assert fault(rows, kept) == f"the head was set back: it says {kept} rows, {length} are there"
    assert fault(rows, length, b"z" * 32) == "the last row is not the one that the head names"


@given(lengths)
def test_another_key_signs_nothing_here(length: int) -> None:
    assert first_fault(b"other", chain(length), length, chain(length)[-1].mac) == "row 1: was edited"


def test_a_row_signed_with_the_key_on_another_predecessor() -> None:
    """Only who holds the key can do this; it is still named."""
    rows = chain(3)
    prev = b"q" * 32
    last = rows[2]
    mac = link(KEY, prev, 42, 3, last.at_us, last.kind, last.actor_id, last.actor_role, last.rule, last.content_digest)
    rows[2] = replace(last, prev=prev, mac=mac)
    assert fault(rows, 3) == "row 3: does not follow the row before it"


heads = st.dictionaries(st.integers(0, 50), st.tuples(st.integers(1, 99), st.just("ab" * 32)), max_size=5)


@given(st.lists(heads, min_size=1, max_size=6))
def test_anchors_tell_the_newest_heads(written: list[dict[int, tuple[int, str]]]) -> None:
    texts, prev, newest = [], "", {}
    for at, line_heads in enumerate(written):
        line = anchor.line(KEY, prev, at, line_heads, at * 2, 0)
        prev, newest = line["mac"], newest | line_heads
        texts += [anchor.canonical(line).decode(), '{"torn']
    told = anchor.read(KEY, texts)
    assert (told.fault, told.lines, told.heads) == (None, len(written), newest)
    assert told.incidents == (len(written) - 1) * 2


@pytest.mark.parametrize("text", ["", "{}", "[1]", "nonsense"])
def test_what_is_no_anchor_is_passed_over(text: str) -> None:
    assert anchor.parse(text) is None
    assert anchor.read(KEY, [text]) == anchor.Anchors()
