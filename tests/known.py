"""A worker's index asked without a broker."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from facerec.faces import Model
from facerec.index import FaceIndex
from facerec.jobs import Reply, Request
from facerec.rule import ScanRule
from worker.interactive import matches_document, matches_in, model_of, models_of, probes_of, set_of


class IndexRequester:
    """`facerec.ports.Requester` that answers the verb ``matches`` itself, as a worker would."""

    def __init__(self, rule: ScanRule, tolerance: float) -> None:
        self._rule = rule
        self._tolerance = tolerance

    def call(self, request: Request, is_gone: Callable[[], bool] = lambda: False) -> Reply:
        request = Request.from_message(request.headers, request.body, 0.0)
        if not self._rule.catch_up():
            self._rule.load()
        asked = set_of(request.parameters)
        assert asked is not None
        index = self._rule.sets.index_for(asked)
        if request.verb == "search":
            return Reply(True, self._search(request, index))
        assert request.verb == "matches"
        probes = probes_of(request.body)
        models = models_of(request.parameters, len(probes), Model.HOG)
        pairs = matches_in(index, request.owner, models, probes, self._tolerance)
        return Reply(True, matches_document(pairs, request.parameters))

    def _search(self, request: Request, index: FaceIndex) -> dict[str, Any]:
        count, limit = int(request.parameters["count"]), float(request.parameters["limit"])
        model = model_of(request.parameters)
        assert model is not None
        found = [index.nearest(request.owner, model, probe, count, limit) for probe in probes_of(request.body)]
        return {"probes": [[{"face_id": hit.face_id, "distance": hit.distance} for hit in hits] for hits in found]}

    def close(self) -> None:
        pass
