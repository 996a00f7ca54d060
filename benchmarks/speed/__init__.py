"""How fast training is, ours and the peers' in alternation: `python -m benchmarks`.

`tasks.py` says what all sides are given, `with_*.py` how each does it, `floor.py` what no side can do without;
`measure.py` checks that they compute the same and lets them take turns, each in a process of its own (`workers.py`).
`sections.py`, `whole_runs.py` and `packages.py` are what is measured; `report.py` and `picture.py` show it.
"""
