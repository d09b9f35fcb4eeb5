# UltraSam in a container: `docker build -t ultrasam .`, then `docker run --rm -v "$PWD":/work ultrasam predict ...`.
#
# Which PyTorch is installed follows from the index: PyPI's wheels for Linux bring CUDA. For a CPU alone, give the
# address of PyTorch's index of CPU builds with --build-arg TORCH_INDEX=..., and the image is gigabytes smaller.
ARG BASE=python:3.11-slim
FROM ${BASE}

ARG TORCH_INDEX=
ARG EXTRAS=annotate,dicom,formats
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PYTHONUNBUFFERED=1

WORKDIR /opt/ultrasam
COPY pyproject.toml setup.py constraints.txt README.md LICENSE ./
COPY ultrasam ultrasam
COPY converters converters
COPY configs configs
# OpenCV without a window system: the slim image has none of its libraries.
RUN python3 -m pip install --constraint constraints.txt ${TORCH_INDEX:+--index-url "$TORCH_INDEX"} torch \
    && python3 -m pip install --constraint constraints.txt ".[${EXTRAS}]" \
    && python3 -m pip uninstall --yes opencv-python \
    && python3 -m pip install "opencv-python-headless==$(sed -n 's/^opencv-python==//p' constraints.txt)" \
    && ultrasam selftest

# Not root: files that a run writes into a mounted folder belong to whoever starts it with --user.
RUN useradd --create-home ultrasam
USER ultrasam
WORKDIR /work
ENTRYPOINT ["ultrasam"]
CMD ["--help"]
