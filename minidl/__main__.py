"""`python -m minidl` is the command."""

from minidl.cli import main

raise SystemExit(main())
