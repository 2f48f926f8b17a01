"""Programs that only the tests labelled `full` need; tools/setup.sh --full puts them where this looks."""

import os
import shutil
import sys

SKIPPED = 77  # what CTest takes for a test that was left out
CACHE = os.path.join(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "tutti")


def leave_out(what):
    """Ends the test: skipped, loudly; with TUTTI_FULL=1 nothing may be left out, and it has failed."""
    print(f"LEFT OUT: this test needs {what}; tools/setup.sh --full installs it", file=sys.stderr)
    sys.exit(1 if os.environ.get("TUTTI_FULL") == "1" else SKIPPED)


def tool(name):
    found = shutil.which(name) or shutil.which(name, path=os.path.join(CACHE, "bin"))
    if not found:
        leave_out(f"{name}, which is neither on the PATH nor in {CACHE}/bin")
    return found


def use_packages():
    """Makes the Python packages of tools/setup.sh --full importable."""
    folder = os.path.join(CACHE, "python")
    if not os.path.isdir(folder):
        leave_out(f"the Python packages in {folder}")
    sys.path.insert(0, folder)
