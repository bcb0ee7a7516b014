"""The page: one thin file per tab, over the ``rvc`` library.

Importing this package settles two things that must be settled before Gradio is imported anywhere: nothing is reported to
anybody, and no time is spent on type stubs.
"""

import os

from tabs import quick_gradio

os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
quick_gradio.install()
