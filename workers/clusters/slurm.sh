#!/bin/bash
# One study on the nodes of a SLURM allocation: sbatch slurm.sh space.yaml. What to change is marked.
# Sent again, or requeued at its time limit, the study goes on. Exit codes are those of search.launch.
#SBATCH --job-name=widefront
#SBATCH --nodes=4                    # <- change
#SBATCH --ntasks-per-node=1
#SBATCH --cpus-per-task=16           # <- change: of a node
#SBATCH --gpus-per-node=4            # <- change; leave it out to train on processors
#SBATCH --mem=64G                    # <- change: of a node; without it many sites give little
##SBATCH --partition=gpu             # <- change where the site asks for one, and take one # away
##SBATCH --account=project           # <- the same
#SBATCH --time=24:00:00              # <- change
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --signal=B:USR1@180          # so many seconds before the time limit the driver is told to end

set -euo pipefail

# A folder that every node sees, in which the study stands: its checkpoints, its report, its data.
FOLDER=${WIDEFRONT_FOLDER:-$HOME/widefront}                        # <- change
# The environment with Widefront in it, on storage that every node sees.
ENVIRONMENT=${WIDEFRONT_ENVIRONMENT:-$HOME/widefront/.venv}        # <- change
# A file that you alone may read (chmod 600) with the database's address in it, for `storage: ${WIDEFRONT_DATABASE}`:
# postgresql+psycopg://widefront:PASSWORD@db.example.org/widefront
DATABASE=${WIDEFRONT_DATABASE_FILE:-$HOME/.widefront-database}     # <- change

study=$(realpath "${1:?the file of a study is required: sbatch slurm.sh space.yaml}")
cd "$FOLDER"
export PATH="$ENVIRONMENT/bin:$PATH" PYTHONUNBUFFERED=1 RAY_USAGE_STATS_ENABLED=0
cpus=${SLURM_CPUS_PER_TASK:-1}
port=$((20000 + SLURM_JOB_ID % 20000))
address=$(hostname -I | cut -d ' ' -f 1):$port    # of this node, the first; change where nodes have several networks
mapfile -t nodes < <(scontrol show hostnames "$SLURM_JOB_NODELIST")

# Only who can read this file reaches Ray on these nodes.
export RAY_AUTH_MODE=token RAY_AUTH_TOKEN_PATH="$FOLDER/.token-$SLURM_JOB_ID"
(umask 077 && python -c 'import secrets; print(secrets.token_hex(32), end="")' > "$RAY_AUTH_TOKEN_PATH")

scratch=/tmp/widefront-$SLURM_JOB_ID    # on each node; a longer path is too long for Ray's sockets
steps=()
# shellcheck disable=SC2329  # the trap calls it
clean_up() {
    if ((${#steps[@]} > 0)); then
        kill "${steps[@]}" 2> /dev/null || true
        wait "${steps[@]}" 2> /dev/null || true
    fi
    srun --overlap --ntasks-per-node=1 rm -rf "$scratch" 2> /dev/null || true
    rm -f "$RAY_AUTH_TOKEN_PATH"
}
trap clean_up EXIT

# Starts Ray on a node until the script ends. The database's address is not in its environment.
start() {
    local node=$1
    shift
    srun --nodes=1 --ntasks=1 --nodelist="$node" --cpus-per-task="$cpus" \
        ray start --block --disable-usage-stats "$@" &
    steps+=($!)
}

# A core of the first node is the driver's.
start "${nodes[0]}" --head --node-ip-address="${address%:*}" --port="$port" --num-cpus=$((cpus - 1)) \
    --temp-dir="$scratch" --include-dashboard=false
for _ in {1..60}; do
    ray health-check --address "$address" > /dev/null 2>&1 && break
    sleep 2
done
for node in "${nodes[@]:1}"; do
    start "$node" --address="$address" --num-cpus="$cpus"
done

again=no
signalled=yes
WIDEFRONT_DATABASE=$(cat "$DATABASE") python -m search.launch "$study" --address "$address" &
driver=$!
trap 'signalled=yes again=yes; kill -TERM "$driver"' USR1
trap 'signalled=yes; kill -TERM "$driver"' TERM INT
while [[ $signalled = yes ]]; do  # a trapped signal ends `wait`, and not yet the driver
    signalled=no
    code=0
    wait "$driver" || code=$?
done
if [[ $again = yes && $code = 130 ]]; then  # interrupted, and to be gone on with
    scontrol requeue "$SLURM_JOB_ID"
fi
exit "$code"
