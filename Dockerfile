# SPDX-License-Identifier: Apache-2.0
# Two images from one build: the server (the default target) and engram-bench, the load client.
#   docker build -t engram-server:0.1.0 .
#   docker build -t engram-bench:0.1.0 --target bench .
# What is built on, run on and built with are arguments, so that an image for other hardware shares
# these stages. docs/OPERATIONS.md tells how to run them.
ARG BUILD_BASE=debian:bookworm
ARG RUNTIME_BASE=debian:bookworm-slim

# ---- Compiler and libraries: a stage of their own, which an edit of the code does not repeat ----
FROM ${BUILD_BASE} AS tools
WORKDIR /src
COPY tools/setup tools/setup
RUN tools/setup server

# ---- The server, and all other files as they will lie in the image, readable by everyone ----
FROM tools AS build
ARG BAZEL_FLAGS=""
COPY . .
RUN bazel --batch build --config=portable ${BAZEL_FLAGS} //server:engram-server
RUN install -D -s -m 0755 -t /image/bin bazel-bin/server/engram-server && \
    install -D -m 0644 config/examples/container.json /image/etc/config.json && \
    install -D -m 0644 -t /image/models/engram-demo models/engram-demo/* && \
    install -D -m 0644 LICENSE /image/doc/LICENSE
# The licences of what is linked in statically: those of all development packages that were there.
RUN for file in /usr/share/doc/*-dev/copyright; do \
      install -D -m 0644 "$file" "/image/doc/third-party/$(basename "$(dirname "$file")")"; \
    done

FROM build AS build-bench
RUN bazel --batch build --config=portable ${BAZEL_FLAGS} //tools/bench:engram-bench
RUN install -s -m 0755 -t /image/bin bazel-bin/tools/bench/serve/engram-bench

# ---- What both images have: no shell script, no package on top of the base, no root ----
FROM ${RUNTIME_BASE} AS runtime
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=build /image/doc /usr/share/doc/engram-server
# A number, so that Kubernetes can see that it is not root.
USER 10001:10001

FROM runtime AS bench
LABEL org.opencontainers.image.title="engram-bench" \
      org.opencontainers.image.description="Load client for OpenAI-compatible servers and Engram Server's gRPC"
COPY --from=build-bench /image/bin/engram-bench /usr/local/bin/engram-bench
ENTRYPOINT ["/usr/local/bin/engram-bench"]
CMD ["serve", "--help"]

FROM runtime AS server
LABEL org.opencontainers.image.title="engram-server" \
      org.opencontainers.image.description="Inference server for Engram language models: HTTP (OpenAI's API) and gRPC"
COPY --from=build /image/models /models
COPY --from=build /image/etc /etc/engram-server
COPY --from=build /image/bin/engram-server /usr/local/bin/engram-server
EXPOSE 8000 8001
# The first SIGTERM finishes what runs; the process is PID 1 itself, no shell stands between.
STOPSIGNAL SIGTERM
# Not ready counts as starting for ten minutes: a large model takes time to load.
HEALTHCHECK --interval=5s --timeout=6s --start-period=10m --retries=3 \
  CMD ["/usr/local/bin/engram-server", "healthcheck"]
# Arguments of `docker run` follow the config file and win over it.
ENTRYPOINT ["/usr/local/bin/engram-server", "--config", "/etc/engram-server/config.json"]
