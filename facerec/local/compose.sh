# shellcheck shell=bash
# Sourced by deploy-local-dev.sh: the service in containers. Needs nothing but Docker with its Compose plugin.

new_secret() { od -An -N24 -tx1 /dev/urandom | tr -d ' \n'; }

sha256() { if has sha256sum; then sha256sum; else shasum -a 256; fi | cut -d' ' -f1; }

# In a container REST is reached from outside of it, so it wants a token: the file of hashes is for REST, the token is for you.
make_compose_secrets() {
    local old_mask
    old_mask=$(umask)
    umask 077
    if [ ! -f $folder/compose.env ]; then
        {
            echo "REDIS_PASSWORD=$(new_secret)"
            echo "RABBITMQ_PASSWORD=$(new_secret)"
        } >$folder/compose.env
    fi
    if [ ! -f $folder/token ]; then
        new_secret >$folder/token
        # The processes in the containers run as another user and must read this one; it holds hashes only.
        printf 'default:%s\n' "$(tr -d '\n' <$folder/token | sha256)" >$folder/tokens
        chmod 644 $folder/tokens
    fi
    umask "$old_mask"
}

# The two names of the port; Compose knows the one.
choose_port() {
    if [ -n "${REST_PORT:-}" ] && [ "${FACEREC_PORT:-$REST_PORT}" != "$REST_PORT" ]; then
        die "REST_PORT=$REST_PORT and FACEREC_PORT=$FACEREC_PORT: both are the port of REST, set one of them"
    fi
    local port=${FACEREC_PORT:-5000}
    export REST_PORT="${REST_PORT:-$port}"
}

# For a facerec that is installed on this machine: facerec/service_file.py tells of the form. Redis and RabbitMQ are not reached
# from here, so the file says nothing of them.
tell_commands() {
    (
        umask 077
        printf 'FACEREC_URL=http://127.0.0.1:%s\nFACEREC_TOKEN=%s\n' "$REST_PORT" "$(cat $folder/token)" >$folder/service.env.new
    )
    mv $folder/service.env.new $folder/service.env
}

compose_command() { docker compose --env-file $folder/compose.env "$@"; }

compose() {
    has docker || die "docker is not installed"
    if [ "$1" != up ] && [ ! -f $folder/compose.env ]; then
        say "nothing was started here yet"
        return 3
    fi
    case "$1" in
    up)
        docker info >/dev/null 2>&1 || die "the Docker engine does not answer (docker info); without it: --native"
        choose_port
        make_compose_secrets
        compose_command up --detach --build --wait || {
            compose_command ps --all >&2
            die "not all containers became healthy; see ./deploy-local-dev.sh logs"
        }
        tell_commands
        say_compose_first_steps
        ;;
    down)
        rm -f $folder/service.env
        end_commands
        compose_command down
        ;;
    status) compose_command ps --all ;;
    logs) compose_command logs --follow --tail 20 ;;
    facerec) compose_facerec "$@" ;;
    esac
}

# A container of its own, as the user who calls: it sees the folder it is called from, and what else its arguments name to read.
compose_facerec() {
    local argument path user lent=" $here "
    check_mountable "$here"
    user=$(id -u):$(id -g)
    case "$(docker info --format '{{.SecurityOptions}}' 2>/dev/null)" in
    *rootless*) user=0:0 ;; # inside, root stands for who runs the engine
    esac
    mkdir -p -m 700 $folder/state
    for argument in "$@"; do
        path=$(cd "$here" && whole_path "${argument#--*=}") || continue
        case "$path" in "$here"/*) continue ;; esac
        case "$lent" in *" $path "*) continue ;; esac
        lent="$lent$path "
        check_mountable "$path"
        set -- --volume "$path:$path:ro" "$@"
    done
    # Not where the standard input is a pipe, and not where the output is one.
    if [ ! -t 0 ] || [ ! -t 1 ]; then set -- --no-TTY "$@"; fi
    compose_command run --rm --no-deps --user "$user" --workdir "$here" --volume "$here:$here" "$@"
}

# A command whose caller was killed goes on in its container, which Compose leaves alone when it takes the service down.
end_commands() {
    local container
    compose_command --profile command ps --all --quiet facerec | while read -r container; do
        docker rm -f "$container" >/dev/null
    done
}

# Where a file or a folder is, from the root on; 1 when there is none of this name.
whole_path() {
    if [ -d "$1" ]; then
        (cd "$1" && pwd)
    elif [ -e "$1" ]; then
        printf '%s/%s\n' "$(cd "$(dirname "$1")" && pwd)" "$(basename "$1")"
    else
        return 1
    fi
}

check_mountable() {
    case "$1" in *:* | /) die "$1 cannot be lent to a container: no colon may be in it, and it may not be all of /" ;; esac
}

say_compose_first_steps() {
    local url="http://127.0.0.1:$REST_PORT"
    cat <<END

The service runs at $url

Calls carry the token in $folder/token. Scan two pictures, then ask which others show the same people (the answer to a scan
holds the picture's hash):
  curl -H "x-api-key: \$(cat $folder/token)" --data-binary @first.jpg $url/scan/image/first.jpg
  curl -H "x-api-key: \$(cat $folder/token)" --data-binary @second.jpg $url/scan/image/second.jpg
  curl -H "x-api-key: \$(cat $folder/token)" $url/match/HASH

./deploy-local-dev.sh status | logs | down
./deploy-local-dev.sh facerec scan FOLDER   (facerec with the settings of this service; --help has all commands)
END
}
