"""Is a mail one that a machine wrote? Such mail is kept and shown, but never moves, reopens or reassigns a ticket."""

from __future__ import annotations

from collections.abc import Mapping

_BULK = ("bulk", "junk", "list", "auto_reply")
_PRESENT = ("x-autoreply", "x-autorespond", "x-auto-response-suppress", "list-id", "x-failed-recipients")
_ROBOTS = ("mailer-daemon@", "postmaster@", "no-reply@", "noreply@", "donotreply@")


def why_automatic(headers: Mapping[str, str], envelope_sender: str | None = None) -> str:
    """Why this mail counts as automatic, as a sentence; "" for a person's. headers: any case.

    RFC 3834 (Auto-Submitted), RFC 3464 (reports of delivery), RFC 2919 (lists), and what Exchange and others write.
    envelope_sender: of MAIL FROM; "" is that of a bounce (RFC 5321, 4.5.5), None is unknown.
    """
    known = {name.lower(): value.strip().lower() for name, value in headers.items()}
    submitted = known.get("auto-submitted", "no").split(";")[0].strip()
    if submitted != "no":
        return f"Auto-Submitted: {submitted[:40]}."
    if envelope_sender == "" or known.get("return-path") == "<>":
        return "It has no sender to answer to: a bounce."
    if known.get("content-type", "").startswith("multipart/report"):
        return "It is a report about a delivery."
    if known.get("precedence", "") in _BULK:
        return f"Precedence: {known['precedence']}."
    if found := next((name for name in _PRESENT if name in known), ""):
        return f"It carries {found}."
    if known.get("from", "").rpartition("<")[2].startswith(_ROBOTS):
        return "Its sender is a machine."
    return ""
