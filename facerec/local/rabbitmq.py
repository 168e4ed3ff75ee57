"""A private RabbitMQ."""

from __future__ import annotations

import contextlib
import re
import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

from facerec.files import new_password, write_private
from facerec.local.ports import accepts, free_port, is_free
from facerec.local.process import BackgroundProcess, ProcessFailed, wait_until
from facerec.local.server import START_LIMIT, STOP_LIMIT, Server, ServerMissing

RABBIT_FOLDERS = (Path("/usr/lib/rabbitmq/bin"), Path("/opt/rabbitmq/sbin"))
"""Debian's /usr/sbin/rabbitmq-server switches to another user and folder, so the scripts behind it come first."""
MAX_MESSAGE_BYTES = 128 * 1024 * 1024
NOT_CONNECTED = "erl_call: failed to connect to node"
CONNECT_LIMIT = 30.0
"""Seconds in which erl_call must have reached the node."""


def rabbit_program(name: str = "rabbitmq-server") -> str:
    """The path of one of RabbitMQ's scripts. Raises ServerMissing."""
    found = next((str(folder / name) for folder in RABBIT_FOLDERS if (folder / name).exists()), shutil.which(name))
    if found is None:
        raise ServerMissing(
            f"{name} is not on the PATH (Debian: apt-get install rabbitmq-server, macOS: brew install rabbitmq; "
            'eval "$(brew shellenv)")'
        )
    return found


class RabbitServer(Server):
    """A RabbitMQ node of its own: node name, ports, data, logs, cookie and port mapper (epmd) are nobody else's.

    Works with 3.10 and 4.x. ``user`` and ``password`` count for a new folder.
    With ``management`` its HTTP API listens on ``management_port``; stopping then takes five seconds longer.
    """

    program = "rabbitmq"
    node = "facerec@localhost"

    def __init__(
        self,
        folder: Path,
        port: int | None = None,
        management_port: int | None = None,
        user: str = "guest",
        password: str | None = None,
        *,
        management: bool = True,
        outlives: bool = False,
    ) -> None:
        super().__init__(folder, outlives=outlives)
        facts = self._remembered()
        self._management = management
        self.port = port or int(facts.get("port") or free_port())
        self.management_port = management_port or int(facts.get("management_port") or free_port())
        self._epmd_port = int(facts.get("epmd_port") or free_port())
        self._dist_port = int(facts.get("dist_port") or free_port())
        self.user = str(facts.get("user", user))
        self.password = str(facts.get("password", password or new_password()))
        self._epmd = BackgroundProcess("epmd", self.folder, outlives=outlives)
        self._remember_all()

    def _remember_all(self) -> None:
        ports = {"port": self.port, "management_port": self.management_port, "epmd_port": self._epmd_port}
        self._remember({**ports, "dist_port": self._dist_port, "user": self.user, "password": self.password})

    def move(self) -> bool:
        ports = (self.port, self.management_port, self._epmd_port, self._dist_port)
        moved = tuple(port if is_free(port) else free_port() for port in ports)
        self.port, self.management_port, self._epmd_port, self._dist_port = moved
        self._remember_all()
        return moved != ports

    @property
    def url(self) -> str:
        """``amqp://`` with user and password, without a virtual host (append ``/%2F`` or ``/<name>``)."""
        return f"amqp://{self.user}:{self.password}@127.0.0.1:{self.port}"

    @property
    def management_url(self) -> str:
        return f"http://127.0.0.1:{self.management_port}"

    def start(self) -> None:
        """Start and wait until it takes connections. Does nothing when it runs. Raises ServerMissing, ProcessFailed."""
        if self.running:
            return
        program = rabbit_program()
        self._write_configuration()
        self.start_port_mapper()
        self._process.start([program], self._variables() | {"RUNNING_UNDER_SYSTEMD": "true"})
        self._process.wait_ready(lambda: self.answers() and self._process.listens(self.port), START_LIMIT)
        self._bear_restarts()

    def start_port_mapper(self) -> None:
        """Nodes find each other's ports by it. Does nothing when it runs. Raises ServerMissing, ProcessFailed."""
        if not self._epmd.running:
            self._epmd.start([_epmd_program(), "-address", "127.0.0.1", "-port", str(self._epmd_port)])
            self._epmd.wait_ready(lambda: self._epmd.listens(self._epmd_port), START_LIMIT)

    def stop(self) -> None:
        """Stop the node in order, then its port mapper; the data stay."""
        self._process.stop(STOP_LIMIT)
        self._epmd.stop(STOP_LIMIT)

    def close(self) -> None:
        super().close()
        self._epmd.kill()

    def kill(self, *, settled: bool = True) -> None:
        """SIGKILL for the node, as a power cut would.

        RabbitMQ 3.10 writes its register of quorum queues (names.dets) up to a second after a queue was declared, and a node
        killed before that comes back with a queue that never elects a leader. ``settled`` has the register written first, so
        that tests see what happens to an installation that is older than a second. A paused node needs ``settled=False``.
        """
        if settled and self.running:
            self.evaluate("[dets:sync(Table) || Table <- dets:all()], ok")
        super().kill()

    def answers(self) -> bool:
        """Whether it takes AMQP connections now; RabbitMQ opens its ports when everything else is up."""
        return _amqp_answers(self.port) and (not self._management or accepts(self.management_port))

    def ctl(self, *arguments: str) -> str:
        """Run rabbitmqctl on this node (a second or two) and return what it prints. Raises ProcessFailed."""
        command = [*_with(self._variables()), rabbit_program("rabbitmqctl"), "--quiet", *arguments]
        done = subprocess.run(command, cwd=self.folder, capture_output=True, text=True, check=False)  # noqa: S603
        if done.returncode:
            raise ProcessFailed(f"rabbitmqctl {' '.join(arguments)}: {(done.stderr or done.stdout).strip()}")
        return done.stdout

    def evaluate(self, expression: str) -> None:
        """Have the node evaluate an Erlang expression whose value is ``ok``, in milliseconds. Raises ProcessFailed.

        rabbitmqctl, which starts an Erlang machine of its own for it and takes a second of CPU, does it only where Erlang comes
        without erl_call.
        """
        told = self._told(expression)
        if told != "ok":
            raise ProcessFailed(f"{expression}: {told}")

    def _told(self, expression: str) -> str:
        """The value of an expression as Erlang writes it, or why it has none."""
        program = shutil.which("erl_call")
        if program is None:
            return self.ctl("eval", f"{expression}.").strip()
        told = self._call(program, expression)
        return told.removeprefix("{ok, ").removesuffix("}") if told.startswith("{ok, ") else told

    def _call(self, program: str, expression: str) -> str:
        """What erl_call prints. Erlang gives up a connection that is not made within seven seconds, which a busy machine may need;
        nothing was evaluated then."""
        told = ""

        def reached() -> bool:
            nonlocal told
            told = self._call_once(program, expression)
            return NOT_CONNECTED not in told or not self.running

        wait_until(reached, CONNECT_LIMIT)
        return told

    def _call_once(self, program: str, expression: str) -> str:
        command = [*_with(self._variables()), program, "-n", self.node, "-e"]
        done = subprocess.run(  # noqa: S603
            command, cwd=self.folder, input=f"{expression}.\n", capture_output=True, text=True, check=False
        )
        return (done.stderr + done.stdout).strip()

    def stop_app(self) -> None:
        """Stop the broker, keep the node: every connection is closed and refused."""
        self.evaluate("rabbit:stop()")

    def start_app(self) -> None:
        """Undo `stop_app` and wait until connections are taken again."""
        self.evaluate("rabbit:start()")
        self._process.wait_ready(self.answers, START_LIMIT)
        self._bear_restarts()

    def add_vhost(self, name: str) -> str:
        """Make a virtual host and return its AMQP URL."""
        vhost, user, everything = _binary(name), _binary(self.user), _binary(".*")
        self.evaluate(
            f"ok = rabbit_vhost:add({vhost}, {user}), rabbit_auth_backend_internal:set_permissions("
            f"{user}, {vhost}, {everything}, {everything}, {everything}, {user})"
        )
        return f"{self.url}/{name}"

    def delete_queue(self, name: str, vhost: str = "/") -> None:
        """Delete a queue under its consumers' feet."""
        resource = f"rabbit_misc:r({_binary(vhost)}, queue, {_binary(name)})"
        self.evaluate(
            f"begin {{ok, Queue}} = rabbit_amqqueue:lookup({resource}), "
            f"{{ok, _}} = rabbit_amqqueue:delete(Queue, false, false, {_binary('test')}), ok end"
        )

    def messages(self, vhost: str = "/") -> dict[str, tuple[int, int]]:
        """Of each queue how many messages are ready, and how many are delivered and not acknowledged yet."""
        rows = f"rabbit_amqqueue:info_all({_binary(vhost)}, [name, messages_ready, messages_unacknowledged])"
        line = 'io_lib:format("~s ~b ~b ", [Name, Ready, Held])'
        each = "[{name, {resource, _, queue, Name}}, {_, Ready}, {_, Held}]"
        told = self._told(f"lists:flatten([{line} || {each} <- {rows}])")
        return {name: (int(ready), int(held)) for name, ready, held in re.findall(r"([^\s\"]+) (\d+) (\d+) ", told)}

    @contextlib.contextmanager
    def memory_alarm(self) -> Iterator[None]:
        """Inside, the broker believes that memory is short and blocks every publisher."""
        self.evaluate("vm_memory_monitor:set_vm_memory_high_watermark(0.0000001)")
        try:
            yield
        finally:
            self.evaluate("vm_memory_monitor:set_vm_memory_high_watermark(0.4)")

    def enable_feature_flags(self) -> None:
        """All stable feature flags; a node with data of an older release starts without the newer ones."""
        self.ctl("enable_feature_flag", "all")

    def _bear_restarts(self) -> None:
        """Allow RabbitMQ 3.10 what later releases do: a hundred restarts a second of what carries dead letters.

        As it comes, the second worker of ``rabbit_fifo_dlx_sup`` to end within five seconds takes the supervisor with it, for
        as long as the node runs; then no queue that dead-letters at least once gets a leader: declaring one is answered with
        541, publishing with a nack. RabbitMQ's change 7677 raised it. It does not help when a virtual host is deleted while a
        client declares queues in it: a worker whose queue is gone may be started anew a hundred times in 0.2 seconds.
        """
        intensity, period = 6, 7  # elements of the record of a supervisor in Erlang/OTP 21 to 27
        more = f"setelement({period}, setelement({intensity}, S, 100), 1)"
        raised = f"fun(S) when element({intensity}, S) =:= 1, element({period}, S) =:= 5 -> {more}; (S) -> S end"
        change = f"begin sys:replace_state(rabbit_fifo_dlx_sup, {raised}), ok end"
        self.evaluate(f"case whereis(rabbit_fifo_dlx_sup) of undefined -> ok; _ -> {change} end")

    def _variables(self) -> dict[str, str]:
        loopback = "-kernel inet_dist_use_interface {127,0,0,1}"
        return {
            "HOME": str(self.folder),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "ERL_EPMD_PORT": str(self._epmd_port),
            "RABBITMQ_NODENAME": self.node,
            "RABBITMQ_DIST_PORT": str(self._dist_port),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": loopback,
            "RABBITMQ_MNESIA_BASE": str(self.folder / "data"),
            "RABBITMQ_LOG_BASE": str(self.folder),
            "RABBITMQ_CONFIG_FILE": str(self.folder / "rabbitmq.conf"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(self.folder / "enabled_plugins"),
            "RABBITMQ_CONF_ENV_FILE": str(self.folder / "rabbitmq-env.conf"),
            "RABBITMQ_PID_FILE": str(self.folder / "node.pid"),
        }

    def _write_configuration(self) -> None:
        lines = [
            f"listeners.tcp.1 = 127.0.0.1:{self.port}",
            f"default_user = {self.user}",
            f"default_pass = {self.password}",
            f"max_message_size = {MAX_MESSAGE_BYTES}",
            "disk_free_limit.absolute = 200MB",
            "log.console = true",
            "log.console.level = info",
            "log.console.use_colors = off",
            "log.file = false",
        ]
        if self._management:
            lines += ["management.tcp.ip = 127.0.0.1", f"management.tcp.port = {self.management_port}"]
        write_private(self.folder / "rabbitmq.conf", "\n".join(lines) + "\n")
        write_private(self.folder / "enabled_plugins", "[rabbitmq_management].\n" if self._management else "[].\n")
        write_private(self.folder / "rabbitmq-env.conf", "")


def _binary(text: str) -> str:
    """A text as Erlang writes its bytes."""
    return f"<<{','.join(str(byte) for byte in text.encode())}>>"


def _epmd_program() -> str:
    found = shutil.which("epmd")
    if found is None:
        raise ServerMissing("epmd, which comes with Erlang, is not on the PATH")
    return found


def _with(variables: dict[str, str]) -> list[str]:
    return ["/usr/bin/env", *(f"{key}={value}" for key, value in variables.items())]


def _amqp_answers(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=0.25) as connection:
            connection.sendall(b"AMQP\x00\x00\x09\x01")
            return connection.recv(1) == b"\x01"  # a method frame: connection.start
    except OSError:
        return False
