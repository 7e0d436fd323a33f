#!/bin/sh
# Time an ONNX file on another machine: on_pi.sh HOST FILE
#
# The machine needs python3 with numpy and onnxruntime, and lets you in by a key. One connection takes the file there,
# times it and takes it away again; what hangs there ends after 100 s, as ending ssh here does not end it.
set -eu
host=$1
file=$2
tar -cf - -C "$(dirname "$file")" "$(basename "$file")" -C "$(dirname "$0")" time_onnx.py |
    ssh -o BatchMode=yes -o ConnectTimeout=10 "$host" '
        folder=$(mktemp -d) && trap "rm -rf \"$folder\"" EXIT && cd "$folder" && tar -xf - &&
        timeout 100 python3 time_onnx.py *.onnx'
