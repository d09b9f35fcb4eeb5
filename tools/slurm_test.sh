#!/usr/bin/env bash
# tools/slurm_test.sh PARTITION JOB_NAME CONFIG CHECKPOINT [options of test.py]; environment as slurm_train.sh
set -euo pipefail
[ $# -ge 4 ] || { echo "usage: tools/slurm_test.sh PARTITION JOB_NAME CONFIG CHECKPOINT [options]" >&2; exit 2; }
PARTITION=$1 JOB_NAME=$2 CONFIG=$3 CHECKPOINT=$4
GPUS=${GPUS:-4} GPUS_PER_NODE=${GPUS_PER_NODE:-4} CPUS_PER_TASK=${CPUS_PER_TASK:-8}
# Without it every process starts a thread on each core of the machine.
export OMP_NUM_THREADS=${OMP_NUM_THREADS:-$CPUS_PER_TASK}
# shellcheck disable=SC2086  # SRUN_ARGS holds several words
exec srun --partition="$PARTITION" --job-name="$JOB_NAME" --gres="${GRES:-gpu:$GPUS_PER_NODE}" \
  --ntasks="$GPUS" --ntasks-per-node="$GPUS_PER_NODE" --cpus-per-task="$CPUS_PER_TASK" \
  --kill-on-bad-exit=1 ${SRUN_ARGS:-} \
  "${PYTHON:-python}" -u "$(dirname "$0")/test.py" "$CONFIG" "$CHECKPOINT" --launcher slurm "${@:5}"
