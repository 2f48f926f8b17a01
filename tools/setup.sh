#!/usr/bin/env bash
# Installs what the build, the tests and the demo need: Debian 12 packages, and those it is given. Does nothing when all is there.
# With --full also the tools of the tests labelled `full`, in pinned versions, under the user's cache: see full_tools below.
set -euo pipefail
cd "$(dirname "$0")/.."

full=
if [ "${1:-}" = --full ]; then full=1; shift; fi

packages=(
  cmake ninja-build ccache g++ git
  libgrpc++-dev protobuf-compiler protobuf-compiler-grpc libprotobuf-dev libabsl-dev
  librocksdb-dev prometheus-cpp-dev libboost1.81-dev zlib1g-dev libgtest-dev libgmock-dev libyaml-cpp-dev libcli11-dev libspdlog-dev libssl-dev libjemalloc-dev
  grpc-proto golang-github-gogo-googleapis-dev
)
# An image is only built in.
if [ "${1:-}" = --build-only ]; then shift; else packages+=(python3 python3-grpcio python3-protobuf python3-yaml); fi
[ -z "$full" ] || packages+=(python3-pip)
packages+=("$@")  # what only some commands need

as_root() { if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo "$@"; fi; }

install_packages() {
  local package missing=()
  for package in "${packages[@]}"; do
    dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q '^install ok installed$' || missing+=("$package")
  done
  [ ${#missing[@]} -gt 0 ] || return 0
  echo "installing: ${missing[*]}"
  as_root apt-get update -q
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "${missing[@]}"
}

cache="${XDG_CACHE_HOME:-$HOME/.cache}/tutti"
helm_version=v3.22.0
kubernetes_validate_version=1.37.0

# go_tool NAME MODULE PACKAGE VERSION [LDFLAGS]: in the cache, unless that very version is there.
go_tool() {
  go version -m "$cache/bin/$1" 2>/dev/null | grep -qF "	$2	$4" && return 0
  echo "building $1 $4"
  GOBIN="$cache/bin" go install -ldflags "-s -w ${5:-}" "$3@$4"
}

# Without these a helm built from source takes the cluster for Kubernetes 1.20.
helm_ldflags() {
  local package
  for package in pkg/chartutil pkg/lint/rules; do
    printf -- '-X helm.sh/helm/v3/%s.k8sVersionMajor=1 -X helm.sh/helm/v3/%s.k8sVersionMinor=37 ' "$package" "$package"
  done
}

# Prometheus out of its package, without installing that: the package would start a server and keep it.
unpack_prometheus() {
  command -v prometheus >/dev/null && command -v promtool >/dev/null && return 0
  [ -x "$cache/bin/prometheus" ] && [ -x "$cache/bin/promtool" ] && return 0
  echo "unpacking prometheus"
  local folder
  folder=$(mktemp -d)
  (cd "$folder" && { apt-get download -q prometheus || { as_root apt-get update -q && apt-get download -q prometheus; }; } &&
    dpkg-deb -x prometheus_*.deb .)
  install -m 755 "$folder/usr/bin/prometheus" "$folder/usr/bin/promtool" "$cache/bin/"
  rm -rf "$folder"
}

full_tools() {
  mkdir -p "$cache/bin"
  if ! command -v go >/dev/null; then
    echo "tools/setup.sh --full: needs Go 1.24 or newer on the PATH; Debian 12's own is too old" >&2
    exit 1
  fi
  go_tool helm helm.sh/helm/v3 helm.sh/helm/v3/cmd/helm "$helm_version" "$(helm_ldflags)"
  go_tool helm-docs github.com/norwoodj/helm-docs github.com/norwoodj/helm-docs/cmd/helm-docs v1.14.2
  go_tool grpcurl github.com/fullstorydev/grpcurl github.com/fullstorydev/grpcurl/cmd/grpcurl v1.9.4
  # Debian's own looks for its templates in a folder that only an installed package has.
  go_tool alertmanager github.com/prometheus/alertmanager github.com/prometheus/alertmanager/cmd/alertmanager v0.28.1
  go_tool amtool github.com/prometheus/alertmanager github.com/prometheus/alertmanager/cmd/amtool v0.28.1
  go build -C tests/chart/crdcheck -o "$cache/bin/crd-check" .
  unpack_prometheus
  if [ ! -d "$cache/python/kubernetes_validate-$kubernetes_validate_version.dist-info" ]; then
    echo "installing kubernetes-validate $kubernetes_validate_version"
    rm -rf "$cache/python"
    PIP_ROOT_USER_ACTION=ignore /usr/bin/python3 -m pip install -q --target "$cache/python" "kubernetes-validate==$kubernetes_validate_version"
  fi
}

install_packages
[ -z "$full" ] || full_tools
