"""From parked sagas to one message in Slack: the chart's rules on a real Prometheus, the chart's AlertmanagerConfig on a real
Alertmanager, and a loopback server that plays Slack, which is also down for a while."""

import argparse
import os
import re
import subprocess
import sys
import time

import yaml

import prometheus
from alertmanager import Slack, alertmanager, as_the_operator_writes_it
from prometheus import Prometheus
from stack.processes import StackError, wait_until
from stack.services import struct
from stack.stack import Stack, repository
from troubles import Troubles, voucher

NAMESPACE, RELEASE, NAME = "shop", "t", "t-tutti"
PARKED, MORE = 100, 20
GROUP_WAIT_SECONDS, GROUP_INTERVAL_SECONDS = 3, 5
DOWN_SECONDS = 3600 / prometheus.SHORTER  # an hour, as the rules' own times are shortened
RUNBOOKS = "https://git.example/tutti/"
EXPIRE = "tutti.token.v1.TokenService/ExpireToken"


def rendered():
    # The disk is that of this machine, and who knows what else fills it.
    values = {"prometheusRule": {"enabled": True, "runbookUrlPrefix": RUNBOOKS,
                                 "alerts": {"TuttiDiskFilling": {"enabled": False}}},
              "alertmanagerConfig": {"enabled": True, "slack": {"channel": "#orders", "existingSecret": "slack-webhook"},
                                     "groupWait": f"{GROUP_WAIT_SECONDS}s", "groupInterval": f"{GROUP_INTERVAL_SECONDS}s"}}
    done = subprocess.run(
        [prometheus.tool("helm"), "template", RELEASE, os.path.join(repository(), "charts", "tutti"), "--namespace", NAMESPACE,
         "--values", "-"], input=yaml.safe_dump(values), stdout=subprocess.PIPE, text=True, check=True)
    made = {item["kind"]: item for item in yaml.safe_load_all(done.stdout) if item}
    return yaml.safe_dump(made["PrometheusRule"]["spec"]), made["AlertmanagerConfig"]


def job(process):
    return f"{NAME}-headless" if process == "orchestrator" else f"{NAME}-{process}-headless"


def expect(what, seen, wanted):
    if seen != wanted:
        raise StackError(f"{what}: {seen!r}, not {wanted!r}")


class Night:
    def __init__(self, slack, troubles):
        self.slack = slack
        self.troubles = troubles

    def park(self, count):
        sagas = [self.troubles.parked() for _ in range(count)]
        wait_until(f"{count} sagas to park", lambda: all(self.troubles.get(saga).parked for saga in sagas), 60, every=0.1)

    def operator_helps(self):
        wait_until("the operator to be done", lambda: not self.troubles.retry(), 60, every=0.3)

    def told(self, *titles):
        """These messages, in any order among those of one moment, and no other within two intervals of the group."""
        wait_until(f"the messages {titles}", lambda: len(self.slack.messages) >= len(titles), 60, every=0.1)
        time.sleep(2 * GROUP_INTERVAL_SECONDS)
        expect("what Slack shows", sorted(self.slack.titles()), sorted(titles))
        messages, self.slack.messages = self.slack.messages, []
        for message in messages:
            attachment = message["attachments"][0]
            print(f"{attachment['title']}\n  " + attachment["text"].replace("\n", "\n  "), flush=True)
            expect("the channel", message["channel"], "#orders")
        return [message["attachments"][0] for message in messages]


def title(definition, resolved=False):
    return f"{'Resolved: ' if resolved else ''}TuttiStepParked · {definition} · {NAMESPACE}/{NAME}-headless"


def many_parked_sagas_are_one_message(night):
    night.park(PARKED)
    message, = night.told(title("voucher-and-stamp"))
    expect("its colour", message["color"], "danger")
    expect("its link", message["title_link"], f"{RUNBOOKS}docs/runbooks/TuttiStepParked.md")
    expect("its lines", len(message["text"].splitlines()), 2)
    if not re.match(r"• Sagas of voucher-and-stamp that wait at stamp \(action, refused\): \d+\.\n", message["text"]):
        raise StackError(f"not what an operator can use: {message['text']}")


def another_definition_is_another_message(night):
    night.troubles.fault("token", EXPIRE, "REFUSE")
    for _ in range(3):
        night.troubles.start()
    night.told(title("book-ticket"))
    night.troubles.heal("token")


def what_is_mended_is_one_message_each(night):
    night.operator_helps()
    for message in night.told(title("voucher-and-stamp", resolved=True), title("book-ticket", resolved=True)):
        expect("its colour", message["color"], "good")


def slack_may_be_down(night):
    night.slack.down = True
    began = time.monotonic()
    night.park(MORE)
    wait_until("Slack to be missed", lambda: night.slack.turned_away > 2, 60, every=0.1)
    time.sleep(max(0, began + DOWN_SECONDS - time.monotonic()))
    user = night.troubles.world.customer("unbothered", 1000, "hall", 4999)
    saga = night.troubles.sagas.RunSaga(saga_id="unbothered", definition="book-ticket", input=struct({**user, "price": 300})).saga
    expect("a saga meanwhile", night.troubles.pb.SagaState.Name(saga.state) in ("SAGA_STATE_RUNNING", "SAGA_STATE_SUCCEEDED"), True)
    print(f"Slack was down for {time.monotonic() - began:.0f} s and turned {night.slack.turned_away} posts away", flush=True)
    night.slack.down = False
    night.told(title("voucher-and-stamp"))
    night.operator_helps()
    night.told(title("voucher-and-stamp", resolved=True))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("build_dir")
    args = parser.parse_args()
    for name in ("prometheus", "alertmanager", "amtool", "helm"):
        prometheus.tool(name)
    rules, config = rendered()
    with Slack() as slack, Stack(args.build_dir, plain=voucher(args.build_dir)) as stack, \
            alertmanager(os.path.join(stack.work_dir, "alertmanager"), as_the_operator_writes_it(config, slack.url)) as address, \
            Prometheus(stack, prometheus.shortened(rules), address, job, {"namespace": NAMESPACE}):
        night = Night(slack, Troubles(stack))
        for act in (many_parked_sagas_are_one_message, another_definition_is_another_message,
                    what_is_mended_is_one_message_each, slack_may_be_down):
            act(night)
    print(f"{PARKED} parked sagas were one message")
    return 0


if __name__ == "__main__":
    sys.exit(main())
