"""The Dockerfile's last stage against the binaries of this build: it installs the packages that they link, and no others,
holds every program that the chart starts, and runs them as the chart's user. It does not build the image.

usage: image_test.py BUILD_DIR
"""

import os
import re
import shlex
import subprocess
import sys
import unittest

import yaml

from stack.stack import repository

BUILD_DIR = os.path.abspath(sys.argv.pop()) if len(sys.argv) > 1 else ""
IN_EVERY_BASE = {"libc6", "libgcc-s1", "libstdc++6"}  # apt itself needs them
LINKED_BY_NONE = {"ca-certificates"}  # read by TLS without a file of its own


def instructions():
    """Of each stage: (instruction, rest) in order."""
    with open(os.path.join(repository(), "Dockerfile"), encoding="utf-8") as file:
        text = re.sub(r"\\\n", " ", re.sub(r"(?m)^\s*#.*\n", "", file.read()))
    stages = []
    for line in filter(None, map(str.strip, text.splitlines())):
        word, rest = line.split(None, 1)
        if word == "FROM":
            stages.append([])
        if stages:
            stages[-1].append((word, rest))
    return stages


def out(*argv):
    return subprocess.run(argv, capture_output=True, text=True, check=True).stdout


def owner(path):
    """The package of a file. Some packages know their files below /lib, which is a link to /usr/lib."""
    for known in (path, path.removeprefix("/usr")):
        found = subprocess.run(["dpkg", "-S", known], capture_output=True, text=True, check=False)
        if found.returncode == 0:
            return found.stdout.split(":")[0]
    raise AssertionError(f"{path} is of no package")


class ImageTest(unittest.TestCase):
    def setUp(self):
        self.stages = instructions()
        self.build = " ".join(rest for word, rest in self.stages[0] if word == "RUN")
        self.last = self.stages[-1]
        self.programs = re.search(r"--target ([a-z -]+)", self.build)[1].split()

    def packages(self):
        run = next(rest for word, rest in self.last if word == "RUN" and "apt-get install" in rest)
        words = shlex.split(run.split("apt-get install")[1].split("&&")[0])
        return {word for word in words if not word.startswith("-")}

    def test_installs_what_the_binaries_link_and_nothing_else(self):
        linked = {}
        for program in self.programs:
            path = os.path.join(BUILD_DIR, "bin", program)
            where = dict(re.findall(r"^\s*(\S+) => (\S+)", out("ldd", path), re.M))
            self.assertNotIn("not", where.values(), f"{program}: a library is missing here")
            for library in re.findall(r"\(NEEDED\).*\[(.+)\]", out("readelf", "-d", path)):
                if library.startswith("ld-linux"):
                    continue
                linked[library] = owner(os.path.realpath(where[library]))
        self.assertGreater(len(linked), 10)
        self.assertEqual(self.packages() - LINKED_BY_NONE, set(linked.values()) - IN_EVERY_BASE)

    def test_holds_every_program_that_the_chart_starts(self):
        folder = os.path.join(repository(), "charts", "tutti", "templates")
        started = set()
        for place, _, names in os.walk(folder):
            for name in names:
                with open(os.path.join(place, name), encoding="utf-8") as file:
                    started |= set(re.findall(r"command: \[(tut[a-z{}$ -]+)\]", file.read()))
        started.discard("tutti-{{ $participant }}")
        started |= {f"tutti-{name}" for name in ("payment", "reservation", "token")}
        self.assertEqual(started, set(self.programs))
        self.assertIn(("COPY", "--from=build /out/ /usr/bin/"), self.last)

    def test_runs_as_the_chart_s_user(self):
        with open(os.path.join(repository(), "charts", "tutti", "values.yaml"), encoding="utf-8") as file:
            context = yaml.safe_load(file)["podSecurityContext"]
        self.assertIn(("USER", f'{context["runAsUser"]}:{context["runAsGroup"]}'), self.last)

    def test_both_stages_have_one_base(self):
        self.assertEqual([rest.split()[0] for stage in self.stages for word, rest in stage if word == "FROM"],
                         ["${DEBIAN}", "${DEBIAN}"])


if __name__ == "__main__":
    unittest.main()
