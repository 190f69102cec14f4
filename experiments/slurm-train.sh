#!/bin/sh
# `fercli train` by all tasks of one Slurm job, with the weights of one process (--micro-shards).
#
#   sbatch --ntasks=8 experiments/slurm-train.sh --data FER2013 --out out/standard
#   sbatch --ntasks=8 experiments/slurm-train.sh --adversarial --data FER2013 --out out/robust
#
# The number of tasks divides that of the micro-shards (8). `scancel` and the end of the job's time save the training; the
# same line goes on from there, with any such number of tasks. The program is taken from FERCLI, else from the PATH.
#SBATCH --job-name=fercli-train
#SBATCH --cpus-per-task=1
#SBATCH --output=fercli-%j.log
exec srun --mpi=pmix "${FERCLI:-fercli}" train "$@" --resume
