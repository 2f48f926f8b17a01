#!/usr/bin/env bash
# Builds the Dockerfile without a Docker daemon or a registry, as root, and starts every program in the image: buildah, on a
# base made of the distribution's packages in place of debian:12-slim. Compiles everything again: minutes. What it keeps
# (TUTTI_IMAGE_CACHE, default build/image) makes the next run shorter; the image itself is removed unless --keep.
set -euo pipefail
cd "$(dirname "$0")/.."
tools/setup.sh buildah mmdebstrap

cache=$(realpath -m "${TUTTI_IMAGE_CACHE:-build/image}")
mkdir -p "$cache/tmp"
export STORAGE_DRIVER=vfs BUILDAH_ISOLATION=chroot TMPDIR="$cache/tmp"
buildah() { command buildah --root "$cache/root" --runroot "$cache/run" "$@"; }
base=docker.io/library/debian:12-slim

if ! buildah inspect --type image "$base" >/dev/null 2>&1; then
  echo "== base"
  mmdebstrap --quiet --variant=minbase bookworm "$cache/base.tar"
  container=$(buildah from scratch)
  buildah add --quiet "$container" "$cache/base.tar" /
  buildah commit --quiet --rm "$container" "$base"
  rm "$cache/base.tar"
fi

echo "== image"
buildah bud --layers --pull-never -t tutti:check --build-arg JOBS="${TUTTI_JOBS:-2}" .

echo "== programs"
container=$(buildah from --pull-never localhost/tutti:check)
trap 'buildah rm "$container" >/dev/null; [ "${1:-}" = --keep ] || buildah rmi localhost/tutti:check >/dev/null' EXIT
for program in tutti-orchestrator tutti-payment tutti-reservation tutti-token tuttictl; do
  buildah run "$container" -- "$program" --help | head -1
done
buildah run "$container" -- /bin/sh -c '[ "$(id -u)" = 10001 ] && [ -w /var/lib/tutti ] && [ ! -w /usr/bin ] && /bin/sleep 0'
buildah images --format '{{.Name}}:{{.Tag}} {{.Size}}'
