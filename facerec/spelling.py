"""Settings that nobody reads because they are misspelt: `TOLERENCE=0.5` would silently mean 0.6.

The environment is shared with the system, with Kubernetes, and with the programs of Redis and RabbitMQ, so that a name that we do
not know is mostly somebody else's. It counts as ours, and is refused, in two cases:

- It begins with FACEREC_, which is nobody else's.
- It looks like one of ours: what is left when the words are taken away that both begin and end with has the same letters, or is
  alike by `CLOSE`. So REDIS_PASWORD is meant for REDIS_PASSWORD, and RABBITMQ_NODE_PORT and REDIS_VERSION are let alone.

Never refused are the variables that Kubernetes makes for each service (REDIS_SERVICE_HOST, FACEREC_PORT_5000_TCP_ADDR), the words
in `OTHERS`, and names without a value.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from difflib import SequenceMatcher, get_close_matches

from facerec.errors import ConfigError

PREFIX = "FACEREC_"
CLOSE = 0.85
"""The ratio of `difflib` from which two words are taken for the same one: a letter more, less or wrong among seven."""
OTHERS = frozenset({"LOGLEVEL", "MODE", "MODES"})
"""Names that look like ours and that other programs read."""
_KUBERNETES = re.compile(r"\w+_(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT_\d+_(TCP|UDP|SCTP)(_\w+)?)")


def check_spelling(environ: Mapping[str, str], known: Collection[str]) -> None:
    """Raises ConfigError that names the first variable that is meant for one of ``known`` and is none of them."""
    for name, value in environ.items():
        if not value or name in known or name in OTHERS or _KUBERNETES.fullmatch(name) or value.startswith("tcp://"):
            continue
        meant = [ours for ours in sorted(known) if _alike(name, ours)]
        if not meant and name.startswith(PREFIX):
            meant = get_close_matches(name, known, 1)
        elif not meant:
            continue
        raise ConfigError(f"{name}: there is no such setting" + (f"; {meant[0]} is meant?" if meant else ""))


def _alike(name: str, ours: str) -> bool:
    left, right = name.split("_"), ours.split("_")
    for end in (0, -1):
        while left and right and left[end] == right[end]:
            del left[end], right[end]
    one, other = "_".join(left), "_".join(right)
    if not one or not other:
        return False
    return sorted(one) == sorted(other) or SequenceMatcher(None, one, other).ratio() >= CLOSE
