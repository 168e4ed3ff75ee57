"""For schemathesis, which imports this: requests that are answered well, beside those that it makes up; and what was answered well.

A photo that shows a face cannot be made up, so of some operations only luck would see more than refusals. The file that
FINDFACE_ACCEPTED names holds, for the label of an operation, what `schemathesis.Case` takes. The label of each operation that
was answered well goes to the file that FINDFACE_ANSWERED names, a line each.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import requests
import schemathesis

ACCEPTED = json.loads(Path(os.environ["FINDFACE_ACCEPTED"]).read_text(encoding="utf-8"))
ANSWERED = Path(os.environ["FINDFACE_ANSWERED"])
_answered: set[str] = set()


@schemathesis.hook
def before_add_examples(context: schemathesis.HookContext, examples: list[schemathesis.Case]) -> None:
    if context.operation is not None and (accepted := ACCEPTED.get(context.operation.label)):
        examples.append(context.operation.Case(media_type="application/json", **accepted))


@schemathesis.hook
def after_call(_context: schemathesis.HookContext, case: schemathesis.Case, response: requests.Response) -> None:
    label = case.operation.label
    if response.status_code < 300 and case.method.upper() == case.operation.method.upper() and label not in _answered:
        _answered.add(label)
        with ANSWERED.open("a", encoding="utf-8") as lines:
            lines.write(f"{label}\n")
