#!/usr/bin/env bash
# tools/slurm_train.sh PARTITION JOB_NAME CONFIG [options of train.py]
# GPUS (4), GPUS_PER_NODE (4), CPUS_PER_TASK (8) and SRUN_ARGS come from the environment; where there are no GPUs, GRES=none
# lets GPUS processes talk over gloo. Within a batch job, with --resume, it goes on after the job's end: warned by
# --signal=USR1@120, or B:USR1@120, training writes a checkpoint and ends with code 75, and the job is put back into the
# queue (docs/training.md).
set -euo pipefail
[ $# -ge 3 ] || { echo "usage: tools/slurm_train.sh PARTITION JOB_NAME CONFIG [options]" >&2; exit 2; }
TRAIN=$(dirname "$0")/train.py
[ -f "$TRAIN" ] || { echo "no $TRAIN: sbatch copies its script, so wrap it: sbatch --wrap 'exec $0 ...'" >&2; exit 2; }
PARTITION=$1 JOB_NAME=$2 CONFIG=$3
GPUS=${GPUS:-4} GPUS_PER_NODE=${GPUS_PER_NODE:-4} CPUS_PER_TASK=${CPUS_PER_TASK:-8}
# Without it every process starts a thread on each core of the machine.
export OMP_NUM_THREADS=${OMP_NUM_THREADS:-$CPUS_PER_TASK}
# srun hands signals on to all processes, so those that reach this script go to srun.
SRUN=
trap '[ -z "$SRUN" ] || kill -USR1 "$SRUN"' USR1
trap '[ -z "$SRUN" ] || kill -TERM "$SRUN"' TERM
# shellcheck disable=SC2086  # SRUN_ARGS holds several words
srun --partition="$PARTITION" --job-name="$JOB_NAME" --gres="${GRES:-gpu:$GPUS_PER_NODE}" \
  --ntasks="$GPUS" --ntasks-per-node="$GPUS_PER_NODE" --cpus-per-task="$CPUS_PER_TASK" \
  --kill-on-bad-exit=1 ${SRUN_ARGS:-} \
  "${PYTHON:-python}" -u "$TRAIN" "$CONFIG" --launcher slurm "${@:4}" <&0 &
SRUN=$!
CODE=0
wait "$SRUN" || CODE=$?
# A trapped signal ends wait, too.
while kill -0 "$SRUN" 2>/dev/null; do CODE=0; wait "$SRUN" || CODE=$?; done
# A job that was canceled is not RUNNING any more and stays away.
if [ "$CODE" = 75 ] && [ -n "${SLURM_JOB_ID:-}" ] && [ "$(squeue -h -j "$SLURM_JOB_ID" -o %T)" = RUNNING ]; then
  scontrol requeue "$SLURM_JOB_ID"
fi
exit "$CODE"
