# The images of mgeo-stream. Targets:
#   worker       parses on processors; what `docker build .` makes, for it stands last
#   worker-cuda  parses on NVIDIA GPUs
#   gateway, controller  the same program without PyTorch
#   test         the worker with its tests: `docker run` of it runs `make test`
# How to build, run and pin them, and what each layer weighs: docs/operations/image.md.

# A digest is one content for ever. `python -m deploy.image.digests` writes the newest one here.
ARG PYTHON_IMAGE=docker.io/library/python:3.11-slim-bookworm@sha256:0bee7276f83efd4a1ee05bbbf4281d95ed28e079220a9457f25a93e3f1e3c31b


# ── What is installed, one layer for each rate of change ─────────────────────────────────────────

FROM ${PYTHON_IMAGE} AS core
WORKDIR /src
COPY deploy/image/install.py /usr/local/bin/install-layer
COPY pyproject.toml constraints.txt ./
RUN --mount=type=cache,target=/root/.cache/pip \
    python /usr/local/bin/install-layer /layers/core core otel

FROM core AS torch-cpu
# PyTorch's own index: on the Python index its wheels for x86-64 bring 3 GB of CUDA along.
ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu
RUN --mount=type=cache,target=/root/.cache/pip \
    python /usr/local/bin/install-layer /layers/torch torch --index "${TORCH_INDEX}"

FROM core AS torch-cuda
ARG TORCH_CUDA_INDEX=
RUN --mount=type=cache,target=/root/.cache/pip \
    python /usr/local/bin/install-layer /layers/torch torch --index "${TORCH_CUDA_INDEX}"

# EXTRA_PACKAGES: what a deployment needs beside, such as the backend of its object store ("s3fs").
FROM torch-cpu AS parts-cpu
ARG EXTRA_PACKAGES=
RUN --mount=type=cache,target=/root/.cache/pip \
    python /usr/local/bin/install-layer /layers/worker worker --extra "${EXTRA_PACKAGES}"

FROM torch-cuda AS parts-cuda
ARG EXTRA_PACKAGES=
RUN --mount=type=cache,target=/root/.cache/pip \
    python /usr/local/bin/install-layer /layers/worker worker --extra "${EXTRA_PACKAGES}"

FROM parts-cpu AS parts-test
RUN --mount=type=cache,target=/root/.cache/pip \
    python /usr/local/bin/install-layer /layers/test local test

FROM core AS code
COPY README.md LICENSE mgeo_stream.py ./
COPY contracts contracts
COPY producer producer
COPY consumer consumer
COPY rollout rollout
COPY deploy deploy
RUN --mount=type=cache,target=/root/.cache/pip \
    python /usr/local/bin/install-layer /layers/code project

# The model of MGEO_VERSION, fetched while the image is built: a hub id such as
# damo/mgeo_geographic_elements_tagging_chinese_base@v1.0.0, or the name that MGEO_MODEL is to get.
# Without it the store is empty: mount one, name one by MGEO_MODEL_STORE, or let the worker fetch.
FROM parts-cpu AS model
COPY --from=code /layers/code /opt/mgeo
ARG MGEO_VERSION=
ARG MGEO_MODEL=
ARG MODELSCOPE_ENDPOINT=
ENV MGEO_MODEL_STORE=/store MGEO_MODEL_CACHE=/tmp/fetched
RUN --mount=type=secret,id=modelscope_token \
    mkdir -p "${MGEO_MODEL_STORE}"; \
    if [ -f /run/secrets/modelscope_token ]; then \
        MODELSCOPE_API_TOKEN="$(cat /run/secrets/modelscope_token)"; \
        export MODELSCOPE_API_TOKEN; \
    fi; \
    case "${MGEO_MODEL},${MGEO_VERSION}" in \
        ,) ;; \
        ,*/*) /opt/mgeo/bin/mgeo model add "${MGEO_VERSION}" ;; \
        ,*) /opt/mgeo/bin/mgeo model show "${MGEO_VERSION}" ;; \
        *) /opt/mgeo/bin/mgeo model add "${MGEO_MODEL}" --version "${MGEO_VERSION}" ;; \
    esac


# ── What is run ──────────────────────────────────────────────────────────────────────────────────

FROM ${PYTHON_IMAGE} AS base
# A number, so that Kubernetes can see that it is not root's.
RUN groupadd --gid 10001 mgeo \
    && useradd --uid 10001 --gid 10001 --home-dir /var/lib/mgeo --no-create-home \
        --shell /usr/sbin/nologin mgeo \
    && install -d -o 10001 -g 10001 /var/lib/mgeo /var/lib/mgeo/models /var/cache/mgeo
# Inside a container loopback reaches nobody; whoever publishes the port decides who may.
ENV PATH=/opt/mgeo/bin:/usr/local/bin:/usr/bin:/bin \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    HOME=/var/lib/mgeo \
    XDG_CACHE_HOME=/var/cache/mgeo \
    MGEO_HOST=0.0.0.0 \
    MGEO_GATEWAY_HOST=0.0.0.0 \
    MGEO_MODEL_STORE=/var/lib/mgeo/models \
    MGEO_MODEL_CACHE=/var/cache/mgeo/models
WORKDIR /var/lib/mgeo
STOPSIGNAL SIGTERM
ENTRYPOINT ["mgeo"]
LABEL org.opencontainers.image.title="mgeo-stream" \
      org.opencontainers.image.description="Chinese addresses in, structured addresses out, exactly once, through Kafka" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=core /layers/core /opt/mgeo

FROM base AS program
COPY --from=code /layers/code /opt/mgeo
USER 10001:10001

FROM program AS gateway
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 \
    CMD ["python", "-m", "deploy.image.probe", "gateway"]
CMD ["gateway"]
ARG VERSION=
ARG REVISION=
ARG SOURCE=
LABEL org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.source="${SOURCE}"

FROM program AS controller
EXPOSE 9465
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 \
    CMD ["python", "-m", "deploy.image.probe", "controller"]
CMD ["rollout", "controller"]
ARG VERSION=
ARG REVISION=
ARG SOURCE=
LABEL org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.source="${SOURCE}"

FROM base AS test
# hadolint ignore=DL3008 # what make and ps do does not change between their versions
RUN apt-get update && apt-get install -y --no-install-recommends make procps \
    && rm -rf /var/lib/apt/lists/*
COPY --from=parts-test /layers/torch /opt/mgeo
COPY --from=parts-test /layers/worker /opt/mgeo
COPY --from=parts-test /layers/test /opt/mgeo
WORKDIR /src
COPY --chown=10001:10001 . .
# The base's own Python has pip. Make asks times: what is installed is newer than its sources.
RUN PATH=/usr/local/bin:/usr/bin:/bin python deploy/image/install.py /layers/checkout checkout \
    && touch /opt/mgeo/.runtime /opt/mgeo/.tests && chown 10001:10001 /src
USER 10001:10001
ENV VENV=/opt/mgeo
ENTRYPOINT []
CMD ["make", "test"]

FROM base AS worker-cuda
COPY --from=parts-cuda /layers/torch /opt/mgeo
COPY --from=parts-cuda /layers/worker /opt/mgeo
COPY --from=code /layers/code /opt/mgeo
COPY --from=model --chown=10001:10001 /store /var/lib/mgeo/models
USER 10001:10001
# What the NVIDIA container toolkit hands in: the driver's own libraries; CUDA's come with PyTorch.
ENV NVIDIA_VISIBLE_DEVICES=all \
    NVIDIA_DRIVER_CAPABILITIES=compute,utility \
    MGEO_DEVICE=cuda
EXPOSE 9464
HEALTHCHECK --interval=10s --timeout=5s --start-period=120s --retries=3 \
    CMD ["python", "-m", "deploy.image.probe", "worker"]
CMD ["worker"]
ARG MGEO_VERSION=
ENV MGEO_VERSION=${MGEO_VERSION}
ARG VERSION=
ARG REVISION=
ARG SOURCE=
LABEL org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.source="${SOURCE}"

FROM base AS worker
COPY --from=parts-cpu /layers/torch /opt/mgeo
COPY --from=parts-cpu /layers/worker /opt/mgeo
COPY --from=code /layers/code /opt/mgeo
COPY --from=model --chown=10001:10001 /store /var/lib/mgeo/models
USER 10001:10001
EXPOSE 9464
HEALTHCHECK --interval=10s --timeout=5s --start-period=120s --retries=3 \
    CMD ["python", "-m", "deploy.image.probe", "worker"]
CMD ["worker"]
ARG MGEO_VERSION=
ENV MGEO_VERSION=${MGEO_VERSION}
ARG VERSION=
ARG REVISION=
ARG SOURCE=
LABEL org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.source="${SOURCE}"
