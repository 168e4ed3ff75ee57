"""``python -m benchmarks.ledger --minutes M --seed S``: the fault proof.

Clients post unique pictures without pause; the nemesis lets some calm pass, then makes a fault, then mends it. In the end
everything is mended, all that was accepted must end, and the books are balanced. The seed says which faults and pictures come.
`picture_store_full` wants to be run by root and is left out otherwise, which is said.
"""

from __future__ import annotations

import argparse
import random
import signal
import sys
import threading
import time

from benchmarks.common import print_json, print_table, private_servers
from benchmarks.ledger.balance import Balance, balance
from benchmarks.ledger.clients import Book, Client
from benchmarks.ledger.faults import FAULTS, unavailable
from benchmarks.ledger.world import World, settle
from facerec.adapters.redis import RedisAudit, RedisJournal, RedisRepairs
from facerec.adapters.redis.layout import OWN
from facerec.config import Settings
from facerec.services.fsck import Fsck, Report
from facerec.services.links import LinkCheck

SETTLING = 240.0


def main() -> int:
    parser = argparse.ArgumentParser(description="Prove that nothing is lost.")
    parser.add_argument("--minutes", type=float, default=2.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--clients", type=int, default=6)
    parser.add_argument("--rate", type=float, default=5.0, help="pictures a second of each client")
    parser.add_argument("--fault", choices=sorted(FAULTS), help="this fault alone")
    parser.add_argument("--without", choices=sorted(FAULTS), action="append", default=[], help="not this fault")
    parser.add_argument("--calm", type=float, default=3.0, help="seconds before each fault")
    parser.add_argument("--storm", type=float, default=4.0, help="seconds that a fault lasts")
    options = parser.parse_args()
    # Whatever ends it, what was mounted and started does not stay.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    with private_servers() as (redis, rabbit, folder), World(redis, rabbit, folder, options.seed) as world:
        book = Book()
        faults = run(world, book, options)
        accepted = {entry.hash for entry in book.accepted()}
        open_hashes = settle(world, accepted, SETTLING)
        settle(world, {entry.hash for entry in book.entries} & stored(world), 60)
        if open_hashes:
            print(f"{len(open_hashes)} images did not end: {sorted(open_hashes)[:20]}")
        result = balance(book, world.databases)
        report = fsck(world)
    return tell(options.seed, faults, result, report)


def run(world: World, book: Book, options: argparse.Namespace) -> list[str]:
    """Post and make faults for the time given; the faults in their order."""
    clients = [Client(world.stack.url, book, number, options.seed, options.rate) for number in range(options.clients)]
    for client in clients:
        client.start()
    try:
        return nemesis(world, options)
    finally:
        for client in clients:
            client.stop()
        for client in clients:
            client.join()


def nemesis(world: World, options: argparse.Namespace) -> list[str]:
    """Every fault in an order that the seed says, again and again."""
    without = unavailable(world)
    for name, why in without.items():
        print(f"left out: {name}: {why}", flush=True)
    if options.fault in without:
        raise SystemExit(f"{options.fault} cannot be made here")
    chance = random.Random(options.seed)
    end = time.monotonic() + 60 * options.minutes
    pause = threading.Event()
    made: list[str] = []
    left: list[str] = []
    while time.monotonic() < end:
        pause.wait(options.calm * chance.uniform(0.5, 1.5))
        wanted = sorted(FAULTS.keys() - without.keys() - set(options.without))
        left = left or chance.sample(wanted, len(wanted))
        name = options.fault or left.pop()
        print(f"{len(made) + 1:4}  {name}", flush=True)
        with FAULTS[name](world):
            pause.wait(options.storm * chance.uniform(0.3, 1.7))
        made.append(name)
        world.mend()
    return made


def stored(world: World) -> set[str]:
    return {key.decode() for key in world.databases.client(OWN).zrange("images", 0, -1)}


def fsck(world: World) -> Report:
    """Every invariant of the store."""
    audit = RedisAudit(world.databases)
    links = LinkCheck(audit, RedisJournal(world.databases), Settings().tolerance)
    return Fsck(audit, RedisRepairs(world.databases), links).run()


def tell(seed: int, faults: list[str], result: Balance, report: Report) -> int:
    """Print the balance; the exit status."""
    print_table([(name, faults.count(name)) for name in sorted(set(faults))], ("fault", "times"))
    print("answers:", result.answers)
    print("answers to erasures:", result.erasures)
    print("reasons of failure:", result.reasons)
    for line in [f"lost: {what}" for what in result.lost] + [f"unexpected: {what}" for what in result.unexpected]:
        print(line)
    total = max(1, result.accepted)
    # Only a queue that is deleted takes jobs away.
    falsely = result.outages + (0 if "queue_deleted" in faults else result.called_lost)
    print_table(
        [
            ("ok", f"{(result.done + result.failed) / total:.6f}"),
            ("lost", f"{len(result.lost) / total:.6f}"),
            ("unexpected", f"{len(result.unexpected) / total:.6f}"),
            ("recovered", f"{result.recovered / total:.6f}"),
        ],
        ("fraction of accepted", ""),
    )
    print_json(
        {
            "seed": seed,
            "faults": len(faults),
            "accepted": result.accepted,
            "done": result.done,
            "failed": result.failed,
            "lost": len(result.lost),
            "falsely_lost": falsely,
            "unexpected": len(result.unexpected),
            "recovered": result.recovered,
            "redelivered": result.redelivered,
            "fsck": "clean" if report.clean else report.document()["faults"][:20],
        }
    )
    return 1 if result.lost or falsely or result.unexpected or not report.clean else 0


if __name__ == "__main__":
    sys.exit(main())
