#ifndef TUTTI_PARTICIPANTS_RESERVATION_RESERVATION_SERVICE_H_
#define TUTTI_PARTICIPANTS_RESERVATION_RESERVATION_SERVICE_H_

#include "participants/sdk/participant_server.h"

namespace tutti::reservation {

// tutti.reservation.v1.ReservationService as a participant.
participant::ParticipantSpec ReservationSpec();

}  // namespace tutti::reservation

#endif  // TUTTI_PARTICIPANTS_RESERVATION_RESERVATION_SERVICE_H_
