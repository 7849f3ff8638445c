#!/bin/sh
# Make an ARM64 Python with ONNX Runtime beside this machine's own, for qemu-user. Usage: arm64.sh FOLDER PYTHON
# Needs Debian's package manager as root. onnxruntime 1.28.0 crashes at import under qemu 7.2 (1.27.0 doesn't, and
# its CPU kernels are those of the same family), so what runs here is 1.27.0: a check of ARM kernels, not of a version.
set -eu
folder=$1 python=$2
mkdir -p "$folder/debs" "$folder/root" "$folder/wheels" "$folder/site"
test -x /usr/bin/qemu-aarch64-static || apt-get install -y -qq qemu-user-static
dpkg --add-architecture arm64
apt-get update -qq
(cd "$folder/debs" && apt-get download -qq libc6:arm64 libstdc++6:arm64 libgcc-s1:arm64 python3.11-minimal:arm64 \
  libpython3.11-minimal:arm64 libpython3.11-stdlib:arm64 zlib1g:arm64 libexpat1:arm64 libffi8:arm64 libbz2-1.0:arm64 \
  liblzma5:arm64 libssl3:arm64 libsqlite3-0:arm64 libuuid1:arm64 libcrypt1:arm64)
for deb in "$folder"/debs/*.deb; do dpkg -x "$deb" "$folder/root"; done
"$python" -m pip download --quiet --platform manylinux_2_28_aarch64 --platform manylinux_2_27_aarch64 \
  --platform manylinux_2_17_aarch64 --platform manylinux2014_aarch64 --python-version 3.11 --implementation cp \
  --abi cp311 --abi abi3 --abi none --only-binary=:all: --dest "$folder/wheels" \
  onnxruntime==1.27.0 numpy 'cryptography>=50' cbor2
for wheel in "$folder"/wheels/*.whl; do "$python" -m zipfile -e "$wheel" "$folder/site"; done
touch "$folder/.made"
