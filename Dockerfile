# srdiff-serve on a CPU: docker build -t srdiff . && docker run --read-only --tmpfs /tmp -p 127.0.0.1:8000:8000 srdiff
FROM python:3.11-slim AS build
WORKDIR /source
RUN python -m venv /srdiff
COPY . .
RUN /srdiff/bin/pip install --no-cache-dir '.[cpu,heif,serve]' && /srdiff/bin/pip uninstall --yes pip

FROM python:3.11-slim
COPY --from=build /srdiff /srdiff
# Engines look for a home; nothing else is ever written.
ENV HOME=/tmp PATH=/srdiff/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
USER 65534:65534
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=90s --retries=3 \
  CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/readyz', timeout=4)"]
ENTRYPOINT ["srdiff-serve", "--host", "0.0.0.0"]
