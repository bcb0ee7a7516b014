#!/usr/bin/env bash
# Start the studio. The first start makes the Python environment (see install.py for what can be chosen there).
#   ./run.sh                  the studio, in the browser
#   ./run.sh studio --help    the studio with flags for its server
#   ./run.sh convert --help   anything else: python -m rvc
set -euo pipefail
here="$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd -P)"
source "$here/environment.sh"
prepare studio
if [ $# -eq 0 ]; then
    exec "$python" "$here/app.py"
elif [ "$1" = studio ]; then
    exec "$python" "$here/app.py" "${@:2}"
fi
# -P: a folder called rvc, or a file called types.py, in the folder the command is given from must not be taken for ours.
exec "$python" -P -m rvc "$@"
