"""A stack as it answered once: the audit asks it the way it asks the processes, and every answer can be falsified."""

import copy

import grpc


class NotThere(grpc.RpcError):
    def code(self):
        return grpc.StatusCode.NOT_FOUND


class RecordedClient:
    """client.Method(field=value, ...) out of the recording; what is not in it yet is asked of `live`."""

    def __init__(self, service, answers, live):
        self.service = service
        self.answers = answers
        self.live = live

    def __getattr__(self, method):
        def invoke(**fields):
            key = (self.service, method, tuple(sorted(fields.items())))
            if key not in self.answers:
                self.answers[key] = self.ask(method, fields)
            answer = self.answers[key]
            if isinstance(answer, grpc.RpcError):
                raise answer
            return answer

        return invoke

    def ask(self, method, fields):
        if self.live is None:
            raise KeyError(f"{self.service}.{method}({fields}) was never recorded")
        try:
            return getattr(self.live(), method)(**fields)
        except grpc.RpcError as error:
            if error.code() != grpc.StatusCode.NOT_FOUND:
                raise
            return NotThere()


class RecordedStack:
    """Records while it has a live stack; `copy` has none, and belongs to whoever falsifies it."""

    def __init__(self, live=None, participants=(), answers=None):
        self.live = live
        self.participants = participants or live.participants
        self.answers = {} if answers is None else answers

    def copy(self):
        return RecordedStack(None, self.participants, copy.deepcopy(self.answers))

    def participant(self, name):
        return RecordedClient(name, self.answers, self.live and (lambda: self.live.participant(name)))

    def sagas(self, timeout=10.0):
        return RecordedClient("sagas", self.answers, self.live and (lambda: self.live.sagas(timeout)))

    def answer(self, service, method, **fields):
        """The one recorded answer to these fields, whatever page it is of."""
        found = [answer for (asked, name, given), answer in self.answers.items()
                 if asked == service and name == method and fields.items() <= dict(given).items()]
        assert len(found) == 1, f"{len(found)} answers to {service}.{method}({fields}): keep the world to one page"
        return found[0]

    def forget_saga(self, saga_id):
        self.answers[("sagas", "GetSaga", (("saga_id", saga_id),))] = NotThere()
        listing = self.answer("sagas", "ListSagas").sagas
        kept = [saga for saga in listing if saga.saga_id != saga_id]
        del listing[:]
        listing.extend(kept)
