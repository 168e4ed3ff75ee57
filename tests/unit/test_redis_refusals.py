"""What a reply of Redis means: everything is waited for but what is known to be our own fault."""

from __future__ import annotations

import pytest
import redis
from redis._parsers.base import BaseParser

from facerec.adapters.redis.connection import mapped_errors
from facerec.errors import InternalError, StoreUnavailable

SHA = "ff967d0ae0e68b4f9e360fa91c54598bc25ad9b6"
WHERE = f" script: {SHA}, on @user_script:17."


def reason_of(kind: type[Exception], error: Exception) -> str:
    with pytest.raises(kind) as raised, mapped_errors():
        raise error
    return str(raised.value)


def answered(reply: str) -> Exception:
    """What the client makes of a reply."""
    error: Exception = BaseParser.parse_error(reply)
    return error


@pytest.mark.parametrize(
    "reply",
    [
        "MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to disk.",
        "MISCONF Errors writing to the AOF file: No space left on device",
        "MISCONF said in the words of another release",
        "BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.",
        "LOADING Redis is loading the dataset in memory",
        "OOM command not allowed when used memory > 'maxmemory'.",
        "READONLY You can't write against a read only replica.",
        "NOREPLICAS Not enough good replicas to write.",
        "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.",
        "TRYAGAIN Multiple keys request during rehashing of slot",
        "CLUSTERDOWN The cluster is down",
        "NOPERM this user has no permissions to run the 'set' command",
        "NOAUTH Authentication required.",
        "UNBLOCKED force unblock from blocking operation, instance state changed (master -> replica?)",
        "EXECABORT Transaction discarded because of previous errors.",
        "ERR max number of clients reached",
        "ERR WAIT cannot be used with replica instances.",
        "ERR Script killed by user with SCRIPT KILL..." + WHERE,
        "ERR The user executing the script can't run this command or subcommand" + WHERE,
        "ERR DB index is out of range",
        "ERR said by a release to come",
        "NEVERHEARD of it",
        "no code at all",
    ],
)
def test_a_reply_that_is_no_fault_of_ours_is_waited_for(reply: str) -> None:
    assert SHA not in reason_of(StoreUnavailable, answered(reply))


@pytest.mark.parametrize(
    "reply",
    [
        "WRONGTYPE Operation against a key holding the wrong kind of value",
        "WRONGTYPE Operation against a key holding the wrong kind of value" + WHERE,
        "NOSCRIPT No matching script. Please use EVAL.",
        "ERR syntax error",
        "ERR unknown command 'NOSUCH', with args beginning with: ",
        "ERR wrong number of arguments for 'get' command",
        "ERR value is not an integer or out of range" + WHERE,
        "ERR hash value is not an integer" + WHERE,
        "ERR value is not a valid float" + WHERE,
        "ERR min or max is not a float",
        "ERR user_script:12: attempt to index local 'x' (a nil value)" + WHERE,
        "ERR user_script:1: too many results to unpack" + WHERE,
        "ERR Error compiling script (new function): user_script:1: '=' expected near 'error'",
        "ERR Unknown Redis command called from script" + WHERE,
        "ERR Write commands are not allowed from read-only scripts." + WHERE,
        "ERR The ID specified in XADD is equal or smaller than the target stream top item",
    ],
)
def test_what_is_known_to_be_our_own_fault_is_not_waited_for(reply: str) -> None:
    reason = reason_of(InternalError, answered(reply))
    assert SHA not in reason
    assert "user_script" not in reason


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        ("WRONGTYPE Operation against a key", InternalError),
        ("OOM command not allowed", StoreUnavailable),
        ("MISCONF Errors writing", StoreUnavailable),
    ],
)
def test_a_reply_in_a_pipeline_is_told_without_what_was_sent(reply: str, kind: type[Exception]) -> None:
    error = answered(reply + WHERE)
    sent = ("EVALSHA", SHA, 0, "of pipeline caused error: a secret\n)")
    redis.client.Pipeline.annotate_exception(None, error, 1, sent)  # type: ignore[arg-type]
    reason = reason_of(kind, error)
    assert "secret" not in reason
    assert SHA not in reason
    assert reason.endswith(reply)


def test_what_cannot_be_sent_is_our_own_fault() -> None:
    reason_of(InternalError, redis.DataError("Invalid input of type: 'dict'."))


@pytest.mark.parametrize(
    "error", [redis.ConnectionError("cut"), redis.TimeoutError("slow"), redis.InvalidResponse("?")]
)
def test_a_connection_that_fails_is_waited_for(error: Exception) -> None:
    reason_of(StoreUnavailable, error)
