"""The chart over many sets of values: valid for every Kubernetes it claims, as secure as it says, switchable, unchanged.

`render_test.py --update` rewrites the golden files and the chart's README.
"""

import copy
import functools
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

from stack.stack import repository
from stack.tooling import tool

import helm
from helm import CHART, HelmError, objects, of_kind, pods, text_of, yaml

import kubernetes_validate  # noqa: E402  (helm.py made it importable)
from kubernetes_validate import utils as schemas  # noqa: E402

HERE = os.path.dirname(os.path.abspath(__file__))
VALUES = os.path.join(HERE, "values")
MINORS = range(27, 38)  # from Chart.yaml's kubeVersion to the newest of the schemas
SETS = ("default", *sorted(name.removesuffix(".yaml") for name in os.listdir(VALUES)))
MONITORING, GATEWAY = "monitoring.coreos.com/", "gateway.networking.k8s.io/v1"
# One object is decoded against megabytes of schema; reading those once is what makes this a test of seconds.
schemas.schema_contents = functools.lru_cache(maxsize=None)(schemas.schema_contents)


def read(*parts):
    with open(os.path.join(*parts), encoding="utf-8") as file:
        return file.read()


def flags(values):
    return () if values == "default" else ("--values", os.path.join(VALUES, f"{values}.yaml"))


@functools.lru_cache(maxsize=None)
def rendered(values):
    return objects(*flags(values))


class StrictLoader(yaml.SafeLoader):
    """Refuses a key that stands twice in one map, as some readers of manifests do."""

    def construct_mapping(self, node, deep=False):
        names = [key.value for key, _ in node.value]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise yaml.constructor.ConstructorError(None, None, f"twice in one map: {twice}", node.start_mark)
        return super().construct_mapping(node, deep)


def defaults():
    return yaml.safe_load(read(CHART, "values.yaml"))


def golden(values):
    """Everything but what is a file of the chart taken over as it is."""
    kept = [item for item in rendered(values)
            if item["kind"] != "PrometheusRule" and "-dashboard-" not in item["metadata"]["name"]]
    return yaml.safe_dump_all(kept, sort_keys=True, width=120)


class ValidTest(unittest.TestCase):
    def test_lint(self):
        for values in SETS:
            with self.subTest(values):
                helm.helm("lint", "--strict", CHART, *flags(values))

    def test_every_object_is_valid_for_every_minor(self):
        seen, checked = set(), 0
        for values in SETS:
            for item in rendered(values):
                if item["apiVersion"].startswith((MONITORING, GATEWAY)) or json.dumps(item) in seen:
                    continue
                seen.add(json.dumps(item))
                for minor in MINORS:
                    with self.subTest(values=values, kind=item["kind"], name=item["metadata"]["name"], minor=minor):
                        kubernetes_validate.validate(item, f"1.{minor}", strict=True)
                        checked += 1
        self.assertGreater(checked, 50 * len(MINORS))

    def test_no_key_stands_twice(self):
        for values in SETS:
            list(yaml.load_all(text_of(*flags(values)), Loader=StrictLoader))
        with self.assertRaisesRegex(yaml.YAMLError, "twice"):
            yaml.load("a: {b: 1, b: 2}", Loader=StrictLoader)

    def test_a_wrong_object_is_found(self):
        item = copy.deepcopy(of_kind(rendered("default"), "StatefulSet")["t-tutti"])
        item["spec"]["template"]["spec"]["containers"][0]["livenessProbes"] = {}
        with self.assertRaises(kubernetes_validate.ValidationError):
            kubernetes_validate.validate(item, "1.30", strict=True)

    def test_rendering_needs_no_newer_kubernetes(self):
        for minor in MINORS:
            self.assertEqual(text_of("--kube-version", f"1.{minor}.0"), text_of())
        with self.assertRaisesRegex(HelmError, "kubeVersion"):
            text_of("--kube-version", "1.26.0")

    def test_objects_of_operators_and_gateways_decode_strictly(self):
        text = text_of(*flags("everything")) + "\n---\n" + text_of(*flags("mixed"))
        wanted = text.count(f"apiVersion: {MONITORING}") + text.count(f"apiVersion: {GATEWAY}")
        self.assertGreaterEqual(wanted, 4)
        done = subprocess.run([tool("crd-check")], input=text, capture_output=True, text=True, check=False)
        self.assertEqual((done.returncode, done.stdout.strip()), (0, str(wanted)), done.stderr)
        for field in ("scrapeTimeout", "backendRefs", "sendResolved"):
            done = subprocess.run([tool("crd-check")], input=text.replace(f"{field}:", f"{field}s:"),
                                  capture_output=True, text=True, check=False)
            self.assertEqual(done.returncode, 1, f"an unknown field beside {field} must be found")

    def test_golden(self):
        for values in SETS:
            with self.subTest(values):
                self.assertEqual(golden(values), read(HERE, "golden", f"{values}.yaml"),
                                 "if this is what you wanted: tools/dev.sh chart")

    def test_readme_is_made_from_the_values(self):
        self.assertEqual(readme(), read(CHART, "README.md"), "tools/dev.sh chart")

    def test_the_readme_s_example_renders(self):
        example = re.search(r"```yaml\n(.*?)```", read(CHART, "README.md.gotmpl"), re.S)[1]
        with tempfile.NamedTemporaryFile("w", suffix=".yaml") as values:
            values.write(example)
            values.flush()
            items = objects("--values", values.name)
        self.assertEqual(set(of_kind(items, "StatefulSet")), {"t-tutti"})
        self.assertEqual(set(of_kind(items, "ConfigMap")["t-tutti-definitions"]["data"]), {"order.yaml"})
        self.assertIn("order", of_kind(items, "Pod")["t-tutti-test"]["spec"]["containers"][0]["args"])

    def test_the_chart_is_of_the_program_s_version(self):
        version = re.search(r"^project\(tutti VERSION (\S+)", read(repository(), "CMakeLists.txt"), re.M)[1]
        self.assertEqual(yaml.safe_load(read(CHART, "Chart.yaml"))["appVersion"], version)

    def test_shipped_definitions_are_the_repository_s(self):
        for name in ("book-ticket.yaml", "book-ticket-impatient.yaml"):
            self.assertEqual(read(CHART, "definitions", name), read(repository(), "participants", "sagas", name), name)


class SchemaTest(unittest.TestCase):
    REFUSED = (
        ("orchestrator.shard=3", "orchestrator"),
        ("orchestrator.replicas=2", "replicas"),
        ("orchestrator.shards=65", "shards"),
        ("orchestrator.lateReplyGrace=10", "lateReplyGrace"),
        ("orchestrator.tls.clientAuth=true", "existingSecret"),
        ("orchestrator.extraArgs={--ok,nodash}", "extraArgs"),
        ("orchestrator.persistence.accessModes={ReadWriteMany}", "accessModes"),
        ("orchestrator.persistence.size=8GiB", "size"),
        ("orchestrator.livenessProbe.grpc=1", "livenessProbe"),
        ("participants.payments.enabled=true", "participants"),
        ("participants.payment.replicas=2", "payment"),
        ("participants.external.bank.target=", "target"),
        ("participants.external.bank.bariere=true", "bank"),
        ("participants.existingSecrets[0].name=x", "keys"),
        ("definitions.builtIn.order=true", "builtIn"),
        ("definitions.custom.order=x", "order"),
        ("image.digest=abc", "digest"),
        ("image.pullPolicy=Sometimes", "pullPolicy"),
        ("logLevel=verbose", "logLevel"),
        ("commonLabels.a=-b-", "commonLabels"),
        ("networkPolicy.clientsFrom[0].pods=x", "clientsFrom"),
        ("networkPolicy.egress.dnsPorts={dns}", "dnsPorts"),
        ("orchestrator.persistence.dataSource.name=x", "dataSource"),
        ("ingress.hosts={a b}", "ingress"),
        ("ingress.tls[0].secret=x", "tls"),
        ("route.enabled=true", "parentRefs"),
        ("route.kind=TCPRoute", "route"),
        ("podManagementPolicy=Random", "podManagementPolicy"),
        ("orchestrator.updateStrategy.type=Recreate", "updateStrategy"),
        ("dnsConfig.options[0].nam=ndots", "dnsConfig"),
        ("terminationMessagePolicy=Log", "terminationMessagePolicy"),
        ("definitions.job.tolerations=all", "tolerations"),
        ("test.hookDeletePolicy=hook-suceeded", "hookDeletePolicy"),
        ("prometheusRule.runbookUrlPrefix=https://x", "runbookUrlPrefix"),
        ("global.imagePullSecrets[0].nam=x", "imagePullSecrets"),
        ("extraObjects[0]=1", "extraObjects"),
        ("alertmanagerConfig.enabled=true,alertmanagerConfig.slack.channel=x", "existingSecret"),
        ("alertmanagerConfig.enabled=true,alertmanagerConfig.slack.existingSecret=x", "channel"),
        ("alertmanagerConfig.groupWait=30", "groupWait"),
        ("backup.schedule=daily", "schedule"),
        ("backup.keep=0", "keep"),
        ("backup.job.tolerations=all", "tolerations"),
    )

    def test_mistakes_are_refused_where_they_are(self):
        for setting, named in self.REFUSED:
            with self.subTest(setting):
                with self.assertRaises(HelmError) as refused:
                    text_of("--set", setting)
                self.assertIn("meet the specifications of the schema", str(refused.exception))
                self.assertIn(named, str(refused.exception))

    def test_top_level_is_open_and_notes_name_what_is_unknown(self):
        self.assertNotIn("WARNING", helm.notes())
        self.assertNotIn("WARNING", helm.notes("--set", "global.anything.else=1,enabled=true"))
        self.assertIn("does not know, and ignored: orchestratr", helm.notes("--set", "orchestratr.shards=3"))

    def test_schema_and_values_know_the_same_keys(self):
        schema = json.loads(read(CHART, "values.schema.json"))

        def resolve(part):
            return schema["definitions"][part["$ref"].rsplit("/", 1)[1]] if "$ref" in part else part

        def compare(path, part, value, whole=True):
            part = resolve(part)
            if not isinstance(value, dict) or value == {} or "properties" not in part:
                return
            if part is schema["definitions"]["participant"]:  # its other keys are those of participants.defaults
                whole = False
            for key in value:
                self.assertIn(key, part["properties"], f"{path}.{key} is not in the schema")
                compare(f"{path}.{key}", part["properties"][key], value[key], whole)
            optional = {"initialDelaySeconds", "terminationGracePeriodSeconds", "claims", "rollingUpdate"}
            if whole:
                self.assertLessEqual(set(part["properties"]) - set(value), optional, f"{path}: not in values.yaml")

        compare("", schema, defaults())


class UmbrellaTest(unittest.TestCase):
    def test_under_a_parent(self):
        with tempfile.TemporaryDirectory() as folder:
            parent = os.path.join(folder, "shop")
            os.makedirs(os.path.join(parent, "templates"))
            shutil.copytree(CHART, os.path.join(parent, "charts", "tutti"))
            with open(os.path.join(parent, "Chart.yaml"), "w", encoding="utf-8") as file:
                file.write("apiVersion: v2\nname: shop\nversion: 1.0.0\ndependencies:\n"
                           "  - {name: tutti, version: 0.1.0, condition: tutti.enabled, tags: [backend]}\n")
            with open(os.path.join(parent, "values.yaml"), "w", encoding="utf-8") as file:
                file.write("tags: {backend: true}\nglobal: {imageRegistry: registry.example, region: north,"
                           " imagePullSecrets: [by-name, {name: as-a-map, note: x}]}\n"
                           "tutti: {enabled: true, orchestrator: {shards: 3}, ours: {x: 1}}\n")
            helm.helm("lint", "--strict", parent)
            orchestrator = of_kind(objects(chart=parent), "StatefulSet")["t-tutti"]
            spec = orchestrator["spec"]["template"]["spec"]
            container = spec["containers"][0]
            self.assertEqual(spec["imagePullSecrets"], [{"name": "by-name"}, {"name": "as-a-map"}])
            self.assertEqual(container["image"], "registry.example/tutti:0.1.0")
            self.assertIn("--shards=3", container["args"])
            self.assertEqual(objects("--set", "tutti.enabled=false", chart=parent), [])
            with self.assertRaisesRegex(HelmError, "replica"):
                objects("--set", "tutti.orchestrator.replica=1", chart=parent)


class PodsTest(unittest.TestCase):
    def each_pod(self):
        for values in SETS:
            for name, pod in pods(rendered(values)).items():
                with self.subTest(values=values, pod=name):
                    yield pod["metadata"], pod["spec"]

    def test_no_rights(self):
        for _, spec in self.each_pod():
            self.assertIs(spec["automountServiceAccountToken"], False)
            context = spec["securityContext"]
            self.assertIs(context["runAsNonRoot"], True)
            self.assertGreater(context["runAsUser"], 0)
            self.assertEqual(context["seccompProfile"], {"type": "RuntimeDefault"})
            for container in spec["containers"]:
                if container["name"] == "tail":  # the one that everything.yaml brings
                    continue
                context = container["securityContext"]
                self.assertIs(context["readOnlyRootFilesystem"], True)
                self.assertIs(context["allowPrivilegeEscalation"], False)
                self.assertEqual(context["capabilities"], {"drop": ["ALL"]})
                self.assertIn("memory", container["resources"]["limits"])

    def test_mounts_have_volumes_and_do_not_nest(self):
        for values in SETS:
            for item in rendered(values):
                if item["kind"] not in (*helm.PODS_IN, "Pod"):
                    continue
                pod = helm.pod_of(item)
                have = {volume["name"] for volume in pod["spec"].get("volumes", [])}
                have |= {claim["metadata"]["name"] for claim in item["spec"].get("volumeClaimTemplates") or []}
                for container in pod["spec"]["containers"]:
                    paths = sorted(mount["mountPath"] for mount in container.get("volumeMounts", []))
                    self.assertLessEqual({mount["name"] for mount in container.get("volumeMounts", [])}, have)
                    for outer, inner in zip(paths, paths[1:]):
                        self.assertFalse(inner.startswith(f"{outer}/"), f"{inner} cannot be made inside {outer}")

    def test_grace_is_longer_than_the_drain(self):
        for values in SETS:
            for name, item in of_kind(rendered(values), "StatefulSet").items():
                spec = item["spec"]["template"]["spec"]
                server = spec["containers"][0]
                drain = sum(int(found) for arg in server["args"]
                            for found in re.findall(r"^--(?:drain-delay|drain-deadline|reply-drain)=(\d+)s$", arg))
                drain += sum(int(seconds) for seconds in
                             server.get("lifecycle", {}).get("preStop", {}).get("exec", {}).get("command", [])[1:])
                self.assertGreater(drain, 0)
                self.assertGreater(spec["terminationGracePeriodSeconds"], drain, f"{values}: {name}")
        with self.assertRaisesRegex(HelmError, "more than the drain's 21 seconds"):
            text_of("--set", "orchestrator.terminationGracePeriodSeconds=21")

    def test_probes_ask_the_plaintext_port(self):
        for values in SETS:
            for item in of_kind(rendered(values), "StatefulSet").values():
                server = item["spec"]["template"]["spec"]["containers"][0]
                health = {port["name"]: port["containerPort"] for port in server["ports"]}["health"]
                self.assertTrue(any(re.fullmatch(rf"--health-listen=.*:{health}", arg) for arg in server["args"]))
                for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
                    self.assertEqual(server[probe]["grpc"]["port"], health)
                self.assertEqual(server["livenessProbe"]["grpc"]["service"], "liveness")
        probe = of_kind(rendered("default"), "StatefulSet")["t-tutti"]["spec"]["template"]["spec"]["containers"][0]
        self.assertGreaterEqual(
            probe["startupProbe"]["periodSeconds"] * probe["startupProbe"]["failureThreshold"], 1800)

    def test_changed_configuration_restarts_and_nothing_else_does(self):
        def checksum(*args):
            item = of_kind(objects(*args), "StatefulSet")["t-tutti"]
            return item["spec"]["template"]["metadata"]["annotations"]["checksum/participants"]

        self.assertEqual(checksum(), checksum("--set", "definitions.builtIn.book-ticket=false"))
        self.assertNotEqual(checksum(), checksum("--set", "participants.external.bank.target=bank:1"))


class UpgradeTest(unittest.TestCase):
    def test_what_kubernetes_never_changes_holds_no_version_and_no_common_label(self):
        with tempfile.TemporaryDirectory() as folder:
            newer = shutil.copytree(CHART, os.path.join(folder, "tutti"))
            path = os.path.join(newer, "Chart.yaml")
            text = read(path).replace("0.1.0", "9.9.9")
            with open(path, "w", encoding="utf-8") as file:
                file.write(text)
            after = of_kind(objects("--set", "commonLabels.team=b,logLevel=debug,image.tag=x", chart=newer), "StatefulSet")
        before = of_kind(rendered("default"), "StatefulSet")
        self.assertEqual(set(before), set(after))
        self.assertEqual(before["t-tutti"]["metadata"]["labels"]["helm.sh/chart"], "tutti-0.1.0")
        self.assertEqual(after["t-tutti"]["metadata"]["labels"]["helm.sh/chart"], "tutti-9.9.9")
        for name in before:
            for field in ("selector", "serviceName", "volumeClaimTemplates"):
                self.assertEqual(before[name]["spec"][field], after[name]["spec"][field], f"{name}: {field}")
            self.assertEqual(set(before[name]["spec"]["volumeClaimTemplates"][0]["metadata"]["labels"]),
                             {"app.kubernetes.io/name", "app.kubernetes.io/instance"})


class WiringTest(unittest.TestCase):
    """Names that one object uses of another."""

    def each(self):
        for values in SETS:
            yield values, rendered(values), pods(rendered(values))

    @staticmethod
    def selects(selector, pod):
        labels = pod["metadata"]["labels"]
        return (all(labels.get(key) == value for key, value in selector.get("matchLabels", {}).items()) and
                all(labels.get(rule["key"]) in rule["values"] for rule in selector.get("matchExpressions", [])))

    def test_services_select_one_kind_of_pod_and_find_their_ports(self):
        for values, items, found in self.each():
            for name, service in of_kind(items, "Service").items():
                chosen = [pod for pod in found.values() if self.selects({"matchLabels": service["spec"]["selector"]}, pod)]
                self.assertEqual(len(chosen), 1, f"{values}: {name}")
                ports = {port["name"] for port in chosen[0]["spec"]["containers"][0]["ports"]}
                self.assertLessEqual({port["targetPort"] for port in service["spec"]["ports"]}, ports)

    def test_stateful_sets_have_their_headless_service(self):
        for values, items, _ in self.each():
            services = of_kind(items, "Service")
            for name, item in of_kind(items, "StatefulSet").items():
                self.assertEqual(services[item["spec"]["serviceName"]]["spec"]["clusterIP"], "None", f"{values}: {name}")
                self.assertNotIn("clusterIP", services[name]["spec"])

    def test_disruption_budgets_select_one_pod(self):
        for values, items, found in self.each():
            for name, budget in of_kind(items, "PodDisruptionBudget").items():
                chosen = [pod for pod in found.values() if self.selects(budget["spec"]["selector"], pod)]
                self.assertEqual(len(chosen), 1, f"{values}: {name}")

    def test_policies_let_the_chart_s_own_pods_in(self):
        policies = of_kind(rendered("everything"), "NetworkPolicy")
        found = pods(rendered("everything"))
        peers = policies["t-tutti"]["spec"]["ingress"][0]["from"]
        for name in ("Job/t-tutti-definitions", "CronJob/t-tutti-backup", "Pod/t-tutti-test"):
            self.assertTrue(any(self.selects(peer["podSelector"], found[name]) for peer in peers[1:]), name)
        servers = policies["t-tutti-participants"]["spec"]
        for name in ("payment", "reservation", "token"):
            self.assertTrue(self.selects(servers["podSelector"], found[f"StatefulSet/t-tutti-{name}"]))
        self.assertFalse(self.selects(servers["podSelector"], found["StatefulSet/t-tutti"]))
        self.assertTrue(self.selects(servers["ingress"][0]["from"][0]["podSelector"], found["StatefulSet/t-tutti"]))
        self.assertEqual(servers["egress"], [])

    def test_service_monitor_finds_each_server_once(self):
        items = rendered("everything")
        monitor = of_kind(items, "ServiceMonitor")["t-tutti"]["spec"]
        scraped = [service["spec"]["selector"]["app.kubernetes.io/component"]
                   for service in of_kind(items, "Service").values()
                   if self.selects(monitor["selector"], service)
                   and any(port["name"] == monitor["endpoints"][0]["port"] for port in service["spec"]["ports"])]
        self.assertEqual(sorted(scraped), ["orchestrator", "payment", "reservation", "token"])



RULES = "rules/tutti-alerts.yaml"
EVERYBODY = 'job=~".*"'


def alerts_of(spec):
    return {rule["alert"]: rule for group in spec["groups"] for rule in group["rules"] if "alert" in rule}


def rules(*args, release=helm.RELEASE, namespace=helm.NAMESPACE):
    """The spec of the release's PrometheusRule."""
    text = helm.helm("template", release, CHART, "--namespace", namespace, "--set", "prometheusRule.enabled=true", *args)
    return next(item["spec"] for item in yaml.safe_load_all(text) if item and item["kind"] == "PrometheusRule")


class RulesTest(unittest.TestCase):
    """The rule file as values want it."""

    def test_with_everybody_as_its_selector_it_is_the_file(self):
        self.assertEqual(rules("--set", f"prometheusRule.selector={EVERYBODY}"), yaml.safe_load(read(CHART, RULES)))
        self.assertEqual([name for name in os.listdir(os.path.join(CHART, "rules"))], [os.path.basename(RULES)])

    def test_another_selector_goes_into_every_query(self):
        given = 'cluster="north", job=~"tutti.*"'
        with tempfile.NamedTemporaryFile("w", suffix=".yaml") as values:
            yaml.safe_dump({"prometheusRule": {"selector": given}}, values)
            values.flush()
            made = rules("--values", values.name)
        self.assertEqual(yaml.safe_dump(made),
                         yaml.safe_dump(yaml.safe_load(read(CHART, RULES).replace(EVERYBODY, given))))

    def test_every_selector_is_of_this_release_alone(self):
        for release, namespace, name in (("t", "shop", "t-tutti"), ("tutti", "shop", "tutti"), ("t", "1234", "t-tutti")):
            for group in rules(release=release, namespace=namespace)["groups"]:
                for rule in group["rules"]:
                    metrics = re.findall(r"\b((?:tutti|process)[_:][a-z0-9_:]+|up)\b(?!\()", rule["expr"])
                    selectors = re.findall(r"(?:tutti|process)[_:][a-z0-9_:]+\{([^}]*)\}|\bup\{([^}]*)\}", rule["expr"])
                    self.assertEqual(len(metrics), len(selectors), rule["expr"])
                    for selector in map("".join, selectors):
                        self.assertRegex(selector, rf'^namespace="{namespace}", job=~?"{name}[-(]')
                        self.assertNotIn(EVERYBODY, selector)
                        self.assertNotIn(".*tutti.*", selector)

    def test_promtool_takes_it_and_it_tells_of_a_release_that_never_had_a_target(self):
        case = {"rule_files": ["rules.yaml"], "evaluation_interval": "1m", "tests": [{
            "interval": "1m",
            # The same release in another namespace, another release in this one, and this one's payment service.
            "input_series": [
                {"series": f'{metric}{{namespace="{namespace}", job="{job}"}}', "values": "1x20"}
                for metric in ("up", "tutti_ready") for namespace, job in (
                    ("other", "t-tutti-headless"), ("shop", "tutti-headless"), ("shop", "t-tutti-payment-headless"))
                if metric == "up" or "payment" not in job],
            "alert_rule_test": [{"eval_time": "10m", "alertname": "TuttiOrchestratorDown", "exp_alerts": [{
                "exp_labels": {"severity": "critical", "namespace": "shop", "job": "t-tutti-headless"},
                "exp_annotations": {
                    "summary": "No saga moves: the orchestrator does not serve",
                    "description": "t-tutti-headless is gone, recovering, draining, or never came up; it served 0% of the last 4 minutes.",
                    "runbook_url": "docs/runbooks/TuttiOrchestratorDown.md"}}]}]}]}
        with tempfile.TemporaryDirectory() as folder:
            for name, content in (("rules.yaml", rules()), ("case.yaml", case)):
                with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
                    yaml.safe_dump(content, file)
            done = subprocess.run([tool("promtool"), "test", "rules", "case.yaml"], cwd=folder, capture_output=True, text=True,
                                  check=False)
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def test_one_alert_is_left_out_and_the_others_stay(self):
        left = alerts_of(rules("--set", "prometheusRule.alerts.TuttiDiskFilling.enabled=false"))
        self.assertEqual(set(alerts_of(rules())) - set(left), {"TuttiDiskFilling"})
        self.assertEqual(set(left) - set(alerts_of(rules())), set())

    def test_thresholds_times_and_labels_change_by_name(self):
        changed = alerts_of(rules(
            "--set", "prometheusRule.alertLabels.team=shop,prometheusRule.alerts.TuttiSagaStuck.thresholds.threshold=3600",
            "--set", "prometheusRule.alerts.TuttiSagaStuck.for=15m,prometheusRule.alerts.TuttiSagaStuck.severity=warning",
            "--set", "prometheusRule.alerts.TuttiSagaStuck.labels.pager=none",
            "--set", "prometheusRule.alerts.TuttiSuccessBurnFast.thresholds.minimum=20",
            "--set", "prometheusRule.alerts.TuttiDiskFilling.thresholds.soon=0.25"))
        before = alerts_of(rules())
        self.assertIn("> 3600  # threshold\n", changed["TuttiSagaStuck"]["expr"])
        self.assertEqual(changed["TuttiSagaStuck"]["for"], "15m")
        self.assertEqual(changed["TuttiSagaStuck"]["labels"], {"severity": "warning", "team": "shop", "pager": "none"})
        burn, disk = changed["TuttiSuccessBurnFast"]["expr"], changed["TuttiDiskFilling"]["expr"]
        self.assertEqual(burn, before["TuttiSuccessBurnFast"]["expr"].replace(">= 5  #", ">= 20  #"))
        self.assertEqual(burn.count(">= 20"), 2)
        self.assertEqual(disk, before["TuttiDiskFilling"]["expr"].replace("< 0.3  # soon", "< 0.25  # soon"))
        for name, alert in changed.items():
            self.assertEqual(alert["labels"]["team"], "shop")
            if name not in ("TuttiSagaStuck", "TuttiSuccessBurnFast", "TuttiDiskFilling"):
                self.assertEqual(alert["expr"], before[name]["expr"])

    def test_every_threshold_of_the_file_can_be_changed(self):
        marks = [(name, mark) for name, alert in alerts_of(yaml.safe_load(read(CHART, RULES))).items()
                 for mark in sorted(set(re.findall(r"# (\w+)$", alert["expr"], re.M)))]
        self.assertGreater(len(marks), 15)
        given = {f"prometheusRule.alerts.{name}.thresholds.{mark}": f"{number}.5" for number, (name, mark) in enumerate(marks)}
        changed = alerts_of(rules("--set", ",".join(f"{path}={value}" for path, value in given.items())))
        for (name, mark), value in zip(marks, given.values()):
            self.assertIn(f" {value}  # {mark}\n", changed[name]["expr"])
            self.assertEqual(re.findall(rf"(\S+)  # {mark}$", changed[name]["expr"], re.M).count(value),
                             changed[name]["expr"].count(f"# {mark}\n"))

    def test_what_is_misspelt_is_refused(self):
        with self.assertRaisesRegex(HelmError, "TuttiSagaStuk"):
            rules("--set", "prometheusRule.alerts.TuttiSagaStuk.enabled=false")
        with self.assertRaisesRegex(HelmError, "TuttiSagaStuck has no such threshold"):
            rules("--set", "prometheusRule.alerts.TuttiSagaStuck.thresholds.treshold=1")
        with self.assertRaisesRegex(HelmError, "'threshold' not allowed"):
            rules("--set", "prometheusRule.alerts.TuttiSagaStuck.threshold=1")
        with self.assertRaisesRegex(HelmError, "thresholds/threshold"):
            rules("--set", "prometheusRule.alerts.TuttiSagaStuck.thresholds.threshold=15m")
        with self.assertRaisesRegex(HelmError, "selector"):
            rules("--set", "prometheusRule.selector=job=tutti")

    def test_the_readme_s_example_changes_what_it_says(self):
        example = next(found for found in re.findall(r"```yaml\n(.*?)```", read(CHART, "README.md.gotmpl"), re.S)
                       if "alertLabels" in found)
        with tempfile.NamedTemporaryFile("w", suffix=".yaml") as values:
            values.write(example)
            values.flush()
            changed = alerts_of(rules("--values", values.name))
        self.assertNotIn("TuttiLateResultsSurging", changed)
        self.assertEqual(changed["TuttiSagaStuck"]["labels"], {"severity": "warning", "team": "shop"})

    def test_the_schema_knows_the_alerts(self):
        schema = json.loads(read(CHART, "values.schema.json"))["properties"]["prometheusRule"]["properties"]["alerts"]
        self.assertEqual(schema["propertyNames"]["enum"], list(alerts_of(yaml.safe_load(read(CHART, RULES)))))


class DashboardsTest(unittest.TestCase):
    def boards(self, release, namespace, *args):
        """File name in Grafana's folder → dashboard."""
        text = helm.helm("template", release, CHART, "--namespace", namespace, "--set", "dashboards.enabled=true", *args)
        maps = [item for item in yaml.safe_load_all(text) if item and item["metadata"]["labels"].get("grafana_dashboard")]
        return {name: json.loads(board) for item in maps for name, board in item["data"].items()}

    def test_they_are_the_files_but_for_whose_they_are(self):
        folder = os.path.join(CHART, "dashboards")
        files = {name: json.loads(read(folder, name)) for name in os.listdir(folder)}
        made = self.boards("t", "shop")
        self.assertEqual(set(made), {f"shop-t-tutti-{name}" for name in files})
        for name, file in files.items():
            board = made[f"shop-t-tutti-{name}"]
            self.assertEqual({key for key in file if board[key] != file[key]}, {"uid", "title", "tags", "links"})
            self.assertTrue(board["uid"].startswith(file["uid"] + "-"))
            self.assertLessEqual(len(board["uid"]), 40)
            self.assertEqual(board["title"], f"{file['title']} (shop/t-tutti)")
            self.assertTrue(all(set(link["tags"]) <= set(board["tags"]) for link in board["links"]))

    def test_several_releases_in_one_grafana_do_not_meet(self):
        releases = (("t", "shop"), ("u", "shop"), ("t", "other"))
        made = [self.boards(*release) for release in releases]
        for told in (lambda name, board: name, lambda name, board: board["uid"], lambda name, board: board["title"]):
            self.assertEqual(len({told(name, board) for boards in made for name, board in boards.items()}),
                             sum(map(len, made)))
        tags = [{tag for board in boards.values() for link in board["links"] for tag in link["tags"]} for boards in made]
        for mine, boards in enumerate(made):
            for board in boards.values():
                self.assertEqual([number for number, tag in enumerate(tags) if tag <= set(board["tags"])], [mine])
        self.assertEqual(self.boards("t", "shop"), made[0], "an upgrade keeps them")

    def test_they_open_on_their_release_when_the_chart_names_the_jobs(self):
        def chosen(*args):
            board = self.boards("t", "shop", *args)["shop-t-tutti-tutti-engine.json"]
            return {variable["name"]: variable["current"]["value"] for variable in board["templating"]["list"]
                    if "current" in variable}

        found = chosen("--set", "serviceMonitor.enabled=true")
        items = objects("--set", "serviceMonitor.enabled=true")
        scraped = [name for name, service in of_kind(items, "Service").items()
                   if any(port["name"] == "metrics" for port in service["spec"]["ports"])]
        self.assertEqual(sorted(found["job"]), sorted(scraped))
        self.assertEqual((found["namespace"], found["cluster"]), (["shop"], ["$__all"]))
        self.assertEqual(chosen()["job"], ["$__all"])


class SwitchTest(unittest.TestCase):
    def test_participants_and_definitions_switch_by_themselves(self):
        without = ("--set", "participants.token.enabled=false")
        with self.assertRaisesRegex(HelmError, "book-ticket needs the participant token"):
            text_of(*without)
        items = objects(*without, "--set", "definitions.builtIn=null")
        self.assertEqual([item["metadata"]["name"] for item in items if "token" in item["metadata"]["name"]], [])
        self.assertEqual(of_kind(items, "Pod")["t-tutti-test"]["spec"]["containers"][0]["args"], ["definition", "list"])
        items = objects("--set", "definitions.builtIn.book-ticket=false")
        self.assertEqual(set(of_kind(items, "ConfigMap")["t-tutti-definitions"]["data"]),
                         {"book-ticket-impatient.yaml", "release-test.yaml"})

    def test_nothing_to_apply_or_nobody_to_take_it_makes_no_job(self):
        self.assertEqual(of_kind(rendered("minimal"), "Job"), {})
        self.assertEqual(of_kind(rendered("mixed"), "Job"), {}, "an install would wait for it in vain")

    def test_names_that_collide_are_refused(self):
        with self.assertRaisesRegex(HelmError, "participants.external.payment"):
            text_of("--set", "participants.external.payment.target=x:1")
        with self.assertRaisesRegex(HelmError, "definitions.custom.book-ticket.yaml"):
            text_of("--set-string", r"definitions.custom.book-ticket\.yaml=x")

    def test_labels_of_values_replace_what_is_ours_but_not_what_selects(self):
        item = of_kind(objects("--set-json", 'commonLabels={"app.kubernetes.io/part-of":"shop"}', "--set-json",
                               'orchestrator.podLabels={"app.kubernetes.io/component":"x","tier":"backend"}'),
                       "StatefulSet")["t-tutti"]
        self.assertEqual(item["metadata"]["labels"]["app.kubernetes.io/part-of"], "shop")
        labels = item["spec"]["template"]["metadata"]["labels"]
        self.assertLessEqual({**item["spec"]["selector"]["matchLabels"], "app.kubernetes.io/part-of": "shop",
                              "tier": "backend"}.items(), labels.items())

    def test_without_the_job_nothing_runs_a_definition_that_nobody_applied(self):
        without = ("--set", "definitions.job.enabled=false")
        items = objects(*without)
        self.assertNotIn("release-test.yaml", of_kind(items, "ConfigMap")["t-tutti-definitions"]["data"])
        self.assertEqual(of_kind(items, "Pod")["t-tutti-test"]["spec"]["containers"][0]["args"], ["definition", "list"])
        notes = helm.notes(*without)
        self.assertIn("nobody applies the definitions", notes)
        self.assertNotIn("release-test", notes)
        self.assertNotIn("grpcurl", helm.notes("--set", "orchestrator.replicas=0"))

    def test_runbooks_link_to_where_they_are_served(self):
        def links(*args):
            rule = of_kind(objects("--set", "prometheusRule.enabled=true", *args), "PrometheusRule")["t-tutti-alerts"]
            return {alert["annotations"]["runbook_url"] for group in rule["spec"]["groups"] for alert in group["rules"]
                    if "alert" in alert}

        plain = links()
        self.assertIn("docs/runbooks/TuttiSagaStuck.md", plain)
        prefix = "https://git.example/tutti/blob/v0.1.0/"
        self.assertEqual(links("--set", f"prometheusRule.runbookUrlPrefix={prefix}"), {prefix + link for link in plain})

    def test_long_release_names_stay_within_kubernetes_bounds(self):
        text = helm.helm("template", "r" * 53, CHART, "--namespace", "shop")
        for item in filter(None, yaml.safe_load_all(text)):
            self.assertLessEqual(len(item["metadata"]["name"]), 63)
            self.assertNotIn("--", item["metadata"]["name"])

    def test_extra_objects_are_templates(self):
        names = of_kind(rendered("everything"), "ConfigMap")
        self.assertLessEqual({"t-as-a-map", "t-as-text"}, set(names))


def readme():
    with tempfile.TemporaryDirectory() as folder:
        chart = shutil.copytree(CHART, os.path.join(folder, "tutti"))
        subprocess.run([tool("helm-docs"), "-c", chart, "--log-level", "warning"], check=True)
        return read(chart, "README.md")


def update():
    for name in ("book-ticket.yaml", "book-ticket-impatient.yaml"):
        shutil.copy(os.path.join(repository(), "participants", "sagas", name), os.path.join(CHART, "definitions", name))
    for values in SETS:
        with open(os.path.join(HERE, "golden", f"{values}.yaml"), "w", encoding="utf-8") as file:
            file.write(golden(values))
    text = readme()
    with open(os.path.join(CHART, "README.md"), "w", encoding="utf-8") as file:
        file.write(text)


if __name__ == "__main__":
    if sys.argv[1:] == ["--update"]:
        update()
    else:
        unittest.main()
