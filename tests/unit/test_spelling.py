from __future__ import annotations

import pytest

from facerec.config import known_names, load_client_settings, load_settings
from facerec.errors import ConfigError

OTHERS = """
RABBITMQ_NODENAME RABBITMQ_NODE_PORT RABBITMQ_NODE_IP_ADDRESS RABBITMQ_CONFIG_FILE RABBITMQ_CONFIG_FILES RABBITMQ_CONF_ENV_FILE
RABBITMQ_ADVANCED_CONFIG_FILE RABBITMQ_MNESIA_BASE RABBITMQ_MNESIA_DIR RABBITMQ_LOGS RABBITMQ_LOG_BASE RABBITMQ_HOME
RABBITMQ_PID_FILE RABBITMQ_PLUGINS_DIR RABBITMQ_ENABLED_PLUGINS_FILE RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS RABBITMQ_DIST_PORT
RABBITMQ_USE_LONGNAME RABBITMQ_ERLANG_COOKIE RABBITMQ_DEFAULT_USER RABBITMQ_DEFAULT_PASS RABBITMQ_DEFAULT_VHOST RABBITMQ_VERSION
RABBITMQ_SSL_CACERTFILE RABBITMQ_MANAGEMENT_SSL_CERTFILE RABBITMQ_DATA_DIR RABBITMQ_FEATURE_FLAGS
REDIS_VERSION REDIS_DOWNLOAD_URL REDIS_DOWNLOAD_SHA REDISCLI_AUTH REDIS_URL REDIS_MASTER_HOST REDIS_MASTER_PASSWORD
REDIS_REPLICATION_MODE REDIS_TLS_ENABLED REDIS_TLS_CA_FILE REDIS_PORT_NUMBER REDIS_SENTINEL_HOST REDIS_ACLFILE
REDIS_SERVICE_HOST REDIS_SERVICE_PORT REDIS_SERVICE_PORT_REDIS REDIS_PORT_6379_TCP REDIS_PORT_6379_TCP_ADDR
RABBITMQ_SERVICE_HOST RABBITMQ_PORT_5672_TCP_PROTO FACEREC_SERVICE_HOST FACEREC_SERVICE_PORT_HTTP FACEREC_PORT_5000_TCP_PORT
REST_SERVICE_HOST REST_PORT_5000_TCP
MODE TRACE LOGLEVEL DEVICES_ROOT CUDA_VISIBLE_DEVICES XDG_DATA_HOME XDG_CACHE_HOME XDG_STATE_HOME XDG_CONFIG_HOME HOST HOSTNAME PORT
USER LOGNAME PASSWORD TMPDIR PATH PWD HOME LANG LC_ALL TERM SHELL EDITOR PYTHONPATH PYTEST_XDIST_WORKER PYTEST_CURRENT_TEST CI
DOCKER_HOST COMPOSE_PROJECT_NAME KUBERNETES_PORT POD_NAME OMP_NUM_THREADS NO_COLOR COLUMNS HTTP_PROXY SSL_CERT_FILE
FLASK_DEBUG GUNICORN_CMD_ARGS PROMETHEUS_MULTIPROC_DIR AWS_ACCESS_KEY_ID AWS_ENDPOINT_URL MODEL_NAME MODEL_PATH ENGINE_ID
GRADE MODULE RESTIC_PASSWORD REST_API_URL PREFIX TOKEN TOKENS RATE LIMIT WORKSPACE STORE UPTIME GROUP GROUPS
"""


@pytest.mark.parametrize(
    ("wrong", "meant"),
    [
        ("TOLERENCE", "TOLERANCE"),
        ("REDIS_PASWORD", "REDIS_PASSWORD"),
        ("REDIS_HOTS", "REDIS_HOST"),
        ("REDDIS_HOST", "REDIS_HOST"),
        ("RABBIT_HOST", "RABBITMQ_HOST"),
        ("RABBITMQ_PASSWORD_FLIE", "RABBITMQ_PASSWORD_FILE"),
        ("REST_PROT", "REST_PORT"),
        ("MODLE", "MODEL"),
        ("WORKER", "WORKERS"),
        ("JOB_TIMELIMIT", "JOB_TIME_LIMIT"),
        ("MAX_UPLOAD_BYTS", "MAX_UPLOAD_BYTES"),
        ("IMAGES_STORE", "IMAGE_STORE"),
        ("FACEREC_TOKN", "FACEREC_TOKEN"),
        ("FACEREC_NOTHING_OF_THE_KIND", "no such setting"),
    ],
)
def test_a_misspelt_setting_is_refused_and_the_right_one_named(wrong: str, meant: str) -> None:
    for load in (load_settings, lambda environ: load_client_settings(environ=environ)):
        with pytest.raises(ConfigError, match=f"^{wrong}: .*{meant}"):
            load({wrong: "1"})
    load_settings({wrong: ""})  # not set


@pytest.mark.parametrize("name", OTHERS.split())
def test_what_belongs_to_others_is_let_alone(name: str) -> None:
    load_settings({name: "1"})
    load_client_settings(environ={name: "1"})


def test_what_kubernetes_sets_for_services_of_our_names_is_let_alone() -> None:
    links = {
        "FACEREC_PORT": "tcp://10.0.0.1:5000",
        "REST_PORT": "tcp://10.0.0.2:80",
        "FACEREC_REST_PORT": "tcp://10.0.0.3:80",
    }
    assert load_settings(links).rest.port == 5000


def test_every_setting_of_ours_is_known() -> None:
    assert {"MODEL", "REDIS_PASSWORD_FILE", "FACEREC_URL", "FACEREC_PORT", "FACE_MODEL_API_KEY_FILE"} <= known_names()
    load_settings(dict.fromkeys(known_names(), ""))


def test_the_port_of_rest_has_two_names() -> None:
    assert load_settings({"FACEREC_PORT": "5005"}).rest.port == 5005
    assert load_settings({"FACEREC_PORT": "5005", "REST_PORT": "5005"}).rest.port == 5005
    with pytest.raises(ConfigError, match="REST_PORT=5006 and FACEREC_PORT=5005"):
        load_settings({"FACEREC_PORT": "5005", "REST_PORT": "5006"})
    with pytest.raises(ConfigError, match="FACEREC_PORT='x'"):
        load_settings({"FACEREC_PORT": "x"})
