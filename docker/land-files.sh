#!/bin/sh
# Copy the host's landing files to the bucket; where there are none, sample claims. Copying again changes nothing.
set -eu
if [ -n "$(find /landing -mindepth 2 -type f 2>/dev/null | head -n 1)" ]; then
    exec python -m medflow land /landing
fi
rm -rf /tmp/sample # of an earlier start of this container
python -m medflow generate --claims "$SAMPLE_CLAIMS" --seed 7 --defects 0.04 --out /tmp/sample
exec python -m medflow land /tmp/sample
