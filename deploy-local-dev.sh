#!/usr/bin/env bash
# The whole service on this machine, for trying it out and for working on it.
#
#   ./deploy-local-dev.sh [up | down | status | logs] [--native | --compose | --k8s]
#   ./deploy-local-dev.sh facerec COMMAND ...
#
# up       start everything, wait until it is ready, say how to use it (a second time: change nothing)
# down     stop what `up` started; the data stay
# status   one line for each part
# logs     print all logs as they grow
# facerec  run a command of facerec with the settings of this service: facerec scan FOLDER, facerec token create OWNER ...
#          (with --compose in a container, which sees the folder you are in and, to read, what else the arguments name)
#
# --compose  Docker Compose; the choice when a Docker engine answers
# --native   private Redis and RabbitMQ on 127.0.0.1, REST and a worker as background processes; the choice otherwise
# --k8s      Redis and RabbitMQ in the cluster and namespace that kubectl is set to, REST and a worker here
#
# Data, logs and generated passwords are under .facerec/. REDIS_HOST or RABBITMQ_HOST in the environment (with ..._PORT,
# ..._USER, ..._PASSWORD, ..._TLS) name servers to use instead of private ones, FACEREC_PORT (or REST_PORT) the port of the service.
# While it runs, .facerec/service.env tells the command facerec, called in this folder or below, where it is and with which token.
set -euo pipefail
here=$PWD
cd "$(dirname "$0")"
# shellcheck source=facerec/local/environment.sh
. facerec/local/environment.sh
folder=.facerec

usage() {
    sed -n '2,/^set/{/^set/d;s/^# \{0,1\}//;p;}' "$0"
    exit "$1"
}

command=up
mode=
read_arguments() {
    local argument
    for argument in "$@"; do
        case "$argument" in
        up | down | status | logs) command=$argument ;;
        --native | --compose | --k8s) mode=${argument#--} ;;
        -h | --help) usage 0 ;;
        *)
            say "unknown: $argument"
            usage 2 >&2
            ;;
        esac
    done
}
if [ "${1:-}" = facerec ]; then
    command=facerec # and what follows is its own
else
    read_arguments "$@"
    set -- "$command"
fi

# How the service was started last time, else what this machine can do.
choose_mode() {
    if [ -n "$mode" ]; then
        return
    elif [ -f $folder/mode ]; then
        mode=$(cat $folder/mode)
    elif has docker && docker compose version >/dev/null 2>&1 && docker info >/dev/null 2>&1; then
        mode=compose
    else
        mode=native
    fi
}

# Another way to run it than last time would start a second service beside the first.
remember_mode() {
    local before
    before=$(cat $folder/mode 2>/dev/null || true)
    if [ -n "$before" ] && [ "$before" != "$mode" ] && [ -f $folder/up ]; then
        die "it was started with --$before; stop that first: ./deploy-local-dev.sh down"
    fi
    mkdir -p -m 700 $folder
    printf '%s\n' "$mode" >$folder/mode
    : >$folder/up
}

native() {
    if [ "$1" = up ]; then
        check_mac
        ensure_servers || [ -n "${REDIS_HOST:-}${RABBITMQ_HOST:-}" ] || die "nothing is started without its own Redis and RabbitMQ"
        ensure_venv local
    elif [ ! -x .venv/bin/python ]; then
        say "nothing was started here yet"
        return 3
    fi
    .venv/bin/python -m facerec.local --folder $folder --workplace "$here" "$@"
}

# shellcheck source=facerec/local/compose.sh
. facerec/local/compose.sh
# shellcheck source=facerec/local/cluster.sh
. facerec/local/cluster.sh

choose_mode
if [ "$command" = up ]; then
    check_settings || exit 1
    remember_mode
fi
status=0
case "$mode" in
native) (native "$@") || status=$? ;; # a shell of its own, so that whatever ends it, the rest is done
compose) compose "$@" || status=$? ;;
k8s) cluster "$@" || status=$? ;;
esac
if [ "$command" = down ] && [ $status = 0 ]; then rm -f $folder/up; fi
if [ "$command" = up ] && [ $status != 0 ] && [ "$mode" = native ]; then rm -f $folder/up; fi
exit $status
