"""The booking domain: making customers ready, and auditing what the participants' own books say afterwards."""

from stack.services import pages


class World:
    """Wallets, seats and tokens, through the participants' public APIs."""

    def __init__(self, stack):
        self.payment = stack.participant("payment")
        self.reservation = stack.participant("reservation")
        self.token = stack.participant("token")

    def customer(self, name, points, concert, seat):
        """A user with points, a held seat and a waiting-room token; the input of a booking."""
        self.payment.TopUp(user_id=name, amount=points, request_id=f"top-up-{name}")
        self.reservation.Hold(concert_id=concert, seat=seat, user_id=name, reservation_id=f"r-{name}")
        self.token.IssueToken(user_id=name, token_id=f"t-{name}")
        return {"user_id": name, "reservation_id": f"r-{name}", "token_id": f"t-{name}"}

    def balance(self, user):
        return self.payment.GetWallet(user_id=user).wallet.balance

    def ledger(self, user):
        """Deltas of charges and refunds, in order; top-ups left out."""
        return [entry.delta for entry in pages(self.payment.ListLedger, "entries", user_id=user) if entry.payment_id]

    def seat_status(self, user):
        from tutti.reservation.v1 import reservation_pb2
        status = self.reservation.GetReservation(reservation_id=f"r-{user}").reservation.status
        return reservation_pb2.ReservationStatus.Name(status).removeprefix("RESERVATION_STATUS_")

    def token_status(self, user):
        from tutti.token.v1 import token_pb2
        status = self.token.GetToken(token_id=f"t-{user}").token.status
        return token_pb2.TokenStatus.Name(status).removeprefix("TOKEN_STATUS_")
