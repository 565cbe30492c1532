# srdiff-serve on an NVIDIA GPU, from the repository's root; neither built nor run by its authors yet:
#   docker build -t srdiff-cuda -f docker/cuda.Dockerfile . && docker run --gpus 1 -p 127.0.0.1:8000:8000 srdiff-cuda
FROM nvidia/cuda:12.6.3-cudnn-runtime-ubuntu24.04
# hadolint ignore=DL3008
RUN apt-get update && apt-get install --yes --no-install-recommends python3 python3-venv \
  && rm -rf /var/lib/apt/lists/* && python3 -m venv /srdiff
COPY . /source
RUN /srdiff/bin/pip install --no-cache-dir '/source[gpu,heif,serve]'
ENV HOME=/tmp PATH=/srdiff/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
USER 65534:65534
EXPOSE 8000
# The first image waits for cuDNN to choose its kernels.
HEALTHCHECK --interval=10s --timeout=5s --start-period=300s --retries=3 \
  CMD ["python3", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/readyz', timeout=4)"]
ENTRYPOINT ["srdiff-serve", "--host", "0.0.0.0", "--device", "gpu"]
