# srdiff-serve on an Ascend, from the repository's root; neither built nor run by its authors yet. CANN is an image with the
# vendor's toolkit and a Python from 3.9 to 3.11, of the version that the host's driver goes with (docs/ascend.md):
#   docker build -t srdiff-ascend -f docker/ascend.Dockerfile --build-arg CANN=ascendai/cann:TAG .
#   docker run -p 127.0.0.1:8000:8000 --device /dev/davinci0 --device /dev/davinci_manager --device /dev/devmm_svm \
#     --device /dev/hisi_hdc -v /usr/local/Ascend/driver:/usr/local/Ascend/driver:ro srdiff-ascend
ARG CANN
# hadolint ignore=DL3006
FROM ${CANN}
COPY . /source
RUN python3 -m venv /srdiff && /srdiff/bin/pip install --no-cache-dir '/source[heif,serve]' onnxruntime-cann onnx
ENV HOME=/tmp PATH=/srdiff/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
# Whoever runs it must belong to the group that owns /dev/davinci*, which on most hosts is HwHiAiUser, 1000.
USER 1000:1000
EXPOSE 8000
# The first image waits for its graphs to be compiled.
HEALTHCHECK --interval=10s --timeout=5s --start-period=900s --retries=3 \
  CMD ["python3", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/readyz', timeout=4)"]
COPY docker/ascend_entry.sh /srdiff/bin/
ENTRYPOINT ["bash", "/srdiff/bin/ascend_entry.sh", "--host", "0.0.0.0", "--device", "ascend"]
