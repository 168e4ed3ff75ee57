#!/bin/sh
# Make the secrets of the service in the namespace that kubectl is set to; those that exist are left alone. Passwords are
# random and only in the cluster. The first token is printed once: only its hash is kept.
#   k8s/make-secrets.sh [OWNER]          OWNER of the first token, by default "default"
set -eu

random() { od -An -N24 -tx1 /dev/urandom | tr -d ' \n'; }
sha256() { if command -v sha256sum >/dev/null; then sha256sum; else shasum -a 256; fi | cut -d' ' -f1; }
exists() { kubectl get secret "$1" >/dev/null 2>&1; }

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
umask 077

# Through files and not through arguments, which show in process lists.
if ! exists facerec-stores; then
    random >"$folder/redis-password"
    random >"$folder/rabbitmq-password"
    kubectl create secret generic facerec-stores --from-file="$folder/redis-password" --from-file="$folder/rabbitmq-password"
fi

if ! exists facerec-tokens; then
    token=$(random)
    printf '%s:%s\n' "${1:-default}" "$(printf %s "$token" | sha256)" >"$folder/tokens"
    kubectl create secret generic facerec-tokens --from-file="$folder/tokens"
    echo "The token of ${1:-default}, shown this once: $token"
fi
