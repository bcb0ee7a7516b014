#!/usr/bin/env bash
# TensorBoard over all runs. Arguments go to TensorBoard, for instance --port 7000.
set -euo pipefail
here="$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd -P)"
source "$here/environment.sh"
prepare studio
exec "$python" -m tensorboard.main --logdir "${TIMBRE_HOME:-$here}/logs" "$@"
