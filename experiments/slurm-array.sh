#!/bin/sh
# `fercli eval` as a Slurm job array: each task attacks one part of the images, whenever and wherever it runs.
#
#   sbatch --array=0-7 experiments/slurm-array.sh --model robust --data FER2013 --attacks autoattack --eps 4/255 --out out/aa
#   fercli merge out/aa                # when all tasks are through
#
# `scontrol requeue JOB_TASK` starts a task again, which goes on from what it has kept. The program is taken from FERCLI,
# else from the PATH.
#SBATCH --job-name=fercli-shard
#SBATCH --ntasks=1
#SBATCH --cpus-per-task=1
#SBATCH --requeue
#SBATCH --output=fercli-%A-%a.log
exec "${FERCLI:-fercli}" eval "$@" --shard auto --threads "${SLURM_CPUS_PER_TASK:-1}"
