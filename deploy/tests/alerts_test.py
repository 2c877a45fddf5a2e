"""alerts.yaml: syntax, behaviour, and its copy for the Prometheus Operator."""

import re

import workshop
from workshop import DEPLOY, TESTS, Case


class Alerts(Case):
    def test_promtool_takes_the_rules(self):
        self.succeeds(workshop.tool("promtool", "prometheus"), "check", "rules", DEPLOY / "alerts.yaml")

    def test_each_fires_when_it_should_and_not_before(self):
        self.succeeds(workshop.tool("promtool", "prometheus"), "test", "rules", TESTS / "alerts_test.yaml")

    def test_each_has_a_test(self):
        tests = (TESTS / "alerts_test.yaml").read_text()
        for alert in re.findall(r"- alert: (\w+)", (DEPLOY / "alerts.yaml").read_text()):
            self.assertRegex(tests, rf"(?s)alertname: {alert}\n.{{0,200}}exp_labels", alert)

    def test_the_prometheus_rule_says_the_same(self):
        self.succeeds(TESTS / "prometheus_rule", "--check")
