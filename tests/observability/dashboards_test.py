"""The dashboards as files: written by tools/dashboards.py, complete, linked, and laid out without overlap."""

import itertools
import json
import os
import re
import sys
import unittest

import dashboards as generator
from stack.stack import repository

UNITS = {"short", "s", "ops", "reqps", "percentunit", "bytes"}
MACROS = {"__rate_interval", "__range"}


def load():
    for name in sorted(os.listdir(generator.FOLDER)):
        with open(os.path.join(generator.FOLDER, name), encoding="utf-8") as file:
            yield name, json.load(file)


class DashboardsTest(unittest.TestCase):
    def each(self):
        for name, dashboard in load():
            with self.subTest(dashboard=name):
                yield dashboard

    def each_panel(self):
        for dashboard in self.each():
            for panel in dashboard["panels"]:
                if panel["type"] == "row":
                    continue
                with self.subTest(dashboard=dashboard["uid"], panel=panel["title"]):
                    yield panel

    def test_there_are_three_and_they_are_as_the_generator_writes_them(self):
        self.assertEqual(len(list(load())), 3)
        self.assertEqual(generator.stale(), [])

    def test_every_panel_says_what_it_shows_and_in_which_unit(self):
        for panel in self.each_panel():
            self.assertTrue(panel["title"])
            self.assertRegex(panel["description"], r"^[A-Z0-9`].*\.$")
            self.assertIn(panel["fieldConfig"]["defaults"]["unit"], UNITS)
            self.assertTrue(panel["targets"])

    def test_nothing_belongs_to_one_installation(self):
        for dashboard in self.each():
            self.assertNotIn("id", dashboard)
            self.assertNotIn("version", dashboard)
            sources = re.findall(r'"type": "prometheus", "uid": "([^"]*)"', json.dumps(dashboard))
            self.assertEqual(set(sources), {"${datasource}"})
            self.assertEqual(len(sources), json.dumps(dashboard).count('"datasource": {'))

    def test_every_link_leads_to_all_three_and_takes_time_and_variables_along(self):
        for dashboard in self.each():
            self.assertEqual(len(dashboard["links"]), 1)
            link = dashboard["links"][0]
            self.assertTrue(link["includeVars"] and link["keepTime"])
            self.assertTrue(all(set(link["tags"]) <= set(other["tags"]) for _, other in load()))
        self.assertEqual(len({dashboard["uid"] for _, dashboard in load()}), 3)

    def test_variables_offer_what_the_choice_before_them_left(self):
        for dashboard in self.each():
            asked = {variable["name"]: variable["query"]["query"] for variable in dashboard["templating"]["list"]
                     if variable["type"] == "query"}
            for name, before in (("namespace", ["cluster"]), ("job", ["cluster", "namespace"]),
                                 ("definition", ["cluster", "namespace", "job"])):
                for earlier in before:
                    self.assertIn(f'{earlier}=~"${earlier}"', asked[name])

    def test_joins_are_by_all_that_tells_processes_apart(self):
        for panel in self.each_panel():
            for target in panel["targets"]:
                for labels in re.findall(r"\bon \(([^)]*)\)", target["expr"]):
                    self.assertEqual(labels, "cluster, namespace, job, instance")

    def test_variables_are_declared_used_and_work_without_a_namespace(self):
        for dashboard in self.each():
            variables = {variable["name"]: variable for variable in dashboard["templating"]["list"]}
            self.assertLessEqual({"datasource", "cluster", "namespace", "job", "definition"}, set(variables))
            for name, variable in variables.items():
                if variable["type"] == "query":
                    self.assertEqual((variable["includeAll"], variable["allValue"]), (True, ".*"), name)
            expressions = [target["expr"] for panel in dashboard["panels"] for target in panel.get("targets", [])]
            used = set(re.findall(r"\$\{?(\w+)", " ".join(expressions)))
            self.assertEqual(used - MACROS, set(variables) - {"datasource"})
            for expression in expressions:
                for selector in re.findall(r"\{([^}]*)\}", expression):
                    self.assertIn('cluster=~"$cluster", namespace=~"$namespace", job=~"$job"', selector)

    def test_ids_differ_and_panels_do_not_overlap(self):
        for dashboard in self.each():
            panels = dashboard["panels"]
            self.assertEqual(len({panel["id"] for panel in panels}), len(panels))
            titles = [panel["title"] for panel in panels if panel["type"] == "row"]
            self.assertEqual(len(set(titles)), len(titles))
            for panel in panels:
                place = panel["gridPos"]
                self.assertTrue(0 <= place["x"] and place["x"] + place["w"] <= 24, panel["title"])
            for one, other in itertools.combinations(panels, 2):
                self.assertFalse(self.overlap(one["gridPos"], other["gridPos"]), (one["title"], other["title"]))

    @staticmethod
    def overlap(one, other):
        return (one["x"] < other["x"] + other["w"] and other["x"] < one["x"] + one["w"] and
                one["y"] < other["y"] + other["h"] and other["y"] < one["y"] + one["h"])

    def test_every_query_targets_a_metric_of_the_house_or_of_the_process(self):
        """Whether it returns data is for the live test to say."""
        for panel in self.each_panel():
            for target in panel["targets"]:
                self.assertRegex(target["expr"], r"\b(tutti_[a-z_]+|process_[a-z_]+)\{")


    def test_every_metric_of_the_reference_is_drawn(self):
        with open(os.path.join(repository(), "docs", "metrics.md"), encoding="utf-8") as file:
            documented = set(re.findall(r"^\| `(\w+)` \|", file.read(), re.M))
        self.assertGreater(len(documented), 50)
        drawn = " ".join(target["expr"] for panel in self.each_panel() for target in panel["targets"])
        found = set(re.findall(r"\b(?:tutti|process)_\w+", drawn))
        found |= {re.sub(r"_(bucket|sum|count)$", "", name) for name in found}
        self.assertEqual(documented - found, set())
        self.assertEqual({name for name in found if not name.endswith(("_bucket", "_sum", "_count"))} - documented, set())

    def test_the_runbooks_name_panels_that_there_are(self):
        titles = {panel["title"] for panel in self.each_panel()}
        folder = os.path.join(repository(), "docs", "runbooks")
        for name in sorted(os.listdir(folder)):
            with open(os.path.join(folder, name), encoding="utf-8") as file:
                text = re.sub(r"(?m)^    .*$|`[^`]*`", "", file.read())
            with self.subTest(page=name):
                self.assertEqual(set(re.findall(r'"([^"]*)"', " ".join(text.split()))) - titles, set())


class RulesTest(unittest.TestCase):
    """The rule file as text. What its rules do is for alerts_test.py to say."""

    LABELS_OF_EVERYTHING = {"job", "instance", "cluster", "namespace", "le"}

    def rules(self):
        import yaml
        with open(os.path.join(repository(), "charts", "tutti", "rules", "tutti-alerts.yaml"), encoding="utf-8") as file:
            for group in yaml.safe_load(file)["groups"]:
                for rule in group["rules"]:
                    with self.subTest(rule=rule.get("alert") or rule["record"]):
                        yield rule

    def documented(self):
        """Metric → its labels."""
        with open(os.path.join(repository(), "docs", "metrics.md"), encoding="utf-8") as file:
            rows = re.findall(r"^\| `(\w+)` \| (\w+) \|([^|]*)\|", file.read(), re.M)
        return {name: set(re.findall(r"`(\w+)`", labels)) for name, _, labels in rows}

    def test_no_aggregation_or_join_loses_which_release_it_was(self):
        for rule in self.rules():
            found = re.findall(r"\b(?:by|on) \(([^)]*)\)", rule["expr"])
            for labels in found:
                self.assertEqual(labels.split(", ")[:3], ["cluster", "namespace", "job"])
            aggregations = re.findall(r"\b(?:sum|max|min|avg|count)\b", rule["expr"])
            self.assertEqual(len(re.findall(r"\bby \(", rule["expr"])), len(aggregations), "an aggregation without `by`")
            self.assertNotRegex(rule["expr"], r"\b(without|ignoring)\b")

    def test_every_metric_exists_and_has_the_labels_that_are_asked_for(self):
        documented = self.documented()
        self.assertGreater(len(documented), 50)
        recorded = {rule["record"] for rule in self.rules() if "record" in rule}
        documented |= {"up": set()} | {name: {"definition"} for name in recorded}
        for rule in self.rules():
            selectors = re.findall(r"((?:tutti|process)[_:][\w:]+|\bup)\{([^}]*)\}", rule["expr"])
            self.assertTrue(selectors)
            known = set(self.LABELS_OF_EVERYTHING)
            for metric, matchers in selectors:
                name = metric if metric in documented else re.sub(r"_(bucket|sum|count)$", "", metric)
                self.assertIn(name, documented)
                asked = set(re.findall(r"(\w+)(?:=~|!~|!=|=)", matchers))
                self.assertLessEqual(asked, documented[name] | self.LABELS_OF_EVERYTHING, metric)
                self.assertIn('job=~".*"', matchers, "what the chart puts its release in place of")
                known |= documented[name]
            for labels in re.findall(r"\b(?:by|on) \(([^)]*)\)", rule["expr"]):
                self.assertLessEqual(set(labels.split(", ")), known)

    def test_every_number_that_is_compared_with_has_a_name_to_change_it_by(self):
        for rule in self.rules():
            if "alert" in rule:
                for number in re.findall(r"[<>]=? *([\d.]+)(?!  # \w+\n)(?![\d.])", rule["expr"]):
                    self.assertEqual(number, "0", rule["expr"])


class RunbooksTest(unittest.TestCase):
    """What an alert promises: a severity, words, and a page that helps."""

    SECTIONS = ["Meaning", "Impact", "See", "Find the cause", "Repair", "Clears"]

    def alerts(self):
        import yaml
        with open(os.path.join(repository(), "charts", "tutti", "rules", "tutti-alerts.yaml"), encoding="utf-8") as file:
            groups = yaml.safe_load(file)["groups"]
        return [rule for group in groups for rule in group["rules"] if "alert" in rule]

    def test_every_alert_is_complete_and_has_its_page(self):
        for alert in self.alerts():
            with self.subTest(alert=alert["alert"]):
                self.assertIn(alert["labels"]["severity"], ("critical", "warning"))
                self.assertIn("for", alert)
                self.assertLessEqual({"summary", "description", "runbook_url"}, set(alert["annotations"]))
                self.assertEqual(alert["annotations"]["runbook_url"], f"docs/runbooks/{alert['alert']}.md")
                with open(os.path.join(repository(), alert["annotations"]["runbook_url"]), encoding="utf-8") as file:
                    page = file.read()
                self.assertTrue(page.startswith(f"# {alert['alert']}\n"))
                self.assertEqual(re.findall(r"^## (.*)$", page, re.M), self.SECTIONS)
                self.assertIn(f"severity: {alert['labels']['severity']}", page)

    def test_every_page_belongs_to_an_alert(self):
        pages = {name for name in os.listdir(os.path.join(repository(), "docs", "runbooks")) if name != "README.md"}
        self.assertEqual(pages, {f"{alert['alert']}.md" for alert in self.alerts()})


if __name__ == "__main__":
    sys.exit(unittest.main())
