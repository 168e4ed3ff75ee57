"""Settings: one frozen value, parsed once from the environment, which is read nowhere else.

A wrong value is a `ConfigError` that names the variable, and so is a name that is misspelt (`facerec.spelling`). A secret
``NAME`` may also come from a file named by ``NAME_FILE``, which is preferred because an environment variable shows in process
lists. Secrets are masked when printed.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from zoneinfo import ZoneInfo

from facerec import service_file
from facerec.errors import ConfigError
from facerec.model import Model, parse_model
from facerec.spelling import check_spelling
from facerec.values import (
    Address,
    Environment,
    Network,
    Secret,
    addresses,
    at_least,
    auto,
    between,
    entry,
    flag,
    host_name,
    image_store,
    log_level,
    names,
    networks,
    one_of,
    paths,
    port_number,
    public_url,
    timezone,
)

MIB = 1024 * 1024
_READ_ELSEWHERE = {"FACEREC_CLUSTER", "FACEREC_FACES", "FACEREC_SERVICE_FILE", "REST_PUBLISH"}
"""Variables of ours that no process of the service reads, but its scripts and tests."""
_ONE_BLAS_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}


@dataclass(frozen=True)
class RedisSettings:
    """Where Redis is. ``timeout`` is the limit for one answer, in seconds.

    With ``sentinels`` they are asked for the address of the primary that they call ``sentinel_primary``; ``host`` and ``port``
    do not count then. Every change counts when ``replicas`` replicas have it, too; by default 1 with sentinels. ``ca_file`` is
    the authority that signed the certificates, in PEM format; None means those of the system.
    """

    host: str = "127.0.0.1"
    port: int = 6379
    user: str = ""
    password: Secret = field(default_factory=lambda: Secret(""))
    tls: bool = False
    ca_file: Path | None = None
    timeout: float = 3.0
    sentinels: tuple[Address, ...] = ()
    sentinel_primary: str = "facerec"
    sentinel_password: Secret = field(default_factory=lambda: Secret(""))
    replicas: int = 0


@dataclass(frozen=True)
class RabbitSettings:
    """Where RabbitMQ is. ``timeout`` is the limit for connecting and for a publisher confirm, in seconds.

    ``other_nodes`` are more nodes of the same cluster: each connection takes one of all, and the next when that is away.
    """

    host: str = "127.0.0.1"
    port: int = 5672
    other_nodes: tuple[Address, ...] = ()
    user: str = "guest"
    password: Secret = field(default_factory=lambda: Secret(""))
    vhost: str = "/"
    tls: bool = False
    ca_file: Path | None = None
    heartbeat: int = 30
    timeout: float = 5.0
    management_url: str = ""

    @property
    def nodes(self) -> tuple[Address, ...]:
        """Every node that can be connected to."""
        return (self.host, self.port), *self.other_nodes


@dataclass(frozen=True)
class RestSettings:
    """The front door. Sizes in bytes and pixels, times in seconds.

    ``event_streams`` clients of a process may listen to events, on threads beyond ``threads``; those of one owner take half of
    them at most. ``rate_limit`` requests a second, and ``rate_burst`` at once, a token may make of all front doors together; 0
    means as many as it likes. So does ``guess_limit`` 0 for wrong keys a second of an address. ``trusted_proxies`` are believed
    when they say that a client came by https, and are not counted as one client.
    Addresses in answers begin with ``public_url``; without one with ``host`` and ``port``, never with what a request calls us.
    """

    host: str = "127.0.0.1"
    port: int = 5000
    public_url: str = ""
    processes: int = 1
    threads: int = 16
    event_streams: int = 64
    max_upload_bytes: int = 15 * MIB
    queue_limit: int = 100_000
    rate_limit: float = 0.0
    rate_burst: int = 100
    guess_limit: float = 5.0
    trusted_proxies: tuple[Network, ...] = ()
    tokens_file: Path | None = None
    api_key: Secret = field(default_factory=lambda: Secret(""))
    interactive_timeout: float = 30.0
    maximum_area: int = 3840 * 2160
    allow_fetch_from: tuple[Network, ...] = ()
    fetch_connect_timeout: float = 5.0
    fetch_read_timeout: float = 10.0
    fetch_total_timeout: float = 30.0
    fetch_redirects: int = 5


@dataclass(frozen=True)
class WorkerSettings:
    """The back room. ``processes`` 0 means one per core, ``reserved`` are more for interactive work alone; times in seconds."""

    processes: int = 0
    reserved: int = 1
    engine: str = "onnx"
    device: str = "auto"
    model_cache: Path = Path(".cache/models")
    detect_max_area: int = 2_000_000
    upsample: int | None = None
    smallest_face: int = 0
    jitter: int = 0
    min_confidence: float | None = None
    quality_filter: bool = False
    grouping: bool = True
    job_time_limit: float = 120.0
    grace: float = 25.0
    prefetch: int = 32
    attempts: int = 5
    retry_base: float = 2.0
    lost_after: float = 600.0
    commit_batch: int = 32
    health_file: Path | None = None
    metrics_host: str = "127.0.0.1"
    metrics_port: int = 0


@dataclass(frozen=True)
class FindFaceSettings:
    """The FindFace interface. ``person_identify`` gives every posted face a person, of the same camera unless
    ``person_identify_global``. A friend was seen on ``friend_count`` different days of ``friend_timezone`` within
    ``friend_interval`` seconds.

    ``identify_strict`` is for calls that do not say ``strict``. ``analyser`` names what tells age, gender and emotions
    (``module:factory``), '' for nothing.
    """

    identify_strict: bool = True
    analyser: str = ""
    person_identify: bool = False
    person_identify_global: bool = False
    person_identify_threshold: float = 0.75
    friend_count: int = 5
    friend_interval: float = 604800.0
    friend_timezone: ZoneInfo = field(default_factory=lambda: ZoneInfo("UTC"))
    plugins_dirs: tuple[Path, ...] = ()
    plugins_enabled: tuple[str, ...] = ()


@dataclass(frozen=True)
class Settings:
    """Everything that can be set. ``tolerance`` is the inclusive Euclidean distance of a match.

    ``image_store`` is ``none`` or a URL (``file://``, ``s3://``); pictures stay there ``image_retention_days``, 0 for ever.
    """

    redis: RedisSettings = field(default_factory=RedisSettings)
    rabbitmq: RabbitSettings = field(default_factory=RabbitSettings)
    rest: RestSettings = field(default_factory=RestSettings)
    worker: WorkerSettings = field(default_factory=WorkerSettings)
    findface: FindFaceSettings = field(default_factory=FindFaceSettings)
    model: Model = Model.HOG
    tolerance: float = 0.6
    max_pixels: int = 100_000_000
    image_store: str = "none"
    image_retention_days: float = 0.0
    log_level: str = "INFO"


@dataclass(frozen=True)
class ClientSettings:
    """The command line's: which service to call and how. ``state_folder`` is where unfinished work is noted."""

    url: str = "http://127.0.0.1:5000"
    token: Secret = field(default_factory=lambda: Secret(""))
    ca_file: Path | None = None
    state_folder: Path = Path("~/.local/state/facerec")


def load_settings(environ: Mapping[str, str] | None = None) -> Settings:
    """Read the settings from ``environ`` (default: the process's own). Raises ConfigError."""
    texts = os.environ if environ is None else environ
    settings = _settings(Environment(texts))
    check_spelling(texts, known_names())
    return settings


@cache
def known_names() -> frozenset[str]:
    """All variables that mean something to us, but those that are everybody's."""
    env = Environment({})
    _settings(env)
    _client_settings(env)
    return frozenset(env.asked | _READ_ELSEWHERE) - {"XDG_STATE_HOME"}


def _settings(env: Environment) -> Settings:
    return Settings(
        redis=_redis(env),
        rabbitmq=_rabbitmq(env),
        rest=_rest(env),
        worker=_worker(env),
        findface=_findface(env),
        model=env.get("MODEL", parse_model, Model.HOG),
        tolerance=env.get("TOLERANCE", between(0.0, 2.0), 0.6),
        max_pixels=env.get("MAX_PIXELS", at_least(1), 100_000_000),
        image_store=env.get("IMAGE_STORE", image_store, "none"),
        image_retention_days=env.get("IMAGE_RETENTION_DAYS", between(0, 100_000), 0.0),
        log_level=env.get("LOG_LEVEL", log_level, "INFO"),
    )


def load_command_settings(more: Mapping[str, str] | None = None) -> Settings:
    """What a command works with: ``more`` over the process's environment, over the file of the service that was started in the
    current folder or above it (`facerec.service_file`). Raises ConfigError."""
    path, said = _service()
    texts = service_file.under({**os.environ, **(more or {})}, said)
    if path and not any(place in texts for prefix in ("REDIS_", "RABBITMQ_") for place in service_file.SERVERS[prefix]):
        raise ConfigError(
            f"{path} names no Redis and no RabbitMQ: those of its service cannot be reached from here; "
            "'./deploy-local-dev.sh facerec' runs the command beside them"
        )
    return load_settings(texts)


def _service() -> tuple[Path | None, dict[str, str]]:
    """The service file, if there is one, and what it says. FACEREC_SERVICE_FILE names it; ``none`` means to look for none."""
    named = os.environ.get("FACEREC_SERVICE_FILE", "")
    if named == "none":
        return None, {}
    try:
        path = Path(named) if named else service_file.find(Path.cwd())
    except FileNotFoundError:  # the current folder was removed
        path = None
    return path, service_file.read(path) if path else {}


def origin(prefix: str) -> str:
    """What says where a server is: ``FACEREC_``, ``REDIS_`` or ``RABBITMQ_``. For a person. Raises ConfigError."""
    places = service_file.SERVERS[prefix]
    path, said = _service()
    if any(os.environ.get(place) and os.environ[place] != said.get(place) for place in places):
        return f"{next(place for place in places if os.environ.get(place))} of the environment"
    if any(place in said for place in places):
        return f"{path}; whether that service runs: ./deploy-local-dev.sh status"
    return f"the default, as neither {places[0]} nor a {service_file.PLACE} here or above tells another"


def load_client_settings(
    url: str | None = None,
    token: str | None = None,
    token_file: Path | None = None,
    environ: Mapping[str, str] | None = None,
) -> ClientSettings:
    """Read the command line's settings: what was given there, over ``environ``, over the service file. Raises ConfigError."""
    given = {"FACEREC_URL": url, "FACEREC_TOKEN": token, "FACEREC_TOKEN_FILE": token_file and str(token_file)}
    known = dict(os.environ if environ is None else environ)
    if token:
        known.pop("FACEREC_TOKEN_FILE", None)
    known |= {name: text for name, text in given.items() if text}
    texts = service_file.under(known, _service()[1] if environ is None else {})
    settings = _client_settings(Environment(texts))
    check_spelling(texts, known_names())
    return settings


def _client_settings(env: Environment) -> ClientSettings:
    default = ClientSettings()
    return ClientSettings(
        url=env.get("FACEREC_URL", str, default.url),
        token=env.secret("FACEREC_TOKEN"),
        ca_file=env.get("FACEREC_CA_FILE", Path, default.ca_file),
        state_folder=env.get("XDG_STATE_HOME", lambda text: Path(text) / "facerec", default.state_folder).expanduser(),
    )


def _redis(env: Environment) -> RedisSettings:
    default = RedisSettings()
    sentinels = env.get("REDIS_SENTINELS", addresses(26379), default.sentinels)
    return RedisSettings(
        host=env.get("REDIS_HOST", host_name, default.host),
        port=env.get("REDIS_PORT", port_number, default.port),
        user=env.get("REDIS_USER", str, default.user),
        password=env.secret("REDIS_PASSWORD"),
        tls=env.get("REDIS_TLS", flag, default.tls),
        ca_file=env.get("REDIS_CA_FILE", Path, default.ca_file),
        timeout=env.get("REDIS_TIMEOUT", between(0.05, 600), default.timeout),
        sentinels=sentinels,
        sentinel_primary=env.get("REDIS_SENTINEL_PRIMARY", str, default.sentinel_primary),
        sentinel_password=env.secret("REDIS_SENTINEL_PASSWORD"),
        replicas=env.get("REDIS_REPLICAS", at_least(0), 1 if sentinels else default.replicas),
    )


def _rabbitmq(env: Environment) -> RabbitSettings:
    default = RabbitSettings()
    host, port = env.get("RABBITMQ_HOST", host_name, default.host), env.get("RABBITMQ_PORT", port_number, default.port)
    alone: tuple[Address, ...] = ((host, port),)
    first, *others = env.get("RABBITMQ_HOSTS", addresses(port), alone)
    return RabbitSettings(
        host=first[0],
        port=first[1],
        other_nodes=tuple(others),
        user=env.get("RABBITMQ_USER", str, default.user),
        password=env.secret("RABBITMQ_PASSWORD"),
        vhost=env.get("RABBITMQ_VHOST", str, default.vhost),
        tls=env.get("RABBITMQ_TLS", flag, default.tls),
        ca_file=env.get("RABBITMQ_CA_FILE", Path, default.ca_file),
        heartbeat=env.get("RABBITMQ_HEARTBEAT", at_least(1), default.heartbeat),
        timeout=env.get("RABBITMQ_TIMEOUT", between(0.05, 600), default.timeout),
        management_url=env.get("RABBITMQ_MANAGEMENT_URL", str, default.management_url),
    )


def _rest_port(env: Environment, default: int) -> int:
    """REST_PORT or FACEREC_PORT. Kubernetes sets either to an address where a service is called rest or facerec: not meant."""
    names = [name for name in ("REST_PORT", "FACEREC_PORT") if not env.get(name, str, "").startswith("tcp://")]
    ports = {name: port for name in names if (port := env.get(name, port_number, 0))}
    if len(set(ports.values())) > 1:
        said = " and ".join(f"{name}={port}" for name, port in ports.items())
        raise ConfigError(f"{said}: both are the port of REST, set one of them")
    return next(iter(ports.values()), default)


def _rest(env: Environment) -> RestSettings:
    default = RestSettings()
    return RestSettings(
        host=env.get("REST_HOST", host_name, default.host),
        port=_rest_port(env, default.port),
        public_url=env.get("PUBLIC_URL", public_url, default.public_url),
        processes=env.get("REST_PROCESSES", at_least(1), default.processes),
        threads=env.get("REST_THREADS", at_least(1), default.threads),
        event_streams=env.get("EVENT_STREAMS", at_least(0), default.event_streams),
        max_upload_bytes=env.get("MAX_UPLOAD_BYTES", at_least(1), default.max_upload_bytes),
        queue_limit=env.get("QUEUE_LIMIT", at_least(1), default.queue_limit),
        rate_limit=env.get("RATE_LIMIT", between(0, 1e6), default.rate_limit),
        rate_burst=env.get("RATE_BURST", at_least(1), default.rate_burst),
        guess_limit=env.get("GUESS_LIMIT", between(0, 1e6), default.guess_limit),
        trusted_proxies=env.get("TRUSTED_PROXIES", networks, default.trusted_proxies),
        tokens_file=env.get("TOKENS_FILE", Path, default.tokens_file),
        api_key=env.secret("FACE_MODEL_API_KEY"),
        interactive_timeout=env.get("INTERACTIVE_TIMEOUT", between(0.1, 600), default.interactive_timeout),
        maximum_area=env.get("MAXIMUM_AREA", at_least(1), default.maximum_area),
        allow_fetch_from=env.get("ALLOW_FETCH_FROM", networks, default.allow_fetch_from),
        fetch_connect_timeout=env.get("FETCH_CONNECT_TIMEOUT", between(0.1, 600), default.fetch_connect_timeout),
        fetch_read_timeout=env.get("FETCH_READ_TIMEOUT", between(0.1, 600), default.fetch_read_timeout),
        fetch_total_timeout=env.get("FETCH_TOTAL_TIMEOUT", between(0.1, 600), default.fetch_total_timeout),
        fetch_redirects=env.get("FETCH_REDIRECTS", at_least(0), default.fetch_redirects),
    )


def _worker(env: Environment) -> WorkerSettings:
    default = WorkerSettings()
    return WorkerSettings(
        processes=env.get("WORKERS", auto(at_least(1), 0), default.processes),
        reserved=env.get("INTERACTIVE_PROCESSES", at_least(0), default.reserved),
        engine=env.get("ENGINE", one_of("onnx", "fake"), default.engine),
        device=env.get("DEVICE", one_of("auto", "cpu", "cuda"), default.device),
        model_cache=env.get("MODEL_CACHE", Path, default.model_cache),
        detect_max_area=env.get("DETECT_MAX_AREA", at_least(6400), default.detect_max_area),
        upsample=env.get("UPSAMPLE", auto(at_least(0), None), default.upsample),
        smallest_face=env.get("SMALLEST_FACE", at_least(0), default.smallest_face),
        jitter=env.get("JITTER", at_least(0), default.jitter),
        min_confidence=env.get("MIN_CONFIDENCE", auto(between(-10, 10), None), default.min_confidence),
        quality_filter=env.get("QUALITY_FILTER", flag, default.quality_filter),
        grouping=env.get("GROUPING", flag, default.grouping),
        job_time_limit=env.get("JOB_TIME_LIMIT", between(0.1, 1500), default.job_time_limit),
        grace=env.get("GRACE", between(0, 3600), default.grace),
        prefetch=env.get("PREFETCH", at_least(1), default.prefetch),
        attempts=env.get("ATTEMPTS", at_least(1), default.attempts),
        retry_base=env.get("RETRY_BASE", between(0.01, 3600), default.retry_base),
        lost_after=env.get("LOST_AFTER", between(1, 86400), default.lost_after),
        commit_batch=env.get("COMMIT_BATCH", at_least(1), default.commit_batch),
        health_file=env.get("HEALTH_FILE", Path, default.health_file),
        metrics_host=env.get("METRICS_HOST", host_name, default.metrics_host),
        metrics_port=env.get("METRICS_PORT", auto(port_number, 0), default.metrics_port),
    )


def is_set(*names: str) -> bool:
    """Whether the environment says anything about one of the settings ``names``."""
    return any(os.environ.get(name) or os.environ.get(f"{name}_FILE") for name in names)


def for_commands(more: Mapping[str, str]) -> dict[str, str]:
    """What `facerec` needs of the settings of a service that is started with ``more`` over this environment; secrets are no longer
    in files of their own, and other files are named by their whole paths. Raises ConfigError."""
    environ = {**os.environ, **more}
    found = {}
    for name in known_names():
        if not name.startswith(("REDIS_", "RABBITMQ_")) and name not in {
            "MODEL",
            "TOLERANCE",
            "IMAGE_STORE",
            "TOKENS_FILE",
        }:
            continue
        text = environ.get(name, "")
        if f"{name}_FILE" in known_names():
            found[name] = Environment(environ).secret(name).reveal()
        elif not name.endswith("_FILE"):
            found[name] = text
        elif text and name.removesuffix("_FILE") not in known_names():
            found[name] = str(Path(text).absolute())
    return {name: text for name, text in found.items() if text}


def _findface(env: Environment) -> FindFaceSettings:
    default = FindFaceSettings()
    return FindFaceSettings(
        identify_strict=env.get("IDENTIFY_STRICT", flag, default.identify_strict),
        analyser=env.get("ANALYSER", entry, default.analyser),
        person_identify=env.get("PERSON_IDENTIFY", flag, default.person_identify),
        person_identify_global=env.get("PERSON_IDENTIFY_GLOBAL", flag, default.person_identify_global),
        person_identify_threshold=env.get(
            "PERSON_IDENTIFY_THRESHOLD", between(0, 1), default.person_identify_threshold
        ),
        friend_count=env.get("FRIEND_COUNT", at_least(1), default.friend_count),
        friend_interval=env.get("FRIEND_INTERVAL", between(1, 1e9), default.friend_interval),
        friend_timezone=env.get("FRIEND_TIMEZONE", timezone, default.friend_timezone),
        plugins_dirs=env.get("PLUGINS_DIRS", paths, default.plugins_dirs),
        plugins_enabled=env.get("PLUGINS_ENABLED", names, default.plugins_enabled),
    )


def child_environment() -> dict[str, str]:
    """The environment of a process that works on hostile pictures: what it needs to run, no secrets, one thread of BLAS."""
    kept = (
        "PATH",
        "HOME",
        "LANG",
        "LC_ALL",
        "PYTHONPATH",
        "PYTHONWARNINGS",
        "LD_LIBRARY_PATH",
        "TMPDIR",
        "CUDA_VISIBLE_DEVICES",
    )
    return {name: os.environ[name] for name in kept if name in os.environ} | _ONE_BLAS_THREAD


def use_one_blas_thread() -> None:
    """Let numpy compute in one thread, unless the operator says otherwise. It must not be imported yet: it looks but once."""
    for name, value in _ONE_BLAS_THREAD.items():
        os.environ.setdefault(name, value)


def share_metrics(folder: Path) -> None:
    """Let processes add up their metrics in ``folder``. prometheus_client takes it from the environment at its import."""
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(folder)
