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
GROUP_WAIT_SECONDS, GROUP_INTERVAL_SECONDS = 5, 6
DOWN_SECONDS = 3600 / prometheus.SHORTER  # an hour, as the rules' own times are shortened
RUNBOOKS = "https://git.example/tutti/"
EXPIRE = "tutti.token.v1.TokenService/ExpireToken"


def rendered():
    with open(prometheus.RULES, encoding="utf-8") as file:
        others = set(re.findall(r"alert: (\w+)", file.read())) - {"TuttiStepParked", "TuttiSagaStuck"}
    # Over windows of seconds, a machine that is busy otherwise makes some of the others fire too.
    values = {"prometheusRule": {"enabled": True, "runbookUrlPrefix": RUNBOOKS,
                                 "alerts": {name: {"enabled": False} for name in others}},
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
    def __init__(self, slack, troubles, prometheus_):
        self.slack = slack
        self.troubles = troubles
        self.prometheus = prometheus_

    def park(self, count):
        """Half of them on their way forward, half on their way back: two series of the alert."""
        sagas = [self.troubles.start("voucher-and-stamp", refuse_check=True, refuse_revoke=3) if number % 2 else
                 self.troubles.parked() for number in range(count)]
        wait_until(f"{count} sagas to park", lambda: all(self.troubles.get(saga).parked for saga in sagas), 60, every=0.1)

    def operator_helps(self):
        wait_until("the operator to be done", lambda: not self.troubles.retry(), 60, every=0.3)

    def told(self, *titles, besides=""):
        """These messages, in any order among those of one moment, and no other within two intervals of the group. What speaks of
        `besides` may come or not."""
        def messages():
            return [message for message in self.slack.messages
                    if not besides or besides not in message["attachments"][0]["title"]]

        wait_until(f"the messages {titles}", lambda: len(messages()) >= len(titles), 60, every=0.1)
        time.sleep(2 * GROUP_INTERVAL_SECONDS)
        heard = messages()
        expect("what Slack shows", sorted(message["attachments"][0]["title"] for message in heard), sorted(titles))
        self.slack.messages.clear()
        for message in heard:
            attachment = message["attachments"][0]
            print(f"{attachment['title']}\n  " + attachment["text"].replace("\n", "\n  "), flush=True)
            expect("the channel", message["channel"], "#orders")
        return [message["attachments"][0] for message in heard]


def title(definition, resolved=False):
    return f"{'Resolved: ' if resolved else ''}TuttiStepParked · {definition} · {NAMESPACE}/{NAME}-headless"


def many_parked_sagas_are_one_message(night):
    night.park(PARKED)
    message, = night.told(title("voucher-and-stamp"))
    expect("its colour", message["color"], "danger")
    expect("its link", message["title_link"], f"{RUNBOOKS}docs/runbooks/TuttiStepParked.md")
    where = re.findall(r"^• Sagas of voucher-and-stamp that wait at (.*): \d+\.$", message["text"], re.M)
    expect("TuttiSagaStuck fires and is not told", bool(night.prometheus.firing().get("TuttiSagaStuck")), True)
    expect("its lines", sorted(where), ["grant (compensation, refused)", "stamp (action, refused)"])


def another_definition_is_another_message(night):
    night.troubles.fault("token", EXPIRE, "REFUSE")
    for _ in range(3):
        night.troubles.start()
    night.told(title("book-ticket"))
    night.troubles.heal("token")


# For a moment nothing is parked any more and the oldest saga has not ended yet.
AT_THE_MEND = "TuttiSagaStuck"


def what_is_mended_is_one_message_each(night):
    night.operator_helps()
    for message in night.told(title("voucher-and-stamp", resolved=True), title("book-ticket", resolved=True),
                              besides=AT_THE_MEND):
        expect("its colour", message["color"], "good")


def slack_may_be_down(night):
    night.slack.down = True
    began = time.monotonic()
    night.park(MORE)
    wait_until("Slack to be missed", lambda: night.slack.turned_away > 2, 60, every=0.1)
    time.sleep(max(0, began + DOWN_SECONDS - time.monotonic()))
    user = night.troubles.world.customer("unbothered", 1000, "hall", 4999)
    saga = night.troubles.sagas.RunSaga(saga_id="unbothered", definition="book-ticket",
                                        input=struct({**user, "price": 300})).saga
    state = night.troubles.pb.SagaState.Name(saga.state)
    expect("a saga meanwhile passes its commit point", state in ("SAGA_STATE_RUNNING", "SAGA_STATE_SUCCEEDED"), True)
    print(f"Slack was down for {time.monotonic() - began:.0f} s and turned {night.slack.turned_away} posts away", flush=True)
    night.slack.down = False
    night.told(title("voucher-and-stamp"))
    night.operator_helps()
    night.told(title("voucher-and-stamp", resolved=True), besides=AT_THE_MEND)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("build_dir")
    args = parser.parse_args()
    for name in ("prometheus", "alertmanager", "amtool", "helm"):
        prometheus.tool(name)
    rules, config = rendered()
    with Slack() as slack, Stack(args.build_dir, plain=voucher(args.build_dir)) as stack, \
            alertmanager(os.path.join(stack.work_dir, "alertmanager"), as_the_operator_writes_it(config, slack.url)) as address, \
            Prometheus(stack, prometheus.shortened(rules), address, job, {"namespace": NAMESPACE}) as prometheus_:
        night = Night(slack, Troubles(stack), prometheus_)
        for act in (many_parked_sagas_are_one_message, another_definition_is_another_message,
                    what_is_mended_is_one_message_each, slack_may_be_down):
            act(night)
    print(f"{PARKED} parked sagas were one message")
    return 0


if __name__ == "__main__":
    sys.exit(main())
