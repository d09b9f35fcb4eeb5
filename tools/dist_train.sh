#!/usr/bin/env bash
# tools/dist_train.sh CONFIG GPUS [options of train.py]
# Several nodes: set NNODES, NODE_RANK, MASTER_ADDR and MASTER_PORT, and run it on each. Without GPUs the
# processes talk over gloo.
set -euo pipefail
[ $# -ge 2 ] || { echo "usage: tools/dist_train.sh CONFIG GPUS [options]" >&2; exit 2; }
CONFIG=$1 GPUS=$2
# Each process gets its share of the cores; torchrun would give it one thread.
export OMP_NUM_THREADS=${OMP_NUM_THREADS:-$("${PYTHON:-python}" -m ultrasam.machine.threads "$GPUS")}
exec "${PYTHON:-python}" -m torch.distributed.run \
  --nnodes="${NNODES:-1}" --node_rank="${NODE_RANK:-0}" --nproc_per_node="$GPUS" \
  --master_addr="${MASTER_ADDR:-127.0.0.1}" --master_port="${MASTER_PORT:-29500}" \
  "$(dirname "$0")/train.py" "$CONFIG" --launcher pytorch "${@:3}"
