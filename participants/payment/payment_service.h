#ifndef TUTTI_PARTICIPANTS_PAYMENT_PAYMENT_SERVICE_H_
#define TUTTI_PARTICIPANTS_PAYMENT_PAYMENT_SERVICE_H_

#include "participants/sdk/participant_server.h"

namespace tutti::payment {

// tutti.payment.v1.PaymentService as a participant.
participant::ParticipantSpec PaymentSpec();

}  // namespace tutti::payment

#endif  // TUTTI_PARTICIPANTS_PAYMENT_PAYMENT_SERVICE_H_
