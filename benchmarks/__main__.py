"""`python -m benchmarks [NAME] [--json PATH] [--quick] [--size N]`: as `hub bench`, without the hub's command line."""

import argparse
import sys
from pathlib import Path

from benchmarks import NAMES, main

parser = argparse.ArgumentParser(prog="python -m benchmarks")
parser.add_argument("name", nargs="?", choices=NAMES)
parser.add_argument("--json", type=Path, metavar="PATH")
parser.add_argument("--quick", action="store_true")
parser.add_argument(
    "--size", type=int, metavar="N", help="kpi: how many contacts; search: entries; console: conversations"
)
given = parser.parse_args()
sys.exit(main(given.name, given.json, quick=given.quick, size=given.size))
