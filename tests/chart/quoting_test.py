"""Text stays text: names such as 1234, 1e3 and null are legal in Kubernetes, and YAML would read them as something else."""

import json
import os
import re
import tempfile
import unittest

import helm
from helm import CHART, HelmError, objects, of_kind

import kubernetes_validate  # noqa: E402  (helm.py made it importable)

TEMPLATES = os.path.join(CHART, "templates")
# Helpers that yield text for others to quote, or a number out of numbers; every other one yields YAML.
TEXT = {"tutti.cut", "tutti.name", "tutti.fullname", "tutti.image", "tutti.serviceAccountName", "tutti.participantNames",
        "tutti.hasAllParticipants", "tutti.gracePeriod", "tutti.testDefinition", "tutti.runsTestDefinition", "tutti.address",
        "tutti.orchestratorJob", "tutti.jobPattern", "tutti.scopedQuery"}
SILENT = re.compile(r"(if|else|end|range|with|define|block|fail|/\*)\b|/\*|\$\w* *:?=|include \"tutti\.check")
TEXT_MADE_YAML = re.compile(r"\| *(quote|toJson)$|^toJson ")
YAML = re.compile(r"\| *int64$|\b(nindent|indent) \d+( \| trim)?$")


def actions(text):
    """Line number, helper that it is in, what stands before it, whether it is alone on its line, and expression."""
    helper = None
    for match in re.finditer(r"\{\{-?\s*(.*?)\s*-?\}\}", text, re.S):
        start, expression = match.start(), match[1]
        if found := re.match(r'define "([^"]+)"', expression):
            helper, depth = found[1], 0
        elif helper and re.match(r"(if|range|with)\b", expression):
            depth += 1
        elif helper and expression == "end":
            depth -= 1
            helper = helper if depth >= 0 else None
        line = text[text.rfind("\n", 0, start) + 1:text.find("\n", match.end())]
        yield text.count("\n", 0, start) + 1, helper, text[start - 1:start], line.strip() == match[0], expression


def unquoted(text):
    found = []
    for line, helper, before, alone, expression in actions(text):
        if helper in TEXT or SILENT.match(expression) or YAML.search(expression):
            continue
        if TEXT_MADE_YAML.search(expression) and before in ("", " ", "[", "\n"):  # behind other text the quotes are text too
            continue
        of = re.match(r'include "([^"]+)"', expression)
        if alone and (of and of[1] not in TEXT or expression.startswith(("toYaml", "toJson", "tpl"))):
            continue  # an object, or all of a helper's output
        found.append((line, expression))
    return found


def templates():
    for folder, _, names in os.walk(TEMPLATES):
        for name in sorted(names):
            if name.endswith((".yaml", ".tpl")):
                with open(os.path.join(folder, name), encoding="utf-8") as file:
                    yield os.path.relpath(os.path.join(folder, name), TEMPLATES), file.read()


class TemplatesTest(unittest.TestCase):
    def test_everything_that_is_put_into_yaml_is_quoted(self):
        wrong = [f"{name}:{line}: {expression}" for name, text in templates() for line, expression in unquoted(text)]
        self.assertEqual(wrong, [], "\n".join([f"{len(wrong)} without quote, int64 or toJson", *wrong]))

    def test_what_is_unquoted_is_found(self):
        self.assertEqual(unquoted("name: {{ .name }}\n"), [(1, ".name")])
        self.assertEqual(unquoted('a:\n  - --x={{ include "tutti.fullname" $ }}:1\n'), [(2, 'include "tutti.fullname" $')])
        self.assertEqual(unquoted('{{- define "tutti.name" }}{{ if .a }}{{ .b }}{{ end }}{{ end }}\nx: {{ .c }}'), [(2, ".c")])
        self.assertEqual(unquoted("- --x={{ .a | toJson }}\n"), [(1, ".a | toJson")])
        self.assertEqual(unquoted('x: {{ .a | quote }}\ny: {{ .b | int64 }}\n{{ include "tutti.probes" . }}\n'), [])

    def test_names_that_yaml_would_take_for_numbers_or_nothing(self):
        """Every text that the schema lets be one of these, in every place, against Kubernetes's own types."""
        seen = set()
        for odd in ("1234", "1e3", "0x10", "0o17", "1_0", "null", "true", "off"):
            release = odd if odd.isalpha() else f"r{odd.replace('_', '-')}"
            settings = {
                "fullnameOverride": odd if odd.isalpha() else "", "nameOverride": odd.replace("_", "-"),
                "serviceAccount": {"name": odd.replace("_", "-")}, "listenHost": odd, "image": {"tag": odd},
                "imagePullSecrets": [{"name": odd.replace("_", "-")}],
                "commonLabels": {"a": odd}, "commonAnnotations": {"a": odd},
                "global": {"imagePullSecrets": [odd.replace("_", "-"), {"name": odd.replace("_", "-")}]},
                "orchestrator": {
                    "priorityClassName": odd, "nodeSelector": {"a": odd}, "podLabels": {"b": odd}, "podAnnotations": {"b": odd},
                    "tls": {"existingSecret": odd.replace("_", "-"), "clientAuth": True, "clientSecret": odd.replace("_", "-")},
                    "persistence": {"storageClass": odd, "annotations": {"c": odd}},
                    "service": {"annotations": {"c": odd}}},
                "participants": {
                    "defaults": {"tls": {"existingSecret": odd.replace("_", "-")}, "priorityClassName": odd},
                    "external": {odd.replace("_", "-"): {"target": odd, "bearer_token_file": odd}},
                    "existingSecrets": [{"name": odd.replace("_", "-"), "keys": [odd]}]},
                "test": {"definition": odd, "input": {"a": "b: c # d", "e": odd}},
            }
            with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
                json.dump(settings, file)
                file.flush()
                text = helm.helm("template", release, CHART, "--namespace", odd.replace("_", "-"), "--values", file.name)
            items = helm.load(text)
            for item in items:
                with self.subTest(odd=odd, kind=item["kind"], name=item["metadata"]["name"]):
                    seen.add((item["kind"], str(item["metadata"]["name"])))
                    kubernetes_validate.validate(item, "1.30", strict=True)
                    self.assertEqual(item["metadata"]["namespace"], odd.replace("_", "-"))
                    self.assertEqual(item["metadata"]["labels"]["app.kubernetes.io/instance"], release)
                    self.assertEqual(item["metadata"]["annotations"]["a"], odd)
            args = next(iter(of_kind(items, "Pod").values()))["spec"]["containers"][0]["args"]
            self.assertEqual(args[3], odd)
            self.assertEqual(json.loads(args[-1].removeprefix("--input=")), {"a": "b: c # d", "e": odd})
        self.assertGreater(len(seen), 100)

    def test_large_numbers_stay_whole(self):
        """What helm reads as 1e+06 no Kubernetes takes for an integer."""
        items = objects("--set-json", 'definitions={"job":{"activeDeadlineSeconds":2000000,"backoffLimit":1000000}}',
                        "--set-json", 'test={"timeoutSeconds":3000000}', "--set-json",
                        'orchestrator={"podDisruptionBudget":{"maxUnavailable":1000000},"terminationGracePeriodSeconds":1000000}')
        for item in items:
            kubernetes_validate.validate(item, "1.30", strict=True)
        job = of_kind(items, "Job")["t-tutti-definitions"]["spec"]
        self.assertEqual((job["activeDeadlineSeconds"], job["backoffLimit"]), (2000000, 1000000))
        self.assertIn("--timeout=3000000", of_kind(items, "Pod")["t-tutti-test"]["spec"]["containers"][0]["args"])


class NamesTest(unittest.TestCase):
    def names(self, release, *args):
        text = helm.helm("template", release, CHART, "--namespace", "shop", *args)
        return [item["metadata"]["name"] for item in helm.load(text)]

    def test_long_names_that_begin_alike_do_not_meet(self):
        begin = "orders-of-the-north-western-branch-offices-"
        for pair in (((begin + "a",), (begin + "b",)),
                     (("t", "--set", f"fullnameOverride={begin}a"), ("t", "--set", f"fullnameOverride={begin}b")),
                     (("t", "--set", f"nameOverride={begin}a"), ("t", "--set", f"nameOverride={begin}b"))):
            first, second = (set(self.names(*each)) for each in pair)
            self.assertEqual(first & second, set(), pair)
            self.assertEqual(first, set(self.names(*pair[0])), "the same each time")

    def test_names_stay_within_kubernetes_bounds(self):
        for length in (40, 41, 42, 53):
            for release in ("r" * length, ("r" * 30 + "-" * 9 + "r" * 14)[:length].strip("-")):
                for name in self.names(release):
                    self.assertLessEqual(len(name), 63)
                    self.assertRegex(name, "^[a-z]([-a-z0-9]*[a-z0-9])$")
        self.assertIn("r" * 34 + "-tutti", self.names("r" * 34), "what fits is not cut")

    def test_a_release_whose_services_no_cluster_takes_is_refused(self):
        """A Service's name begins with a letter and has no dots; helm's releases need not."""
        for release in ("1st", "9", "my.shop"):
            with self.assertRaisesRegex(HelmError, rf"{release}-tutti.*letter.*fullnameOverride"):
                self.names(release)
            self.assertIn("shop-payment", self.names(release, "--set", "fullnameOverride=shop"))
        with self.assertRaisesRegex(HelmError, "meet the specifications of the schema(.|\n)*fullnameOverride"):
            self.names("t", "--set-string", "fullnameOverride=1st")


if __name__ == "__main__":
    unittest.main()
