"""Balancing the books: what was promised against what is in the databases."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from benchmarks.ledger.clients import ERASURE, Book, Posted
from facerec.adapters.redis import RedisDatabases
from facerec.adapters.redis.layout import HASH_TO_NAMES, LINKS, OWN

REFUSED = (400, 413, 415, 422)


@dataclass(frozen=True)
class Balance:
    """Numbers of images, not of posts, but for ``answers``."""

    answers: dict[int, int]
    erasures: dict[int, int]
    accepted: int
    done: int
    failed: int
    called_lost: int
    """Accepted, and failed with JOB_LOST."""
    outages: int
    """Accepted, and failed because a part of the system was away."""
    reasons: dict[str, int]
    lost: list[str]
    unexpected: list[str]
    recovered: int
    redelivered: int


def balance(book: Book, databases: RedisDatabases) -> Balance:
    """Compare the book with the databases, once all has ended."""
    accepted = {entry.hash for entry in book.accepted()}
    states = {image_hash: document(databases, image_hash) for image_hash in {entry.hash for entry in book.entries}}
    done = {image_hash for image_hash, found in states.items() if found.get("state") == "done"}
    failed = {
        image_hash for image_hash, found in states.items() if found.get("state") == "failed" and found.get("code")
    }
    lost = sorted(accepted - done - failed) + missing_names(book, databases, done)
    return Balance(
        answers=dict(sorted(Counter(entry.answer for entry in book.entries if entry.kind != ERASURE).items())),
        erasures=dict(sorted(Counter(entry.answer for entry in book.entries if entry.kind == ERASURE).items())),
        accepted=len(accepted),
        done=len(accepted & done),
        failed=len(accepted & failed),
        called_lost=sum(1 for image_hash in accepted & failed if states[image_hash]["code"] == "JOB_LOST"),
        outages=sum(1 for image_hash in accepted & failed if states[image_hash]["code"] == "SERVICE_UNAVAILABLE"),
        reasons=dict(Counter(states[image_hash]["code"] for image_hash in failed)),
        lost=lost,
        unexpected=unexpected(book, databases, done, failed),
        recovered=len((done | failed) - accepted),
        redelivered=sum(1 for found in states.values() if int(found.get("attempts", 0)) > 1),
    )


def document(databases: RedisDatabases, image_hash: str) -> dict[str, str]:
    found = databases.client(OWN).hgetall(f"image:{image_hash}")
    return {name.decode(): value.decode() for name, value in found.items()}


def missing_names(book: Book, databases: RedisDatabases, done: set[str]) -> list[str]:
    """Names of accepted posts that their finished image does not bear."""
    names = databases.client(HASH_TO_NAMES)
    return [
        f"the name {entry.name} of {entry.hash}"
        for entry in book.accepted()
        if entry.hash in done and not names.sismember(entry.hash, entry.name)
    ]


def unexpected(book: Book, databases: RedisDatabases, done: set[str], failed: set[str]) -> list[str]:
    """What should not be there: images that were refused or never sent, bad pictures that are done, wrong links."""
    sent = {entry.hash: entry for entry in book.entries}
    refused = {entry.hash for entry in book.answered(*REFUSED)}
    stored = {key.decode() for key in databases.client(OWN).zrange("images", 0, -1)}
    strange = [f"{key} was never sent" for key in stored - sent.keys()]
    strange += [f"{key} was refused and is there" for key in stored & refused]
    strange += [
        f"{key} is {sent[key].kind} and done" for key in done if sent[key].kind in {"broken", "killer", "hanging"}
    ]
    strange += [f"{key} is neither done nor failed" for key in stored - done - failed - refused]
    return strange + wrong_links(sent, databases, done)


def wrong_links(sent: dict[str, Posted], databases: RedisDatabases, done: set[str]) -> list[str]:
    """Images that are not linked with exactly the other finished images of the same person."""
    by_person: dict[str, set[str]] = {}
    for key in done:
        if sent[key].person:
            by_person.setdefault(sent[key].person, set()).add(key)
    wrong = []
    for key in done:
        expected = by_person.get(sent[key].person, set()) - {key}
        found = {other.decode() for other in databases.client(LINKS).smembers(key)}
        if found != expected:
            wrong.append(f"{key}: {len(expected - found)} links missing, {len(found - expected)} wrong")
    return wrong
