#!/bin/sh
# Make the secrets of the service in the namespace that kubectl is set to; those that exist are left alone. Passwords, keys and
# certificates are random and only in the cluster. The first token is printed once: only its hash is kept.
#   k8s/make-secrets.sh [OWNER]          OWNER of the first token, by default "default"
# S3_CONFIG and S3_CREDENTIALS, two files as the AWS tools have them, become the secret of the component images-s3.
set -eu

random() { od -An -N24 -tx1 /dev/urandom | tr -d ' \n'; }
sha256() { if command -v sha256sum >/dev/null; then sha256sum; else shasum -a 256; fi | cut -d' ' -f1; }
exists() { kubectl get secret "$1" >/dev/null 2>&1; }

absolute() { echo "$(cd "$(dirname "$1")" && pwd)/$(basename "$1")"; }
[ -z "${S3_CREDENTIALS:-}" ] || { S3_CREDENTIALS=$(absolute "$S3_CREDENTIALS") && S3_CONFIG=$(absolute "$S3_CONFIG"); }
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
umask 077
cd "$folder"

# Through files and not through arguments, which show in process lists.
if ! exists facerec-stores; then
    random >redis-password
    random >rabbitmq-password
    random >erlang-cookie
    kubectl create secret generic facerec-stores --from-file=./redis-password --from-file=./rabbitmq-password \
        --from-file=./erlang-cookie
fi

# Where KEDA, which lives in a namespace of its own, finds RabbitMQ's management API.
if ! exists facerec-keda; then
    namespace=$(kubectl config view --minify -o 'jsonpath={..namespace}')
    kubectl get secret facerec-stores -o 'jsonpath={.data.rabbitmq-password}' | base64 --decode >password
    at="rabbitmq.${namespace:-default}.svc"
    printf 'http://facerec:%s@%s:15672/' "$(cat password)" "$at" >management-url
    printf 'https://facerec:%s@%s:15671/' "$(cat password)" "$at" >management-tls-url
    printf enable >tls
    kubectl create secret generic facerec-keda --from-file=./management-url --from-file=./management-tls-url --from-file=./tls
fi

if ! exists facerec-tokens; then
    token=$(random)
    random >token
    {
        printf '%s:%s\n' "${1:-default}" "$(printf %s "$token" | sha256)"
        # Prometheus reads /metrics as an owner of its own, who has no pictures.
        printf 'monitoring:%s\n' "$(sha256 <token)"
    } >tokens
    kubectl create secret generic facerec-tokens --from-file=./tokens
    kubectl delete secret facerec-monitoring --ignore-not-found >/dev/null
    kubectl create secret generic facerec-monitoring --from-file=./token
    echo "The token of ${1:-default}, shown this once: $token"
fi

if [ -n "${S3_CREDENTIALS:-}" ] && ! exists facerec-s3; then
    kubectl create secret generic facerec-s3 --from-file=config="$S3_CONFIG" --from-file=credentials="$S3_CREDENTIALS"
fi

# An authority of our own, whose key is thrown away, for the component tls, and a certificate that signs itself for the edge.
names() {
    printf 'DNS:localhost,DNS:redis,DNS:rabbitmq,DNS:rabbitmq.%s.svc' "$1"
    for number in 0 1 2; do printf ',DNS:redis-%s.redis-nodes,DNS:rabbitmq-%s.rabbitmq-nodes' $number $number; done
}
command -v openssl >/dev/null || { echo "no openssl here: no certificates were made" >&2; exit 0; }
if ! exists facerec-tls; then
    namespace=$(kubectl config view --minify -o 'jsonpath={..namespace}')
    openssl req -x509 -newkey rsa:2048 -nodes -days 1825 -subj "/CN=facerec authority" -keyout ca.key -out ca.crt 2>/dev/null
    openssl req -newkey rsa:2048 -nodes -subj "/CN=facerec stores" -keyout tls.key -out stores.csr 2>/dev/null
    printf 'subjectAltName=%s\nextendedKeyUsage=serverAuth,clientAuth\n' "$(names "${namespace:-default}")" >stores.ext
    openssl x509 -req -in stores.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days 825 -extfile stores.ext -out tls.crt 2>/dev/null
    kubectl create secret generic facerec-tls --from-file=./ca.crt --from-file=./tls.crt --from-file=./tls.key
    rm ca.key tls.key
fi
if ! exists facerec-edge; then
    openssl req -x509 -newkey rsa:2048 -nodes -days 825 -subj "/CN=facerec" -keyout edge.key -out edge.crt 2>/dev/null
    kubectl create secret tls facerec-edge --cert=./edge.crt --key=./edge.key
fi
