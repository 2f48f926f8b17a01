"""What a server's /metrics says."""

import re
import urllib.request
from dataclasses import dataclass, field

SERIES = re.compile(r'^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)$')
LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')


@dataclass
class Family:
    type: str
    series: dict = field(default_factory=dict)  # (sample's name, frozenset of labels) -> value


class Scrape:
    """families: name -> Family. A sample that belongs to no declared family is an error."""

    def __init__(self, text):
        self.families = {}
        for line in text.splitlines():
            if line.startswith("# TYPE "):
                _, _, name, kind = line.split(" ")
                if name in self.families:
                    raise ValueError(f"{name} is served twice")
                self.families[name] = Family(kind)
            elif line and not line.startswith("#"):
                self._add(line)

    def _add(self, line):
        match = SERIES.match(line)
        if not match:
            raise ValueError(f"not a sample: {line}")
        name, labels, value = match.groups()
        family = self.families.get(name) or self.families[re.sub("_(bucket|sum|count)$", "", name)]
        key = (name, frozenset(LABEL.findall(labels or "")))
        if key in family.series:
            raise ValueError(f"a series is served twice: {line}")
        family.series[key] = float(value)

    def values(self, sample, **labels):
        """Of every series of the sample that carries the labels. `sample` may end in _count, _sum or _bucket."""
        family = self.families.get(sample) or self.families.get(re.sub("_(bucket|sum|count)$", "", sample))
        wanted = set(labels.items())
        return [value for (name, has), value in (family.series.items() if family else ())
                if name == sample and wanted <= has]

    def sum(self, sample, **labels):
        """None when there is no such series: that is not the same as 0."""
        values = self.values(sample, **labels)
        return sum(values) if values else None

    def labels(self, name):
        """The label names of each of its series, those that make a histogram left out."""
        return [frozenset(label for label, _ in has) - {"le", "quantile"} for _, has in self.families[name].series]


def scrape(process, timeout=10):
    with urllib.request.urlopen(f"http://127.0.0.1:{process.ports['metrics']}/metrics", timeout=timeout) as answer:
        return Scrape(answer.read().decode())
