# docker build --tag netaflux .
# docker run --volume /srv/netaflux:/config:ro --volume netaflux:/data netaflux
ARG PYTHON_IMAGE=python:3.13-slim

FROM ${PYTHON_IMAGE} AS build
WORKDIR /build
COPY requirements.lock requirements-build.lock ./
# Two environments: the one that is shipped, and one with the tool that builds netaflux, which stays behind.
RUN python3 -m venv /opt/netaflux \
    && /opt/netaflux/bin/pip install --no-cache-dir --no-deps --require-hashes -r requirements.lock \
    && python3 -m venv tools \
    && tools/bin/pip install --no-cache-dir --no-deps --require-hashes -r requirements-build.lock
COPY pyproject.toml README.md LICENSE ./
COPY daemon daemon
RUN tools/bin/pip wheel --no-deps --no-build-isolation --wheel-dir wheels . \
    && /opt/netaflux/bin/pip install --no-cache-dir --no-index --no-deps wheels/*.whl

FROM ${PYTHON_IMAGE}
RUN useradd --uid 10001 --user-group --no-create-home --shell /usr/sbin/nologin netaflux \
    && install --directory /config \
    && install --directory --owner netaflux --group netaflux --mode 0700 /data
COPY --from=build /opt/netaflux /opt/netaflux
# The environment beats the file, so a configuration written for another machine finds its places here too.
ENV PATH=/opt/netaflux/bin:${PATH} \
    NETAFLUX_CONFIG=/config/config.toml \
    NETAFLUX_STATE_DIR=/data \
    NETAFLUX_STATUS__SOCKET=/data/netaflux.sock
USER 10001:10001
VOLUME ["/config", "/data"]
HEALTHCHECK --start-period=30s CMD ["netaflux", "health"]
ENTRYPOINT ["netaflux"]
CMD ["run"]
