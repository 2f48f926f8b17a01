"""What single settings do to the objects they are about."""

import json
import unittest

import helm
from helm import HelmError, objects, of_kind, pods, text_of


def sets(*args):
    return of_kind(objects(*args), "StatefulSet")


class RollOutTest(unittest.TestCase):
    def test_a_pod_that_never_becomes_ready_can_be_replaced(self):
        """OrderedReady waits for it before it goes back to the former revision."""
        self.assertEqual({item["spec"]["podManagementPolicy"] for item in sets().values()}, {"Parallel"})
        self.assertEqual({item["spec"]["podManagementPolicy"] for item in
                          sets("--set", "podManagementPolicy=OrderedReady").values()}, {"OrderedReady"})

    def test_update_strategies(self):
        self.assertEqual({item["spec"]["updateStrategy"]["type"] for item in sets().values()}, {"RollingUpdate"})
        found = sets("--set", "orchestrator.updateStrategy.type=OnDelete,participants.token.updateStrategy.type=OnDelete")
        self.assertEqual({name for name, item in found.items() if item["spec"]["updateStrategy"]["type"] == "OnDelete"},
                         {"t-tutti", "t-tutti-token"})


class EveryPodTest(unittest.TestCase):
    def test_dns_settings_reach_every_pod(self):
        for pod in pods(objects()).values():
            self.assertNotIn("dnsConfig", pod["spec"])
            self.assertNotIn("dnsPolicy", pod["spec"])
        config = '{"options": [{"name": "ndots", "value": "2"}]}'
        found = pods(objects("--set-json", f"dnsConfig={config}", "--set", "dnsPolicy=Default"))
        self.assertEqual(len(found), 6)
        for pod in found.values():
            self.assertEqual(pod["spec"]["dnsConfig"], {"options": [{"name": "ndots", "value": "2"}]})
            self.assertEqual(pod["spec"]["dnsPolicy"], "Default")

    def test_the_reason_of_an_end_is_seen_in_the_pod(self):
        for policy, args in (("FallbackToLogsOnError", ()), ("File", ("--set", "terminationMessagePolicy=File"))):
            for pod in pods(objects(*args)).values():
                for container in pod["spec"]["containers"]:
                    self.assertEqual(container["terminationMessagePolicy"], policy)


class HookTest(unittest.TestCase):
    PLACED = ('{"tolerations": [{"key": "dedicated", "operator": "Exists"}], "nodeSelector": {"pool": "tools"}, '
              '"affinity": {"podAffinity": {}}, "priorityClassName": "low", '
              '"podAnnotations": {"sidecar.istio.io/inject": "false", "helm.sh/hook": "no"}, "podLabels": {"tier": "tools"}}')

    def test_the_job_and_the_test_go_where_they_are_told(self):
        items = objects("--set-json", f"definitions.job={self.PLACED}", "--set-json", f"test={self.PLACED}")
        found = pods(items)
        for name in ("Job/t-tutti-definitions", "Pod/t-tutti-test"):
            spec = found[name]["spec"]
            self.assertEqual(spec["tolerations"], [{"key": "dedicated", "operator": "Exists"}])
            self.assertEqual(spec["nodeSelector"], {"pool": "tools"})
            self.assertEqual(spec["affinity"], {"podAffinity": {}})
            self.assertEqual(spec["priorityClassName"], "low")
            self.assertEqual(found[name]["metadata"]["annotations"]["sidecar.istio.io/inject"], "false")
            self.assertEqual(found[name]["metadata"]["labels"]["tier"], "tools")
        self.assertEqual(found["Pod/t-tutti-test"]["metadata"]["annotations"]["helm.sh/hook"], "test", "a hook it stays")
        for name in ("StatefulSet/t-tutti", "StatefulSet/t-tutti-token"):
            self.assertNotIn("tolerations", found[name]["spec"])

    def test_backups_have_a_volume_and_a_schedule_only_when_they_are_wanted(self):
        plain = helm.objects()
        self.assertFalse(of_kind(plain, "CronJob") or of_kind(plain, "PersistentVolumeClaim"))
        self.assertFalse([arg for arg in self.args(plain) if "backup" in arg])
        items = helm.objects("--set", "backup.enabled=true,orchestrator.replicas=0")
        self.assertIs(of_kind(items, "CronJob")["t-tutti-backup"]["spec"]["suspend"], True)
        self.assertIn("--backup-rate=16", self.args(items))
        claim = of_kind(items, "PersistentVolumeClaim")["t-tutti-backup"]
        self.assertEqual(claim["metadata"]["annotations"]["helm.sh/resource-policy"], "keep")
        items = helm.objects("--set", "backup.enabled=true,backup.persistence.existingClaim=vault")
        self.assertFalse(of_kind(items, "PersistentVolumeClaim"))
        volumes = helm.pod_of(of_kind(items, "StatefulSet")["t-tutti"])["spec"]["volumes"]
        self.assertIn({"name": "backups", "persistentVolumeClaim": {"claimName": "vault"}}, volumes)

    @staticmethod
    def args(items):
        return helm.pod_of(of_kind(items, "StatefulSet")["t-tutti"])["spec"]["containers"][0]["args"]

    def test_the_job_s_own_annotations(self):
        job = of_kind(objects("--set-json", 'definitions.job.annotations={"example.org/a": "b", "helm.sh/hook": "no"}'), "Job")
        annotations = job["t-tutti-definitions"]["metadata"]["annotations"]
        self.assertEqual(annotations["example.org/a"], "b")
        self.assertEqual(annotations["helm.sh/hook"], "post-install,post-upgrade,post-rollback")
        self.assertNotIn("annotations", job["t-tutti-definitions"]["spec"]["template"]["metadata"])

    def test_the_test_pod_cleans_up_and_leaves_its_log(self):
        """Once helm has deleted the pod, `helm test --logs` finds none: helm prints the log of its own accord, before."""
        for args, policy in (((), "before-hook-creation,hook-succeeded"),
                             (("--set", "test.hookDeletePolicy=before-hook-creation"), "before-hook-creation")):
            annotations = of_kind(objects(*args), "Pod")["t-tutti-test"]["metadata"]["annotations"]
            self.assertEqual(annotations["helm.sh/hook-delete-policy"], policy)
            self.assertEqual(annotations["helm.sh/hook-output-log-policy"], "hook-succeeded,hook-failed")
        self.assertNotIn("--logs", helm.notes())

    def test_a_refused_definition_says_so_where_helm_was_called(self):
        job = of_kind(objects(), "Job")["t-tutti-definitions"]
        self.assertEqual(job["metadata"]["annotations"]["helm.sh/hook-output-log-policy"], "hook-failed")


class EgressTest(unittest.TestCase):
    def test_dns_ports(self):
        for args, ports in (((), (53,)), (("--set", "networkPolicy.egress.dnsPorts={53,5353}"), (53, 5353))):
            policy = of_kind(objects("--set", "networkPolicy.egress.enabled=true", *args), "NetworkPolicy")["t-tutti"]
            self.assertEqual(policy["spec"]["egress"][0],
                             {"ports": [{"port": port, "protocol": protocol} for port in ports for protocol in ("UDP", "TCP")]})


class FromOutsideTest(unittest.TestCase):
    def test_neither_is_made_unasked(self):
        self.assertEqual([item["kind"] for item in objects() if item["kind"] in ("Ingress", "GRPCRoute", "HTTPRoute")], [])

    def test_an_ingress_leads_to_the_clients_service(self):
        items = objects("--set", "ingress.enabled=true,ingress.hosts={a.example.org,b.example.org},ingress.className=nginx")
        spec = of_kind(items, "Ingress")["t-tutti"]["spec"]
        self.assertEqual(spec["ingressClassName"], "nginx")
        self.assertEqual([rule["host"] for rule in spec["rules"]], ["a.example.org", "b.example.org"])
        for rule in spec["rules"]:
            service = rule["http"]["paths"][0]["backend"]["service"]
            ports = {port["name"] for port in of_kind(items, "Service")[service["name"]]["spec"]["ports"]}
            self.assertIn(service["port"]["name"], ports)
        anywhere = of_kind(objects("--set", "ingress.enabled=true"), "Ingress")["t-tutti"]["spec"]["rules"]
        self.assertEqual([rule.get("host") for rule in anywhere], [None])

    def test_a_route_leads_to_the_clients_service(self):
        for kind, protocol in (("GRPCRoute", "grpc"), ("HTTPRoute", "kubernetes.io/h2c")):
            items = objects("--set", f"route.enabled=true,route.kind={kind},route.parentRefs[0].name=outside,"
                            f"orchestrator.service.port=7777,orchestrator.service.appProtocol={protocol}")
            backend = of_kind(items, kind)["t-tutti"]["spec"]["rules"][0]["backendRefs"][0]
            port = of_kind(items, "Service")[backend["name"]]["spec"]["ports"][0]
            self.assertEqual((port["port"], port["appProtocol"]), (backend["port"], protocol))


class VolumeTest(unittest.TestCase):
    """For the orchestrator and for a reference service, which are built alike."""
    EACH = (("t-tutti", "orchestrator"), ("t-tutti-token", "participants.token"))

    def test_a_claim_that_is_there_is_used_and_none_is_made(self):
        for name, values in self.EACH:
            found = sets("--set", f"{values}.persistence.existingClaim=restored")
            spec = found.pop(name)["spec"]
            self.assertNotIn("volumeClaimTemplates", spec)
            self.assertNotIn("persistentVolumeClaimRetentionPolicy", spec)
            self.assertIn({"name": "data", "persistentVolumeClaim": {"claimName": "restored"}},
                          spec["template"]["spec"]["volumes"])
            for item in found.values():
                self.assertIn("volumeClaimTemplates", item["spec"])
                self.assertNotIn("data", [volume["name"] for volume in item["spec"]["template"]["spec"].get("volumes", [])])

    def test_a_claim_can_be_filled_from_a_snapshot(self):
        source = {"apiGroup": "snapshot.storage.k8s.io", "kind": "VolumeSnapshot", "name": "night"}
        for name, values in self.EACH:
            found = sets("--set", ",".join(f"{values}.persistence.dataSource.{key}={value}" for key, value in source.items()))
            claim = found[name]["spec"]["volumeClaimTemplates"][0]["spec"]
            self.assertEqual(claim["dataSource"], source)
        for item in sets().values():
            self.assertNotIn("dataSource", item["spec"]["volumeClaimTemplates"][0]["spec"])

    def test_contradictions_are_refused(self):
        own = "orchestrator.persistence.existingClaim=x"
        with self.assertRaisesRegex(HelmError, "orchestrator.persistence has existingClaim and dataSource"):
            text_of("--set", f"{own},orchestrator.persistence.dataSource.kind=a,orchestrator.persistence.dataSource.name=b")
        with self.assertRaisesRegex(HelmError, "orchestrator.* and participants.token.* are both x"):
            text_of("--set", f"{own},participants.token.persistence.existingClaim=x")
        with self.assertRaisesRegex(HelmError, "/participants/defaults/persistence"):
            text_of("--set", "participants.defaults.persistence.existingClaim=x")


class DefinitionsTest(unittest.TestCase):
    @staticmethod
    def render(definition, *args):
        text_of("--set-json", "definitions.custom=" + json.dumps({"order.yaml": definition}), *args)

    def test_a_participant_that_the_orchestrator_would_not_know_is_refused(self):
        order = "name: order\nsteps:\n  - {name: pay, participant: payment}\n  - {name: take, participant: stock}\n"
        with self.assertRaisesRegex(HelmError, "definitions.custom.order.yaml: the step take names the participant stock"):
            self.render(order)
        self.render(order, "--set", "participants.external.stock.target=stock:1")
        self.render(order, "--set", "orchestrator.extraArgs={--participants=/mine/participants.yaml}")
        with self.assertRaisesRegex(HelmError, "the step pay names the participant payment"):
            self.render(order, "--set", "participants.payment.enabled=false,definitions.builtIn=null")

    def test_other_mistakes_are_left_to_the_orchestrator(self):
        for text in ("name: wrong", "steps: 5", "steps: {a: b}", "- a", "a: [", "5", "steps: [a, {participant: 5}, {name: x}]"):
            self.render(text)


if __name__ == "__main__":
    unittest.main()
