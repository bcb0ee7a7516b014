"""Gradio without the type stubs that it writes whenever it is imported.

For every component class ``gradio.component_meta`` parses the source again and writes a ``.pyi`` beside it, also into a project
that only subclasses a component. Nothing reads these at run time, and they cost nearly half of ``import gradio``. There is no
switch, so the one function is replaced as soon as its module has been executed. Should a later Gradio have no such function,
nothing happens and importing is merely slower.
"""

import importlib.machinery
import sys
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from types import ModuleType

MODULE = "gradio.component_meta"
FUNCTION = "create_or_modify_pyi"


def install() -> None:
    """From now on no stub is written, whether Gradio has been imported already or not."""
    if MODULE in sys.modules:
        _silence(sys.modules[MODULE])
    elif not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Finder())


def _silence(module: ModuleType) -> None:
    if hasattr(module, FUNCTION):
        setattr(module, FUNCTION, lambda *args, **kwargs: None)


class _Finder(MetaPathFinder):
    """Finds that one module the usual way and hands it out with a loader that silences it."""

    def find_spec(self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None):
        if name != MODULE:
            return None
        sys.meta_path.remove(self)
        spec = importlib.machinery.PathFinder.find_spec(name, path, target)
        if spec is not None and spec.loader is not None:
            spec.loader = _Loader(spec.loader)
        return spec


class _Loader(Loader):
    def __init__(self, usual: Loader) -> None:
        self._usual = usual

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType | None:
        return self._usual.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        self._usual.exec_module(module)
        _silence(module)
