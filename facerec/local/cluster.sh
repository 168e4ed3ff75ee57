# shellcheck shell=bash
# Sourced by deploy-local-dev.sh: Redis and RabbitMQ in a cluster, everything else here. Uses the context and namespace that
# kubectl is set to.

cluster() {
    case "$1" in
    up) cluster_up ;;
    down) cluster_down ;;
    *) native "$@" ;;
    esac
}

cluster_up() {
    has kubectl || die "kubectl is not installed"
    kubectl get --raw /readyz >/dev/null || die "the cluster does not answer (kubectl get --raw /readyz)"
    kubectl get statefulset redis rabbitmq >/dev/null 2>&1 || : >$folder/stores
    k8s/make-secrets.sh
    kubectl apply -k k8s/stores
    kubectl rollout status statefulset/redis --timeout=300s
    kubectl rollout status statefulset/rabbitmq --timeout=300s
    copy_password redis redis-password
    copy_password rabbitmq rabbitmq-password
    ensure_venv local
    .venv/bin/python -m facerec.local --folder $folder --forward up
}

copy_password() {
    mkdir -p "$folder/forward-$1"
    (
        umask 077
        kubectl get secret facerec-stores -o "jsonpath={.data.$2}" | base64 --decode >"$folder/forward-$1/password"
    )
}

# The volumes and the secret stay, so that the next `up` finds the data.
cluster_down() {
    native down
    if [ -f $folder/stores ]; then
        kubectl delete -k k8s/stores
        rm $folder/stores
    fi
}
