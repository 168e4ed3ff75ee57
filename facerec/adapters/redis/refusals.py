"""What an error of the Redis client means: wait for the server, or a fault of our own.

Everything is waited for but what is known to be our own fault: a server that is full, busy, loading, read-only or in a way that
this release has not heard of may be well again soon, and no picture is to blame for it.
"""

from __future__ import annotations

import re

import redis
from redis.exceptions import DataError, ResponseError

from facerec.errors import InternalError, StoreRefusesWrites, StoreUnavailable

_NO_WRITES = {
    "OOM": "its memory is full",
    "MISCONF": "it cannot save to its disk",
    "READONLY": "it is a replica",
    "NOREPLICAS": "too few replicas follow it",
}
"""While it refuses so, it answers all who only read."""
_NO_ANSWERS = {"BUSY": "a script holds it up", "MASTERDOWN": "it is a replica without a primary"}
_OWN_CODES = {"WRONGTYPE", "NOSCRIPT"}
"""NOSCRIPT arrives here only when the script was loaded right before."""
_OWN_FAULTS = re.compile(
    # A script that broke, as on a document that another hand has changed; one that a person stopped is told in other words.
    r"user_script:\d+: |Error compiling script|Write commands are not allowed from read-only scripts"
    # A command that does not exist or lacks something.
    r"|syntax error|unknown (sub)?command|Unknown Redis command|wrong number of arg|Wrong number of arg"
    r"|Lua redis lib command arguments must be|Please specify at least one argument|Number of keys"
    # A value that a command cannot take, or a stored one that it cannot work with.
    r"|value is not|hash value is not|min or max is not|min or max not|would overflow|would produce NaN|is not a number \(NaN\)"
    r"|Invalid stream ID|The ID specified in X|invalid cursor|[Ii]nvalid expire|no such key|index out of range"
    r"|string exceeds maximum"
)
"""How replies with the code ERR begin that no waiting cures."""
_OF_PIPELINE = re.compile(r"Command # \d+ \(.*\) of pipeline caused error: ", re.DOTALL)
"""What the client writes before a reply: it repeats what was sent."""
_WHERE = re.compile(r" script: [0-9a-f]{40}, on @?user_script:\d+\.$")
"""What the server writes behind a reply to a script."""
_LINE = re.compile(r"@?user_script:\d+: ")
_CODE = re.compile(r"([A-Z]+) ")


def error_of(error: redis.RedisError) -> StoreUnavailable | InternalError:
    """Ours for one of the client. Its reason holds nothing of what was sent, and neither hash nor line of a script."""
    if isinstance(error, DataError):
        return InternalError(f"Redis was to be sent what it cannot take: {error}")
    if not isinstance(error, ResponseError):
        return StoreUnavailable(f"Redis: {error}")
    code, text = _reply(error)
    told = _LINE.sub("a script: ", text) if code == "ERR" else f"{code} {text}"
    if code in _OWN_CODES or (code == "ERR" and _OWN_FAULTS.match(text)):
        return InternalError(f"Redis refused a command: {told}")
    if code in _NO_WRITES:
        return StoreRefusesWrites(f"Redis takes no writes, because {_NO_WRITES[code]}: {told}")
    if code in _NO_ANSWERS:
        return StoreUnavailable(f"Redis answers nobody, because {_NO_ANSWERS[code]}: {told}")
    return StoreUnavailable(f"Redis: {told}")


def _reply(error: ResponseError) -> tuple[str, str]:
    """The code of a reply, and what it says. The client takes the codes that it knows out of the text."""
    text = _WHERE.sub("", _OF_PIPELINE.sub("", str(error), count=1))
    if error.status_code:
        return error.status_code, text
    found = _CODE.match(text)
    return (found[1], text[found.end() :]) if found else ("ERR", text)
