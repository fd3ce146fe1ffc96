# The worker and its command line, on linux/amd64 and linux/arm64:
#   docker build -t mastery-stream .
#   docker buildx build --platform linux/amd64,linux/arm64 -t REGISTRY/mastery-stream --push .
# glibc, not Alpine's musl: the wheels of confluent-kafka and others are made for it.
ARG BASE=python:3.13-slim-trixie

FROM ${BASE} AS build
# faust-streaming has no wheel for Linux on arm64 and is compiled there. No versions: Debian keeps only the newest, a
# pinned one would stop the build one day, and nothing of it comes into the image.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends gcc libc6-dev \
    && rm -rf /var/lib/apt/lists/*
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
WORKDIR /src
# The locked versions, of what workers need alone: requirements.lock holds the tools and tests' packages too, and the
# embedded broker of `mastery demo`. Before the code, so that a change of the code does not fetch them again.
COPY pyproject.toml requirements.lock ./
RUN python -m venv /opt/mastery \
    && python -c 'import tomllib; print(*tomllib.load(open("pyproject.toml", "rb"))["project"]["dependencies"], sep="\n")' \
        > requirements.in \
    && /opt/mastery/bin/pip install --requirement requirements.in --constraint requirements.lock \
    # Where it cannot be compiled, faust-streaming is installed without its compiled parts and says nothing.
    && /opt/mastery/bin/python -c 'import faust._cython.streams'
# The build backend, locked too, stays outside.
RUN python -m venv /opt/build \
    && /opt/build/bin/pip install --constraint requirements.lock hatchling
COPY README.md ./
COPY avro avro
COPY topics topics
COPY app app
RUN /opt/build/bin/python -m hatchling build -t wheel -d dist \
    && /opt/mastery/bin/pip install --no-deps dist/*.whl \
    && /opt/mastery/bin/pip check \
    && /opt/mastery/bin/pip uninstall --yes pip

# The same base as above: the virtual environment points at its Python.
FROM ${BASE}
LABEL org.opencontainers.image.title="mastery-stream" \
      org.opencontainers.image.description="Canvas Live Events in, twelve typed Avro topics out, exactly once."
# A number that stays: volumes are owned by it. The folders are made here because a new named volume takes over
# owner and mode of what it is mounted on.
RUN groupadd --gid 10001 mastery \
    && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /var/lib/mastery --shell /usr/sbin/nologin mastery \
    && install --directory --owner=10001 --group=10001 --mode=0700 /var/lib/mastery /etc/mastery
COPY --from=build /opt/mastery /opt/mastery
# Output as it comes, and no writing beside the code: the file system may be read-only.
ENV PATH="/opt/mastery/bin:${PATH}" \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    MASTERY_STATE_DIR=/var/lib/mastery
USER 10001:10001
WORKDIR /var/lib/mastery
EXPOSE 6066
# No shell between: SIGTERM reaches the worker, which commits and leaves the group.
ENTRYPOINT ["mastery"]
CMD ["worker"]
