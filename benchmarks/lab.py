"""A study on two processes against one process whose BLAS has two threads: `python -m benchmarks.lab [TURNS]`.

Sixteen cells: the paper's net on 6,000 images of Fashion-MNIST, four rules, four seeds, for two batch sizes. Both sides
train the same cells to the end, in turns. The one process trains them one after the other with as many threads of BLAS
as there are cores (which a study never does: they change the bits); the study's processes have one each, and their
start is counted. Writes benchmarks/LAB.md.
"""

import os
import statistics
import sys
import time
from pathlib import Path

from threadpoolctl import threadpool_limits

from benchmarks.environment import describe
from minidl.lab import Cell, Study, grid
from minidl.reproduce.paper import SMALL, net, paper_data

PAGE = Path(__file__).with_name("LAB.md")
RULES = ["sgd", "momentum", "rmsprop", "adam"]
EPOCHS = {20: 6, 600: 40}  # by the batch size


def cells(batch_size: int) -> list[Cell]:
    """Return sixteen."""
    return grid(
        model=net, optimizer=RULES, learning_rate=0.001, data=paper_data(*SMALL), epochs=EPOCHS[batch_size],
        batch_size=batch_size, seed=range(4),
    )  # fmt: skip


def one_process(study: list[Cell]) -> float:
    """Return how long one process needs, with a thread of BLAS for each core."""
    start = time.perf_counter()
    with threadpool_limits(os.cpu_count(), user_api="blas"):
        for cell in study:
            trainer = cell.new_trainer()
            data = cell.data
            trainer.fit(
                data.x, data.y, batch_size=cell.batch_size, epochs=cell.epochs,
                validation_data=(data.x_test, data.y_test), verbose=0,
            )  # fmt: skip
            for x, y in ((data.x, data.y), (data.x_test, data.y_test)):
                trainer.evaluate(x, y, batch_size=500)
    return time.perf_counter() - start


def processes(study: list[Cell]) -> float:
    """Return how long a study needs, with a process for each core."""
    start = time.perf_counter()
    Study(study).run(workers=os.cpu_count() or 1, progress=False)
    return time.perf_counter() - start


def main() -> None:
    """Measure in turns, print, and write the page."""
    turns = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    rows = []
    for batch_size, epochs in EPOCHS.items():
        study = cells(batch_size)
        one_process(study[:1])
        pairs = []
        for turn in range(turns):
            sides = (one_process, processes) if turn % 2 == 0 else (processes, one_process)
            took = {side: side(study) for side in sides}
            pairs.append((took[one_process], took[processes]))
        ratio = statistics.median(one / many for one, many in pairs)
        one, many = (statistics.median(column) for column in zip(*pairs, strict=True))
        rows.append(f"| {batch_size} | {epochs} | {one:.1f} | {many:.1f} | {ratio:.2f} |")
        print(rows[-1], flush=True)
    cores = os.cpu_count()
    told = (__doc__ or "").split("\n\n")[1]
    PAGE.write_text(
        f"# A study of sixteen cells\n\nWritten by `python -m benchmarks.lab`: {told}\n\n"
        f"```text\n{describe()}\nmedians of {turns} turns\n```\n\n"
        f"| batch size | epochs | one process, {cores} BLAS threads, s | {cores} processes, s | ratio |\n"
        "| ---: | ---: | ---: | ---: | ---: |\n" + "\n".join(rows) + "\n",
        encoding="utf-8",
    )


if __name__ == "__main__":
    main()
