"""TensorBoard that ends with the process that started it, however that one ended.

``atexit`` does not run when a server is killed, and TensorBoards left behind pile up. So the parent holds the other end of this
process's standard input: when the parent is gone, reading it ends, and so does this process. Run as
``python -m tabs.tensorboard_child --logdir ...`` with a pipe as standard input.
"""

import os
import sys
import threading


def end_with_parent() -> None:
    sys.stdin.buffer.read()
    os._exit(0)


if __name__ == "__main__":
    threading.Thread(target=end_with_parent, daemon=True).start()
    from tensorboard.main import run_main

    run_main()
