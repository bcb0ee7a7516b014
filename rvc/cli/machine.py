"""doctor, tensorboard."""

import subprocess
import sys

from cyclopts import App

from rvc.cli.output import print_json
from rvc.paths import PROJECT, Home


def register(app: App) -> None:
    for command in (doctor, tensorboard):
        app.command(command)


def doctor(*, json: bool = False) -> int:
    """Say what works on this machine, with the fix for what does not. Fails when something that everything needs is missing.

    Parameters
    ----------
    json
        Print one JSON document.
    """
    from rvc.doctor import examine

    findings = examine(Home.here())
    if json:
        print_json({"ok": not any(one.status == "broken" for one in findings), "checks": findings})
    else:
        for one in findings:
            print(f"{one.sign} {one.name}: {one.detail}" + (f"\n    Fix: {one.fix}" if one.fix else ""))
    return 1 if any(one.status == "broken" for one in findings) else 0


def tensorboard(*, port: int = 6006, host: str = "127.0.0.1") -> int:
    """Start TensorBoard over logs/.

    Parameters
    ----------
    port
        Where it listens.
    host
        The address it listens on.
    """
    logs = Home.here().logs
    print(f"TensorBoard for {logs} on http://{host}:{port}", file=sys.stderr)
    return subprocess.run([sys.executable, "-m", "tensorboard.main", "--logdir", str(logs), "--host", host, "--port", str(port)],
                          cwd=PROJECT, check=False).returncode
