#!/bin/sh
# Make an ARM64 Python with ONNX Runtime, and a QEMU to run it. Usage: arm64.sh FOLDER PYTHON ONNXRUNTIME_VERSION
# Debian's apt-get and its keyring are needed, root isn't: apt has its lists and state in FOLDER, so this machine's
# sources and packages stay as they are. QEMU is 10 from bookworm-backports, since onnxruntime 1.28.0 crashes at
# import under bookworm's 7.2 (1.27.0 does not); Python is bookworm's 3.11 on every host, for the wheels' sake.
set -eu
mkdir -p "$1"
folder=$(cd "$1" && pwd) python=$2 onnxruntime=$3
key=/usr/share/keyrings/debian-archive-keyring.gpg
host=$(dpkg --print-architecture)
rm -rf "$folder/root" "$folder/qemu" "$folder/wheels" "$folder/site" "$folder/debs"
mkdir -p "$folder/apt/lists/partial" "$folder/apt/archives/partial" "$folder/debs" "$folder/root" "$folder/qemu" \
  "$folder/wheels" "$folder/site"
touch "$folder/apt/status"
cat >"$folder/apt/sources.list" <<EOF
deb [signed-by=$key] http://deb.debian.org/debian bookworm main
deb [signed-by=$key] http://deb.debian.org/debian bookworm-backports main
deb [signed-by=$key] http://deb.debian.org/debian-security bookworm-security main
EOF
cat >"$folder/apt/apt.conf" <<EOF
Dir::State "$folder/apt";
Dir::State::status "$folder/apt/status";
Dir::Cache "$folder/apt";
Dir::Etc::sourcelist "$folder/apt/sources.list";
Dir::Etc::sourceparts "/dev/null";
APT::Architectures { "$host"; "arm64"; };
APT::Sandbox::User "";
Acquire::Languages "none";
EOF
export APT_CONFIG="$folder/apt/apt.conf"
apt-get update -qq
(cd "$folder/debs" && apt-get download -qq libc6:arm64 libstdc++6:arm64 libgcc-s1:arm64 python3.11-minimal:arm64 \
  libpython3.11-minimal:arm64 libpython3.11-stdlib:arm64 zlib1g:arm64 libexpat1:arm64 libffi8:arm64 libbz2-1.0:arm64 \
  liblzma5:arm64 libssl3:arm64 libsqlite3-0:arm64 libuuid1:arm64 libcrypt1:arm64)
for deb in "$folder"/debs/*.deb; do dpkg -x "$deb" "$folder/root"; done
(cd "$folder/qemu" && apt-get download -qq "qemu-user:$host/bookworm-backports" && dpkg -x qemu-user_*.deb . && rm ./*.deb)
"$python" -m pip download --quiet --platform manylinux_2_28_aarch64 --platform manylinux_2_27_aarch64 \
  --platform manylinux_2_17_aarch64 --platform manylinux2014_aarch64 --python-version 3.11 --implementation cp \
  --abi cp311 --abi abi3 --abi none --only-binary=:all: --dest "$folder/wheels" \
  "onnxruntime==$onnxruntime" numpy 'cryptography>=50,<51' 'cbor2>=6,<7'
for wheel in "$folder"/wheels/*.whl; do "$python" -m zipfile -e "$wheel" "$folder/site"; done
