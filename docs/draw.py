"""Draw the pictures of docs/pictures.md anew: `python docs/draw.py [FOLDER]`, by default docs/pictures."""

import os
import re
import sys
from pathlib import Path

HERE = Path(__file__).parent


def main(folder: Path) -> None:
    """Run the lines of the page, in their order, in `folder`."""
    import matplotlib as mpl

    mpl.use("Agg")
    lines = re.findall(r"```python\n(.*?)```", (HERE / "pictures.md").read_text(encoding="utf-8"), flags=re.DOTALL)
    os.chdir(folder)
    exec(compile("\n".join(lines), "docs/pictures.md", "exec"), {})


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else HERE / "pictures")
