# The gateway in a container:
#
#   docker build -t phigate .
#   docker run --read-only --tmpfs /tmp --mount type=volume,src=phigate-var,dst=/phigate/var \
#     --mount type=bind,src="$PWD/policy.yaml",dst=/phigate/rules/policy.yaml,readonly \
#     -p 8080:8080 phigate --mode reverse:http://model:8000
#
# It writes to var/ only: journal, keys, mitmproxy's own files. The console listens inside the container; to reach it
# from outside, end the command with `--set phi_console=0.0.0.0:8090` and publish that port to those who may see it.
FROM python:3.13-slim

RUN useradd --system --uid 10001 --no-create-home --home-dir /phigate/var phigate
WORKDIR /phigate

# The environment first: it changes with the locks alone.
COPY locks locks
COPY scripts scripts
RUN PIP_NO_CACHE_DIR=1 scripts/setup run

COPY addons addons
COPY rules rules
RUN install -d -o phigate -m 700 var

ENV PYTHONDONTWRITEBYTECODE=1
USER phigate
VOLUME /phigate/var
EXPOSE 8080 8090
HEALTHCHECK --interval=10s --timeout=5s --start-period=20s CMD ["/phigate/scripts/healthy"]
ENTRYPOINT ["/phigate/.venv/bin/mitmdump", "-q", "-s", "/phigate/addons/gateway.py", "--set", "confdir=/phigate/var/mitmproxy"]
CMD ["--mode", "reverse:http://127.0.0.1:8000"]
