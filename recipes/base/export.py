"""``python -m recipes.base.export --home WORK/base``: the pair of the base model's run into assets/starter, in half precision."""

import argparse
import shutil
import tempfile
from pathlib import Path

from recipes.base.train import RUN
from rvc.download.starter import NAME
from rvc.paths import Home
from rvc.train.make_pretrain import make_pretrain
from rvc.train.run import TrainingRun


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--home", type=Path, default=Path("base-home"), help="that of recipes.base.train")
    parser.add_argument("--step", type=int, help="which checkpoint; the newest when it is not said")
    asked = parser.parse_args()
    for path in export(TrainingRun.named(Home(asked.home.resolve()), RUN), Home.here().starter, asked.step):
        print(f"{path} {path.stat().st_size / 1e6:.1f} MB")


def export(run: TrainingRun, folder: Path, step: int | None = None) -> list[Path]:
    """G, D and the JSON beside them. What is in ``folder`` is replaced, which a pretrain of the user's own never is."""
    with tempfile.TemporaryDirectory() as elsewhere:
        made = make_pretrain(run, Home(Path(elsewhere), starter=Path(elsewhere)), NAME, step)
        folder.mkdir(parents=True, exist_ok=True)
        made_files = (made.d_path, made.g_path.with_name(f"{NAME}.json"), made.g_path)
        return [Path(shutil.copy(path, folder / path.name)) for path in made_files]


if __name__ == "__main__":
    main()
