# docker build -t logintide .                    the processor
# docker build -t loadgen --target loadgen .     the load generator
#
# Runs as user 65532 with a read-only root; only /var/lib/logintide is written.

# Other images may take their place: a mirror's, or the stand-ins of cargo xtask check-containers.
ARG BUILD_IMAGE=rust:1.95.0-bookworm
ARG BASE_IMAGE=debian:12.11-slim

FROM ${BUILD_IMAGE} AS build
# Arguments of scripts/build-release: --quick leaves out the profile and what takes long.
ARG BUILD_FLAGS=
# The context has no git: `--build-arg LOGINTIDE_COMMIT=$(git rev-parse HEAD)`.
ARG LOGINTIDE_COMMIT=unknown
WORKDIR /src
COPY . .
# Compiler, make and perl, for librdkafka and OpenSSL, are in the image.
RUN rustup component add llvm-tools \
 && scripts/build-release --without-demo ${BUILD_FLAGS} \
 && install -D -t /out target/released/logintide target/released/loadgen

FROM ${BASE_IMAGE} AS base
# The system's certificates: for -X security.protocol=ssl without ssl.ca.location.
RUN apt-get update \
 && apt-get install -y --no-install-recommends ca-certificates \
 && rm -rf /var/lib/apt/lists/*
USER 65532:65532
STOPSIGNAL SIGTERM

FROM base AS loadgen
COPY --from=build /out/loadgen /usr/local/bin/loadgen
ENTRYPOINT ["/usr/local/bin/loadgen"]

FROM base AS logintide
COPY --from=build /out/logintide /usr/local/bin/logintide
# A fresh volume takes the folder's owner.
USER root
RUN install -d -o 65532 -g 65532 -m 700 /var/lib/logintide
USER 65532:65532
ENV LOGINTIDE_STATE_DIR=/var/lib/logintide \
    LOGINTIDE_HTTP=0.0.0.0:9464
VOLUME /var/lib/logintide
EXPOSE 9464
# bash, because the image has no HTTP client; ready or not, the process answers when it lives.
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 \
  CMD ["bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/9464 && printf 'GET /healthz HTTP/1.0\\r\\n\\r\\n' >&3 && read -r line <&3 && [[ $line == *' 200 '* ]]"]
ENTRYPOINT ["/usr/local/bin/logintide"]
CMD ["run"]
