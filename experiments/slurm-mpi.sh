#!/bin/sh
# `fercli eval` by all tasks of one Slurm job, which share the images.
#
#   sbatch --ntasks=9 experiments/slurm-mpi.sh --model robust --data FER2013 --attacks autoattack --eps 4/255 --out out/aa
#
# The first task hands out the images and needs next to no processor time: here eight attack. When the job is stopped, the
# same line goes on from out/aa, with any number of tasks. The program is taken from FERCLI, else from the PATH.
#SBATCH --job-name=fercli-mpi
#SBATCH --cpus-per-task=1
#SBATCH --output=fercli-%j.log
exec srun --mpi=pmix "${FERCLI:-fercli}" eval "$@"
