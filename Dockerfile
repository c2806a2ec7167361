# syntax=docker/dockerfile:1
FROM node:24-bookworm-slim AS dashboard
WORKDIR /dashboard
COPY dashboard .
RUN --mount=type=cache,target=/root/.npm npm ci --no-progress && npm run --silent build

FROM rust:1.95-slim-bookworm AS build
RUN apt-get update && apt-get install -y --no-install-recommends make && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY . .
COPY --from=dashboard /dashboard/dist dashboard/dist
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/src/target \
    cargo build --release --locked --bin keyway && install -D -s target/release/keyway /out/keyway && mkdir /out/data

# No shell and no package manager; certificates and the user `nonroot` (65532) come with the image.
FROM gcr.io/distroless/cc-debian12:nonroot
COPY --from=build /out/keyway /usr/local/bin/keyway
# Volumes mounted here take over this owner, so they can be written without root.
COPY --from=build --chown=65532:65532 /out/data /var/lib/keyway
COPY --from=build --chown=65532:65532 /out/data /etc/keyway
WORKDIR /var/lib/keyway
ENV KEYWAY_DATA_DIR=/var/lib/keyway \
    KEYWAY_LISTEN=0.0.0.0:8080 \
    KEYWAY_OPS_LISTEN=0.0.0.0:9464
USER 65532:65532
VOLUME /var/lib/keyway
EXPOSE 8080 9464
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s --retries=3 CMD ["keyway", "healthcheck"]
ENTRYPOINT ["keyway"]
CMD ["serve"]
