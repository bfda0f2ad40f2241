"""`python -m heavenbase`, and the command `hb`: the command line, which is a distribution of its own (hb-cli)."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line, or say what to install where it is missing (exit code 1)."""
    try:
        from hb_cli import main as run
    except ModuleNotFoundError as error:
        if error.name != "hb_cli":
            raise
        sys.exit("hb: the command line is not installed here: pip install hb-cli")
    except ImportError as error:
        if "pip uninstall" not in f"{error}":
            raise
        sys.exit(f"hb: {error}")
    run()


if __name__ == "__main__":
    main()
