# One image for every process: tutti-orchestrator (the default), tutti-payment, tutti-reservation, tutti-token, tuttictl.
#   docker build -t tutti:0.1.0 .
# tests/image holds the runtime packages against what the binaries ask for.
ARG DEBIAN=debian:12-slim

FROM ${DEBIAN} AS build
WORKDIR /src
COPY tools/setup.sh tools/
RUN tools/setup.sh --build-only && rm -rf /var/lib/apt/lists/*
COPY . .
ARG JOBS=2
RUN --mount=type=cache,target=/root/.cache/ccache \
    cmake --preset release \
 && cmake --build --preset release -j "${JOBS}" \
      --target tutti-orchestrator tutti-payment tutti-reservation tutti-token tuttictl \
 && install -D --strip --target-directory=/out build/release/bin/*

FROM ${DEBIAN}
RUN apt-get update \
 && apt-get install -y --no-install-recommends \
      ca-certificates \
      libabsl20220623 libgrpc++1.51 libgrpc29 libjemalloc2 libprometheus-cpp-core1.0 libprotobuf32 \
      librocksdb7.8 libspdlog1.10 libssl3 libyaml-cpp0.7 zlib1g \
 && rm -rf /var/lib/apt/lists/* /var/cache/apt/* /var/log/* \
 && install -d -o 10001 -g 10001 /var/lib/tutti
COPY --from=build /out/ /usr/bin/
USER 10001:10001
VOLUME /var/lib/tutti
EXPOSE 7500 7501 7502
CMD ["tutti-orchestrator", "--help"]
