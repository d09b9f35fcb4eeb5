#!/usr/bin/env bash
# tools/dist_test.sh CONFIG CHECKPOINT GPUS [options of test.py]; several nodes as in dist_train.sh
set -euo pipefail
[ $# -ge 3 ] || { echo "usage: tools/dist_test.sh CONFIG CHECKPOINT GPUS [options]" >&2; exit 2; }
CONFIG=$1 CHECKPOINT=$2 GPUS=$3
# Each process gets its share of the cores; torchrun would give it one thread.
export OMP_NUM_THREADS=${OMP_NUM_THREADS:-$("${PYTHON:-python}" -m ultrasam.machine.threads "$GPUS")}
exec "${PYTHON:-python}" -m torch.distributed.run \
  --nnodes="${NNODES:-1}" --node_rank="${NODE_RANK:-0}" --nproc_per_node="$GPUS" \
  --master_addr="${MASTER_ADDR:-127.0.0.1}" --master_port="${MASTER_PORT:-29500}" \
  "$(dirname "$0")/test.py" "$CONFIG" "$CHECKPOINT" --launcher pytorch "${@:4}"
