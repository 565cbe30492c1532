# srdiff-serve on an NVIDIA GPU, from the repository's root; not yet run on one by its authors. CUDA and cuDNN come as
# packages, in the versions that ONNX Runtime was built for, and the host needs a driver and NVIDIA's container toolkit:
#   docker build -t srdiff-cuda -f docker/cuda.Dockerfile . && docker run --gpus 1 --read-only --tmpfs /tmp \
#     -p 127.0.0.1:8000:8000 srdiff-cuda
FROM python:3.11-slim AS build
WORKDIR /source
RUN python -m venv /srdiff
COPY . .
RUN /srdiff/bin/pip install --no-cache-dir '.[gpu,heif,serve]' && /srdiff/bin/pip uninstall --yes pip

FROM python:3.11-slim
COPY --from=build /srdiff /srdiff
ENV HOME=/tmp PATH=/srdiff/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
ENV NVIDIA_DRIVER_CAPABILITIES=compute,utility
USER 65534:65534
EXPOSE 8000
# The first image waits for cuDNN to choose its kernels.
HEALTHCHECK --interval=10s --timeout=5s --start-period=300s --retries=3 \
  CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/readyz', timeout=4)"]
ENTRYPOINT ["srdiff-serve", "--host", "0.0.0.0", "--device", "gpu"]
