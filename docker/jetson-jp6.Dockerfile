# What cross needs to compile jetson-agent for JetPack 6: Ubuntu 22.04's cross compiler and its glibc 2.35. TensorRT, NVML
# and ONNX Runtime are opened at run time, so no NVIDIA package is needed here.
FROM ubuntu:22.04
RUN apt-get update \
    && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends \
        ca-certificates gcc-aarch64-linux-gnu g++-aarch64-linux-gnu libc6-dev-arm64-cross make pkg-config \
    && rm -rf /var/lib/apt/lists/*
ENV CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER=aarch64-linux-gnu-gcc \
    CC_aarch64_unknown_linux_gnu=aarch64-linux-gnu-gcc \
    CXX_aarch64_unknown_linux_gnu=aarch64-linux-gnu-g++
