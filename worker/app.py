"""The worker put together: which thread does what, how it starts and how it stops.

Threads: the consumer's (owns the connection), intake, one for each engine child, the keeper's (pictures), the committer
(owns the index), the undertaker (retries and dead letters), and the pulse. A job passes through them in that order and is
acknowledged last. The grouper comes after that: it follows the journal.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

from facerec.config import Settings
from facerec.galleries import GallerySets
from facerec.loading import Progress
from facerec.ports import Commits, Consumer, JobPublisher, Workers
from facerec.regeneration import Steps
from facerec.rule import ScanRule
from facerec.services.webhooks import Courier
from worker.committer import Committer
from worker.conductor import Conductor
from worker.enroller import Enroller
from worker.flights import Flight, Flights
from worker.grouper import Grouper
from worker.guard import guarded_thread
from worker.intake import Intake
from worker.interactive import Interactive
from worker.keeper import Keeper, Keeping
from worker.lookout import Lookout
from worker.members import Members
from worker.metrics import WorkerMetrics
from worker.patience import Patience, Stopping
from worker.pool import EnginePool
from worker.postman import Postman
from worker.pulse import Pulse
from worker.regenerator import AsideStore, Regenerator
from worker.undertaker import Undertaker

log = logging.getLogger(__name__)


class Worker:
    """`run` works until `stop` is called, then finishes what it holds within the grace time."""

    def __init__(
        self,
        *,
        name: str,
        settings: Settings,
        consumer: Consumer,
        publisher: JobPublisher,
        commits: Commits,
        rule: ScanRule,
        pool: Callable[[Callable[[], None]], EnginePool],
        workers: Workers,
        keeping: Keeping,
        aside: AsideStore,
        steps: Steps,
        courier: Courier,
        galleries: GallerySets,
        grouper: Callable[[Committer, Callable[[], None]], Grouper],
        metrics: WorkerMetrics,
        dead_letters: Callable[[], int],
        clock: Callable[[], float] = time.time,
    ) -> None:
        own = settings.worker
        self._settings = settings
        self._consumer = consumer
        self._publisher = publisher
        self._rule = rule
        self._stop = threading.Event()
        self._crashed = threading.Event()
        self._loaded = False
        self._patience = Patience()
        self._pool = pool(self.crash)
        self._flights = Flights(metrics.landed)
        self._undertaker = Undertaker(
            consumer=consumer,
            publisher=publisher,
            commits=commits,
            flights=self._flights,
            patience=self._patience,
            attempts=own.attempts,
            base=own.retry_base,
            counted=metrics.counted,
            crashed=self.crash,
        )
        self._committer = Committer(
            rule=rule,
            consumer=consumer,
            flights=self._flights,
            patience=self._patience,
            batch=own.commit_batch,
            again=self._begin_again,
            failed=self._undertaker.failed,
            crashed=self.crash,
        )
        self._grouper = grouper(self._committer, self.crash)
        self._keeper = Keeper(
            keeping=keeping,
            finished=self._committer.finished,
            failed=self._undertaker.failed,
            crashed=self.crash,
            clock=clock,
        )
        enroller = Enroller(
            consumer=consumer,
            pool=self._pool,
            commits=commits,
            flights=self._flights,
            patience=self._patience,
            keeper=self._keeper,
            model=lambda: self._committer.model,
            clock=clock,
        )
        interactive = Interactive(
            consumer=consumer,
            pool=self._pool,
            committer=self._committer,
            model=settings.model,
            tolerance=settings.tolerance,
            members=Members(galleries),
            enroller=enroller,
            clock=clock,
        )
        self._regenerator = Regenerator(
            consumer=consumer,
            pool=self._pool,
            committer=self._committer,
            aside=aside,
            pictures=keeping.store,
            patience=self._patience,
            crashed=self.crash,
        )
        self._conductor = Conductor(
            name,
            steps=steps,
            publisher=publisher,
            workers=workers,
            committer=self._committer,
            crashed=self.crash,
            clock=clock,
        )
        self._intake = Intake(
            consumer=consumer,
            commits=commits,
            pool=self._pool,
            flights=self._flights,
            patience=self._patience,
            undertaker=self._undertaker,
            interactive=interactive.handle,
            keeper=self._keeper,
            regenerate=self._regenerator.take,
            model=lambda: self._committer.model,
            received=metrics.received,
            crashed=self.crash,
        )
        metrics.watch(
            index=self._committer,
            jobs=lambda: len(self._flights),
            children=lambda: self._pool.process_ids,
            waiting=publisher.depth,
            dead=dead_letters,
        )
        self._metrics = metrics
        self._lookout = Lookout(commits=commits, publisher=publisher, seconds=own.lost_after, crashed=self.crash)
        self._postman = Postman(courier, self.crash)
        self._pulse = Pulse(name, workers, self.state, own.health_file)

    def run(self) -> bool:
        """Whether it ended in good order. Raises ModelMissing, EngineFailure when the engine cannot start."""
        self._pool.start()
        self._pulse.start()
        try:
            self._load()
        except Stopping:
            self._pulse.close()
            self._pool.close()
            return True
        for part in (
            self._undertaker,
            self._committer,
            self._keeper,
            self._regenerator,
            self._intake,
            self._lookout,
            self._postman,
            self._conductor,
        ):
            part.start()
        if self._settings.worker.grouping:
            self._grouper.start()
        if self._settings.worker.metrics_port:
            self._metrics.serve(self._settings.worker.metrics_port, self._settings.worker.metrics_host)
        receiving = guarded_thread(self._receive, "consumer", self.crash)
        receiving.start()
        self._pulse.ready()
        self._stop.wait()
        self._wind_down(receiving)
        return not self._crashed.is_set()

    def crash(self) -> None:
        """A part of this worker broke: end, so that the broker gives its jobs to others."""
        self._crashed.set()
        self._patience.give_up()
        self._stop.set()

    def _load(self) -> None:
        log.info(
            "the engine runs on %s in %d processes",
            self._pool.device,
            len(self._pool),
            extra={"action": "engine_ready"},
        )
        self._patience.insist(self._rule.load)
        self._loaded = True
        log.info(
            "%d faces known at journal position %d",
            len(self._rule.index),
            self._rule.index.position,
            extra={"action": "index_ready"},
        )

    def stop(self) -> None:
        """May be called by a signal handler."""
        self._stop.set()
        self._patience_ends_later()

    def state(self) -> dict[str, Any]:
        """What this worker says of itself; ``loading`` until it can work."""
        loading = {} if self._loaded else {"loading": str(self._rule.loading or Progress(0, 0))}
        return {
            "model": (self._committer.model or self._settings.model).name.lower(),
            "device": self._pool.device,
            "processes": len(self._pool),
            "faces": self._committer.known_faces,
            "position": self._committer.position,
            "loaded": dict(zip(("position", "digest"), self._rule.loaded, strict=True)),
            "jobs": len(self._flights),
        } | loading

    def _receive(self) -> None:
        self._consumer.run(self._intake.take)

    def _begin_again(self, flights: Sequence[Flight]) -> None:
        self._intake.begin(flights)

    def _patience_ends_later(self) -> None:
        timer = threading.Timer(self._settings.worker.grace, self._patience.give_up)
        timer.daemon = True
        timer.start()

    def _wind_down(self, receiving: threading.Thread) -> None:
        """Take nothing more, finish what runs, let go of the rest: the broker delivers it again."""
        log.info("stopping with %d jobs", len(self._flights), extra={"action": "stopping"})
        self._consumer.stop()
        self._pool.let_go()
        done = not self._crashed.is_set() and self._flights.wait_empty(self._settings.worker.grace)
        self._grouper.close()
        self._conductor.close()
        self._patience.give_up()
        self._pool.close()
        for part in (self._intake, self._keeper, self._regenerator, self._committer, self._undertaker):
            part.close()
        self._lookout.close()
        self._postman.close()
        self._pulse.close()
        self._consumer.close()
        receiving.join()
        self._publisher.close()
        log.info("stopped; %s", "all jobs done" if done else "some jobs went back", extra={"action": "stopped"})
