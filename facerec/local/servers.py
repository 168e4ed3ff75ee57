"""Private Redis and RabbitMQ servers on 127.0.0.1, for local use, tests and benchmarks.

Each server lives in one folder: data, logs, configuration, password and the ports it was given, so that it comes back the
same. A server that exists in the folder and runs is adopted, whoever started it.
"""

from __future__ import annotations

from facerec.local.rabbitmq import RabbitServer
from facerec.local.redis import RedisServer
from facerec.local.server import ServerMissing

__all__ = ["RabbitServer", "RedisServer", "ServerMissing"]
