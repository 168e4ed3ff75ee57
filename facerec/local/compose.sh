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
        make_compose_secrets
        compose_command up --detach --build --wait || {
            compose_command ps --all >&2
            die "not all containers became healthy; see ./deploy-local-dev.sh logs"
        }
        say_compose_first_steps
        ;;
    down) compose_command down ;;
    status) compose_command ps --all ;;
    logs) compose_command logs --follow --tail 20 ;;
    esac
}

say_compose_first_steps() {
    local url="http://127.0.0.1:${REST_PORT:-5000}"
    cat <<END

The service runs at $url

Calls carry the token in $folder/token. Scan two pictures, then ask which others show the same people (the answer to a scan
holds the picture's hash):
  curl -H "x-api-key: \$(cat $folder/token)" --data-binary @first.jpg $url/scan/image/first.jpg
  curl -H "x-api-key: \$(cat $folder/token)" --data-binary @second.jpg $url/scan/image/second.jpg
  curl -H "x-api-key: \$(cat $folder/token)" $url/match/HASH

./deploy-local-dev.sh status | logs | down
END
}
