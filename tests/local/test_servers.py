"""The private servers: they start, stop, come back with their data, and leave nothing behind."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pika
import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from facerec.local.ports import LOW, free_port, is_free
from facerec.local.process import BackgroundProcess, Identity, ProcessFailed, wait_until
from facerec.local.servers import RabbitServer, RedisServer

NO_RETRY = Retry(NoBackoff(), 0)
AT_LEAST_ONCE = {
    "x-queue-type": "quorum",
    "x-dead-letter-exchange": "",
    "x-dead-letter-routing-key": "dead",
    "x-dead-letter-strategy": "at-least-once",
    "x-overflow": "reject-publish",
}


def _publish(url: str, body: bytes) -> None:
    with pika.BlockingConnection(pika.URLParameters(url)) as connection:
        channel = connection.channel()
        channel.confirm_delivery()
        channel.queue_declare("kept", durable=True, arguments={"x-queue-type": "quorum"})
        channel.basic_publish("", "kept", body, mandatory=True)


def _take(url: str) -> bytes | None:
    with pika.BlockingConnection(pika.URLParameters(url)) as connection:
        body: bytes | None = connection.channel().basic_get("kept", auto_ack=True)[2]
    return body


def test_redis_keeps_every_acknowledged_write_through_a_kill(own_redis: RedisServer) -> None:
    with redis.Redis.from_url(own_redis.url) as client:
        client.set("name", "value")
    own_redis.kill()
    assert not own_redis.running
    own_redis.start()
    with redis.Redis.from_url(own_redis.url) as client:
        assert client.get("name") == b"value"
        assert client.config_get("appendfsync", "databases", "save") == {
            "appendfsync": "always",
            "databases": "16",
            "save": "",
        }


def test_redis_listens_on_the_loopback_alone_and_wants_its_password(own_redis: RedisServer) -> None:
    with redis.Redis(port=own_redis.port, retry=NO_RETRY) as client, pytest.raises(redis.AuthenticationError):
        client.ping()
    with redis.Redis.from_url(own_redis.url) as client:
        assert client.config_get("bind")["bind"] == "127.0.0.1"


def test_a_paused_redis_answers_when_it_is_resumed(own_redis: RedisServer) -> None:
    own_redis.pause()
    assert own_redis.running
    with redis.Redis.from_url(own_redis.url, socket_timeout=0.2, retry=NO_RETRY) as client:
        with pytest.raises(redis.TimeoutError):
            client.ping()
        own_redis.resume()
        assert client.ping()


def test_passwords_are_for_the_owner_of_the_folder_only(own_redis: RedisServer) -> None:
    for name in ("server.json", "redis.conf"):
        assert (own_redis.folder / name).stat().st_mode & 0o777 == 0o600


def test_rabbitmq_keeps_a_confirmed_message_through_kill_stop_and_start(own_rabbit: RabbitServer) -> None:
    _publish(own_rabbit.url + "/%2F", b"first")
    own_rabbit.kill()
    own_rabbit.start()
    assert _take(own_rabbit.url + "/%2F") == b"first"
    _publish(own_rabbit.url + "/%2F", b"second")
    own_rabbit.stop_app()
    with pytest.raises(pika.exceptions.AMQPConnectionError):
        _take(own_rabbit.url + "/%2F")
    own_rabbit.start_app()
    assert _take(own_rabbit.url + "/%2F") == b"second"
    own_rabbit.stop()
    assert not list(own_rabbit.folder.glob("*.pid"))


def test_rabbitmq_can_dead_letter_at_least_once_and_takes_large_messages(rabbit_url: str) -> None:
    with pika.BlockingConnection(pika.URLParameters(rabbit_url)) as connection:
        channel = connection.channel()
        channel.queue_declare("dead", durable=True, arguments={"x-queue-type": "quorum"})
        channel.queue_declare("work", durable=True, arguments=AT_LEAST_ONCE)
        channel.confirm_delivery()
        channel.basic_publish("", "work", b"x" * 20_000_000)
        method = next(channel.consume("work", inactivity_timeout=20))[0]
        channel.basic_nack(method.delivery_tag, requeue=False)
        channel.cancel()
        assert len(next(channel.consume("dead", inactivity_timeout=20))[2]) == 20_000_000


def test_rabbitmq_bears_the_end_of_what_carries_its_dead_letters(own_rabbit: RabbitServer) -> None:
    workers = "[Worker || {_, Worker, _, _} <- supervisor:which_children(rabbit_fifo_dlx_sup)]"
    with pika.BlockingConnection(pika.URLParameters(own_rabbit.url + "/%2F")) as connection:
        channel = connection.channel()
        channel.confirm_delivery()
        for name in ("first", "second", "third"):
            channel.queue_declare(name, durable=True, arguments=AT_LEAST_ONCE)
        own_rabbit.evaluate(f"[exit(Worker, kill) || Worker <- {workers}], ok")
        channel.queue_declare("fourth", durable=True, arguments=AT_LEAST_ONCE)
        for name in ("first", "second", "third", "fourth"):
            channel.basic_publish("", name, b"kept", mandatory=True)


def test_a_node_tells_of_its_messages_and_loses_a_queue(rabbit_server: RabbitServer, rabbit_vhost: str) -> None:
    with pika.BlockingConnection(pika.URLParameters(f"{rabbit_server.url}/{rabbit_vhost}")) as connection:
        channel = connection.channel()
        channel.queue_declare("kept", durable=True, arguments={"x-queue-type": "quorum"})
        channel.queue_declare("gone")
        channel.confirm_delivery()
        for _ in range(3):
            channel.basic_publish("", "kept", b"")
        assert channel.basic_get("kept")[0]
        assert wait_until(lambda: rabbit_server.messages(rabbit_vhost) == {"kept": (2, 1), "gone": (0, 0)}, 20, 0.1)
        rabbit_server.delete_queue("gone", rabbit_vhost)
        assert rabbit_server.messages(rabbit_vhost).keys() == {"kept"}
    with pytest.raises(ProcessFailed, match="not_found"):
        rabbit_server.delete_queue("gone", rabbit_vhost)


def test_a_memory_alarm_blocks_publishers_until_it_ends(rabbit_server: RabbitServer) -> None:
    with rabbit_server.memory_alarm():
        rabbit_server.evaluate("[{{resource_limit, memory, _}, _}] = rabbit_alarm:get_alarms(), ok")
    rabbit_server.evaluate("[] = rabbit_alarm:get_alarms(), ok")


def test_a_second_object_for_the_folder_adopts_the_running_server(own_redis: RedisServer) -> None:
    other = RedisServer(own_redis.folder, outlives=True)
    assert (other.port, other.password, other.running) == (own_redis.port, own_redis.password, True)
    other.stop()
    assert not own_redis.running


def test_servers_end_with_the_process_that_started_them_even_when_it_is_killed(tmp_path: Path) -> None:
    script = (
        "import sys, pathlib, signal\n"
        "from facerec.local.servers import RedisServer\n"
        "server = RedisServer(pathlib.Path(sys.argv[1]))\n"
        "server.start()\n"
        "print('up', flush=True)\n"
        "signal.pause()\n"
    )
    with subprocess.Popen([sys.executable, "-c", script, str(tmp_path)], stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        assert parent.stdout.readline() == b"up\n"
        identity = Identity(**json.loads((tmp_path / "redis.pid").read_text()))
        assert identity.alive
        parent.kill()
    assert wait_until(lambda: not identity.alive, 10)


def test_a_process_that_cannot_start_is_reported_with_its_log(tmp_path: Path) -> None:
    process = BackgroundProcess("broken", tmp_path)
    process.start(["/bin/sh", "-c", "echo no disk; exit 3"])
    with pytest.raises(ProcessFailed, match=r"(?s)broken ended while starting.*no disk"):
        process.wait_ready(lambda: False, 10)


def test_a_process_that_ignores_the_polite_signal_is_killed(tmp_path: Path) -> None:
    process = BackgroundProcess("deaf", tmp_path)
    process.start(["/bin/sh", "-c", "trap '' TERM; echo ready; while :; do sleep 1; done"])
    process.wait_ready(lambda: "ready" in process.tail(), 10)
    process.stop(0.1)
    assert not process.running


def test_a_pid_that_now_belongs_to_another_process_is_left_alone(tmp_path: Path) -> None:
    process = BackgroundProcess("stale", tmp_path, outlives=True)
    process.pid_file.write_text(json.dumps({"pid": os.getpid(), "started": "another time"}))
    assert not process.running
    process.stop(1)
    process.kill()
    with pytest.raises(ProcessFailed):
        process.pause()
    os.kill(os.getpid(), signal.SIGCONT)


def test_free_ports_lie_below_those_of_outgoing_connections() -> None:
    port = free_port()
    assert is_free(port)
    assert LOW <= port < 32768


def test_a_free_port_is_given_once() -> None:
    """Who got it may not listen yet, or not now."""
    assert len({free_port() for _ in range(400)}) == 400


def test_a_port_that_was_chosen_is_chosen_by_no_other_process(tmp_path: Path) -> None:
    port = free_port()
    assert is_free(port), "a server can have it"
    script = f"from facerec.local.ports import claim; print(claim({port}))"
    claimed = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert claimed.stdout == "False\n"


def test_a_server_whose_port_another_has_is_not_taken_for_ready_and_moves(tmp_path: Path) -> None:
    """The other Redis has no password either, and answers just as well."""
    with RedisServer(tmp_path / "first") as first:
        second = RedisServer(tmp_path / "second", port=first.port)
        with pytest.raises(ProcessFailed, match="redis ended while starting"):
            second.start()
        assert second.move()
        with second:
            assert second.port != first.port
        assert first.answers()


def test_what_the_node_cannot_do_is_said(rabbit_server: RabbitServer) -> None:
    with pytest.raises(ProcessFailed, match="no_such_vhost"):
        rabbit_server.evaluate('rabbit_vhost:delete(<<"never made">>, <<"guest">>)')
    with pytest.raises(ProcessFailed, match="no_such_function"):
        rabbit_server.evaluate("no_such_function()")


def test_a_node_is_told_without_erl_call_too(rabbit_server: RabbitServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not every Erlang comes with it."""
    found = shutil.which
    monkeypatch.setattr(shutil, "which", lambda name: None if name == "erl_call" else found(name))
    rabbit_server.evaluate("true = is_pid(whereis(rabbit_fifo_dlx_sup)), ok")
    with pytest.raises(ProcessFailed, match="badmatch"):
        rabbit_server.evaluate("false = is_pid(whereis(rabbit_fifo_dlx_sup)), ok")


def test_a_node_that_was_too_busy_to_take_a_connection_is_called_again(
    rabbit_server: RabbitServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Erlang gives up after seven seconds."""
    called = tmp_path / "called"
    program = tmp_path / "erl_call"
    program.write_text(
        f'#!/bin/sh\n[ -e {called} ] && exec {shutil.which("erl_call")} "$@"\n'
        f"touch {called}; echo 'erl_call: failed to connect to node facerec@localhost' >&2; exit 1\n"
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    rabbit_server.evaluate("true = is_pid(whereis(rabbit_fifo_dlx_sup)), ok")
    assert called.exists()
