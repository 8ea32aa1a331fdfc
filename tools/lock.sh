#!/bin/sh
# Compiles every requirements.in into a requirements.txt of exact versions, all consistent
# with the trainer's. usage: lock.sh UV [UV_OPTION...]     (make lock)
set -eu
uv=$1
shift
trainer=services/trainer/requirements.txt
api=services/api/requirements.txt

lock() { # SOURCE TARGET [OPTION...]
  source=$1 target=$2
  shift 2
  "$uv" pip compile --quiet --universal --python-version 3.11 --annotation-style line \
    --custom-compile-command "make lock" "$source" -o "$target" "$@"
}

lock services/trainer/requirements.in "$trainer" "$@"
lock services/trainer/requirements-gpu.in services/trainer/requirements-gpu.txt -c "$trainer" "$@"
for extra in ray spark; do
  lock services/trainer/requirements-$extra.in services/trainer/requirements-$extra.txt -c "$trainer" "$@"
done
lock services/tracking/requirements.in services/tracking/requirements.txt -c "$trainer" "$@"
lock services/api/requirements.in "$api" -c "$trainer" "$@"
lock requirements-dev.in requirements-dev.txt -c "$trainer" -c "$api" "$@"
