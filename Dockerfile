# Serving only: no torch, no drift libraries, no compiler; runs as a user that owns nothing but /data.
FROM python:3.13-slim-bookworm

# What the OpenCV wheel asks of the system, and the time zones.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends libgl1 libglib2.0-0 tzdata \
    && rm -rf /var/lib/apt/lists/*

WORKDIR /opt/footfall
# serve: counting. cluster: also PostgreSQL, S3, Kubernetes and Evidently's reports, for deploy/k8s/.
ARG REQUIREMENTS=serve
COPY requirements/serve.txt requirements/cluster.txt requirements/
RUN pip install --no-cache-dir --no-deps --require-hashes --requirement requirements/${REQUIREMENTS}.txt
COPY pyproject.toml README.md LICENSE ./
COPY footfall footfall
COPY service service
COPY monitoring monitoring
RUN pip install --no-cache-dir --no-deps --no-build-isolation . \
    && useradd --system --uid 10001 --home-dir /data --shell /usr/sbin/nologin footfall \
    && install --directory --owner footfall --mode 0700 /data

USER 10001
WORKDIR /data
# ONNX Runtime reports its use to its maker unless this is set before it is loaded.
ENV ORT_DISABLE_TELEMETRY=1 \
    FOOTFALL_DATA_DIR=/data \
    FOOTFALL_HOST=0.0.0.0 \
    PYTHONDONTWRITEBYTECODE=1
VOLUME /data
EXPOSE 8600
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=15s --timeout=5s --start-period=30s CMD ["python", "-c", \
    "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8600/healthz', timeout=4)"]
# 0.0.0.0 is refused without a token: set FOOTFALL_API_TOKEN_FILE (deploy/compose.yaml does).
ENTRYPOINT ["footfall"]
CMD ["serve"]
