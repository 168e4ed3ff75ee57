"""Contacts: how well they are recognised, and how long it takes.

    python -m benchmarks.contacts [--splits N] [--contacts N] [--faces N] [--only people|speed]

People (needs lfw100, see tests/pictures.py): of each of ten persons five pictures are enrolled and the other five are probes, with
the first five, the last five, and N random fives enrolled. Then, for each of these, five of the ten persons are contacts and the
other five strangers, in all 252 ways. The table shows by ``recognition_confidence`` how many probes of contacts get the right
answer and how many strangers get none; ``cross-validated`` takes the deciding distance from five persons and measures on others.

Speed (an engine that answers at once, the whole service): 100 faces in one call against 100 calls, and recognition among 1 000
contacts with 20 faces each. The last line is JSON.
"""

from __future__ import annotations

import argparse
import itertools
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import requests
from numpy.typing import NDArray

from benchmarks.common import print_json, print_table, private_servers, timed
from facerec.adapters.redis import RedisAdmissions, RedisCommits, RedisDatabases, RedisJournal
from facerec.engine import EngineOptions, open_engine
from facerec.engine.fake import FakeEngine
from facerec.faces import Encoding, Model
from facerec.identity import image_hash
from facerec.jobs import ScanJob
from facerec.rule import ScanRule, to_scanned
from facerec.services.contacts_rule import MIDDLE, Ranked, confidence, nearest_contacts, representatives
from tests import pictures
from tests.conftest import rabbit_settings_of, redis_settings_of
from tests.contact_worlds import face, web
from tests.drawings import showing
from tests.stack import Stack

PERSONS, PICTURES, ENROLLED = 10, 10, 5
CONFIDENCES = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95)
PLAIN = 0.6
BATCH = 64
Portraits = list[list[Encoding]]
Distances = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Trial:
    """One choice of enrolled pictures. ``far`` has the distance of each probe (rows) to each person (columns), ``persons``
    says whose the probes are."""

    far: Distances
    persons: NDArray[np.int64]

    def outcome(self, contacts: Sequence[int]) -> tuple[Distances, NDArray[np.bool_], Distances]:
        """With these as contacts: distances of their probes and which are nearest to the right one; distances of strangers."""
        columns = np.array(contacts)
        some = self.far[:, columns]
        best, nearest = some.min(axis=1), columns[some.argmin(axis=1)]
        known = np.isin(self.persons, columns)
        return best[known], (nearest == self.persons)[known], best[~known]


def encode() -> Portraits:
    """The largest face of each picture of lfw100."""
    engine = open_engine(Model.HOG, EngineOptions(), pictures.ROOT / ".cache" / "models")
    people = []
    for paths in pictures.lfw100().values():
        found = [engine.faces(path.read_bytes()).faces for path in paths]
        people.append([max(faces, key=lambda one: one.box.area).encoding for faces in found])
    return people


def trial(people: Portraits, enrolled: Sequence[NDArray[np.int64]], *, all_faces: bool = False) -> Trial:
    """Enroll these pictures of each person; with ``all_faces`` every one is searched, not only representatives."""
    probes = [
        (person, n) for person in range(PERSONS) for n in range(PICTURES) if n not in set(enrolled[person].tolist())
    ]
    far = np.empty((len(probes), PERSONS))
    for person in range(PERSONS):
        ranked = [Ranked(int(n), 0.0, 0, people[person][n]) for n in enrolled[person]]
        leaders = {one.id for one in ranked} if all_faces else set(representatives(ranked).values())
        rows = np.stack([people[person][n] for n in sorted(leaders)])
        for row, (whose, n) in enumerate(probes):
            far[row, person] = nearest_contacts(people[whose][n], rows, [0] * len(rows))[0].distance
    return Trial(far, np.array([person for person, _ in probes]))


def choices(splits: int) -> list[list[NDArray[np.int64]]]:
    """Enrolled pictures by person: the first five, the last five, then random ones."""
    random = np.random.default_rng(7)
    fixed = [[np.arange(ENROLLED)] * PERSONS, [np.arange(ENROLLED, PICTURES)] * PERSONS]
    return fixed + [[np.sort(random.permutation(PICTURES)[:ENROLLED]) for _ in range(PERSONS)] for _ in range(splits)]


def rates(trials: Sequence[Trial], limit: float) -> tuple[float, float, float]:
    """Over all splits of the persons: share of right answers, mean and worst share of strangers without an answer."""
    right, rejected = [], []
    for one in trials:
        for contacts in itertools.combinations(range(PERSONS), PERSONS // 2):
            near, is_right, strangers = one.outcome(contacts)
            right.append(np.mean(is_right & (near <= limit)))
            rejected.append(np.mean(strangers > limit))
    return float(np.mean(right)), float(np.mean(rejected)), float(np.min(rejected))


def limit_at(level: float) -> float:
    """The distance of a confidence."""
    low, high = 0.0, 2.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if confidence(middle) >= level else (low, middle)
    return low


def best_limit(one: Trial, persons: Sequence[int]) -> float:
    """The middle between the farthest probe of these persons and the nearest stranger among them: what five people teach."""
    inside = np.isin(one.persons, persons)
    own = one.far[inside, one.persons[inside]]
    others = [
        one.far[row, person] for row in np.flatnonzero(inside) for person in persons if person != one.persons[row]
    ]
    return float((own.max() + min(others)) / 2)


def cross_validated(trials: Sequence[Trial]) -> tuple[float, float]:
    """Each five persons teach the limit; of the other five, each is once a stranger to the other four."""
    right, rejected = [], []
    for one in trials:
        for teachers in itertools.combinations(range(PERSONS), PERSONS // 2):
            limit = best_limit(one, teachers)
            others = [person for person in range(PERSONS) if person not in teachers]
            for stranger in others:
                contacts = [person for person in others if person != stranger]
                near, is_right, far = one.outcome(contacts)
                theirs = np.array([person == stranger for person in one.persons if person not in contacts])
                right.append(np.mean(is_right & (near <= limit)))
                rejected.append(np.mean(far[theirs] > limit))
    return float(np.mean(right)), float(np.mean(rejected))


def people_part(splits: int) -> dict[str, float]:
    if not pictures.lfw100():
        raise SystemExit("no lfw100 here: name its parent folder in FACEREC_FACES")
    people = encode()
    chosen = choices(splits)
    trials = [trial(people, enrolled) for enrolled in chosen]
    plain = [trial(people, enrolled, all_faces=True) for enrolled in chosen]
    first = [float(np.mean(one.far.argmin(axis=1) == one.persons)) for one in trials]
    rows = [_row(f"confidence {level:.2f}", trials, limit_at(level)) for level in CONFIDENCES]
    rows.append(_row("plain nearest neighbour", plain, PLAIN))
    print_table(rows, ("decided at", "distance", "right of contacts", "strangers rejected", "worst split"))
    right, rejected, worst = rates(trials, MIDDLE)
    fixed = rates(trials[:2], MIDDLE)
    validated = cross_validated(trials)
    print(
        f"\nright first answers among ten contacts: {min(first) * 50:.0f} to 50 of 50, mean {np.mean(first) * 50:.2f}"
    )
    print(f"cross-validated: {validated[0]:.2%} of contacts right, {validated[1]:.2%} of strangers rejected\n")
    return {
        "first_of_50": round(float(np.mean(first)) * 50, 2),
        "right_of_50_at_half": round(right * 50, 2),
        "strangers_rejected_at_half": round(rejected, 4),
        "strangers_rejected_worst_split": round(worst, 4),
        "right_of_50_first_and_last_five": round(fixed[0] * 50, 2),
        "rejected_first_and_last_five": round(fixed[1], 4),
        "cross_validated_right_of_50": round(validated[0] * 50, 2),
        "cross_validated_rejected": round(validated[1], 4),
    }


def _row(name: str, trials: Sequence[Trial], limit: float) -> tuple[str, ...]:
    right, rejected, worst = rates(trials, limit)
    return name, f"{limit:.3f}", f"{right:.2%}", f"{rejected:.2%}", f"{worst:.2%}"


# ---------------------------------------------------------------- speed


def speed_part(contacts: int, faces: int) -> dict[str, float]:
    bodies = {f"{kind}-{n}.png": showing(f"person {n % 5}") for kind in "abp" for n in range(100)}
    with private_servers() as (redis, rabbit, folder), web(bodies) as address:
        databases = RedisDatabases(redis_settings_of(redis))
        known = known_pictures(databases, contacts, faces)
        settings = {"ENGINE": "fake", "ALLOW_FETCH_FROM": "127.0.0.0/8", "LOG_LEVEL": "WARNING"}
        with Stack(redis_settings_of(redis), rabbit_settings_of(rabbit), Path(folder), **settings) as stack:
            result = batches(stack, address)
            result |= crowd(stack, known, address)
        databases.close()
    print_table([(name, f"{value:.4g}") for name, value in result.items()], ("what", ""))
    return result


def batches(stack: Stack, address: str) -> dict[str, float]:
    """Seconds for 100 faces in one call and in 100 calls."""
    one = [face(1, 1, n, f"{address}a-{n}.png") for n in range(100)]
    many = [face(2, 1, n, f"{address}b-{n}.png") for n in range(100)]
    together = timed(lambda: add(stack, 1, 1, one))
    singly = timed(lambda: [add(stack, 2, 1, [each]) for each in many])
    return {"one_call_s": together, "hundred_calls_s": singly, "one_call_speedup": singly / together}


def crowd(stack: Stack, known: Sequence[Sequence[str]], address: str) -> dict[str, float]:
    """Seconds to add a contact's faces with few and with many other contacts, and to recognise among all.

    After a change the representatives are read anew; a picture that was scanned before need not be fetched and looked at.
    """
    adding = []
    for contact, urls in enumerate(known):
        faces = [face(3, contact, n, url, score=n / 100) for n, url in enumerate(urls)]
        adding.append(timed(partial(add, stack, 3, contact, faces)))
    edge = max(1, min(100, len(adding) // 4))
    first = timed(partial(recognize, stack, f"{address}a-0.png"))
    known_pictures_wait = [timed(partial(recognize, stack, f"{address}a-{n}.png")) for n in range(1, 25)]
    waits = [timed(partial(recognize, stack, f"{address}p-{n}.png")) for n in range(25)]
    return {
        "add_among_few_s": statistics.median(adding[:edge]),
        "add_among_all_s": statistics.median(adding[-edge:]),
        "recognize_after_change_s": first,
        "recognize_known_picture_s": statistics.median(known_pictures_wait),
        "recognize_s": statistics.median(waits),
    }


def add(stack: Stack, user: int, contact: int, faces: Sequence[dict[str, Any]]) -> None:
    answer = stack.session.post(
        f"{stack.url}/users/{user}/contacts/{contact}/faces", json={"faces": faces}, timeout=300
    )
    assert len(answer.json()["added"]) == len(faces), answer.text


def recognize(stack: Stack, url: str) -> None:
    answer: requests.Response = stack.session.post(
        f"{stack.url}/users/3/recognize", json={"face_url": url}, timeout=300
    )
    assert len(answer.json()) == 3, answer.text


def known_pictures(databases: RedisDatabases, contacts: int, faces: int) -> list[list[str]]:
    """URLs by contact whose pictures were scanned before, so that adding them fetches nothing."""
    admissions, commits, engine = RedisAdmissions(databases), RedisCommits(databases), FakeEngine()
    rule = ScanRule(commits, RedisJournal(databases), 0.6)
    rule.load()
    names = [[f"http://known.test/{contact}/{n}" for n in range(faces)] for contact in range(contacts)]
    flat = [(contact, name) for contact, urls in enumerate(names) for name in urls]
    for start in range(0, len(flat), BATCH):
        jobs = []
        for contact, name in flat[start : start + BATCH]:
            body = b'FACES:{"faces": [{"person": "contact %d"}], "name": "%s"}' % (contact, name.encode())
            digest = image_hash(body)
            jobs.append(ScanJob("default", digest, name, admissions.admit("default", digest, name).ticket, 0.0, body))
        starts = commits.begin(jobs)
        rule.finish(
            [
                to_scanned(job, begun.image_ticket, engine.faces(job.body))
                for job, begun in zip(jobs, starts, strict=True)
            ]
        )
    return names


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--splits", type=int, default=20)
    parser.add_argument("--contacts", type=int, default=1000)
    parser.add_argument("--faces", type=int, default=20)
    parser.add_argument("--only", choices=("people", "speed"))
    options = parser.parse_args()
    result: dict[str, float] = {}
    if options.only != "speed":
        result |= people_part(options.splits)
    if options.only != "people":
        result |= speed_part(options.contacts, options.faces)
    print_json({name: round(value, 5) for name, value in result.items()})


if __name__ == "__main__":
    main()
