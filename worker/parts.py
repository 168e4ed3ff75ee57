"""The parts of a worker, each made with what it needs of the others."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

from facerec.config import Settings
from facerec.galleries import GallerySets
from facerec.ports import Commits, Consumer, JobPublisher, LetterIndex, Workers
from facerec.regeneration import Steps
from facerec.rule import ScanRule
from facerec.services.dead import LetterBox
from facerec.services.webhooks import Courier
from facerec.services.write_check import WriteChecks
from worker.committer import Committer
from worker.conductor import Conductor
from worker.enroller import Enroller
from worker.flights import Flight, Flights
from worker.grouper import Grouper
from worker.intake import Intake
from worker.interactive import Interactive
from worker.keeper import Keeper, Keeping
from worker.lookout import Lookout
from worker.members import Members
from worker.metrics import WorkerMetrics
from worker.patience import Patience
from worker.pool import EnginePool
from worker.postman import Postman
from worker.regenerator import AsideStore, Regenerator
from worker.undertaker import Undertaker

Crash = Callable[[], None]


@dataclass(frozen=True, kw_only=True)
class Surroundings:
    """What a worker is given: its name, its settings, and all that lies outside of it."""

    name: str
    settings: Settings
    consumer: Consumer
    publisher: JobPublisher
    commits: Commits
    rule: ScanRule
    pool: Callable[[Crash], EnginePool]
    workers: Workers
    keeping: Keeping
    aside: AsideStore
    steps: Steps
    courier: Courier
    galleries: GallerySets
    grouper: Callable[[Committer, Crash], Grouper]
    metrics: WorkerMetrics
    letters: LetterIndex
    letter_box: LetterBox
    writes: WriteChecks
    clock: Callable[[], float] = time.time


class Parts:
    """Each part is made when it is first asked for; whoever has ``crash`` calls it when it breaks."""

    def __init__(self, around: Surroundings, crash: Crash) -> None:
        self._around = around
        self._crash = crash
        self.patience = Patience()

    @property
    def line(self) -> tuple[Undertaker, Committer, Keeper, Regenerator, Intake]:
        """What jobs pass through, in reverse: nobody begins before those to whom it hands over."""
        return self.undertaker, self.committer, self.keeper, self.regenerator, self.intake

    @cached_property
    def pool(self) -> EnginePool:
        return self._around.pool(self._crash)

    @cached_property
    def flights(self) -> Flights:
        return Flights(self._around.metrics.landed)

    @cached_property
    def intake(self) -> Intake:
        return Intake(
            consumer=self._around.consumer,
            commits=self._around.commits,
            pool=self.pool,
            flights=self.flights,
            patience=self.patience,
            undertaker=self.undertaker,
            interactive=self._interactive.handle,
            keeper=self.keeper,
            regenerate=self.regenerator.take,
            model=lambda: self.committer.model,
            received=self._around.metrics.received,
            crashed=self._crash,
        )

    @cached_property
    def keeper(self) -> Keeper:
        return Keeper(
            keeping=self._around.keeping,
            finished=self.committer.finished,
            failed=self.undertaker.failed,
            crashed=self._crash,
            patience=self.patience,
            clock=self._around.clock,
        )

    @cached_property
    def committer(self) -> Committer:
        return Committer(
            rule=self._around.rule,
            consumer=self._around.consumer,
            flights=self.flights,
            patience=self.patience,
            batch=self._around.settings.worker.commit_batch,
            again=self._begin_again,
            failed=self.undertaker.failed,
            crashed=self._crash,
        )

    def _begin_again(self, flights: Sequence[Flight]) -> None:
        # The intake hands over to the committer: it is made after it.
        self.intake.begin(flights)

    @cached_property
    def undertaker(self) -> Undertaker:
        own = self._around.settings.worker
        return Undertaker(
            consumer=self._around.consumer,
            publisher=self._around.publisher,
            commits=self._around.commits,
            letters=self._around.letters,
            flights=self.flights,
            patience=self.patience,
            attempts=own.attempts,
            base=own.retry_base,
            counted=self._around.metrics.counted,
            crashed=self._crash,
        )

    @cached_property
    def grouper(self) -> Grouper:
        return self._around.grouper(self.committer, self._crash)

    @cached_property
    def regenerator(self) -> Regenerator:
        return Regenerator(
            consumer=self._around.consumer,
            pool=self.pool,
            committer=self.committer,
            aside=self._around.aside,
            pictures=self._around.keeping.store,
            patience=self.patience,
            crashed=self._crash,
        )

    @cached_property
    def conductor(self) -> Conductor:
        return Conductor(
            self._around.name,
            steps=self._around.steps,
            publisher=self._around.publisher,
            workers=self._around.workers,
            committer=self.committer,
            crashed=self._crash,
            clock=self._around.clock,
        )

    @cached_property
    def lookout(self) -> Lookout:
        return Lookout(
            commits=self._around.commits,
            in_hand=self.flights.jobs,
            publisher=self._around.publisher,
            workers=self._around.workers,
            seconds=self._around.settings.worker.lost_after,
            crashed=self._crash,
        )

    @cached_property
    def postman(self) -> Postman:
        return Postman(self._around.courier, self._crash)

    @cached_property
    def _interactive(self) -> Interactive:
        return Interactive(
            consumer=self._around.consumer,
            pool=self.pool,
            committer=self.committer,
            model=self._around.settings.model,
            tolerance=self._around.settings.tolerance,
            members=Members(self._around.galleries),
            enroller=self._enroller,
            clock=self._around.clock,
        )

    @cached_property
    def _enroller(self) -> Enroller:
        return Enroller(
            consumer=self._around.consumer,
            pool=self.pool,
            commits=self._around.commits,
            flights=self.flights,
            patience=self.patience,
            keeper=self.keeper,
            failed=self.undertaker.failed,
            restored=self.committer.finished,
            model=lambda: self.committer.model,
            clock=self._around.clock,
        )
