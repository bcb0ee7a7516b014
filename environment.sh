# Shared by run.sh, test.sh and run-tensorboard.sh, which set $here before they read it in.
# prepare PURPOSE: afterwards $python is the environment's Python, and the environment has what PURPOSE (studio, tests) needs.

: "${here:?}"
export PYTHONPATH="$here${PYTHONPATH:+:$PYTHONPATH}"  # rvc is found from any working directory, also by workers
export PYTHONUTF8=1
export PYTHONDONTWRITEBYTECODE=  # without stored bytecode every start compiles all of torch and gradio again
export GRADIO_ANALYTICS_ENABLED="${GRADIO_ANALYTICS_ENABLED:-False}"
export TIMBRE_VENV="${TIMBRE_VENV:-$here/.venv}"
[[ $TIMBRE_VENV = /* ]] || TIMBRE_VENV="$PWD/$TIMBRE_VENV"
python="$TIMBRE_VENV/bin/python"

prepare() {
    if [ -x "$python" ] && "$python" -I "$here/install.py" --for "$1" --check 2>/dev/null; then
        return
    fi
    local base
    base="$(suitable_python)" || exit 1
    "$base" -I "$here/install.py" --for "$1" || exit $?
}

# The first Python 3.11, 3.12 or 3.13 (64 bits) that really starts: version managers leave names on PATH that do not.
suitable_python() {
    local candidate
    for candidate in python3.12 python3.11 python3.13 python3 python "$(uv python find '>=3.11,<3.14' 2>/dev/null || true)"; do
        if [ -n "$candidate" ] && "$candidate" -c \
            'import sys; sys.exit(not ((3, 11) <= sys.version_info[:2] <= (3, 13) and sys.maxsize > 2**32))' 2>/dev/null; then
            printf '%s\n' "$candidate"
            return
        fi
    done
    echo "timbre: Python 3.11, 3.12 or 3.13 (64 bits) was not found. Install one, for instance: apt install python3 python3-venv," \
        "brew install python@3.12, or uv python install 3.12." >&2
    return 1
}
