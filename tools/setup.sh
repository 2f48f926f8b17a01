#!/usr/bin/env bash
# Installs what the build, the tests and the demo need: Debian 12 packages, and those it is given. Does nothing when all is there.
set -euo pipefail

packages=(
  cmake ninja-build ccache g++ git
  libgrpc++-dev protobuf-compiler protobuf-compiler-grpc libprotobuf-dev libabsl-dev
  librocksdb-dev prometheus-cpp-dev libgtest-dev libgmock-dev libyaml-cpp-dev libcli11-dev libspdlog-dev libssl-dev libjemalloc-dev
  grpc-proto golang-github-gogo-googleapis-dev
  python3 python3-grpcio python3-protobuf python3-yaml
  clang-format
)

packages+=("$@")  # what only some commands need
missing=()
for package in "${packages[@]}"; do
  dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q '^install ok installed$' || missing+=("$package")
done
[ ${#missing[@]} -eq 0 ] && exit 0

echo "installing: ${missing[*]}"
sudo=()
[ "$(id -u)" -eq 0 ] || sudo=(sudo)
"${sudo[@]}" apt-get update -q
"${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "${missing[@]}"
